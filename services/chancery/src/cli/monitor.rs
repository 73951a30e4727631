//! `chancery monitor`: follows logs, and tells its operator of entries that concern them.
//!
//! Alarms go to standard output and to webhooks, what the process does to standard error.
//!
//! Exit codes with `--once`: 0 nothing to tell; 1 there is an alarm, or an earlier one lasts; 2 the arguments or the configuration
//! are wrong; 3 something could not be checked or delivered. 1 wins over 3.

mod logs;
mod run;

use crate::{
    logging::LogFormat,
    monitor::{MonitorConfiguration, MonitorListen},
    output,
};
use clap::Args;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// An alarm.
const ALARMED: u8 = 1;
/// Wrong arguments or configuration.
const WRONG_USAGE: u8 = 2;
/// Something could not be checked or delivered.
const UNKNOWN: u8 = 3;

/// Follow logs, prove that each has one history, and report entries in your name
///
/// Follows any number of Rekor v1, Rekor v2, RFC 6962 and static-ct logs. Verifies each new checkpoint against the one before, hashes
/// every entry into the signed tree, and compares checkpoints with those that witnesses and other monitors have seen. Tells each
/// entry that meets a watch and is not expected, once. A log that shows two histories is told with both signed checkpoints, which
/// are kept in a file.
///
/// Can be killed at any moment; the next one goes on where it was. An alarm is delivered at least once, with the same id each time.
/// An alarm that cannot be written to standard output, also because it is closed, is told as not known, and delivered again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery monitor --config /etc/chancery/monitor.toml
  chancery monitor --config monitor.toml --once || mail -s monitor me@example.org < /dev/null
  chancery monitor --config monitor.toml --once --json --metrics-file /var/lib/node_exporter/monitor.prom
  chancery monitor --config monitor.toml --listen 127.0.0.1:8093 --metrics 127.0.0.1:9092
  chancery monitor --config monitor.toml --gossip https://monitor.example.net --gossip ./saved-checkpoints")]
pub(super) struct Arguments {
    /// Read the logs, watches and webhooks from this file; deploy/monitor.toml explains every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Follow the logs as far as they are shown now, and exit: for cron
    #[arg(long, conflicts_with_all = ["listen", "metrics"])]
    once: bool,
    /// Print each alarm as a line of JSON
    #[arg(long)]
    json: bool,
    /// Compare with what this witness or monitor has seen, or with a file or directory of saved checkpoints; repeatable
    #[arg(long, value_name = "URL|FILE")]
    gossip: Vec<String>,
    /// Show the newest checkpoints to other monitors at this address
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Serve Prometheus metrics under /metrics on this address; needs an address to listen on
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// With --once: write Prometheus metrics to this file, for the textfile collector of `node_exporter`
    #[arg(long, value_name = "FILE", requires = "once")]
    metrics_file: Option<PathBuf>,
    /// Log on standard error at this level, or as a list of `module=level`; default: info, with --once warn
    #[arg(long = "log-filter", value_name = "FILTER")]
    filter: Option<String>,
    /// Log as lines of text, or as one JSON object per line; text by default
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

pub(super) async fn run(arguments: Arguments) -> ExitCode {
    match run::run(&arguments).await {
        Ok(code) => code,
        Err(failure) => {
            let code = failure.code();
            output::failed(&failure.into_reason(), code)
        }
    }
}

impl Arguments {
    /// Reads the configuration. The options win over it.
    fn configuration(&self) -> anyhow::Result<MonitorConfiguration> {
        let mut configuration = MonitorConfiguration::load(&self.config)?;
        if let Some(address) = self.listen {
            let (metrics, tls) =
                configuration.listen.take().map(|listen| (listen.metrics, listen.tls)).unwrap_or_default();
            configuration.listen = Some(MonitorListen { address, metrics, tls });
        }
        if let Some(metrics) = self.metrics {
            let listen = configuration.listen.as_mut();
            let listen =
                listen.ok_or_else(|| anyhow::anyhow!("--metrics needs --listen, or [listen] in the configuration"))?;
            listen.metrics = Some(metrics);
        }
        let level = if self.once { "warn" } else { "info" };
        configuration.telemetry.start(self.filter.as_deref().unwrap_or(level), self.log_format)?;
        Ok(configuration)
    }
}
