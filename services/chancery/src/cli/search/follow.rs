//! `chancery search follow`: an index of a log elsewhere, in a database of its own.
//!
//! 1. [`place`]: which log is at the URL. A trusted key decides.
//! 2. [`followed`]: how it is asked, and that each head extends the one before. [`sources`]: the log as the index takes it.
//! 3. The index follows it, as it follows a server's own logs: every entry is hashed into the tree of a signed head before the
//!    transaction that makes it findable. So the process may be killed at any moment, and the next one goes on.
//! 4. [`lines`] shows how it goes, and [`serve`] answers questions meanwhile.
//!
//! Exit codes: [`failure`].

mod failure;
mod followed;
mod lines;
mod place;
mod serve;
mod sources;

use crate::cli::{log::index::Bars, token_file::TokenFile, verify::TrustArguments};
use crate::instance::search_store;
use anyhow::{Context as _, ensure};
use chancery_daemon::shutdown::Signals;
use chancery_log::store::{Database, Location};
use chancery_log_client::{Fetcher, Limits, Protocol, RemoteLog};
use chancery_search::{Error, Index, Source, State, store::Store};
use chancery_verify::trust_root::TrustRoot;
use clap::Args;
use failure::Failure;
use followed::{Fault, Followed};
use lines::Lines;
use place::Wanted;
use serve::Answers;
use sources::{Asked, Following};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use url::Url;

/// How often it is looked how following goes.
const LOOK: Duration = Duration::from_millis(250);
/// With `--once` the head is asked for once, however long it takes to read up to it.
const ONE_HEAD: Duration = Duration::from_hours(24);

/// Index a log elsewhere, ours or public, in a database of its own, and answer questions about it
///
/// Reads Rekor v1, Rekor v2 (tiles), RFC 6962 and static-ct-api logs. The log is not trusted: its key must have signed each
/// checkpoint, each must extend the one before, and every entry is hashed into the signed tree before it is indexed. The command
/// can be killed at any moment; the next one goes on where it was.
///
/// Stays and follows the log, unless --once is given. --listen serves the search API over the index: ask it with chancery search
/// --url and chancery artifact --url. The URL of Rekor v1 has several logs in turn: all that a trusted key has signed are followed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery search follow https://rekor.example.org --database rekor.db --key rekor.pub --listen 127.0.0.1:8092
  chancery search follow https://log.example.org --database log.db --trusted-root trusted_root.json --protocol rekor-v2
  chancery search follow https://ct.example.org/2026 --database postgres://me@db.example.org/ct --key ct.pub --once
  chancery search follow https://log.example.org --database log.db --vkey 'log.example.org+7a2b…' --json")]
pub(super) struct Arguments {
    /// URL of the log, as trust roots name it
    #[arg(value_name = "URL")]
    url: Url,
    /// Keep the index in this `SQLite` file, or in this `PostgreSQL` database; not in that of a server
    #[arg(long, value_name = "FILE|URL", value_parser = location)]
    database: Location,
    /// Protocol of the log: rekor-v1, rekor-v2, rfc6962 or static-ct; by default the one that answers
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<Protocol>,
    /// First line of the log's checkpoints; by default that of the first one that the key has signed
    #[arg(long, value_name = "LINE")]
    origin: Option<String>,
    /// Name of the log in answers; by default the first line of its checkpoints
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Index what the log has now, and exit: for cron
    #[arg(long, conflicts_with = "listen")]
    once: bool,
    /// Answer questions at this address, for example 127.0.0.1:8092
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Look for new entries every so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// Send the token in this file, if the log shows entries to readers only; it is read again for each request
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print a line of JSON for each step
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    trust: TrustArguments,
}

/// Keys of logs, beside those of a trust root.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
struct KeyArguments {
    /// Trust this key of the log, in PEM; repeatable: the trees of a Rekor v1 log may have different keys
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Trust this verifier key of the log; repeatable
    #[arg(long, value_name = "VKEY")]
    vkey: Vec<String>,
}

/// A `PostgreSQL` URL, or else a file.
fn location(text: &str) -> Result<Location, String> {
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
    let Arguments { url, protocol, origin, keys, database, .. } = arguments;
    may_listen(arguments)?;
    let root = arguments.trust.load(false).await?;
    let keys = place::keys(url, &keys.key, &keys.vkey, &root)?;
    let fetcher = fetcher(url, arguments.token_file.as_deref())?;
    let wanted = Wanted { url, protocol: *protocol, origin: origin.as_deref() };
    let logs = place::find(&wanted, &keys, &fetcher).await?;
    let opened = Database::open(database).await.with_context(|| format!("{database}"))?;
    let done = follow_into(arguments, logs, &opened, root).await;
    opened.close().await;
    done
}

/// Entries that are for readers with a token are not for everybody who can reach this machine.
fn may_listen(Arguments { listen, token_file, .. }: &Arguments) -> anyhow::Result<()> {
    let is_local = listen.is_none_or(|address| address.ip().is_loopback());
    ensure!(
        is_local || token_file.is_none(),
        "the entries of this log are for readers with a token, and questions from other machines would be answered without one: \
         listen on 127.0.0.1"
    );
    Ok(())
}

fn fetcher(url: &Url, token_file: Option<&Path>) -> anyhow::Result<Fetcher> {
    let fetcher = Fetcher::new(Limits::default())?;
    let token = token_file.map(|file| TokenFile::for_server(file, url.as_str())).transpose()?;
    Ok(match token {
        Some(token) => fetcher.with_token(token.into_token()),
        None => fetcher,
    })
}

async fn follow_into(
    arguments: &Arguments,
    logs: Vec<RemoteLog>,
    database: &Database,
    root: TrustRoot,
) -> Result<(), Failure> {
    let own = database.store().logs().await.context("cannot read the database")?;
    if let Some(record) = own.first() {
        let error = anyhow::anyhow!(
            "this is the database of a server, with its log {}: give --database one of its own",
            record.name
        );
        return Err(error.into());
    }
    let store = search_store(database);
    let interval = if arguments.once { ONE_HEAD } else { Duration::from_secs(arguments.interval) };
    let count = logs.len();
    let mut followed = Vec::new();
    for (number, log) in logs.into_iter().enumerate() {
        let origin = log.origin().context("the log has shown no checkpoint")?.to_owned();
        // The newest tree has the name, and those before it are told apart by their own.
        let name = arguments.name.clone().filter(|_| number + 1 == count);
        followed.push(Arc::new(Followed::new(log, &origin, name, Arc::clone(&store), interval)));
    }
    let source = |followed: &Arc<Followed>| Arc::new(Following::new(Arc::clone(followed))) as Arc<dyn Source>;
    let sources: Vec<Arc<dyn Source>> = followed.iter().map(source).collect();
    let index = Index::new(Arc::clone(&store), Arc::new(move || sources.clone()));
    if arguments.once {
        once(&index, &followed, arguments.json).await
    } else {
        stay(arguments, &index, &followed, (store, root)).await
    }
}

/// Indexes what the logs have now.
async fn once(index: &Index, followed: &[Arc<Followed>], is_json: bool) -> Result<(), Failure> {
    let mut bars = Bars::default();
    let done = index.catch_up(|log, done, total| bars.show(log, done, total)).await;
    bars.finish();
    done.map_err(|error| judged(&error, followed))?;
    let lines = Lines::new(is_json);
    for followed in followed {
        let coverage = index.complete_to(followed.log_id()).await.context("cannot read the index")?;
        lines.show_pass(followed, &coverage).map_err(anyhow::Error::new)?;
    }
    Ok(())
}

/// What an error of the index is to a caller.
fn judged(error: &Error, followed: &[Arc<Followed>]) -> Failure {
    let has_fault = followed.iter().any(|followed| followed.fault().is_some());
    match error {
        Error::Source(error) if has_fault => Failure::Untrue(error.reason.clone()),
        Error::Source(error) => Failure::Unread(error.reason.clone()),
        Error::Mismatch { log, size, rejection } => Failure::Untrue(mismatch(log, *size, &rejection.to_string())),
        error => Failure::Unusable(anyhow::Error::new(error.clone())),
    }
}

/// The index's own words are for the logs of a server.
fn mismatch(log: &str, size: u64, rejection: &str) -> String {
    let read = chancery_verify::entries(size);
    format!(
        "{log}: the {read} that were read are not those of its signed tree ({rejection}). Nothing of them is indexed"
    )
}

/// Follows the logs until a signal comes, or one of them shows what is not true.
async fn stay(
    arguments: &Arguments,
    index: &Index,
    followed: &[Arc<Followed>],
    (store, root): (Arc<dyn Store>, TrustRoot),
) -> Result<(), Failure> {
    let mut signals = Signals::catch().context("cannot wait for signals")?;
    let task = index.follow();
    let answers = Answers::new(store, followed.iter().map(Arc::clone).map(Asked::new).collect(), root);
    let served = async {
        if let Some(address) = arguments.listen {
            return answers.serve(address, index.clone(), arguments.json).await;
        }
        signals.received().await;
        Ok(())
    };
    let done = tokio::select! {
        served = served => served.map_err(Failure::from),
        failure = watch(index, followed, arguments.json) => Err(failure),
    };
    task.abort();
    done
}

/// Shows how it goes, until it cannot go on.
async fn watch(index: &Index, followed: &[Arc<Followed>], is_json: bool) -> Failure {
    let mut lines = Lines::new(is_json);
    loop {
        let statuses = index.status();
        let stopped = statuses.iter().find_map(|status| match &status.state {
            State::Stopped(reason) => Some(format!("{}: {reason}", status.name)),
            State::Following | State::Failing(_) => None,
        });
        if let Err(error) = lines.show(statuses) {
            return Failure::Unusable(error.into());
        }
        let forked = followed.iter().find_map(|followed| match followed.fault() {
            Some(Fault::Forked(reason)) => Some(reason),
            Some(Fault::Unproven(_)) | None => None,
        });
        if let Some(reason) = forked.or(stopped) {
            lines.finish();
            return Failure::Untrue(reason);
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
