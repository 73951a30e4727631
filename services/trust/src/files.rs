//! The finished trust files, and how they are written to a directory.
//!
//! A reader of the directory sees the old file or the new one, never half of one: each is written to a temporary file,
//! synced and renamed. A file whose bytes have not changed is not touched.

use crate::{
    material::{CertificateAuthority, InvalidMaterial, Material, Services},
    signing_config::SigningConfig,
    trusted_root::TrustedRoot,
};
use chancery_verify::{hash, pem};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};
use tokio::sync::watch;

/// Media type of a client trust configuration.
pub const CLIENT_TRUST_CONFIG_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/// A trust file. Its name is the same in the directory and in the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileName {
    /// The trusted authorities and logs: `--trusted-root`.
    TrustedRoot,
    /// The services to call: `--signing-config`.
    SigningConfig,
    /// As [`Self::SigningConfig`], but only with the Rekor v1 log, for signers of DSSE envelopes, which Rekor v2 does
    /// not accept.
    SigningConfigRekorV1,
    /// As [`Self::SigningConfig`], but only with the Rekor v2 log, which requires a timestamp authority.
    SigningConfigRekorV2,
    /// Trusted root and signing configuration in one file: sigstore-python's `--trust-config`.
    ClientTrustConfig,
    /// Issuing certificates and roots: `SIGSTORE_ROOT_FILE`.
    FulcioChain,
    /// Key of the current Rekor v1 log: `SIGSTORE_REKOR_PUBLIC_KEY`.
    RekorKey,
    /// Key of the current certificate log: `SIGSTORE_CT_LOG_PUBLIC_KEY_FILE`.
    CtKey,
    /// Certificates of the current timestamp authority, leaf first: `--timestamp-certificate-chain`.
    TimestampChain,
}

impl FileName {
    /// Every file.
    pub const ALL: [Self; 9] = [
        Self::TrustedRoot,
        Self::SigningConfig,
        Self::SigningConfigRekorV1,
        Self::SigningConfigRekorV2,
        Self::ClientTrustConfig,
        Self::FulcioChain,
        Self::RekorKey,
        Self::CtKey,
        Self::TimestampChain,
    ];

    /// Returns the file's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TrustedRoot => "trusted_root.json",
            Self::SigningConfig => "signing_config.json",
            Self::SigningConfigRekorV1 => "signing_config_rekor_v1.json",
            Self::SigningConfigRekorV2 => "signing_config_rekor_v2.json",
            Self::ClientTrustConfig => "client_trust_config.json",
            Self::FulcioChain => "fulcio-chain.pem",
            Self::RekorKey => "rekor.pub",
            Self::CtKey => "ctfe.pub",
            Self::TimestampChain => "tsa-chain.pem",
        }
    }

    /// Returns what it is for, in a few words, with the option or variable by which clients take it.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::TrustedRoot => "keys and certificates to believe: --trusted-root",
            Self::SigningConfig => "services to call: --signing-config",
            Self::SigningConfigRekorV1 => "services to call, Rekor v1 alone: --signing-config",
            Self::SigningConfigRekorV2 => "services to call, Rekor v2 alone: --signing-config",
            Self::ClientTrustConfig => "trusted root and services in one, for sigstore-python: --trust-config",
            Self::FulcioChain => "certificates of the authority: SIGSTORE_ROOT_FILE",
            Self::RekorKey => "key of the Rekor v1 log: SIGSTORE_REKOR_PUBLIC_KEY",
            Self::CtKey => "key of the certificate log: SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",
            Self::TimestampChain => "certificates of the timestamp authority",
        }
    }

    /// Returns the media type for HTTP. JSON files are `application/json`; their own media types are in their contents.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::TrustedRoot
            | Self::SigningConfig
            | Self::SigningConfigRekorV1
            | Self::SigningConfigRekorV2
            | Self::ClientTrustConfig => "application/json",
            Self::FulcioChain | Self::TimestampChain => "application/pem-certificate-chain",
            Self::RekorKey | Self::CtKey => "application/x-pem-file",
        }
    }
}

/// All files of an instance, ready to be written and served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFiles {
    contents: BTreeMap<FileName, String>,
}

/// The current files, and a channel that announces the next ones. The producer keeps the sender. A user (HTTP, a TUF
/// repository) holds one of these and must not cache the files it has read.
pub type CurrentFiles = watch::Receiver<Arc<TrustFiles>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientTrustConfig<'a> {
    media_type: &'static str,
    trusted_root: &'a TrustedRoot<'a>,
    signing_config: &'a SigningConfig<'a>,
}

impl TrustFiles {
    /// Builds every file. The same inputs give the same bytes.
    pub fn build(material: &Material, services: &Services) -> Result<Self, InvalidMaterial> {
        let trusted_root = TrustedRoot::new(material)?;
        // All versions, unless the operator limits them: a signer takes the highest version it knows, or the one it is
        // told to use.
        let signing_config = SigningConfig::new(services, 1..=services.default_major_api_version)?;
        let signing_config_rekor_v1 = SigningConfig::new(services, 1..=1)?;
        let signing_config_rekor_v2 = SigningConfig::new(services, 2..=2)?;
        let client_trust_config = ClientTrustConfig {
            media_type: CLIENT_TRUST_CONFIG_MEDIA_TYPE,
            trusted_root: &trusted_root,
            signing_config: &signing_config,
        };
        let rekor_v1 = material.rekor_logs.iter().find(|log| log.origin.is_none());
        let (Some(rekor), Some(ct)) = (rekor_v1, material.ct_logs.first()) else {
            return Err(InvalidMaterial::Missing { what: "log" });
        };
        let contents = BTreeMap::from([
            (FileName::TrustedRoot, json(&trusted_root)),
            (FileName::SigningConfig, json(&signing_config)),
            (FileName::SigningConfigRekorV1, json(&signing_config_rekor_v1)),
            (FileName::SigningConfigRekorV2, json(&signing_config_rekor_v2)),
            (FileName::ClientTrustConfig, json(&client_trust_config)),
            (FileName::FulcioChain, chain_pem(&material.certificate_authorities)),
            (FileName::RekorKey, rekor.key.to_pem()),
            (FileName::CtKey, ct.key.to_pem()),
            // Only of one authority: clients take the first certificate of the file as the leaf of all others.
            (FileName::TimestampChain, chain_pem(material.timestamp_authorities.get(..1).unwrap_or_default())),
        ]);
        Ok(Self { contents })
    }

    /// The contents of one file.
    #[must_use]
    pub fn contents(&self, name: FileName) -> &str {
        self.contents.get(&name).map_or("", String::as_str)
    }

    /// Returns a strong entity tag (RFC 9110 §8.8.3) of one file; it differs if the contents differ.
    #[must_use]
    pub fn etag(&self, name: FileName) -> String {
        format!("\"{}\"", hex::encode(hash::sha256(self.contents(name).as_bytes())))
    }

    /// Writes the files that differ into `directory`, which must exist.
    pub fn write_to(&self, directory: &Path) -> io::Result<()> {
        let mut changed = false;
        for (name, contents) in &self.contents {
            let path = directory.join(name.as_str());
            if fs::read(&path).is_ok_and(|present| present == contents.as_bytes()) {
                continue;
            }
            let mut file = tempfile::Builder::new()
                .prefix(".new-")
                // Public by nature: other users of the machine may verify with it.
                .permissions(Permissions::from_mode(0o644))
                .tempfile_in(directory)?;
            file.write_all(contents.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|failed| failed.error)?;
            changed = true;
        }
        // The renames are durable once the directory has been synced.
        if changed { fs::File::open(directory)?.sync_all() } else { Ok(()) }
    }
}

/// Indented, because people read these files when a verification fails.
#[expect(clippy::expect_used, reason = "strings, numbers and lists under string keys always serialise")]
fn json(document: &impl Serialize) -> String {
    // Cannot fail: the documents have only maps with string keys, and writing to memory does not fail.
    let mut text = serde_json::to_string_pretty(document).expect("serialisable");
    text.push('\n');
    text
}

/// Writes each certificate once; two authorities may share a root. A retired authority is left out: PEM has no validity
/// window, so anything its key signs later would also be trusted.
fn chain_pem(authorities: &[CertificateAuthority]) -> String {
    let mut written: Vec<&[u8]> = Vec::new();
    let mut text = String::new();
    let current = authorities.iter().filter(|authority| authority.validity.end.is_none());
    for der in current.flat_map(|authority| &authority.chain_der) {
        if !written.contains(&der.as_slice()) {
            text.push_str(&pem::encode(pem::CERTIFICATE, der));
            written.push(der);
        }
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
