//! Where `chancery dev` logs certificates, as the command line says it: in its own log, in another, or not at all.

use super::Addresses;
use anyhow::{Context as _, ensure};
use chancery_ca::transparency::{Acceptance, CertificateLog, HttpLog, Submission, Transparency};
use chancery_trust::BaseUrl;
use chancery_verify::{PublicKey, certificate::Certificate};
use clap::Args;
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use url::Url;

/// How often the own log in another process is asked whether it takes a new root.
const ACCEPTANCE_ATTEMPTS: u32 = 10;
/// How long it is given before it is asked again.
const ACCEPTANCE_PAUSE: Duration = Duration::from_millis(500);

/// The options of `chancery dev` about the certificate log.
#[derive(Debug, Args)]
pub(crate) struct TransparencyArguments {
    /// Log certificates in this CT log instead of this server's own
    ///
    /// RFC 6962; the URL without /ct/v1. This server's own log can still be read.
    #[arg(
        long,
        help_heading = "Certificate log",
        value_name = "URL",
        requires = "ct_log_key",
        conflicts_with = "unlogged"
    )]
    pub(crate) ct_log_url: Option<Url>,
    /// Public key of the log at --ct-log-url, in PEM; verifies its signed timestamps
    #[arg(long, help_heading = "Certificate log", value_name = "FILE", requires = "ct_log_url")]
    pub(crate) ct_log_key: Option<PathBuf>,
    /// Trust the certificates in this PEM file for the server at --ct-log-url, and no other authority
    #[arg(long, help_heading = "Certificate log", value_name = "FILE", requires = "ct_log_url")]
    pub(crate) ct_log_ca: Option<PathBuf>,
    /// Accept certificates below the root in this PEM file in this server's own certificate log; repeatable
    #[arg(long, help_heading = "Certificate log", value_name = "FILE")]
    pub(crate) ct_log_accepts: Vec<PathBuf>,
    /// Issue certificates without logging them: misuse stays hidden, and clients refuse them
    #[arg(long = "insecure-without-certificate-log", help_heading = "Certificate log")]
    pub(crate) unlogged: bool,
}

/// Another log, and what clients must know about it.
pub(super) struct Elsewhere {
    pub(super) url: BaseUrl,
    pub(super) key: PublicKey,
    log: Arc<HttpLog>,
}

/// The options, read and checked.
pub(crate) struct Settings {
    /// The log that is not this server's own, where there is one.
    pub(super) elsewhere: Option<Elsewhere>,
    /// Roots beside the own authority's whose certificates the own log takes, in DER.
    pub(super) accepted_roots: Vec<Vec<u8>>,
    unlogged: bool,
}

impl TransparencyArguments {
    /// Reads the files that are named. Nothing is sent to a log.
    pub(crate) fn read(&self) -> anyhow::Result<Settings> {
        let elsewhere = match (&self.ct_log_url, &self.ct_log_key) {
            (Some(url), Some(key)) => {
                let text = fs::read(key).with_context(|| format!("cannot read {}", key.display()))?;
                let key = PublicKey::from_pem(&text)
                    .with_context(|| format!("{} does not contain a public key in PEM", key.display()))?;
                let log = HttpLog::trusting(url, key.clone(), self.ct_log_ca.as_deref());
                let log = Arc::new(log.context("cannot use --ct-log-url")?);
                let url = BaseUrl::parse(url.as_str()).context("cannot use --ct-log-url")?;
                Some(Elsewhere { url, key, log })
            }
            _ => None,
        };
        // The own log, in another process, is reached when the server has started.
        self.ct_log_ca.as_deref().map_or(Ok(()), chancery_outbound::check_file).context("cannot use --ct-log-ca")?;
        let mut accepted_roots = Vec::new();
        for file in &self.ct_log_accepts {
            let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let chain = Certificate::chain_from_pem(&text)
                .with_context(|| format!("{} does not contain a certificate chain in PEM", file.display()))?;
            let roots = chain.into_iter().filter(|certificate| certificate.subject() == certificate.issuer());
            let before = accepted_roots.len();
            accepted_roots.extend(roots.map(|root| root.der().to_vec()));
            ensure!(
                accepted_roots.len() > before,
                "{} contains no self-signed certificate; --ct-log-accepts needs the root of the authority",
                file.display()
            );
        }
        Ok(Settings { elsewhere, accepted_roots, unlogged: self.unlogged })
    }
}

/// The own log, where it is in another process.
pub(super) fn reached(
    addresses: &Addresses,
    generation: u64,
    key: &PublicKey,
) -> anyhow::Result<Arc<dyn CertificateLog>> {
    let url = addresses.ct_url(generation)?;
    let log = HttpLog::trusting(url.url(), key.clone(), addresses.log_authorities());
    Ok(Arc::new(OwnLog(log.context("cannot use this instance's certificate log")?)))
}

/// A log whose process looks at the same data directory: what it does not accept yet it will in a moment.
struct OwnLog(HttpLog);

impl CertificateLog for OwnLog {
    fn add_pre_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_> {
        self.0.add_pre_chain(chain)
    }

    fn add_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_> {
        self.0.add_chain(chain)
    }

    fn accept_root(&self, root: Vec<u8>) -> Acceptance<'_> {
        Box::pin(async move {
            for _ in 1..ACCEPTANCE_ATTEMPTS {
                if self.0.accept_root(root.clone()).await.is_ok() {
                    return Ok(());
                }
                tokio::time::sleep(ACCEPTANCE_PAUSE).await;
            }
            self.0.accept_root(root).await
        })
    }

    fn verify_usable(&self) -> Acceptance<'_> {
        self.0.verify_usable()
    }

    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }
}

impl Settings {
    /// Whether certificates are logged in the own log.
    pub(super) const fn uses_own_log(&self) -> bool {
        self.elsewhere.is_none() && !self.unlogged
    }

    /// What the authority is told; `own` is this server's log. Says so in the log where it is told to issue without one.
    pub(super) fn transparency(&self, own: Arc<dyn CertificateLog>) -> Transparency {
        if self.unlogged {
            tracing::warn!(
                "certificates are issued WITHOUT a certificate log: misuse of the authority stays hidden, and clients refuse them"
            );
            return Transparency::Unlogged;
        }
        Transparency::Embedded(self.elsewhere.as_ref().map_or(own, |elsewhere| Arc::clone(&elsewhere.log) as _))
    }
}
