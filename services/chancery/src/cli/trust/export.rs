//! `chancery trust export`: what each client needs, complete.
//!
//! Everything printed comes out of the repository that is served: the same certificates and keys clients get from it.

mod bundle;
mod clients;
mod code;

use super::Data;
use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_trust::tuf::Repository;
use chancery_verify::hash;
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::{io::Write as _, path::PathBuf, process::ExitCode};

/// Print commands, code or YAML that make a client trust this instance, or write an offline archive
///
/// The archive is for sites that cannot reach the server. It contains the trusted root, each key in a file of its own and the
/// whole TUF repository, which any web server can serve.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust export --for cosign --data ./chancery-dev
  chancery trust export --for policy-controller --data ./chancery-dev | kubectl apply -f -
  chancery trust export --offline-bundle trust.tar.gz --data ./chancery-dev")]
pub(super) struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Print the configuration of this client
    #[arg(long = "for", value_name = "CLIENT", required_unless_present = "offline_bundle")]
    client: Option<Client>,
    /// Write the archive to this file (tar, gzip); replaces an existing file
    #[arg(long, value_name = "FILE", conflicts_with = "client")]
    offline_bundle: Option<PathBuf>,
}

/// A client that shall trust the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Client {
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

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (_, repository) = arguments.data.repository()?;
    let facts = Facts::of(&repository).context("the published trusted root was not made by chancery")?;
    if let Some(path) = &arguments.offline_bundle {
        bundle::write(path, &repository, &facts).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(client) = arguments.client {
        std::io::stdout().lock().write_all(clients::text(client, &facts).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the texts are made of.
struct Facts {
    /// Of the certificate authority, and so of the instance.
    url: String,
    /// Of the repository.
    mirror: String,
    /// Whose tokens are accepted, as the signing configuration says.
    issuer: String,
    /// The first root metadata.
    root: Vec<u8>,
    trusted_root: String,
    signing_config: String,
    /// All certificates of authorities, in PEM.
    chain: String,
    /// Keys of the current logs, in PEM.
    rekor: String,
    ct: String,
    /// The timestamp authority's chain, in PEM; empty where there is none.
    timestamps: String,
}

impl Facts {
    fn of(repository: &Repository) -> Option<Self> {
        let target = |name: &str| String::from_utf8(repository.target(name)?.to_vec()).ok();
        let all = |prefix: &str| {
            let names = repository.listed().keys().filter(|name| name.as_str().starts_with(prefix));
            names.filter_map(|name| target(name.as_str())).collect::<String>()
        };
        let (trusted_root, signing_config) = (target("trusted_root.json")?, target("signing_config.v0.2.json")?);
        let read: Value = serde_json::from_str(&trusted_root).ok()?;
        let config: Value = serde_json::from_str(&signing_config).ok()?;
        let url = read.pointer("/certificateAuthorities/0/uri")?.as_str()?.to_owned();
        Some(Self {
            mirror: format!("{url}/tuf"),
            issuer: config.pointer("/oidcUrls/0/url").and_then(Value::as_str).unwrap_or_default().to_owned(),
            root: repository.file("1.root.json")?.to_vec(),
            chain: all("fulcio_"),
            rekor: target("rekor.pub")?,
            ct: target("ctfe.pub")?,
            timestamps: all("tsa_leaf") + &all("tsa_intermediate") + &all("tsa_root"),
            url,
            trusted_root,
            signing_config,
        })
    }

    /// SHA-256 of the first root metadata, in hexadecimal.
    fn checksum(&self) -> String {
        hex::encode(hash::sha256(&self.root))
    }

    fn root_base64(&self) -> String {
        STANDARD.encode(&self.root)
    }
}
