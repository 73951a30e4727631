//! Runs work in parallel, with a limit, and shows a progress bar on a terminal.

use super::outcome::Outcome;
use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Runs `work` for every item, `at_once` at a time, in the order of the items.
pub(super) async fn each<T, F>(items: Vec<T>, at_once: usize, quiet: bool, work: impl Fn(T) -> F) -> Vec<Outcome>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let bar = ProgressBar::new(items.len() as u64);
    // It is drawn on standard error, and only if that is a terminal.
    if quiet || items.len() < 2 {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let outcomes = stream::iter(items)
        .map(|item| {
            let task = tokio::spawn(work(item));
            let bar = bar.clone();
            async move {
                let outcome = task.await;
                bar.inc(1);
                outcome
            }
        })
        .buffered(at_once.max(1))
        .filter_map(|outcome| async {
            // A cancelled task means that the program is ending.
            outcome.ok()
        })
        .collect()
        .await;
    bar.finish_and_clear();
    outcomes
}
