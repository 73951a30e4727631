//! The logs of an instance, in their database.

use super::{
    SavedCheckpoints, index, options, progress, same_origin,
    trust::{self, TrustedLog},
};
use crate::{
    cli::place::Place,
    instance::{mark_file, marks},
};
use anyhow::Context as _;
use chancery_log::{
    check::{self, Published, Report, Signatures},
    ending,
    quarantine::Obstacle,
    store::{Database, Store},
};
use std::path::Path;

/// What was found about logs in whose stored state nothing is wrong.
pub(super) struct Checked {
    pub(super) reports: Vec<Report>,
    /// The logs among them that are quarantined nevertheless, each as a sentence.
    pub(super) doubts: Vec<String>,
}

/// Checks every log of the instance at `place`, by the keys in its trust files: the database must not be its own witness.
/// What the data directory remembers of each log is compared, too. Then checks the search index in it, unless that is left out.
pub(super) async fn check(
    place: &Place,
    signatures: Signatures,
    with_index: bool,
    saved: &mut SavedCheckpoints,
) -> anyhow::Result<Checked> {
    let (data, location) = (&*place.data, place.database());
    let database = Database::open_read_only(&location).await.with_context(|| format!("{location}"))?;
    let mut checked = check_logs(data, &*database.store(), signatures, saved).await;
    if with_index && checked.is_ok() {
        checked = index::check_if_any(data, &database).await.and(checked);
    }
    database.close().await;
    checked
}

async fn check_logs(
    data: &Path,
    store: &dyn Store,
    signatures: Signatures,
    saved: &mut SavedCheckpoints,
) -> anyhow::Result<Checked> {
    check::check_listing(store).await?;
    check::check_attestations(store).await?;
    let (mut reports, mut doubts) = (Vec::new(), Vec::new());
    for record in store.logs().await? {
        let name = record.name.clone();
        let trusted = trust::of_instance(data, &name)?;
        let subject = trust::subject(&trusted, record)?;
        // The logs of a series share trusted keys, and each has signed its own checkpoints alone.
        let own = Published { keys: vec![subject.key.clone()], ..trusted.published.clone() };
        let saved = saved.of(&TrustedLog { published: own, ..trusted });
        let options = options(signatures, &saved);
        let bar = progress(&name);
        let report = check::check_with(store, &subject, &options, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        let report = report.await.with_context(|| format!("log {name}"))?;
        bar.finish_and_clear();
        same_origin(&report, &saved).with_context(|| format!("log {name}"))?;
        reports.push(report);
        let doubt = ending::remembered(store, &subject, &mark_file(&marks(data), &name)).await;
        if let Some(reason) = doubt.with_context(|| format!("log {name}"))? {
            doubts.push(Obstacle::Quarantined { log: name, reason, change: None }.to_string());
        }
    }
    anyhow::ensure!(!reports.is_empty(), "there is no log in {}", data.display());
    Ok(Checked { reports, doubts })
}
