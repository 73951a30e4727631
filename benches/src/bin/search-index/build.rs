//! Builds the index as a server does that has fallen behind, and says how fast, and what it waited for.

use crate::log::{SyntheticLog, sources};
use crate::timed::{Timed, Watch};
use anyhow::ensure;
use chancery_benches::process;
use chancery_daemon::random::SystemRandom;
use chancery_search::Index;
use chancery_search::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entries a second with which an index must catch up.
const ASKED_PER_SECOND: f64 = 10_000.0;
/// Pages that are deleted at once, as the follower does.
const SWEPT_PAGES: u32 = 2048;

/// Indexes every entry of the logs. With `is_checked` derives the index a second time and compares.
pub(crate) async fn build(store: Arc<dyn Store>, logs: &[Arc<SyntheticLog>], is_checked: bool) -> anyhow::Result<()> {
    let store = Timed::new(store);
    let index = Index::new(Arc::clone(&store) as Arc<dyn Store>, sources(logs));
    let total: u64 = logs.iter().map(|log| log.entries.size).sum();
    let (bar, start) = (indicatif::ProgressBar::new(total), Instant::now());
    let own = std::process::id();
    let cpu = process::cpu_seconds(own)?;
    let (mut current, mut before, mut done) = (String::new(), 0, 0);
    let progress = |name: &str, indexed: u64, _: u64| {
        if current != name {
            (before, current) = (done, name.to_owned());
        }
        done = before + indexed;
        bar.set_position(done);
    };
    index.catch_up(progress).await?;
    // Otherwise the next rounds would delete what was merged last.
    while store.sweep(SWEPT_PAGES).await? {}
    let (elapsed, cpu) = (start.elapsed(), process::cpu_seconds(own)? - cpu);
    bar.finish_and_clear();
    for log in logs {
        let (kind, size) = (log.entries.kind, index.complete_to(log.entries.kind.log_id()).await?.size);
        ensure!(size == log.entries.size, "{size} entries of {} are indexed", kind.name());
    }
    ensure!(
        index.status().iter().all(|status| status.problems == 0),
        "an entry cannot be parsed: {:?}",
        index.status()
    );
    let making: Duration = logs.iter().map(|log| log.making()).sum();
    report(total, elapsed, cpu, making, &store.watch());
    if is_checked {
        index.check(&SystemRandom, |_, _, _| {}).await?;
        println!("\nThe index was derived a second time and is the same.");
    }
    Ok(())
}

fn report(total: u64, elapsed: Duration, cpu: f64, making: Duration, watch: &Watch) {
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let total = total as f64;
    let per_second = total / elapsed.as_secs_f64();
    let waited = watch.append.total + watch.merge.total + watch.read.total + watch.sweep.total;
    let rest = elapsed.saturating_sub(waited).as_secs_f64();
    println!("| catching up | |\n|---|---|");
    println!("| entries/s; asked {ASKED_PER_SECOND:.0} | {per_second:.0} |");
    println!("| us of CPU per entry, without the database server | {:.1} |", cpu * 1e6 / total);
    println!("| us in which this program made it, beside the other work | {:.1} |", making.as_secs_f64() * 1e6 / total);
    println!("| adding runs | {} |", watch.append);
    println!("| writing merged runs | {} |", watch.merge);
    println!("| reading the runs that are merged | {} |", watch.read);
    println!("| deleting merged runs | {} |", watch.sweep);
    println!("| the rest: reading the log, deriving terms, hashing, merging | {rest:.1} s |");
}
