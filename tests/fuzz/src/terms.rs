//! The target for terms: entries of every log as anybody's index reads them, and attestations.
//!
//! An entry that cannot be read must not stop an index, and one that can is found by its terms alone. So whatever is
//! read has sorted terms of limited number and size that read back, the same each time, and a summary that is JSON.

use crate::seeds;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::rekor::logged::LoggedEntry;
use chancery_verify::rekor::{EntryKind, ProposedEntry, v2, verify_readable};
use chancery_verify::sct::{ExtraData, LogEntry, MerkleTreeLeaf};
use chancery_verify::terms::{
    Entry, MAX_TERMS, MAX_VALUE_BYTES, Summary, Term, TermKind, Terms, index_key, of_attestation,
};
use chancery_verify::{Timestamp, merkle, pem};

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 1] = [("terms", terms)];

/// The seeds of a target.
pub fn seeds(_: &str) -> Vec<Vec<u8>> {
    bodies().into_iter().chain(leaves()).chain(others()).collect()
}

/// Bodies of Rekor, certificate transparency leaves with what is beside them, attestations, and terms.
pub fn terms(input: &[u8]) {
    // Whatever a body has, by itself: keys, messages and files of other tools among it.
    let _ = verify_readable(input);
    if let Ok(entry) = Entry::of_rekor(input) {
        check_entry(&entry, input);
        let terms = entry.terms();
        if let (Ok(verified), []) = (LoggedEntry::read(input), terms.omissions()) {
            let (algorithm, digest) = &verified.digest;
            let has_digest = |kind: &TermKind| terms.contains(&Term::of_digest(*kind, algorithm.name(), digest));
            assert!(TermKind::DIGESTS.iter().any(has_digest), "what a verifier reads is found");
        }
    }
    // The first two bytes are the length of the leaf.
    if let Some((length, rest)) = input.split_first_chunk() {
        let (leaf, extra) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        if let Ok(entry) = Entry::of_certificate_log(leaf, extra) {
            check_entry(&entry, leaf);
        }
    }
    if let Ok(terms) = of_attestation(input) {
        check(&terms);
    }
    if let Some(term) = Term::from_bytes(input) {
        assert_eq!(term.as_bytes(), input, "a term has one spelling");
    }
    if let Ok(text) = str::from_utf8(input) {
        // One kind of each form.
        for kind in [TermKind::Ref, TermKind::Identity, TermKind::CertificateSerial, TermKind::ArtifactDigest] {
            let Some(term) = Term::of_text(kind, text) else { continue };
            assert!(term.is_cut() || Term::of_text(kind, &term.text()) == Some(term));
        }
        assert!(!index_key::terms(&index_key::of_hash(text)).is_empty());
    }
}

fn check_entry(entry: &Entry, leaf: &[u8]) {
    let terms = entry.terms();
    check(&terms);
    assert_eq!(terms, entry.terms(), "the same entry has the same terms");
    assert!(terms.contains(&Term::of_bytes(TermKind::LeafHash, &merkle::leaf_hash(leaf))));
    let summary = entry.summary();
    let json = serde_json::to_string(&summary).expect("a summary is JSON");
    assert_eq!(serde_json::from_str::<Summary>(&json).expect("a summary reads back"), summary);
}

fn check(terms: &Terms) {
    assert!(terms.len() <= MAX_TERMS);
    assert!(terms.iter().is_sorted());
    for term in terms {
        assert!(term.value().len() <= MAX_VALUE_BYTES);
        assert_eq!(Term::from_bytes(term.as_bytes()).as_ref(), Some(term));
    }
}

/// What the logs make of the seeds of other targets.
fn bodies() -> Vec<Vec<u8>> {
    let v1 = seeds::of("entry").into_iter().flat_map(|proposal| {
        let bodies = EntryKind::ALL.map(|kind| {
            let proposal = ProposedEntry::parse(&proposal).ok()?;
            kind.canonicalize(&proposal).ok()
        });
        bodies.into_iter().flatten().map(|body| body.as_bytes().to_vec()).collect::<Vec<_>>()
    });
    let v2 = seeds::of("entry_v2").into_iter().filter_map(|request| {
        let request = v2::json::parse(&request).ok()??;
        Some(request.admit().ok()?.into_bytes())
    });
    v1.chain(v2).collect()
}

/// A leaf of each kind, with its length before it and what is beside it after it.
fn leaves() -> Vec<Vec<u8>> {
    let [root, leaf, precertificate, signer] =
        <[Vec<u8>; 4]>::try_from(seeds::of("certificate")).expect("four certificates");
    let [by_root, by_signer] =
        seeds::final_issuers().each_ref().map(|issuer| issuer.unverified_entry(&precertificate).expect("a poison"));
    let beside = |chain| ExtraData::Precert { precertificate: precertificate.clone(), chain };
    let entries = [
        (LogEntry::X509 { certificate: leaf }, ExtraData::X509 { chain: Vec::new() }),
        (by_root, beside(vec![root.clone()])),
        (by_signer, beside(vec![signer, root])),
    ];
    let bytes = |(entry, extra): (LogEntry, ExtraData)| {
        let leaf = MerkleTreeLeaf { timestamp: Timestamp::from_seconds(1), entry, extensions: Vec::new() };
        let leaf = leaf.to_bytes().expect("short");
        let length = u16::try_from(leaf.len()).expect("short").to_be_bytes();
        [&length[..], &leaf, &extra.to_bytes().expect("short")].concat()
    };
    entries.map(bytes).into()
}

/// Entries with keys of other formats, an attestation, and a term.
fn others() -> Vec<Vec<u8>> {
    let rekord = |format: &str, key: &[u8]| {
        let (hash, key) = ("ab".repeat(32), STANDARD.encode(key));
        format!(
            r#"{{"apiVersion":"0.0.1","kind":"rekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{hash}"}}}},"signature":{{"content":"AA==","format":"{format}","publicKey":{{"content":"{key}"}}}}}}}}"#
        )
    };
    // The key of RFC 9580 §A.3 with a user id.
    let pgp = STANDARD.decode("xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPNCUEgPGFAYi5jPg==");
    let ssh = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMw55UFllwoqS/p8JJK+GsMw7LlESQn5jy2md96AVLhB a@b.c";
    let statement = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"ab","dirHash":"h1:x"}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"resolvedDependencies":[{"digest":{"gitCommit":"cd"}}]}}}"#;
    let metadata = STANDARD.encode(r#"{"signed":{"_type":"root","keys":{"ab":{}},"version":1}}"#);
    let tuf = format!(
        r#"{{"apiVersion":"0.0.1","kind":"tuf","spec":{{"metadata":{{"content":"{metadata}"}},"root":{{"content":"{metadata}"}}}}}}"#
    );
    vec![
        rekord("pgp", &pgp.expect("base64")).into_bytes(),
        rekord("ssh", ssh).into_bytes(),
        rekord("minisign", b"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").into_bytes(),
        rekord("x509", pem::encode("EMPTY", &[]).as_bytes()).into_bytes(),
        statement.into(),
        tuf.into_bytes(),
        Term::digest("sha256", &[1; 32]).as_bytes().to_vec(),
    ]
}
