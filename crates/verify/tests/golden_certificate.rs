//! Certificates of the public Fulcio and of a scaffolding instance: chain, embedded SCT and identity, by our code.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod golden;

use chancery_verify::certificate::{Certificate, Identity, verify_chain, verify_path, verify_profile};
use chancery_verify::extension::Claim;
use chancery_verify::sct::LogEntry;
use chancery_verify::{PublicKey, Rejection, Timestamp};
use serde_json::Value;

const PUBLIC_GOOD: &str = "examples/trusted-root-public-good.json";
const PROVENANCE: &str = "examples/bundle-provenance.json";

/// The leaf of a bundle, and the matching parts of its trusted root.
struct Signed {
    leaf: Certificate,
    time: Timestamp,
    /// Chains of the trusted root, issuing certificate first.
    authorities: Vec<Vec<Certificate>>,
    logs: Vec<PublicKey>,
}

fn load(bundle: &str, trusted_root: &str) -> Signed {
    let bundle = golden::json(bundle);
    let material = &bundle["verificationMaterial"];
    let leaf = ["/certificate/rawBytes", "/x509CertificateChain/certificates/0/rawBytes"]
        .into_iter()
        .find(|pointer| material.pointer(pointer).is_some())
        .map(|pointer| golden::bytes(material, pointer))
        .unwrap();
    let time = material.pointer("/tlogEntries/0/integratedTime").unwrap().as_str().unwrap().parse().unwrap();
    let root = golden::json(trusted_root);
    let list = |value: &Value| value.as_array().unwrap().clone();
    let chain = |authority: &Value| {
        let certificates = list(&authority["certChain"]["certificates"]);
        certificates.iter().map(|der| Certificate::from_der(&golden::bytes(der, "/rawBytes")).unwrap()).collect()
    };
    Signed {
        leaf: Certificate::from_der(&leaf).unwrap(),
        time: Timestamp::from_seconds(time),
        authorities: list(&root["certificateAuthorities"]).iter().map(chain).collect(),
        logs: list(&root["ctlogs"])
            .iter()
            .map(|log| PublicKey::from_spki_der(&golden::bytes(log, "/publicKey/rawBytes")).unwrap())
            .collect(),
    }
}

impl Signed {
    /// The chain of the authority that issued the leaf.
    fn authority(&self, at: Timestamp) -> Result<&[Certificate], Rejection> {
        let mut verdict = Rejection::ChainUntrusted;
        for chain in &self.authorities {
            match verify_chain(&self.leaf, &chain[..chain.len() - 1], &chain[chain.len() - 1..], at) {
                Ok(_) => return Ok(chain),
                Err(Rejection::ChainName | Rejection::ChainUntrusted) => {}
                Err(rejection) => verdict = rejection,
            }
        }
        Err(verdict)
    }

    /// The number of embedded SCTs that verify with one of the logs' keys.
    fn valid_scts(&self, entry: &LogEntry) -> usize {
        let scts = self.leaf.scts().unwrap();
        scts.iter().filter(|sct| self.logs.iter().any(|log| sct.verify(entry, log).is_ok())).count()
    }
}

#[test]
fn a_public_certificate_verifies_with_everything_in_it() {
    let signed = load(PROVENANCE, PUBLIC_GOOD);
    let chain = signed.authority(signed.time).unwrap();
    assert_eq!(chain.len(), 2);
    let entry = signed.leaf.precert_entry(chain[0].public_key()).unwrap();
    assert_eq!(signed.valid_scts(&entry), 1);

    let identity = signed.leaf.identity().unwrap();
    let Identity::Uri(uri) = identity else { panic!("{identity:?}") };
    assert!(uri.starts_with("https://github.com/sigstore/sigstore-js/.github/workflows/"), "{uri}");
    assert_eq!(signed.leaf.issuer_claim().unwrap(), "https://token.actions.githubusercontent.com");
    let claim = |claim| signed.leaf.claim(claim).unwrap();
    assert_eq!(claim(Claim::IssuerV1).as_deref(), Some("https://token.actions.githubusercontent.com"));
    assert_eq!(claim(Claim::GithubWorkflowRepository).as_deref(), Some("sigstore/sigstore-js"));
    assert_eq!(claim(Claim::SourceRepositoryUri).as_deref(), Some("https://github.com/sigstore/sigstore-js"));
    assert_eq!(claim(Claim::TokenSubject), None, "older than the extension");
}

#[test]
fn the_public_certificate_departs_from_our_profile_in_its_age_alone() {
    let signed = load(PROVENANCE, PUBLIC_GOOD);
    let issuer = &signed.authority(signed.time).unwrap()[0];
    assert_eq!(verify_profile(&signed.leaf, issuer), Err(Rejection::Profile { field: "token-subject" }));
}

#[test]
fn the_same_certificate_is_refused_at_another_time_or_under_another_root() {
    let signed = load(PROVENANCE, PUBLIC_GOOD);
    assert_eq!(signed.authority(signed.leaf.not_after().plus_seconds(1)), Err(Rejection::ChainExpired));
    assert_eq!(signed.authority(signed.leaf.not_before().minus_seconds(1)), Err(Rejection::ChainExpired));
    assert!(signed.authority(signed.leaf.not_after()).is_ok(), "the last second counts");
    let [old, new] = signed.authorities.as_slice() else { panic!("two authorities") };
    assert_eq!(verify_path(&signed.leaf, &new[..1], old), Err(Rejection::ChainSignature));
    assert_eq!(verify_path(&signed.leaf, &new[..1], &[]), Err(Rejection::ChainUntrusted));
    assert_eq!(verify_path(&signed.leaf, &[], &new[1..]), Err(Rejection::ChainUntrusted));
}

#[test]
fn a_timestamp_holds_for_these_bytes_and_this_issuer_only() {
    let signed = load(PROVENANCE, PUBLIC_GOOD);
    let chain = signed.authority(signed.time).unwrap();
    let of_root = signed.leaf.precert_entry(chain[1].public_key()).unwrap();
    assert_eq!(signed.valid_scts(&of_root), 0);
    let LogEntry::Precert { issuer_key_hash, mut tbs } = signed.leaf.precert_entry(chain[0].public_key()).unwrap()
    else {
        panic!("a precertificate entry")
    };
    let last = tbs.len() - 1;
    tbs[last] ^= 1;
    assert_eq!(signed.valid_scts(&LogEntry::Precert { issuer_key_hash, tbs }), 0);
    let as_issued = LogEntry::X509 { certificate: signed.leaf.der().to_vec() };
    assert_eq!(signed.valid_scts(&as_issued), 0);
}

#[test]
fn a_username_reads_back() {
    let signed =
        load("pkg/testing/data/bundles/othername.sigstore.json", "pkg/testing/data/trusted-roots/scaffolding.json");
    assert_eq!(signed.leaf.identity().unwrap(), Identity::Username("foo!oidc.local".to_owned()));
    let chain = signed.authority(signed.time).unwrap();
    let entry = signed.leaf.precert_entry(chain[0].public_key()).unwrap();
    assert_eq!(signed.valid_scts(&entry), 1);
}

#[test]
fn flipping_any_byte_of_a_certificate_is_noticed() {
    let signed = load(PROVENANCE, PUBLIC_GOOD);
    let chain = signed.authority(signed.time).unwrap();
    // Every 7th byte is enough to change every field, and keeps the test short.
    for at in (0..signed.leaf.der().len()).step_by(7) {
        let mut der = signed.leaf.der().to_vec();
        der[at] ^= 0x01;
        let verdict = Certificate::from_der(&der)
            .and_then(|leaf| verify_chain(&leaf, &chain[..1], &chain[1..], signed.time).map(|_| ()));
        assert!(verdict.is_err(), "byte {at}");
    }
}
