//! The metrics of a monitor. Their labels are names of logs in the configuration, and kinds of alarms.

use crate::alarm::AlarmKind;
use crate::status::Statuses;
use chancery_daemon::metrics::{MetricError, Metrics};

/// Registers the metrics. They are read from `statuses` before each scrape.
///
/// # Errors
/// A name is taken: a defect of the program.
pub fn measure(metrics: &Metrics, statuses: Statuses) -> Result<(), MetricError> {
    let size = metrics.gauges(
        "chancery_monitor_tree_size",
        "Entries of the newest tree of the log that is proven to extend all earlier ones",
        &["log"],
    )?;
    let followed = metrics.gauges(
        "chancery_monitor_followed_entries",
        "Entries of the log that were verified against a signed tree and looked at",
        &["log"],
    )?;
    let checked = metrics.gauges(
        "chancery_monitor_checked_timestamp_seconds",
        "When the log was last followed to its end, and its tree compared with all peers, in seconds since the epoch",
        &["log"],
    )?;
    let pending =
        metrics.gauges("chancery_monitor_pending_alarms", "Alarms that an output has not taken yet", &["log"])?;
    let refused = metrics.gauges(
        "chancery_monitor_refused_alarms",
        "Alarms that were put aside, because an output has refused them several times",
        &["log"],
    )?;
    let conditions = metrics.gauges(
        "chancery_monitor_condition",
        "1 while a condition of the log lasts that was alarmed, by its kind; 0 otherwise",
        &["log", "kind"],
    )?;
    let alarms =
        metrics.counters("chancery_monitor_alarms_total", "Alarms since the start, by their kind", &["log", "kind"])?;
    let unreadable = metrics.counters(
        "chancery_monitor_unreadable_entries_total",
        "Entries since the start of which a part cannot be read, so that watches may miss them",
        &["log"],
    )?;
    metrics.before_scrape(move || {
        for (log, status) in statuses.all() {
            let labels = [log.as_str()];
            size.set(&labels, status.size);
            followed.set(&labels, status.followed);
            pending.set(&labels, status.pending);
            refused.set(&labels, status.refused);
            unreadable.advance_to(&labels, status.unreadable);
            if let Some(seconds) = status.checked_at {
                checked.set(&labels, seconds);
            }
            for kind in AlarmKind::ALL {
                let labels = [log.as_str(), kind.name()];
                alarms.advance_to(&labels, status.alarms.get(&kind).copied().unwrap_or_default());
                if kind != AlarmKind::Entry {
                    conditions.set(&labels, u64::from(status.lasting.contains_key(&kind)));
                }
            }
        }
    });
    Ok(())
}
