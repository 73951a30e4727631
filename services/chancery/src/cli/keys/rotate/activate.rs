//! `chancery keys rotate ROLE activate`: how long the next key must have been published, and what breaks if it was not.

use crate::{
    duration,
    rotation::{Progress, Role},
};
use chancery_verify::Timestamp;
use clap::Args;
use std::time::Duration;

/// Longest that clients keep trust files before they fetch them again, as they come.
const USUAL_CACHE_SECONDS: u64 = 24 * 3600;

/// Sign with the staged key from now on
///
/// The key is published when the TUF repository serves it to clients. While its metadata waits for signatures of offline keys, or
/// its server does not answer, activate refuses.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys rotate ca --data ./chancery-dev activate --overlap 24h
  chancery keys rotate ca --data ./chancery-dev activate --now")]
pub(super) struct Activate {
    /// Require that the key has been published for this long: longer than any client caches trust files
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration::parse)]
    overlap: Duration,
    /// Do not wait until clients can fetch the key, and say what they refuse then
    #[arg(long, conflicts_with = "overlap")]
    now: bool,
}

impl Activate {
    /// Seconds that the key must have been published for; `None` if it need not be.
    pub(super) fn overlap_seconds(&self) -> Option<u64> {
        (!self.now).then_some(self.overlap.as_secs())
    }

    /// What breaks because nobody has waited.
    pub(super) fn warning(&self, role: Role, number: u64, progress: &Progress, now: Timestamp) -> Option<String> {
        if !self.now {
            return None;
        }
        let broken = broken(role);
        let Some(published) = progress.published_seconds.get(&number) else {
            return Some(format!(
                "warning: no client can fetch generation {number} yet: {}. Until they can, and have, all clients refuse {broken}",
                progress.reason_unpublished(number)
            ));
        };
        if now.seconds() >= published.saturating_add(USUAL_CACHE_SECONDS) {
            return None;
        }
        Some(format!(
            "warning: clients can fetch generation {number} only since {}. Until they have fetched it, which many do once a day, they \
             refuse {broken}",
            Timestamp::from_seconds(*published).rfc3339()
        ))
    }
}

/// What clients refuse that do not know the key with which a role signs.
const fn broken(role: Role) -> &'static str {
    match role {
        Role::Ca => "every signature with a certificate that is issued from now on",
        Role::Tsa => "every timestamp that is made from now on, and signatures that need one",
        Role::Ct => {
            "every signature with a certificate that is issued from now on, because its SCT is of a log that they do not know"
        }
        Role::Rekor | Role::Rekor2 => {
            "every signature that is logged from now on, because its log has a key that they do not know"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_is_said_as_long_as_it_can_break() {
        let activate = |now| Activate { overlap: Duration::from_hours(24), now };
        let mut progress = Progress::default();
        progress.unpublished.insert(2, "it waits for signatures".to_owned());
        let at =
            |progress: &Progress, now: u64| activate(true).warning(Role::Ca, 2, progress, Timestamp::from_seconds(now));
        let said = at(&progress, 5000).unwrap();
        assert!(
            said.contains("no client can fetch generation 2 yet: it waits for signatures. Until they can"),
            "{said}"
        );
        assert!(
            said.ends_with("all clients refuse every signature with a certificate that is issued from now on"),
            "{said}"
        );
        progress.published_seconds.insert(2, 5000);
        let said = at(&progress, 6000).unwrap();
        assert!(said.contains("only since 1970-01-01T01:23:20Z") && said.contains("refuse every signature"), "{said}");
        assert_eq!(at(&progress, 5000 + USUAL_CACHE_SECONDS), None);
        assert_eq!(activate(false).warning(Role::Ca, 2, &progress, Timestamp::from_seconds(6000)), None);
        assert_eq!((activate(true).overlap_seconds(), activate(false).overlap_seconds()), (None, Some(24 * 3600)));
    }
}
