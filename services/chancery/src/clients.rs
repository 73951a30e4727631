//! The commands, code or YAML with which each client trusts an instance.
//!
//! `chancery trust export` prints these texts, and the console shows them. All values come from the served repository,
//! so they are the same certificates and keys that clients get from it. This module reads no file and no clock.

mod code;
mod text;

pub(crate) use text::text;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_trust::tuf::Repository;
use chancery_verify::hash;
use clap::ValueEnum;
use serde_json::Value;

/// A client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    Cosign,
    Python,
    Js,
    Go,
    Rust,
    Kyverno,
    KyvernoClusterPolicy,
    PolicyController,
    Flux,
    Gitsign,
}

impl Client {
    /// The client's usual name.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Cosign => "cosign",
            Self::Python => "sigstore-python",
            Self::Js => "sigstore-js",
            Self::Go => "sigstore-go",
            Self::Rust => "sigstore-rust",
            Self::Kyverno => "Kyverno",
            Self::KyvernoClusterPolicy => "Kyverno before 1.18",
            Self::PolicyController => "policy-controller",
            Self::Flux => "Flux",
            Self::Gitsign => "gitsign",
        }
    }
}

/// The values in the texts.
pub(crate) struct Facts {
    /// URL of the certificate authority.
    pub(crate) ca_url: String,
    /// URL of the Rekor v1 log.
    pub(crate) rekor_url: String,
    /// URL of the trust files.
    pub(crate) files: String,
    /// URL of the repository.
    pub(crate) mirror: String,
    /// URL of the trusted OIDC issuer, from the signing configuration.
    pub(crate) issuer: String,
    /// The first root metadata.
    pub(crate) root: Vec<u8>,
    pub(crate) trusted_root: String,
    pub(crate) signing_config: String,
    /// All certificates of authorities, in PEM.
    pub(crate) chain: String,
    /// Keys of the current logs, in PEM.
    pub(crate) rekor: String,
    pub(crate) ct: String,
    /// The timestamp authority's chain, in PEM. Empty if there is none.
    pub(crate) timestamps: String,
}

impl Facts {
    /// Reads the values from a repository, which is served below `trust_url`. `None` if its files were not published by a
    /// server of this program.
    pub(crate) fn of(repository: &Repository, trust_url: &str) -> Option<Self> {
        let target = |name: &str| String::from_utf8(repository.target(name)?.to_vec()).ok();
        let all = |prefix: &str| {
            let names = repository.listed().keys().filter(|name| name.as_str().starts_with(prefix));
            names.filter_map(|name| target(name.as_str())).collect::<String>()
        };
        let (trusted_root, signing_config) = (target("trusted_root.json")?, target("signing_config.v0.2.json")?);
        let read: Value = serde_json::from_str(&trusted_root).ok()?;
        let config: Value = serde_json::from_str(&signing_config).ok()?;
        let logs = config.pointer("/rekorTlogUrls")?.as_array()?;
        let rekor = logs.iter().find(|log| log.get("majorApiVersion").and_then(Value::as_u64) == Some(1))?;
        Some(Self {
            ca_url: read.pointer("/certificateAuthorities/0/uri")?.as_str()?.to_owned(),
            rekor_url: rekor.get("url")?.as_str()?.to_owned(),
            files: format!("{trust_url}/trust"),
            mirror: format!("{trust_url}/tuf"),
            issuer: config.pointer("/oidcUrls/0/url").and_then(Value::as_str).unwrap_or_default().to_owned(),
            root: repository.file("1.root.json")?.to_vec(),
            chain: all("fulcio_"),
            rekor: target("rekor.pub")?,
            ct: target("ctfe.pub")?,
            timestamps: all("tsa_leaf") + &all("tsa_intermediate") + &all("tsa_root"),
            trusted_root,
            signing_config,
        })
    }

    /// SHA-256 of the first root metadata, in hexadecimal.
    pub(crate) fn checksum(&self) -> String {
        hex::encode(hash::sha256(&self.root))
    }

    /// The command that gets the first root into a file and compares it with its checksum.
    fn fetch_root(&self) -> String {
        let (mirror, checksum) = (&self.mirror, self.checksum());
        format!("curl -fsS {mirror}/root.json -o root.json && echo '{checksum}  root.json' | sha256sum -c\n")
    }

    fn root_base64(&self) -> String {
        STANDARD.encode(&self.root)
    }
}
