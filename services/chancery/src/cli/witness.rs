//! `chancery witness`: being a witness for logs of others.

use crate::witness::{self, WitnessConfiguration, WitnessListen};
use anyhow::Context as _;
use chancery_daemon::telemetry;
use clap::{Args, Subcommand};
use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

/// Witness logs of others: cosign their checkpoints along one history
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery witness serve --config /etc/chancery/witness.toml
  chancery witness serve --name witness.example.org/1 --data ./witness --listen 127.0.0.1:8090 --log 'log.example.net+…'
  chancery witness vkey --data ./witness")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(Box<ServeArguments>),
    Vkey(VkeyArguments),
}

/// Run a witness (C2SP tlog-witness), for the log of another organisation
///
/// The first start makes its key. Operators of logs are given its URL and what `chancery witness vkey` prints, and give the
/// verifier key of their log: `chancery log checkpoint --json` prints it. Never put back an old copy of its directory, which
/// would let it cosign a second history: make a new witness instead.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery witness serve --config /etc/chancery/witness.toml
  chancery witness serve --name witness.example.org/1 --data ./witness --listen 127.0.0.1:8090 --log 'log.example.net+…'")]
struct ServeArguments {
    /// Configuration file instead of the options below; see deploy/witness.toml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "data", "listen", "metrics", "logs"])]
    config: Option<PathBuf>,
    /// Name of the witness: a URL without scheme, which need not lead anywhere
    #[arg(long, value_name = "NAME", required_unless_present = "config")]
    name: Option<String>,
    /// Directory for its key and what it has cosigned; created if missing
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    data: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", required_unless_present = "config")]
    listen: Option<SocketAddr>,
    /// Show metrics to Prometheus under /metrics on this address
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Verifier key of a log to cosign for. May be given several times
    #[arg(long = "log", value_name = "VKEY", required_unless_present = "config")]
    logs: Vec<String>,
    /// What to log on standard error: a level, or a list of `module=level`
    #[arg(long = "log-filter", value_name = "FILTER", default_value = "info")]
    filter: String,
}

/// Print a witness's verifier key: what operators of logs configure
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery witness vkey --data ./witness")]
struct VkeyArguments {
    /// Directory of the witness, which may be running
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Serve(arguments) => {
            telemetry::init(&arguments.filter);
            witness::run(configuration(*arguments)?).await?;
        }
        Verb::Vkey(VkeyArguments { data }) => {
            let key = chancery_witness::read_verifier_key(&data)?;
            let key = key.with_context(|| format!("there is no witness in {}", data.display()))?;
            writeln!(io::stdout().lock(), "{key}").context("cannot write to standard output")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn configuration(arguments: ServeArguments) -> anyhow::Result<WitnessConfiguration> {
    let ServeArguments { config, name, data, listen, metrics, logs, .. } = arguments;
    if let Some(file) = config {
        return WitnessConfiguration::load(&file);
    }
    let (Some(name), Some(data), Some(address)) = (name, data, listen) else {
        anyhow::bail!("--name, --data and --listen are needed")
    };
    Ok(WitnessConfiguration { name, data, logs, listen: WitnessListen { address, metrics, tls: None } })
}
