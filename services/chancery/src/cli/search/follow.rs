//! `chancery search follow`: an index of a log elsewhere, in a database of its own.
//!
//! 1. [`options`] say which log is meant, [`place`] which log is at the URL. A trusted key decides.
//! 2. [`followed`]: how it is asked, and that each head extends the one before. [`sources`]: the log as the index takes it.
//!    [`logs`] are all of them, and [`trees`] finds those that begin later.
//! 3. The index follows it, as it follows a server's own logs: every entry is hashed into the tree of a signed head before the
//!    transaction that makes it findable. So the process may be killed at any moment, and the next one goes on.
//! 4. [`lines`] shows how it goes, and [`serve`] answers questions meanwhile.
//! 5. If the log contradicts itself, its checkpoints are kept as evidence.
//!
//! Exit codes: [`failure`].

mod evidence;
mod failure;
mod followed;
mod lines;
mod logs;
mod options;
mod place;
mod serve;
mod sources;
mod trees;

use crate::cli::log::index::Bars;
use crate::instance::search_store;
use anyhow::{Context as _, anyhow, bail, ensure};
use chancery_daemon::shutdown::Signals;
use chancery_log::store::{Database, Location};
use chancery_log_client::{Protocol, RemoteLog};
use chancery_search::{Error, Index, State, store::Store};
use clap::Args;
use evidence::Evidence;
use failure::Failure;
use followed::{Fault, Followed};
use lines::Lines;
use logs::Logs;
use options::Found;
pub(super) use options::LogArguments;
use place::Place;
use serve::{Answers, Trusted};
use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};
use trees::Trees;
use url::Url;

/// How often it is looked how following goes.
const LOOK: Duration = Duration::from_millis(250);
/// With `--once` the head is asked for once, however long it takes to read up to it.
pub(super) const ONE_HEAD: Duration = Duration::from_hours(24);

/// Index a log elsewhere, ours or public, in a database of its own, and answer questions about it
///
/// Reads Rekor v1, Rekor v2 (tiles), RFC 6962 and static-ct-api logs. The log is not trusted: its key must have signed each
/// checkpoint, each must extend the one before, and every entry is hashed into the signed tree before it is indexed. The command
/// can be killed at any moment; the next one goes on where it was.
///
/// Stays and follows the log, unless --once is given. --listen serves the search API over the index: ask it with chancery search
/// --url and chancery artifact --url. The URL of Rekor v1 has several logs in turn: all that a trusted key has signed are followed,
/// and one that begins later as soon as it is there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery search follow https://rekor.example.org --database rekor.db --key rekor.pub --listen 127.0.0.1:8092
  chancery search follow https://log.example.org --database log.db --trusted-root trusted_root.json --protocol rekor-v2
  chancery search follow https://ct.example.org/2026 --database postgres://me@db.example.org/ct --key ct.pub --once
  chancery search follow https://log.example.org --database log.db --vkey 'log.example.org+7a2b…' --json
  chancery search follow https://log.acme.example --database log.db --key rekor.pub --ca-file acme.pem")]
pub(super) struct Arguments {
    /// URL of the log, as trust roots name it
    #[arg(value_name = "URL")]
    url: Url,
    /// Keep the index in this `SQLite` file, or in this `PostgreSQL` database; not in that of a server
    #[arg(long, value_name = "FILE|URL", value_parser = location)]
    database: Location,
    /// Index what the log has now, and exit: for cron
    #[arg(long, conflicts_with = "listen")]
    once: bool,
    /// Answer questions at this address, for example 127.0.0.1:8092
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Look for new entries every so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// Print a line of JSON for each step
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArguments,
}

/// A `PostgreSQL` URL, or else a file.
pub(super) fn location(text: &str) -> Result<Location, String> {
    if text.contains("://") {
        return crate::database_url::parse(text).map(Location::Server);
    }
    if text.is_empty() { Err("give the name of a file".to_owned()) } else { Ok(Location::File(text.into())) }
}

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    match follow(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.told(),
    }
}

async fn follow(arguments: &Arguments) -> Result<(), Failure> {
    may_listen(arguments)?;
    let found = arguments.log.find(&arguments.url).await?;
    let opened = Database::open(&arguments.database).await.with_context(|| format!("{}", arguments.database))?;
    let done = follow_into(arguments, found, &opened).await;
    opened.close().await;
    done.map_err(|failure| failure.keeping(&arguments.database))
}

/// Entries that are for readers with a token are not for everybody who can reach this machine.
fn may_listen(Arguments { listen, log, .. }: &Arguments) -> anyhow::Result<()> {
    let is_local = listen.is_none_or(|address| address.ip().is_loopback());
    ensure!(
        is_local || log.token_file.is_none(),
        "the entries of this log are for readers with a token, and questions from other machines would be answered without one: \
         listen on 127.0.0.1"
    );
    Ok(())
}

async fn follow_into(arguments: &Arguments, mut found: Found, database: &Database) -> Result<(), Failure> {
    is_of_no_server(database).await?;
    let store = search_store(database);
    let interval = if arguments.once { ONE_HEAD } else { Duration::from_secs(arguments.interval) };
    let logs = named(&arguments.log, std::mem::take(&mut found.place.logs), (Arc::clone(&store), interval))?;
    let index = Index::new(Arc::clone(&store), logs.following());
    if arguments.once {
        once(&index, &logs, arguments.json).await
    } else {
        stay(arguments, &index, &logs, (store, found)).await
    }
}

/// The index of the log at `url` that was made in this database before. A newer head of the log is asked for after `interval`.
pub(super) async fn index(
    arguments: &LogArguments,
    url: &Url,
    (database, interval): (&Database, Duration),
) -> Result<Index, Failure> {
    is_of_no_server(database).await?;
    let (found, store) = (arguments.find(url).await?, search_store(database));
    let logs = named(arguments, found.place.logs, (Arc::clone(&store), interval))?;
    let mut is_known = false;
    for followed in logs.followed() {
        is_known |= store.progress(followed.log_id()).await.context("cannot read the index")?.is_some();
    }
    if is_known {
        Ok(Index::new(store, logs.following()))
    } else {
        Err(anyhow!("this database has no index of the log at {url}: chancery search follow makes one").into())
    }
}

async fn is_of_no_server(database: &Database) -> anyhow::Result<()> {
    let own = database.store().logs().await.context("cannot read the database")?;
    let Some(record) = own.first() else { return Ok(()) };
    bail!("this is the database of a server, with its log {}: give --database one of its own", record.name)
}

/// The logs that were found, with their names.
fn named(
    arguments: &LogArguments,
    found: Vec<RemoteLog>,
    (store, interval): (Arc<dyn Store>, Duration),
) -> anyhow::Result<Logs> {
    let (logs, count) = (Logs::new(store, interval), found.len());
    for (number, log) in found.into_iter().enumerate() {
        // The newest tree has the name, and those before it are told apart by their own.
        logs.add(log, arguments.name.clone().filter(|_| number + 1 == count))?;
    }
    Ok(logs)
}

/// Indexes what the logs have now.
async fn once(index: &Index, logs: &Logs, is_json: bool) -> Result<(), Failure> {
    let mut bars = Bars::default();
    let done = index.catch_up(|log, done, total| bars.show(log, done, total)).await;
    bars.finish();
    if let Err(error) = done {
        return Err(judged(&error, logs).await);
    }
    let lines = Lines::new(is_json);
    for followed in logs.followed() {
        let coverage = index.complete_to(followed.log_id()).await.context("cannot read the index")?;
        lines.show_pass(&followed, &coverage).map_err(anyhow::Error::new)?;
    }
    Ok(())
}

/// What an error of the index is to a caller.
async fn judged(error: &Error, logs: &Logs) -> Failure {
    let fault = logs.followed().iter().find_map(|followed| followed.fault());
    match (error, fault) {
        (Error::Source(error), Some(fault)) => {
            Failure::Untrue { reason: error.reason.clone(), evidence: Evidence::of(fault.checkpoints) }
        }
        (Error::Source(error), None) => Failure::Unread(error.reason.clone()),
        (Error::Mismatch { log, .. }, _) => {
            let evidence = evidence(logs, |followed| followed.name() == log).await;
            Failure::Untrue { reason: error.to_string(), evidence }
        }
        (error, _) => Failure::Unusable(anyhow::Error::new(error.clone())),
    }
}

/// The checkpoints of a log.
async fn evidence(logs: &Logs, is_meant: impl Fn(&Followed) -> bool) -> Evidence {
    match logs.followed().iter().find(|followed| is_meant(followed)) {
        Some(followed) => Evidence::of(followed.checkpoints().await),
        None => Evidence::default(),
    }
}

/// Follows the logs until a signal comes, or one of them contradicts itself.
async fn stay(
    arguments: &Arguments,
    index: &Index,
    logs: &Logs,
    (store, found): (Arc<dyn Store>, Found),
) -> Result<(), Failure> {
    let mut signals = Signals::catch().context("cannot wait for signals")?;
    let Found { place: Place { untrusted: left_out, .. }, keys, fetcher, root } = found;
    let trusted = Trusted::new(root);
    let answers = Answers::new(store, logs.asked(), &trusted);
    let Arguments { url, log, interval, .. } = arguments;
    let interval = Duration::from_secs(*interval);
    let trees = Trees { url, arguments: log, logs: logs.clone(), trusted, keys, fetcher, left_out, interval };
    let task = index.follow();
    let served = async {
        if let Some(address) = arguments.listen {
            return answers.serve(address, index.clone(), arguments.json).await;
        }
        signals.received().await;
        Ok(())
    };
    let done = tokio::select! {
        served = served => served.map_err(Failure::from),
        failure = watch(index, logs, arguments.json) => Err(failure),
        never = trees.look_out(), if may_begin_trees(log, logs) => match never {},
    };
    task.abort();
    done
}

/// Whether trees may begin that are to be followed as well.
fn may_begin_trees(arguments: &LogArguments, logs: &Logs) -> bool {
    let is_rekor_v1 = logs.followed().iter().any(|followed| followed.log.identity().protocol == Protocol::RekorV1);
    is_rekor_v1 && arguments.origin.is_none()
}

/// Shows how it goes, until it cannot go on.
async fn watch(index: &Index, logs: &Logs, is_json: bool) -> Failure {
    let mut lines = Lines::new(is_json);
    loop {
        let statuses = index.status();
        let stopped = statuses.iter().find_map(|status| match &status.state {
            State::Stopped(reason) => Some((status.log_id, reason.clone())),
            State::Following | State::Failing(_) => None,
        });
        if let Err(error) = lines.show(statuses) {
            return Failure::Unusable(error.into());
        }
        let mut faults = logs.followed().into_iter().filter_map(|followed| followed.fault());
        if let Some(Fault { reason, checkpoints, .. }) = faults.find(|fault| fault.is_forked) {
            lines.finish();
            return Failure::Untrue { reason, evidence: Evidence::of(checkpoints) };
        }
        if let Some((log_id, reason)) = stopped {
            lines.finish();
            return Failure::Untrue { reason, evidence: evidence(logs, |followed| followed.log_id() == log_id).await };
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_file_or_a_server() {
        assert_eq!(location("log.db"), Ok(Location::File("log.db".into())));
        assert_eq!(
            location("postgres://me@db.example/log"),
            Ok(Location::Server("postgres://me@db.example/log".to_owned()))
        );
        for bad in ["", "mysql://db/log", "postgres://me:secret@db/log"] {
            assert!(location(bad).is_err(), "{bad}");
        }
    }
}
