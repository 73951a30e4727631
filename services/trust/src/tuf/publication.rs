//! The targets of a repository, made from the trust files: contents of each, and metadata about it.
//!
//! Everything is derived from `trusted_root.json` and the signing configuration, so that a new service or a retired key
//! needs no change here.

use super::{TargetName, TufError, metadata::FileFacts};
use crate::files::{FileName, TrustFiles};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::{PublicKey, key::KeyKind, pem};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The target with the trusted root.
pub(super) const TRUSTED_ROOT: &str = FileName::TrustedRoot.as_str();
/// The targets with signing configurations: the default, that of Rekor v1 alone, and that of v2 alone, which
/// `cosign signing-config create --with-default-rekor-v2` looks for.
pub(super) const SIGNING_CONFIGS: [&str; 3] =
    ["signing_config.v0.2.json", "signing_config_rekor_v1.v0.2.json", "signing_config_rekor_v2.v0.2.json"];

/// A file's use, by which clients older than `trusted_root.json` look it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    Fulcio,
    Rekor,
    CertificateLog,
    Timestamping,
    /// None that such a client looks up.
    Other,
}

impl Usage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fulcio => "Fulcio",
            Self::Rekor => "Rekor",
            Self::CertificateLog => "CTFE",
            Self::Timestamping => "TSA",
            Self::Other => "Unknown",
        }
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    contents: Vec<u8>,
    custom: Value,
}

impl Target {
    /// The bytes.
    #[must_use]
    pub fn contents(&self) -> &[u8] {
        &self.contents
    }
}

/// All targets to distribute. The same trust files give the same publication.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publication {
    targets: BTreeMap<TargetName, Target>,
}

impl Publication {
    /// All targets for these files.
    ///
    /// # Errors
    /// [`TufError::TrustFiles`] if they do not have the form that [`TrustFiles::build`] makes.
    pub fn of(files: &TrustFiles) -> Result<Self, TufError> {
        let names = [FileName::SigningConfig, FileName::SigningConfigRekorV1, FileName::SigningConfigRekorV2];
        let configurations = names.map(|name| files.contents(name));
        Self::of_documents(files.contents(FileName::TrustedRoot), configurations).ok_or(TufError::TrustFiles)
    }

    /// All targets for a trusted root and the three [`SIGNING_CONFIGS`]. `None` if they do not have the expected form.
    pub(super) fn of_documents(trusted_root: &str, configurations: [&str; 3]) -> Option<Self> {
        let mut publication = Self::default();
        publication.add_trusted_root(trusted_root)?;
        for (name, contents) in SIGNING_CONFIGS.into_iter().zip(configurations) {
            publication.add(name, contents.into(), Usage::Other, (true, ""))?;
        }
        Some(publication)
    }

    /// The files by name.
    pub fn iter(&self) -> impl Iterator<Item = (&TargetName, &Target)> {
        self.targets.iter()
    }

    /// The member `targets` of targets metadata.
    pub(super) fn document(&self) -> Value {
        let entry = |(name, target): (&TargetName, &Target)| {
            let mut entry = FileFacts::of(&target.contents).members();
            entry.insert("custom".to_owned(), target.custom.clone());
            (name.as_str().to_owned(), Value::Object(entry))
        };
        Value::Object(self.targets.iter().map(entry).collect())
    }

    fn add(&mut self, name: &str, contents: Vec<u8>, usage: Usage, (active, uri): (bool, &str)) -> Option<()> {
        let status = if active { "Active" } else { "Expired" };
        let mut sigstore = json!({"status": status, "usage": usage.as_str()});
        if let (false, Some(members)) = (uri.is_empty(), sigstore.as_object_mut()) {
            members.insert("uri".to_owned(), uri.into());
        }
        let target = Target { contents, custom: json!({"sigstore": sigstore}) };
        self.targets.insert(TargetName::parse(name).ok()?, target);
        Some(())
    }

    /// The file itself, and its contents in the form for older clients: certificates and keys, each in its own file.
    fn add_trusted_root(&mut self, text: &str) -> Option<()> {
        let trusted_root: Value = serde_json::from_str(text).ok()?;
        let list = |name: &str| trusted_root.get(name).and_then(Value::as_array);
        self.add(TRUSTED_ROOT, text.as_bytes().to_vec(), Usage::Other, (true, ""))?;
        for (number, authority) in list("certificateAuthorities")?.iter().enumerate() {
            let certificates: String = chain(authority)?.iter().map(|der| pem::encode(pem::CERTIFICATE, der)).collect();
            let name = numbered("fulcio_v1", number, ".crt.pem");
            self.add(&name, certificates.into_bytes(), Usage::Fulcio, facts(authority, "uri", "/validFor/end")?)?;
        }
        for (logs, name, usage) in [("tlogs", "rekor", Usage::Rekor), ("ctlogs", "ctfe", Usage::CertificateLog)] {
            let keys = list(logs)?.iter().map(|log| Some((log, key(log)?))).collect::<Option<Vec<_>>>()?;
            // Older clients support only these keys, and fail on others.
            let known = keys.into_iter().filter(|(_, key)| matches!(key.kind(), KeyKind::P256 | KeyKind::P384));
            for (number, (log, key)) in known.enumerate() {
                let about = facts(log, "baseUrl", "/publicKey/validFor/end")?;
                self.add(&numbered(name, number, ".pub"), key.to_pem().into_bytes(), usage, about)?;
            }
        }
        for (number, authority) in list("timestampAuthorities")?.iter().enumerate() {
            self.add_timestamp_authority(number, authority)?;
        }
        Some(())
    }

    /// Leaf, intermediates and root in separate files: cosign sorts them by their contents.
    fn add_timestamp_authority(&mut self, number: usize, authority: &Value) -> Option<()> {
        let about = facts(authority, "uri", "/validFor/end")?;
        let chain = chain(authority)?;
        let last = chain.len().checked_sub(1)?;
        for (position, der) in chain.iter().enumerate() {
            let name = match position {
                0 => numbered("tsa_leaf", number, ".crt.pem"),
                root if root == last => numbered("tsa_root", number, ".crt.pem"),
                intermediate if number == 0 => format!("tsa_intermediate_{}.crt.pem", intermediate - 1),
                intermediate => format!("tsa_intermediate_{number}_{}.crt.pem", intermediate - 1),
            };
            self.add(&name, pem::encode(pem::CERTIFICATE, der).into_bytes(), Usage::Timestamping, about)?;
        }
        Some(())
    }
}

/// The first gets the file name that clients have built in.
fn numbered(name: &str, number: usize, extension: &str) -> String {
    if number == 0 { format!("{name}{extension}") } else { format!("{name}_{number}{extension}") }
}

/// Whether an entry is still valid for new signatures, and its URL.
fn facts<'a>(entry: &'a Value, uri: &str, end: &str) -> Option<(bool, &'a str)> {
    Some((entry.pointer(end).is_none(), entry.get(uri)?.as_str()?))
}

fn chain(authority: &Value) -> Option<Vec<Vec<u8>>> {
    let certificates = authority.pointer("/certChain/certificates")?.as_array()?;
    certificates.iter().map(|certificate| STANDARD.decode(certificate.get("rawBytes")?.as_str()?).ok()).collect()
}

fn key(log: &Value) -> Option<PublicKey> {
    let der = STANDARD.decode(log.pointer("/publicKey/rawBytes")?.as_str()?).ok()?;
    PublicKey::from_spki_der(&der).ok()
}

#[cfg(test)]
pub(crate) mod tests;
