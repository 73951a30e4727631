//! Waiting until a running server has taken a step that a command has written down.
//!
//! The server is not asked: it writes what it has done, and the command looks. Where no server runs nothing comes, which is no
//! error: the next start takes the step.

use crate::rotation::{Progress, RingFiles, Role};
use anyhow::bail;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// What `look` finds, as soon as it finds something; `None` where that takes longer than `wait`. It is looked once in any case.
pub(super) async fn until<T>(
    wait: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let found = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            sleep(LOOK).await;
        }
    };
    timeout(wait, found).await.map_or(Ok(None), |found| found.map(Some))
}

/// The generation of a role's key that a server is to do something with.
#[derive(Clone, Copy)]
pub(super) struct Generation<'a> {
    pub(super) files: &'a RingFiles,
    pub(super) role: Role,
    pub(super) number: u64,
}

impl Generation<'_> {
    /// Whether the server has `done` that within `wait`. An error where it still cannot use the key then: `failed` says what that
    /// means. What is in the way may pass, as the time after a failover does.
    pub(super) async fn await_progress(
        self,
        wait: Duration,
        done: impl Fn(&Progress) -> bool,
        failed: &str,
    ) -> anyhow::Result<bool> {
        let look = async || {
            let progress = self.files.progress(self.role)?.unwrap_or_default();
            Ok(done(&progress).then_some(()))
        };
        if until(wait, look).await?.is_some() {
            return Ok(true);
        }
        match self.files.progress(self.role)?.unwrap_or_default().obstacles.get(&self.number) {
            Some(reason) => bail!("{failed}: {reason}"),
            None => Ok(false),
        }
    }

    /// Why clients cannot fetch it yet, if a server has said so.
    pub(super) fn reason_unpublished(self) -> anyhow::Result<Option<String>> {
        let progress = self.files.progress(self.role)?.unwrap_or_default();
        Ok(progress.unpublished.get(&self.number).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_is_waited_for_and_what_does_not_come_is_no_error() {
        let mut looks = 0;
        let third = until(Duration::from_mins(1), async || {
            looks += 1;
            Ok((looks == 3).then_some("it"))
        });
        assert_eq!(third.await.unwrap(), Some("it"));
        assert_eq!(until(Duration::ZERO, async || Ok(Some(1))).await.unwrap(), Some(1), "it is there already");
        assert_eq!(until(Duration::ZERO, async || Ok(None::<()>)).await.unwrap(), None);
        let failed =
            until(Duration::from_mins(1), async || -> anyhow::Result<Option<()>> { bail!("the key is missing") });
        assert_eq!(failed.await.unwrap_err().to_string(), "the key is missing");
    }
}
