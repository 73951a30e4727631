//! `chancery log freeze`: ends the writes of a log, in its database, so that every server obeys.

use crate::{
    cli::{place::LogsArguments, waiting},
    output,
};
use anyhow::Context as _;
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_log::{
    rekor_v2, series,
    store::{CommittedHead, Database, LogRecord, Store},
};
use chancery_verify::entries;
use clap::Args;
use serde_json::json;
use std::{io::Write as _, process::ExitCode, time::Duration};

/// How long a running server is given to store its last checkpoint.
const WAIT: Duration = Duration::from_secs(10);

/// Refuse new entries in a log for ever; it can still be read, and inclusion proven
///
/// The final tree contains every acknowledged entry. When the command returns, every server on the database refuses writes,
/// also after a restart. This cannot be undone: new entries need another log. If the next shard of Rekor v1 is staged, it
/// takes entries at once. The last checkpoint of a Rekor v2 log says since when it is frozen. A certificate authority whose
/// own log is frozen issues nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery log freeze --data ./chancery-dev --log rekor2
  chancery log freeze --database postgres://chancery@db.example.org/chancery --log rekor --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    logs: LogsArguments,
    /// Freeze this log: rekor, rekor2 or ct, or a later one such as rekor-2
    #[arg(long, value_name = "NAME")]
    log: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let location = arguments.logs.place()?.existing_database()?;
    let database = Database::open(&location).await.with_context(|| format!("{location}"))?;
    let frozen = freeze(&*database.store(), &arguments.log).await;
    database.close().await;
    let (record, head, checkpoint) = frozen?;
    let (size, root) = (head.tree.size, hex::encode(head.tree.root));
    if arguments.json {
        let printed = json!({
            "log": record.name, "origin": record.origin, "tree_size": size, "root_hash": root, "checkpoint": checkpoint,
        });
        output::print_json(&printed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = output::data();
    writeln!(out, "{} is frozen with {}, root hash {root}", record.origin, entries(size))?;
    match checkpoint {
        Some(note) => write!(out, "its last checkpoint:\n{note}")?,
        None => writeln!(out, "no server has signed the last checkpoint yet; the next start of the server signs it")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Freezes the log, and waits for its last checkpoint, which only its key can make.
async fn freeze(store: &dyn Store, name: &str) -> anyhow::Result<(LogRecord, CommittedHead, Option<String>)> {
    let record = super::record(store, name).await?;
    let head = store.freeze(record.log_id, SystemClock.now()).await?;
    let checkpoint = waiting::until(WAIT, async || last_checkpoint(store, &record, head.tree.size).await).await?;
    Ok((record, head, checkpoint))
}

/// The stored checkpoint of the whole log, of `size` leaves. That of a Rekor v2 log says since when the log is frozen.
async fn last_checkpoint(store: &dyn Store, record: &LogRecord, size: u64) -> anyhow::Result<Option<String>> {
    if series::split(&record.name).0 == rekor_v2::NAME {
        return Ok(store.frozen_checkpoint(record.log_id).await?);
    }
    let newest = store.newest_checkpoint(record.log_id).await?;
    Ok(newest.filter(|(found, _)| *found == size).map(|(_, note)| note))
}
