//! `chancery dev`.

use crate::{dev, loopback};
use chancery_ca::{ClientAlgorithm, ClientAlgorithms};
use chancery_daemon::telemetry;
use clap::Args;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// Run everything on this machine, with a sign-in of its own, to try it out
///
/// Starts certificate authority, certificate log, signature log and a development OIDC issuer on one loopback address,
/// creates all keys on the first start, and prints commands to paste. Stop it with Ctrl-C; start it again on the same
/// data and everything signed before still verifies.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chancery dev --listen 127.0.0.1:8080 --data ./chancery-dev")]
pub(super) struct Arguments {
    /// Loopback address and port to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = dev::DEFAULT_LISTEN, value_parser = loopback::listen_address)]
    listen: SocketAddr,
    /// Directory for keys, logs and trust files; created if missing
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev")]
    data: PathBuf,
    #[command(flatten)]
    tiles: dev::TilesArguments,
    /// Where the certificate authority's issuing key is; only for a new data directory, which remembers it
    #[arg(long, value_name = "URI", value_parser = super::keys::key_uri)]
    ca_key: Option<String>,
    /// Kinds of keys that clients may have certificates for, as Fulcio names them; all it knows unless given
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    client_signing_algorithms: Vec<ClientAlgorithm>,
    /// What to log on standard error: a level, or a list of `module=level`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(&arguments.log);
    let permitted = match arguments.client_signing_algorithms.as_slice() {
        [] => ClientAlgorithms::default(),
        some => some.iter().copied().collect(),
    };
    dev::run(arguments.listen, &arguments.data, &arguments.tiles, arguments.ca_key.as_deref(), permitted).await?;
    Ok(ExitCode::SUCCESS)
}
