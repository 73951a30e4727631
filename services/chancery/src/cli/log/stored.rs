//! The logs of an instance, in their database.

use super::{SavedCheckpoints, index, options, progress, same_origin, trust};
use anyhow::Context as _;
use chancery_log::{
    check::{self, Report, Signatures},
    store::{Database, Location, Store},
};
use std::path::Path;

/// Checks every log of the instance in `data`, by the keys in its trust files: the database must not be its own witness.
/// It is the one in `data`, or at the URL `server`. Then checks the search index in it, unless that is left out.
pub(super) async fn check(
    data: &Path,
    server: Option<&str>,
    signatures: Signatures,
    with_index: bool,
    saved: &mut SavedCheckpoints,
) -> anyhow::Result<Vec<Report>> {
    let location =
        server.map_or_else(|| Location::File(data.join("chancery.db")), |url| Location::Server(url.to_owned()));
    let database = Database::open_read_only(&location).await.with_context(|| format!("{location}"))?;
    let mut reports = check_logs(data, &*database.store(), signatures, saved).await;
    if with_index && reports.is_ok() {
        reports = index::check_if_any(data, &database).await.and(reports);
    }
    database.close().await;
    reports
}

async fn check_logs(
    data: &Path,
    store: &dyn Store,
    signatures: Signatures,
    saved: &mut SavedCheckpoints,
) -> anyhow::Result<Vec<Report>> {
    check::check_listing(store).await?;
    let mut reports = Vec::new();
    for record in store.logs().await? {
        let name = record.name.clone();
        let trusted = trust::of_instance(data, &name)?;
        let subject = trust::subject(&trusted, record)?;
        let saved = saved.of(&trusted);
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
    }
    anyhow::ensure!(!reports.is_empty(), "there is no log in {}", data.display());
    Ok(reports)
}
