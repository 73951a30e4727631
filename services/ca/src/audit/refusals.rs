//! Limits for lines about refusals in the audit log, so that clients cannot fill the disk.
//!
//! Each minute has a limit for lines per address and reason, and a limit for all lines together. Refusals beyond them
//! are counted by reason. Memory is fixed: a keyed hash maps addresses and reasons to a number of places, and two in
//! the same place share its limit.

use crate::minute::{MinuteCount, minute};
use chancery_daemon::http::Peer;
use chancery_verify::Timestamp;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

/// Maximum lines of one address and reason in a minute.
const PER_SOURCE: u32 = 10;
/// Maximum lines in a minute. They take at most about 300 MB per day.
const IN_ALL: u32 = 600;
/// Places for addresses and reasons.
const PLACES: u64 = 4096;

/// The lines of the current minute.
#[derive(Debug)]
pub(super) struct Refusals {
    places: RandomState,
    sources: Vec<MinuteCount>,
    all: MinuteCount,
    /// Refusals without a line since the last summary, by reason.
    left_out: BTreeMap<&'static str, u64>,
    /// Minute of the last summary.
    summed: u64,
}

impl Default for Refusals {
    fn default() -> Self {
        let sources = (0..PLACES).map(|_| MinuteCount::default()).collect();
        let all = MinuteCount::default();
        Self { places: RandomState::new(), sources, all, left_out: BTreeMap::new(), summed: 0 }
    }
}

impl Refusals {
    /// Returns whether a line about a refusal of `peer` for the reason `code` is within the limits. Counts it
    /// otherwise.
    pub(super) fn take(&mut self, code: &'static str, peer: Option<Peer>, now: Timestamp) -> bool {
        let place = usize::try_from(self.places.hash_one((code, peer)) % PLACES).unwrap_or_default();
        let fits = self.sources.get_mut(place).is_some_and(|source| source.take(now, PER_SOURCE))
            && self.all.take(now, IN_ALL);
        if !fits {
            *self.left_out.entry(code).or_default() += 1;
        }
        fits
    }

    /// Returns the refusals that were left out, by reason, once in a minute; with `at_once` also before it has ended.
    pub(super) fn summary(&mut self, now: Timestamp, at_once: bool) -> BTreeMap<&'static str, u64> {
        if self.left_out.is_empty() || (self.summed == minute(now) && !at_once) {
            return BTreeMap::new();
        }
        self.summed = minute(now);
        std::mem::take(&mut self.left_out)
    }

    /// Restores the counts of a summary that could not be written.
    pub(super) fn put_back(&mut self, left_out: &BTreeMap<&'static str, u64>) {
        for (code, count) in left_out {
            *self.left_out.entry(code).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::of([192, 0, 2, last].into())
    }

    #[test]
    fn each_address_and_reason_has_a_few_lines_a_minute_and_all_have_some() {
        let mut refusals = Refusals::default();
        let now = Timestamp::from_seconds(600);
        let mut taken = |code, peer, now| (0..50).filter(|_| refusals.take(code, Some(peer), now)).count();
        assert_eq!(taken("token.expired", peer(1), now), 10);
        assert_eq!(taken("token.expired", peer(1), now.plus_seconds(59)), 0);
        assert_eq!(taken("token.audience", peer(1), now), 10);
        assert_eq!(taken("token.expired", peer(2), now), 10);
        assert_eq!(taken("token.expired", peer(1), now.plus_seconds(60)), 10);
        let all: usize = (0..=255).map(|last| taken("token.missing", peer(last), now.plus_seconds(60))).sum();
        // Some addresses share a place.
        assert_eq!(all, 590);
    }

    #[test]
    fn what_is_left_out_is_summed_up_once_a_minute_and_loses_nothing() {
        let mut refusals = Refusals::default();
        let now = Timestamp::from_seconds(600);
        let refuse = |refusals: &mut Refusals| {
            for _ in 0..12 {
                refusals.take("token.expired", Some(peer(1)), now);
            }
        };
        refuse(&mut refusals);
        let expected = BTreeMap::from([("token.expired", 2)]);
        assert_eq!(refusals.summary(now, false), expected);
        refuse(&mut refusals);
        assert!(refusals.summary(now, false).is_empty(), "once a minute");
        refusals.put_back(&expected);
        assert_eq!(refusals.summary(now.plus_seconds(60), false), BTreeMap::from([("token.expired", 14)]));
        assert!(refusals.summary(now.plus_seconds(120), false).is_empty());
        refuse(&mut refusals);
        assert_eq!(refusals.summary(now, true), BTreeMap::from([("token.expired", 12)]));
    }
}
