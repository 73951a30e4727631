//! Runs work in parallel, with a limit, and shows a progress bar on a terminal.

use super::outcome::{Outcome, Status};
use chancery_registry::ErrorKind;
use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Runs `work` for every named item, `at_once` at a time. Every item has one outcome, in the order of the items.
pub(super) async fn each<T, F>(
    items: Vec<(String, T)>,
    at_once: usize,
    quiet: bool,
    work: impl Fn(T) -> F,
) -> Vec<Outcome>
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
        .map(|(subject, item)| {
            let task = tokio::spawn(work(item));
            let bar = bar.clone();
            async move {
                // A task that panicked has decided nothing. Without an outcome for it, the others could make a success.
                let outcome = task.await.unwrap_or_else(|_| interrupted(&subject));
                bar.inc(1);
                outcome
            }
        })
        .buffered(at_once.max(1))
        .collect()
        .await;
    bar.finish_and_clear();
    outcomes
}

/// The outcome of a check that did not come to an end.
pub(super) fn interrupted(subject: &str) -> Outcome {
    Outcome::failed(subject, Status::Undecided, ErrorKind::Unreadable.code(), "the check was interrupted")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GHSA-7c37-gx6w-8vc5: gitsign ended with success after a panic.
    #[tokio::test]
    async fn a_check_that_panics_is_undecided_and_no_success() {
        let items = (0..3).map(|number| (format!("image {number}"), number)).collect();
        let outcomes = each(items, 2, true, |number| async move {
            assert_ne!(number, 1, "this check panics");
            Outcome { status: Status::Verified, code: None, reason: None, ..interrupted("another") }
        })
        .await;
        let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
        assert_eq!(statuses, [Status::Verified, Status::Undecided, Status::Verified]);
        assert_eq!(outcomes[1].subject, "image 1");
        assert_ne!(super::super::outcome::exit_code(&outcomes), std::process::ExitCode::SUCCESS);
    }
}
