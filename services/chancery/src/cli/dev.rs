//! `chancery dev`.

use crate::{
    database_url, dev, instance,
    logging::{LogArguments, TelemetryTable},
    loopback,
};
use clap::Args;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// Run every role on this machine, to try it out: no account, no configuration file
///
/// Starts certificate authority, certificate log, signature logs, timestamp authority, trust root and a development OIDC
/// issuer on one loopback address. The first start creates all keys in --data. Signatures from earlier starts on the same
/// data still verify. Anyone on this machine can sign as anyone: not for production.
#[derive(Debug, Args)]
#[command(
    // Examples first: the options are several screens long.
    help_template = "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\n{all-args}",
    after_help = "Examples:
  chancery dev
  chancery dev --demo
  chancery dev --commands
  chancery dev --listen 127.0.0.1:8080 --data ./chancery-dev
  chancery dev --data ./chancery-dev --database 'postgres://chancery@db.example.org/chancery?sslmode=verify-full'"
)]
pub(super) struct Arguments {
    /// Listen on this loopback address and port; port 0 takes any free port
    #[arg(long, value_name = "ADDRESS", help_heading = "Listen", default_value = dev::DEFAULT_LISTEN, value_parser = loopback::listen_address)]
    listen: SocketAddr,
    /// Keep keys, logs and trust files in this directory; created if missing
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev")]
    data: PathBuf,
    /// Sign a few files and an attestation as several identities, once per data directory, into demo/ in --data
    #[arg(long, conflicts_with = "commands")]
    demo: bool,
    /// Print commands for every client and exit; the server must have been started on --data before
    #[arg(long)]
    commands: bool,
    /// Accept tokens of the issuers in this file too; read again when it changes and on SIGHUP
    #[arg(long, value_name = "FILE", help_heading = "Certificate authority")]
    issuers: Option<PathBuf>,
    #[command(flatten)]
    authority: instance::AuthorityArguments,
    #[command(flatten)]
    operations: instance::OperationsArguments,
    #[command(flatten)]
    transparency: instance::TransparencyArguments,
    /// Keep the logs in this `PostgreSQL` database instead of a file in --data
    ///
    /// The password is read from `PGPASSWORD` or ~/.pgpass. Several servers may append to the same logs: start each with a
    /// copy of the first one's --data.
    #[arg(long, value_name = "URL", help_heading = "Database", value_parser = database_url::parse)]
    database: Option<String>,
    #[command(flatten)]
    rekor_v1: instance::RekorV1Arguments,
    #[command(flatten)]
    rekor_v2: instance::RekorV2Arguments,
    #[command(flatten)]
    search: instance::SearchArguments,
    #[command(flatten)]
    events: instance::EventArguments,
    #[command(flatten)]
    tiles: instance::TilesArguments,
    #[command(flatten)]
    witnesses: instance::WitnessArguments,
    #[command(flatten)]
    timestamps: instance::TimestampArguments,
    #[command(flatten)]
    tuf: instance::TufArguments,
    #[command(flatten)]
    log: LogArguments,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.commands {
        dev::print_commands(&arguments.data, arguments.database.as_deref())?;
        return Ok(ExitCode::SUCCESS);
    }
    arguments.log.start(&TelemetryTable::default())?;
    let Arguments {
        listen,
        data,
        demo,
        database,
        issuers,
        tiles,
        transparency,
        operations,
        rekor_v1,
        rekor_v2,
        search,
        events,
        authority,
        timestamps,
        tuf,
        witnesses,
        ..
    } = arguments;
    let options = dev::Options {
        demo,
        tiles: &tiles,
        transparency: &transparency,
        operations: &operations,
        rekor_v1: &rekor_v1,
        rekor_v2: &rekor_v2,
        search: &search,
        events: &events,
        authority: &authority,
        timestamps: &timestamps,
        tuf: &tuf,
        witnesses: &witnesses,
    };
    dev::run(listen, &data, database, issuers.as_deref(), &options).await?;
    Ok(ExitCode::SUCCESS)
}
