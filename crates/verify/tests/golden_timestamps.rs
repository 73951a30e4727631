//! Timestamps by OpenSSL's own authority (`golden/openssl-tsa/make`) verify, and do not verify after any change.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use chancery_verify::certificate::Certificate;
use chancery_verify::timestamping::asn1::{self, write};
use chancery_verify::timestamping::{Authority, Issuers, Request, Token};
use chancery_verify::{HashAlgorithm, Rejection};
use std::path::Path;

const ARTIFACT: &[u8] = b"hello, timestamp";
/// Name, chain, hash, number of embedded certificates, whether there is a nonce.
const GOLDEN: [(&str, &str, HashAlgorithm, usize, bool); 7] = [
    ("ec-sha256", "ec", HashAlgorithm::Sha256, 0, true),
    ("ec-sha384-bare", "ec", HashAlgorithm::Sha384, 0, false),
    ("ec-sha512-certificates", "ec", HashAlgorithm::Sha512, 3, true),
    ("rsa-sha256-certificates", "rsa", HashAlgorithm::Sha256, 3, true),
    // These name the certificate by SHA-1, as freetsa.org does: with a key of 4096 bits, with an unrelated certificate
    // among those embedded, and with as little as possible.
    ("rsa4096-sha512-older", "rsa4096", HashAlgorithm::Sha512, 2, true),
    ("ec-sha256-older", "ec", HashAlgorithm::Sha256, 4, false),
    ("ec-sha256-bare", "ec", HashAlgorithm::Sha256, 0, false),
];

/// What a token states about its time: whether times are ordered, and their accuracy in microseconds.
fn claims(name: &str) -> (bool, u64) {
    match name {
        "ec-sha256-bare" => (false, 3_000_000),
        name if name.ends_with("-older") => (true, 0),
        _ => (true, 1_500_100),
    }
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openssl-tsa").join(name)).unwrap()
}

fn chain(name: &str) -> Vec<Certificate> {
    Certificate::chain_from_pem(&read(&format!("{name}-chain.pem"))).unwrap()
}

fn authority(name: &str) -> Authority {
    Authority::new(chain(name)).unwrap()
}

/// The checks of a client.
fn verify(authority: &Authority, request: &Request<'_>, response: &[u8]) -> Result<(), Rejection> {
    let token = Token::from_response(response)?;
    token.verify_answers(request)?;
    authority.verify(&token)
}

#[test]
fn real_timestamps_verify() {
    for (name, leaf, hash, certificates, nonce) in GOLDEN {
        let (query, response) = (read(&format!("{name}.tsq")), read(&format!("{name}.tsr")));
        let request = Request::from_der(&query).unwrap();
        assert_eq!(request.to_der(), query, "{name}");
        assert_eq!((request.imprint.hash, request.certificates), (hash, certificates > 0), "{name}");
        assert_eq!(request.nonce.is_some(), nonce, "{name}");
        assert_eq!(request.imprint.digest, hash.digest(ARTIFACT), "{name}");
        let authority = authority(leaf);
        verify(&authority, &request, &response).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        let token = Token::from_response(&response).unwrap();
        assert_eq!((token.info().ordering, token.info().accuracy_micros), claims(name), "{name}");
        assert_eq!(token.info().authority.is_some(), name != "ec-sha256-bare", "{name}");
        assert_eq!(token.certificates().len(), certificates, "{name}");
        assert!(authority.is_valid_at(token.info().time));
    }
}

#[test]
fn each_is_refused_under_another_authority_and_for_another_question() {
    let responses = GOLDEN.map(|(name, ..)| read(&format!("{name}.tsr")));
    let queries = GOLDEN.map(|(name, ..)| read(&format!("{name}.tsq")));
    let tokens: Vec<_> = responses.iter().map(|response| Token::from_response(response).unwrap()).collect();
    assert_eq!(authority("rsa").verify(&tokens[0]), Err(Rejection::TimestampSigner));
    assert_eq!(authority("ec").verify(&tokens[3]), Err(Rejection::TimestampSigner));
    for older in &tokens[4..] {
        assert_eq!(authority("rsa").verify(older), Err(Rejection::TimestampSigner));
    }
    let asked = Request::from_der(&queries[2]).unwrap();
    assert_eq!(tokens[2].verify_answers(&asked), Ok(()));
    let digest = HashAlgorithm::Sha512.digest(b"something else");
    for (request, rejection) in [
        (
            Request { imprint: chancery_verify::timestamping::Imprint { digest: &digest, ..asked.imprint }, ..asked },
            Rejection::TimestampImprint,
        ),
        (Request { nonce: None, ..asked }, Rejection::TimestampNonce),
        (Request { nonce: Some(&[1]), ..asked }, Rejection::TimestampNonce),
        (Request { policy: Some(&[0x2a]), ..asked }, Rejection::TimestampPolicy),
        (Request { certificates: false, ..asked }, Rejection::TimestampCertificates),
    ] {
        assert_eq!(tokens[2].verify_answers(&request), Err(rejection));
    }
    let bare = Request::from_der(&queries[1]).unwrap();
    assert_eq!(tokens[1].verify_answers(&Request { nonce: Some(&[1]), ..bare }), Err(Rejection::TimestampNonce));
    assert_eq!(
        tokens[1].verify_answers(&Request { certificates: true, ..bare }),
        Err(Rejection::TimestampCertificates)
    );
    assert_eq!(Token::from_response(&read("sha1.tsr")).unwrap_err(), Rejection::TimestampRefused { status: 2 });
    assert_eq!(Request::from_der(&read("sha1.tsq")).unwrap_err(), Rejection::TimestampHashWeak);
}

#[test]
fn no_changed_byte_is_overlooked() {
    for (name, leaf, ..) in GOLDEN {
        let (query, response) = (read(&format!("{name}.tsq")), read(&format!("{name}.tsr")));
        let request = Request::from_der(&query).unwrap();
        let authority = authority(leaf);
        let embedded = Token::from_response(&response).unwrap();
        // Only the copy of the leaf is compared. Embedded issuers are not trusted.
        let ignored: Vec<_> =
            embedded.certificates().iter().filter(|der| **der != authority.leaf().der()).copied().collect();
        let start = response.as_ptr().addr();
        let ignored = |at: usize| {
            ignored
                .iter()
                .any(|der| (der.as_ptr().addr() - start + 4..der.as_ptr().addr() - start + der.len()).contains(&at))
        };
        for at in 0..response.len() {
            for flip in [0x01, 0x80] {
                let mut changed = response.clone();
                changed[at] ^= flip;
                let accepted = verify(&authority, &request, &changed).is_ok();
                // The status is not signed: granted, or granted with modifications.
                let status = changed[..=at].ends_with(&[asn1::INTEGER, 1, 1]) && at < 10;
                assert!(!accepted || ignored(at) || status, "{name}: byte {at} ^ {flip:#x}");
            }
        }
        for cut in 0..response.len() {
            assert!(verify(&authority, &request, &response[..cut]).is_err(), "{name}: {cut} bytes");
        }
        assert!(verify(&authority, &request, &[&response[..], &[0]].concat()).is_err());
    }
}

#[test]
fn an_authority_of_which_only_the_issuers_are_known_is_found_by_either_hash() {
    for (name, leaf) in
        [("ec-sha512-certificates", "ec"), ("rsa4096-sha512-older", "rsa4096"), ("ec-sha256-older", "ec")]
    {
        let response = read(&format!("{name}.tsr"));
        let token = Token::from_response(&response).unwrap();
        let issuers = Issuers::new(chain(leaf).split_off(1)).unwrap();
        let found = issuers.signer(&token).unwrap();
        assert_eq!(found.leaf(), authority(leaf).leaf(), "{name}");
        assert_eq!(found.verify(&token), Ok(()), "{name}");
    }
}

#[test]
fn only_a_chain_for_timestamps_is_an_authority() {
    let whole = chain("ec");
    let [leaf, intermediate, root] = whole.as_slice() else { panic!("three certificates") };
    let refused =
        |chain: &[&Certificate]| Authority::new(chain.iter().map(|one| (*one).clone()).collect()).unwrap_err();
    assert_eq!(refused(&[]), Rejection::ChainIncomplete);
    assert_eq!(refused(&[leaf]), Rejection::ChainIncomplete);
    assert_eq!(refused(&[leaf, intermediate]), Rejection::ChainName, "does not end in a root");
    assert_eq!(refused(&[leaf, root]), Rejection::ChainName);
    assert_eq!(refused(&[intermediate, root]), Rejection::ChainUsage, "a CA makes no timestamps");
}

#[test]
fn a_second_leaf_in_the_bag_changes_nothing() {
    // GHSA-xm5m-wgh2-rrg3: the certificates in a token are not signed, so they decide no trust.
    let (response, query) = (read("ec-sha512-certificates.tsr"), read("ec-sha512-certificates.tsq"));
    let request = Request::from_der(&query).unwrap();
    let token = Token::from_response(&response).unwrap();
    let bag: Vec<&[u8]> = token.certificates().to_vec();
    let rsa = chain("rsa");
    let with = |certificates: &[&[u8]]| {
        let old = write(asn1::constructed(0), &bag);
        let new = write(asn1::constructed(0), certificates);
        let at = response.windows(old.len()).position(|window| window == old).unwrap();
        resize(&response, at, old.len(), &new)
    };
    let more = with(&[&[rsa[0].der()], &bag[..]].concat());
    assert_eq!(verify(&authority("ec"), &request, &more), Ok(()));
    assert_eq!(verify(&authority("rsa"), &request, &more), Err(Rejection::TimestampSigner));
    let twice = with(&[bag[0], bag[0]]);
    assert_eq!(verify(&authority("ec"), &request, &twice), Err(Rejection::TimestampMalformed));
    let other = with(&[rsa[0].der()]);
    assert_eq!(verify(&authority("ec"), &request, &other), Err(Rejection::TimestampSigner));
}

/// Replaces `length` bytes at `at` and corrects the lengths of the elements around them: response, `ContentInfo`, `[0]`
/// and `SignedData` all have two bytes of length.
fn resize(response: &[u8], at: usize, length: usize, new: &[u8]) -> Vec<u8> {
    let mut changed = [&response[..at], new, &response[at + length..]].concat();
    let mut corrected = 0;
    let mut position = 0;
    while position < at && corrected < 4 {
        if changed[position + 1] == 0x82 && [asn1::SEQUENCE, asn1::constructed(0)].contains(&changed[position]) {
            let old = usize::from(u16::from_be_bytes([changed[position + 2], changed[position + 3]]));
            let corrected_length = u16::try_from(old + new.len() - length).unwrap();
            changed[position + 2..position + 4].copy_from_slice(&corrected_length.to_be_bytes());
            corrected += 1;
            position += 4;
        } else {
            position += 1;
        }
    }
    assert_eq!(corrected, 4);
    changed
}
