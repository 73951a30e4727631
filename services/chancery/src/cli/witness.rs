//! `chancery witness`: a witness for the logs of other organisations.

use crate::{
    logging::{LogFormat, TelemetryTable},
    output,
    witness::{self, WitnessConfiguration, WitnessListen},
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// Run a witness, which cosigns checkpoints of the logs of other organisations
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

/// Run a witness (C2SP tlog-witness) for logs of other organisations
///
/// The first start makes its key. Give the operators of the logs the URL of the witness and the output of `chancery witness
/// vkey`. They give you the verifier key of their log, from `chancery log checkpoint --json`. Never restore an old copy of the
/// data directory: the witness could cosign a second history. Make a new witness instead.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery witness serve --config /etc/chancery/witness.toml
  chancery witness serve --name witness.example.org/1 --data ./witness --listen 127.0.0.1:8090 --log 'log.example.net+…'
  chancery witness serve --name witness.example.org/1 --data ./witness --listen 127.0.0.1:8090 \\
    --log 'first line of its checkpoints=log.example.net+…'
  chancery witness serve --name witness.example.org/1 --data ./witness --listen 127.0.0.1:8090 --log-list logs.txt")]
struct ServeArguments {
    /// Read this configuration file instead of the options below; deploy/witness.toml explains every key
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "data", "listen", "metrics", "logs", "log_list"])]
    config: Option<PathBuf>,
    /// Name of the witness: a URL without scheme; it need not resolve
    #[arg(long, value_name = "NAME", required_unless_present = "config")]
    name: Option<String>,
    /// Keep the key and the last cosigned checkpoints in this directory; created if missing
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    data: Option<PathBuf>,
    /// Listen on this address and port
    #[arg(long, value_name = "ADDRESS", required_unless_present = "config")]
    listen: Option<SocketAddr>,
    /// Serve Prometheus metrics under /metrics on this address
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Cosign for the log with this verifier key; ORIGIN=VKEY if its checkpoints begin with another line than the key's name;
    /// repeatable
    #[arg(long = "log", value_name = "VKEY", required_unless_present_any = ["config", "log_list"])]
    logs: Vec<String>,
    /// Cosign for the logs in this file, in the format of the witness network; it is read again when it changes and on SIGHUP
    #[arg(long, value_name = "FILE")]
    log_list: Option<PathBuf>,
    /// Log on standard error at this level, or as a list of `module=level`
    #[arg(long = "log-filter", value_name = "FILTER", default_value = "info")]
    filter: String,
    /// Log as lines of text, or as one JSON object per line; text by default
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// Print the verifier key of a witness, which operators of logs configure
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery witness vkey --data ./witness
  chancery witness vkey --config /etc/chancery/witness.toml")]
struct VkeyArguments {
    /// Data directory of the witness; it may be running
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    data: Option<PathBuf>,
    /// Configuration file of the witness, instead of --data
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    config: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Serve(arguments) => {
            let (filter, format) = (arguments.filter.clone(), arguments.log_format);
            let configuration = configuration(*arguments)?;
            configuration.telemetry.start(&filter, format)?;
            witness::run(configuration).await?;
        }
        Verb::Vkey(VkeyArguments { data, config }) => {
            let configured = config.map(|file| WitnessConfiguration::load(&file)).transpose()?;
            let data = configured.map(|configuration| configuration.data).or(data);
            let data = data.context("give --data, or a file with --config")?;
            let key = chancery_witness::read_verifier_key(&data)?;
            let key = key.with_context(|| {
                format!("there is no witness in {}; start it once: chancery witness serve", data.display())
            })?;
            output::print(&format!("{key}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn configuration(arguments: ServeArguments) -> anyhow::Result<WitnessConfiguration> {
    let ServeArguments { config, name, data, listen, metrics, logs, log_list, .. } = arguments;
    if let Some(file) = config {
        return WitnessConfiguration::load(&file);
    }
    let (Some(name), Some(data), Some(address)) = (name, data, listen) else {
        anyhow::bail!("give --name, --data and --listen, or a file with --config")
    };
    let (listen, telemetry) = (WitnessListen { address, metrics, tls: None }, TelemetryTable::default());
    Ok(WitnessConfiguration { name, data, logs, log_list, listen, telemetry, file: None })
}
