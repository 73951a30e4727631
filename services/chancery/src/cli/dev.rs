//! `chancery dev`.

use crate::{dev, instance, loopback};
use chancery_daemon::telemetry;
use clap::Args;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// Run everything on this machine, with a sign-in of its own, to try it out
///
/// Starts certificate authority, certificate log, signature logs, timestamp authority and a development OIDC issuer on one
/// loopback address, creates all keys on the first start, and prints commands to paste. Stop it with Ctrl-C; start it again on the same
/// data and everything signed before still verifies.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery dev --listen 127.0.0.1:8080 --data ./chancery-dev
  chancery dev --data ./chancery-dev --database 'postgres://chancery@db.example.org/chancery?sslmode=verify-full'")]
pub(super) struct Arguments {
    /// Loopback address and port to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = dev::DEFAULT_LISTEN, value_parser = loopback::listen_address)]
    listen: SocketAddr,
    /// Directory for keys, logs and trust files; created if missing
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev")]
    data: PathBuf,
    /// Keep the logs in this `PostgreSQL` database instead of a file in --data; the password may be in `PGPASSWORD` or
    /// ~/.pgpass. Several servers may append to the same logs: start each with a copy of the first one's --data
    #[arg(long, value_name = "URL", value_parser = super::database_url)]
    database: Option<String>,
    /// File of further issuers whose tokens are accepted, read again when it changes or on SIGHUP
    #[arg(long, value_name = "FILE")]
    issuers: Option<PathBuf>,
    #[command(flatten)]
    tiles: instance::TilesArguments,
    #[command(flatten)]
    transparency: instance::TransparencyArguments,
    #[command(flatten)]
    operations: instance::OperationsArguments,
    #[command(flatten)]
    rekor_v2: instance::RekorV2Arguments,
    #[command(flatten)]
    authority: instance::AuthorityArguments,
    #[command(flatten)]
    timestamps: instance::TimestampArguments,
    #[command(flatten)]
    tuf: instance::TufArguments,
    #[command(flatten)]
    witnesses: instance::WitnessArguments,
    /// What to log on standard error: a level, or a list of `module=level`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(&arguments.log);
    let Arguments {
        listen,
        data,
        database,
        issuers,
        tiles,
        transparency,
        operations,
        rekor_v2,
        authority,
        timestamps,
        tuf,
        witnesses,
        ..
    } = arguments;
    let options = dev::Options {
        tiles: &tiles,
        transparency: &transparency,
        operations: &operations,
        rekor_v2: &rekor_v2,
        authority: &authority,
        timestamps: &timestamps,
        tuf: &tuf,
        witnesses: &witnesses,
    };
    dev::run(listen, &data, database, issuers.as_deref(), &options).await?;
    Ok(ExitCode::SUCCESS)
}
