//! A signature that a real client made, and what the verification crate says of it. Not the clients' own verdicts: those are in
//! [`crate::client`] and [`crate::implementation`].

use crate::{client::Signer, person::Person};
use chancery_verify::{
    PublicKey, Refusal, Timestamp,
    bundle::Bundle,
    policy::{Kind, Policy, Requirement},
    trust_root::TrustRoot,
    verifier::{Artifact, Options, Verified, Verifier},
};
use std::{fs, time::SystemTime};

/// In which form a signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A Sigstore bundle.
    Bundle,
    /// cosign's bundle from before there were any.
    Legacy,
}

/// Who must have signed.
#[derive(Debug, Clone)]
pub enum By {
    /// Whom a certificate names.
    Signer(Signer),
    /// The holder of this key, in PEM.
    Key(Vec<u8>),
}

/// One signature and its truth.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Which client made it, into what.
    pub name: String,
    /// In which form.
    pub format: Format,
    /// The document.
    pub json: Vec<u8>,
    /// What was signed, or what the statement is about.
    pub artifact: Vec<u8>,
    /// Whether a statement was signed.
    pub is_statement: bool,
    /// Whether the entry is Rekor v2's.
    pub is_v2: bool,
    /// Who signed.
    pub by: By,
}

impl By {
    fn policy(&self) -> Policy {
        let signer = match self {
            Self::Signer(signer) => Requirement::identity(&signer.identity, &signer.issuer),
            Self::Key(pem) => Requirement::key(PublicKey::from_pem(pem).unwrap()),
        };
        // Some samples are statements; what they say of the artifact is not what is tested with them.
        Policy::require(signer.of_kind(Kind::Any))
    }
}

impl Sample {
    /// Reads it.
    pub fn parse(&self, json: &[u8]) -> Result<Bundle, Refusal> {
        match self.format {
            Format::Bundle => Bundle::parse(json),
            Format::Legacy => Bundle::parse_legacy(json),
        }
    }

    /// The verdict on a document in its place.
    pub fn judge(&self, verifier: &Verifier, json: &[u8]) -> Result<Verified, Refusal> {
        verify(verifier, &self.parse(json)?, &self.artifact, &self.by)
    }

    /// The verdict on it.
    #[track_caller]
    pub fn verified(&self, verifier: &Verifier) -> Verified {
        let verdict = self.judge(verifier, &self.json);
        verdict.unwrap_or_else(|refusal| panic!("{}: {refusal}\n{}", self.name, String::from_utf8_lossy(&self.json)))
    }

    /// The code of the refusal of another artifact, or of another signer.
    #[track_caller]
    pub fn refusal(&self, verifier: &Verifier, artifact: &[u8], by: &By) -> &'static str {
        let bundle = self.parse(&self.json).unwrap();
        let verdict = verify(verifier, &bundle, artifact, by);
        verdict.expect_err(&self.name).code()
    }
}

/// The verdict on a bundle.
pub fn verify(verifier: &Verifier, bundle: &Bundle, artifact: &[u8], by: &By) -> Result<Verified, Refusal> {
    // As fine as what it is compared with: an SCT has milliseconds.
    let now = u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let now = Timestamp::from_millis(now);
    verifier.verify(bundle, &Artifact::Bytes(artifact), &by.policy(), now)
}

/// A verifier that trusts what the person's instance publishes now.
pub fn verifier(person: &Person) -> Verifier {
    let root = TrustRoot::parse(&fs::read(person.trust("trusted_root.json")).unwrap()).unwrap();
    assert!(root.unusable().is_empty(), "{:?}", root.unusable());
    let verifier = Verifier::new(root, Options::default());
    assert_eq!(verifier.unusable().map(Refusal::code).collect::<Vec<_>>(), Vec::<&str>::new());
    verifier
}
