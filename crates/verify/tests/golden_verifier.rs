//! Real bundles of the public good instance and other instances verify with their trust roots.

#![expect(clippy::unwrap_used, reason = "a test without its data has failed")]

mod golden;

use chancery_verify::bundle::Bundle;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Options, SignerKey, Thresholds, Verified, Verifier};
use chancery_verify::{HashAlgorithm, PublicKey, Refusal, Step, Timestamp};

/// 2026-11-21T07:00:00Z.
const NOW: Timestamp = Timestamp::from_seconds(1_795_244_400);
const PUBLIC_GOOD: &str = "extra/trusted_root.json";
const NPM: &str = "pkg/testing/data/bundles/sigstore.js@2.0.0-provenance.sigstore.json";
const SIGSTORE_JS: &str = "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main (issuer https://token.actions.githubusercontent.com)";
const NPM_DIGEST: &str = "46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c";

fn verifier(root: &str, options: Options) -> Verifier {
    Verifier::new(TrustRoot::parse(golden::json(root).to_string().as_bytes()).unwrap(), options)
}

fn verify(verifier: &Verifier, bundle: &str, digest: &str) -> Result<Verified, Refusal> {
    let bundle = Bundle::parse(golden::json(bundle).to_string().as_bytes())?;
    let algorithm = if digest.len() == 64 { HashAlgorithm::Sha256 } else { HashAlgorithm::Sha512 };
    let artifact = Artifact::from_digest(algorithm, &hex::decode(digest).unwrap()).unwrap();
    verifier.verify(&bundle, &artifact, &AnySigner, NOW)
}

#[test]
fn bundles_of_several_clients_and_years_verify() {
    let verifier = verifier(PUBLIC_GOOD, Options::default());
    for (bundle, digest, signer, kind, index, tree) in [
        (
            "extra/a.txt.sigstore",
            "632579b5183d418ff3dc443994fd35e0e1a2a6ce89a1ee22fdca577f8e8bc9c3",
            "a@tny.town (issuer https://github.com/login/oauth)",
            "hashedrekord",
            66_794_718,
            true,
        ),
        (NPM, NPM_DIGEST, SIGSTORE_JS, "intoto", 31_821_305, true),
        (
            "pkg/testing/data/bundles/dsse.sigstore.json",
            "bbfd372fc9beeb777fe35d05bb10c0c70a9733d366a75fed7dd18866c7391de3ee7e88ba74dd47abf3e15c845e547fcf0e5c3da80854c751554224d3a6d4e55f",
            "brian@dehamer.com (issuer https://github.com/login/oauth)",
            "intoto",
            6_800_908,
            false,
        ),
        (
            "examples/bundle-provenance.json",
            "76176ffa33808b54602c7c35de5c6e9a4deb96066dba6533f50ac234f4f1f4c6b3527515dc17c06fbe2860030f410eee69ea20079bd3a2c6f3dcf3b329b10751",
            SIGSTORE_JS,
            "intoto",
            18_300_934,
            false,
        ),
        (
            "extra/oci-attestation.sigstore.json",
            "732112270d7e59418a8c080b134b24cabd67d250d0d0147a97ed95ba5c280aa4",
            "cody@soyland.com (issuer https://github.com/login/oauth)",
            "dsse",
            175_508_996,
            true,
        ),
    ] {
        let verified = verify(&verifier, bundle, digest).unwrap_or_else(|refusal| panic!("{bundle}: {refusal}"));
        assert_eq!(verified.signer.to_string(), signer, "{bundle}");
        let [entry] = verified.entries.as_slice() else { panic!("{bundle}: one entry") };
        assert_eq!((entry.kind.as_str(), entry.log_index, entry.inclusion.is_some()), (kind, Some(index), tree));
        assert_eq!(entry.url, "https://rekor.sigstore.dev");
        assert_eq!((verified.times.len(), verified.scts.len()), (1, 1), "{bundle}");
        assert_eq!(verified.statement.is_some(), kind != "hashedrekord");
        assert_eq!(verified.warnings.len(), usize::from(!tree), "{bundle}: {:?}", verified.warnings);
        let json = serde_json::to_value(&verified).unwrap();
        assert_eq!(json["version"], 1);
        assert_eq!(json["entries"][0]["log_index"], index);
        let wrong = verify(&verifier, bundle, &"00".repeat(digest.len() / 2)).unwrap_err();
        let expected = if kind == "hashedrekord" { "artifact.digest" } else { "subject.mismatch" };
        assert_eq!(wrong.code(), expected, "{bundle}");
    }
}

#[test]
fn two_signatures_are_refused() {
    let verifier = verifier(PUBLIC_GOOD, Options::default());
    let refusal = verify(&verifier, "pkg/testing/data/bundles/dsse-2sigs.sigstore.json", NPM_DIGEST).unwrap_err();
    assert_eq!(refusal.code(), "dsse.signatures");
}

#[test]
fn a_registry_s_key_verifies_with_its_log_entry() {
    let pem = golden::file("examples/publish_key.pub");
    let key = SignerKey::new(PublicKey::from_pem(&pem).unwrap());
    let digest = "76176ffa33808b54602c7c35de5c6e9a4deb96066dba6533f50ac234f4f1f4c6b3527515dc17c06fbe2860030f410eee69ea20079bd3a2c6f3dcf3b329b10751";
    let bundle = "examples/bundle-publish.json";
    let without = verifier(PUBLIC_GOOD, Options::default());
    assert_eq!(verify(&without, bundle, digest).unwrap_err().code(), "policy.key");
    let verified = verify(&without.with_key(key), bundle, digest).unwrap();
    assert_eq!(verified.entries[0].log_index, Some(18_300_940));
    assert_eq!((verified.authority, verified.times.len()), (None, 1));
}

#[test]
fn a_key_with_a_timestamp_and_no_log() {
    let root = "pkg/testing/data/trusted-roots/public-key-validity.json";
    let key = PublicKey::from_pem(&golden::file("pkg/testing/data/public-keys/public-key-validity.pem")).unwrap();
    let bundle = "pkg/testing/data/bundles/public-key-validity.sigstore.json";
    let digest = "6ae8a75555209fd6c44157c0aed8016e763ff435a19cf186f76863140143ff72";
    let options = Options { thresholds: Thresholds { times: 1, ..Thresholds::KEY_WITHOUT_LOG }, ..Options::default() };
    let verifier = verifier(root, options).with_key(SignerKey::new(key));
    let verified = verify(&verifier, bundle, digest);
    assert_eq!(verified.map(|verified| verified.times.len()).map_err(|refusal| refusal.to_string()), Ok(1));
}

/// A log that signs under its pod's name. The trust root has another name, so the checkpoint cannot be attributed to
/// the log.
#[test]
fn a_checkpoint_under_another_name_is_refused() {
    let options = Options { thresholds: Thresholds { scts: 0, ..Thresholds::default() }, ..Options::default() };
    let verifier = verifier("pkg/testing/data/trusted-roots/scaffolding.json", options);
    let digest = "bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b";
    let refusal = verify(&verifier, "pkg/testing/data/bundles/othername.sigstore.json", digest).unwrap_err();
    assert_eq!((refusal.code(), refusal.step()), ("note.unsigned", Step::LogEntry));
}
