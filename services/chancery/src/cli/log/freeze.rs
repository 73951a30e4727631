//! `chancery log freeze`: the end of a log's writes, in its database, where no server can get around it.

use anyhow::{Context as _, bail};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_log::store::{CommittedHead, Database, Location, LogRecord, Store};
use clap::Args;
use serde_json::json;
use std::{
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// How long a running server is given to store its last checkpoint.
const WAIT: Duration = Duration::from_secs(10);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Take no more entries into a log, for ever; it can still be read and proven
///
/// What was acknowledged before is in the final tree. Writes are refused from the moment this returns, by every server on the
/// database and after every restart. There is no way back: entries go into another log. Of Rekor v1 that is the next shard, if its
/// key is staged: it takes entries at once. A certificate authority whose own log is frozen issues nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery log freeze --data ./chancery-dev --log rekor2
  chancery log freeze --database postgres://chancery@db.example.org/chancery --log rekor --json")]
pub(super) struct Arguments {
    /// Data directory of the instance
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev")]
    data: PathBuf,
    /// The `PostgreSQL` database the logs are in, as its owner
    #[arg(long, value_name = "URL", value_parser = crate::cli::database_url)]
    database: Option<String>,
    /// Which log: rekor, rekor2 or ct, or a later one of these, such as rekor-2
    #[arg(long, value_name = "NAME")]
    log: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let file = arguments.data.join("chancery.db");
    let location = match &arguments.database {
        Some(url) => Location::Server(url.clone()),
        None if file.exists() => Location::File(file),
        None => bail!("there is no log in {}; give --database where it is elsewhere", arguments.data.display()),
    };
    let database = Database::open(&location).await.with_context(|| format!("{location}"))?;
    let frozen = freeze(&*database.store(), &arguments.log).await;
    database.close().await;
    let (record, head, checkpoint) = frozen?;
    let mut out = std::io::stdout().lock();
    let (size, root) = (head.tree.size, hex::encode(head.tree.root));
    if arguments.json {
        let printed = json!({
            "log": record.name, "origin": record.origin, "tree_size": size, "root_hash": root, "checkpoint": checkpoint,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&printed)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} is frozen with {size} entries, root hash {root}", record.origin)?;
    match checkpoint {
        Some(note) => write!(out, "its final checkpoint:\n{note}")?,
        None => writeln!(out, "no server has signed its final checkpoint yet; one that starts will")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Freezes the log, and waits for the checkpoint of its last head, which only its key can make.
async fn freeze(store: &dyn Store, name: &str) -> anyhow::Result<(LogRecord, CommittedHead, Option<String>)> {
    let Some(record) = store.open(name).await? else {
        let known: Vec<String> = store.logs().await?.into_iter().map(|log| log.name).collect();
        bail!("there is no log {name}; there are: {}", known.join(", "));
    };
    let head = store.freeze(record.log_id, SystemClock.now()).await?;
    let begun = Instant::now();
    loop {
        let newest = store.newest_checkpoint(record.log_id).await?;
        if let Some((_, note)) = newest.filter(|(size, _)| *size == head.tree.size) {
            return Ok((record, head, Some(note)));
        }
        if begun.elapsed() > WAIT {
            return Ok((record, head, None));
        }
        tokio::time::sleep(LOOK).await;
    }
}
