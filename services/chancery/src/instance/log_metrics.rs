//! Metrics of the inside of the logs: batches, database, caches, checkpoints in the database, copies of their files.

use super::running::RunningLogs;
use chancery_daemon::{metrics::Metrics, samples};
use chancery_log::{Log, Measures};

/// Entries of the largest batch, as a power of two.
const LARGEST_BATCH_POWER: u8 = 10;

/// Registers these metrics of `logs`, including logs that start later.
pub(super) fn measure(metrics: &Metrics, logs: RunningLogs) -> anyhow::Result<()> {
    let measures = Measures {
        batches: metrics.durations(
            "chancery_log_batch_seconds",
            "Seconds from taking a batch to publishing its checkpoint, by result: integrated or failed",
            &["log", "result"],
        )?,
        batch_entries: metrics.distributions(
            "chancery_log_batch_entries",
            "Entries of a batch, with those that were logged before",
            &["log"],
            LARGEST_BATCH_POWER,
        )?,
        database: metrics.short_durations(
            "chancery_database_seconds",
            "Seconds of a read or write of the logs' database, with waiting, by result: ok or failed",
            &["operation", "result"],
        )?,
    };
    let cache_reads = metrics.counters(
        "chancery_log_cache_reads_total",
        "Reads of full tiles and entry bundles, by result: hit if it was in memory, or miss",
        &["log", "cache", "result"],
    )?;
    let checkpoint_lags = metrics.gauges(
        "chancery_log_checkpoint_lag_entries",
        "Entries of the newest published checkpoint that are not in a checkpoint in the database",
        &["log"],
    )?;
    let observe = move |logs: &[Log]| logs.iter().for_each(|log| log.measure(measures.clone()));
    observe(&logs.logs());
    measure_mirrors(metrics, logs.clone())?;
    measure_signatures(metrics)?;
    metrics.before_scrape(move || {
        let logs = logs.logs();
        observe(&logs);
        for log in &logs {
            let name = log.record().name.as_str();
            if let Ok(published) = log.published() {
                checkpoint_lags.set(&[name], published.tree.size.saturating_sub(log.checkpointed()));
            }
            for (cache, hits, misses) in log.cache_reads() {
                cache_reads.advance_to(&[name, cache, "hit"], hits);
                cache_reads.advance_to(&[name, cache, "miss"], misses);
            }
        }
    });
    Ok(())
}

fn measure_mirrors(metrics: &Metrics, logs: RunningLogs) -> anyhow::Result<()> {
    let lags = metrics.gauges(
        "chancery_mirror_lag_entries",
        "Entries of the newest published checkpoint that are not in the copy of the log's files",
        &["log"],
    )?;
    let pushes = metrics.counters(
        "chancery_mirror_pushes_total",
        "Attempts to bring the copy of a log's files up to date, by result: ok or failed",
        &["log", "result"],
    )?;
    let faults = metrics.counters(
        "chancery_log_mirror_faults_total",
        "Attempts to copy a log that met other contents in the object store than the log's, by code of the fault",
        &["log", "fault"],
    )?;
    metrics.before_scrape(move || {
        for (log, mirror) in logs.mirrors() {
            let name = log.record().name.as_str();
            let published = log.published().map_or(0, |published| published.tree.size);
            lags.set(&[name], published.saturating_sub(mirror.size().unwrap_or(0)));
            let (succeeded, failed) = mirror.pushes();
            pushes.advance_to(&[name, "ok"], succeeded);
            pushes.advance_to(&[name, "failed"], failed);
            for (fault, count) in mirror.faults() {
                faults.advance_to(&[name, fault], count);
            }
        }
    });
    Ok(())
}

/// Registers the results of the verification of signatures of all roles.
fn measure_signatures(metrics: &Metrics) -> anyhow::Result<()> {
    let signatures = metrics.counters(
        "chancery_signatures_total",
        "Own signatures, by result of their verification: passed, failed, or skipped: not in the sample",
        &["result"],
    )?;
    metrics.before_scrape(move || {
        for (result, count) in samples::results() {
            signatures.advance_to(&[result], count);
        }
    });
    Ok(())
}
