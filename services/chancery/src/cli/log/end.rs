//! `chancery log end`: from QUARANTINED to signing again, without a fork.
//!
//! 1. Find out how much of the log can be proven; refuse where that is nothing.
//! 2. Make the key of its successor. It counts for nothing yet.
//! 3. End the log in the database: the commit point ([`chancery_log::ending`]).
//! 4. Make the successor in the database, and then have the ring name its key. A running server signs with it within seconds.
//!
//! A run that was killed anywhere is finished by the next one.

mod successor;

use crate::{
    cli::{place::LogsArguments, waiting::Generation},
    duration,
    instance::{mark_file, marks},
    output::{self, Steps},
    rotation::{RingFiles, Role},
};
use anyhow::{Context as _, bail};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_log::{
    check::Subject,
    ct,
    ending::{self, Examination},
    rekor_v1, rekor_v2, series,
    store::{Database, End, LogRecord, Store},
};
use chancery_verify::entries;
use clap::Args;
use serde_json::json;
use std::{path::Path, process::ExitCode, time::Duration};
use successor::Successor;

/// End a log whose newest state is lost, and go on in its successor
///
/// For a log that is QUARANTINED and whose newest state cannot be restored. The log ends at its newest checkpoint that can be
/// proven from what is stored, and stays readable there. Nothing is signed for it again. Its successor is the next shard or log
/// with a key of its own, as `chancery keys rotate` makes it. What was signed before still verifies.
///
/// Entries after that checkpoint that were acknowledged are lost; the command says how many. A server may be running. Run it
/// again if it was interrupted. It cannot be undone: restore the newest state of the database instead if there is one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery log end --data ./chancery-dev --log rekor
  chancery log end --data /var/lib/chancery --database postgres://chancery@db.example.org/chancery --log ct
  chancery log end --data ./chancery-dev --log rekor2 --url https://log2.example.org --json

If several servers have copies of one data directory: copy keys/ to each of them afterwards.")]
pub(super) struct Arguments {
    #[command(flatten)]
    logs: LogsArguments,
    /// End this log: rekor, rekor2 or ct, or a later one such as rekor-2
    #[arg(long, value_name = "NAME")]
    log: String,
    /// URL of the next Rekor v2 log: https:// and a host name that no earlier log had
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Use the key at this URI for the successor instead of a new key in the data directory
    #[arg(long, value_name = "URI", value_parser = crate::instance::key_uri)]
    key: Option<String>,
    /// Wait at most this long for the server to sign with the new key
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    wait: Duration,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let place = arguments.logs.place()?;
    let location = place.existing_database()?;
    let files = RingFiles::of(&place.data);
    files.verify_complete()?;
    let _alone = files.lock()?;
    let database = Database::open(&location).await.with_context(|| format!("{location}"))?;
    let mut steps = Steps::new(arguments.json);
    let done = end(arguments, (&*place.data, &files), &*database.store(), &mut steps).await;
    database.close().await;
    let Done { record, end, role, successor } = done?;
    let generation = Generation { files: &files, role, number: successor };
    let failed = "the log is ended, but the server cannot use the key of its successor";
    let is_signing =
        generation.await_progress(arguments.wait, |progress| progress.signing >= successor, failed).await?;
    let name = series::name(series::split(&record.name).0, successor);
    if arguments.json {
        let printed = json!({
            "log": record.name, "origin": record.origin, "tree_size": end.tree.size,
            "root_hash": hex::encode(end.tree.root), "published_size": end.published,
            "lost": end.published.saturating_sub(end.tree.size),
            "successor": { "log": name, "generation": successor, "signs": is_signing },
        });
        output::print_json(&printed)?;
        return Ok(ExitCode::SUCCESS);
    }
    steps.say(&if is_signing {
        format!("the server signs with generation {successor} of the {} key, in {name}", role.name())
    } else {
        format!("no running server signs in {name} yet; the next start does")
    });
    steps.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// What was done, now or by an earlier run.
struct Done {
    record: LogRecord,
    end: End,
    role: Role,
    /// Generation of the key that signs instead.
    successor: u64,
}

async fn end(
    arguments: &Arguments,
    (data, files): (&Path, &RingFiles),
    store: &dyn Store,
    steps: &mut Steps,
) -> anyhow::Result<Done> {
    let record = super::record(store, &arguments.log).await?;
    let (role, number) = role(&record)?;
    let mut ring = files.ring(role)?;
    let key = successor::public_key(files, &ring, role, number)?;
    let subject = Subject::new(record.clone(), key).with_context(|| format!("log {}", record.name))?;
    let now = SystemClock.now();
    // (1)
    let mark = mark_file(&marks(data), &record.name);
    let examined = ending::examine(store, &subject, &mark).await.with_context(|| format!("log {}", record.name))?;
    // (2)
    let (given_key, url) = (arguments.key.clone(), arguments.url.clone());
    let next = Successor::of(files, &ring, role, number, given_key, url, now).await?;
    // (3)
    let end = match examined {
        Examination::Ended(end) => {
            steps.say(&format!("{} was ended before", record.origin));
            end
        }
        Examination::Doubtful(examined) => {
            steps.say(&format!("{} is in doubt: {}", record.origin, examined.doubt));
            next.freeze_abandoned(store, &record, now).await?;
            let end = examined.end(store, record.log_id, now).await?;
            let still = examined.whole.min(end.published).saturating_sub(end.tree.size);
            if still > 0 {
                steps.say(&format!(
                    "{} after its last checkpoint are still in the database; nothing proves them",
                    entries(still)
                ));
            }
            end
        }
    };
    say_end(steps, &record, &end);
    // (4)
    let successor = next.begin(files, store, &mut ring, &record, now).await?;
    Ok(Done { record, end, role, successor })
}

/// The role of a log's key, and the generation.
fn role(record: &LogRecord) -> anyhow::Result<(Role, u64)> {
    let (series, number) = series::split(&record.name);
    let role = match series {
        ct::NAME => Role::Ct,
        rekor_v1::NAME => Role::Rekor,
        rekor_v2::NAME => Role::Rekor2,
        _ => bail!("the log {} is of no known kind", record.name),
    };
    Ok((role, number))
}

fn say_end(steps: &mut Steps, record: &LogRecord, end: &End) {
    let (size, root) = (entries(end.tree.size), hex::encode(end.tree.root));
    steps.say(&format!("{} ends with {size}, root hash {root}; nothing is signed for it again", record.origin));
    match end.published.saturating_sub(end.tree.size) {
        // Of a log that was restored it is not known what was.
        0 => steps.say("nothing that is known to have been acknowledged is lost"),
        lost => steps.say(&format!("{} that were acknowledged after it are lost", entries(lost))),
    }
}
