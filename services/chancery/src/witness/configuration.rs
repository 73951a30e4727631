//! The settings of a witness at its start, from a file or from options. Keys of its logs are only texts here.

use crate::{listening::TlsFiles, logging::TelemetryTable};
use anyhow::Context as _;
use serde::Deserialize;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// A witness's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessConfiguration {
    /// Its name, decided for ever at the first start.
    pub(crate) name: String,
    /// Directory for its key and what it has cosigned.
    pub(crate) data: PathBuf,
    /// The logs it cosigns for: verifier keys, or `ORIGIN=VKEY`.
    #[serde(default)]
    pub(crate) logs: Vec<String>,
    /// File with further logs, in the format of the witness network.
    pub(crate) log_list: Option<PathBuf>,
    /// Where it listens.
    pub(crate) listen: WitnessListen,
    /// Its log.
    #[serde(default)]
    pub(crate) telemetry: TelemetryTable,
    /// Where all of this was read, if it was a file.
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
}

/// Where a witness listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessListen {
    /// Address and port for logs and monitors.
    pub(crate) address: SocketAddr,
    /// Address and port for Prometheus. Only Prometheus should reach it.
    pub(crate) metrics: Option<SocketAddr>,
    /// Certificate and key in PEM; without them a proxy in front must speak TLS.
    pub(crate) tls: Option<TlsFiles>,
}

impl WitnessConfiguration {
    /// Reads a file; relative paths are relative to it.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            let mut configuration: Self = toml::from_str(&fs::read_to_string(path)?)?;
            let directory = path.parent().unwrap_or(Path::new(""));
            let tls = configuration.listen.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]);
            for file in tls.chain([&mut configuration.data]).chain(&mut configuration.log_list) {
                *file = directory.join(&*file);
            }
            configuration.file = Some(path.to_owned());
            Ok(configuration)
        };
        read().with_context(|| format!("cannot use {}", path.display()))
    }
}
