//! The registry client of a command: its flags, and where its credentials and randomness come from.

use super::environment;
use anyhow::Context as _;
use chancery_daemon::random::{Random as _, SystemRandom};
use chancery_registry::{Client, Options};
use clap::Args;
use std::{fs, path::PathBuf, sync::Arc, time::Duration};

/// Requests to registries.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub(super) struct RegistryArguments {
    /// Contact this registry without TLS, as every registry on this machine; repeatable
    #[arg(long, value_name = "HOST[:PORT]")]
    allow_http_registry: Vec<String>,
    /// Trust these certificates (PEM) for registries, in place of the system's authorities
    #[arg(long, value_name = "FILE")]
    registry_cacert: Option<PathBuf>,
    /// Keep at most this many requests in flight
    #[arg(long, value_name = "N", default_value = "8")]
    registry_concurrency: usize,
    /// Wait at most this many seconds for the answer to a request
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    registry_timeout: u64,
}

impl RegistryArguments {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let authorities = self
            .registry_cacert
            .as_ref()
            .map(|path| fs::read(path).with_context(|| format!("cannot read {}", path.display())))
            .transpose()?;
        let options = Options {
            request: Duration::from_secs(self.registry_timeout),
            concurrency: self.registry_concurrency,
            plain_hosts: self.allow_http_registry.clone(),
            authorities,
            credentials: environment::credentials(),
            jitter: Arc::new(jitter),
            ..Options::default()
        };
        Ok(Client::new(options)?)
    }
}

/// Up to a quarter of the pause.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0];
    SystemRandom.fill(&mut byte);
    pause * u32::from(byte[0]) / 1024
}
