//! Checks the heads that a log has had: each extends the one before it, and is that of the entries.
//!
//! Both databases keep all of them, but earlier versions kept only the last one, so there need not be a first one of an empty
//! tree. `SQLite` keeps their root hashes with the entries; `PostgreSQL` also keeps their sizes and times, in `heads`.

use super::Finding;
use crate::store::{CommittedHead, EarlierHead};

/// The fault that a head is missing, or another is in its place.
const fn unchained() -> Finding {
    Finding::Log("a stored head does not extend the one before it")
}

/// The heads of a log, as far as they were met.
#[derive(Default)]
pub(super) struct Chain {
    /// Leaves of the last one.
    last: Option<u64>,
}

impl Chain {
    /// Adds the next head, which must be `derived`: the tree's own, at its size.
    pub(super) fn extend(&mut self, earlier: &EarlierHead, derived: &CommittedHead) -> Result<(), Finding> {
        let EarlierHead { previous, head } = earlier;
        if *previous != self.last || head.tree.size != derived.tree.size {
            return Err(unchained());
        }
        if head.tree.root != derived.tree.root {
            return Err(Finding::Head { stated: head.tree.size, derived: derived.tree.size });
        }
        if head.timestamp != derived.timestamp {
            return Err(Finding::Log("the time of a stored head is not that of its last entry"));
        }
        self.last = Some(head.tree.size);
        Ok(())
    }

    /// Checks that the last one that was met is that of the whole log, of `size` leaves, and that the `next` one, if a running
    /// server has added it, extends it. Of an empty log none may be kept.
    pub(super) fn ends_at(&self, size: u64, next: Option<&EarlierHead>) -> Result<(), Finding> {
        let is_missed = next.is_some_and(|next| next.previous.unwrap_or_default() < size);
        if is_missed || self.last.unwrap_or_default() != size {
            return Err(unchained());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::Timestamp;
    use chancery_verify::merkle::TreeHead;

    fn head(size: u64) -> CommittedHead {
        let root = [size.to_le_bytes()[0]; 32];
        CommittedHead { tree: TreeHead { size, root }, timestamp: Timestamp::from_millis(size) }
    }

    fn chain(heads: &[(Option<u64>, u64)]) -> Result<Chain, Finding> {
        let mut chain = Chain::default();
        for (previous, size) in heads {
            chain.extend(&EarlierHead { previous: *previous, head: head(*size) }, &head(*size))?;
        }
        Ok(chain)
    }

    #[test]
    fn each_head_extends_the_one_before_it() {
        let whole = chain(&[(None, 0), (Some(0), 3), (Some(3), 4)]).unwrap();
        assert!(whole.ends_at(4, None).is_ok());
        let next = |previous| EarlierHead { previous, head: head(9) };
        assert!(whole.ends_at(4, Some(&next(Some(4)))).is_ok(), "a server goes on meanwhile");
        assert!(
            whole.ends_at(4, Some(&next(Some(3)))).is_err()
                && chain(&[]).unwrap().ends_at(4, Some(&next(None))).is_err()
        );
        // From a database that kept only the last one.
        assert!(chain(&[(None, 70), (Some(70), 71)]).unwrap().ends_at(71, None).is_ok());
        assert!(
            chain(&[]).unwrap().ends_at(0, Some(&next(None))).is_ok(),
            "it was empty, and a server begins meanwhile"
        );
        assert!(chain(&[]).unwrap().ends_at(0, None).is_ok() && chain(&[]).unwrap().ends_at(71, None).is_err());
        for broken in [&[(Some(0), 3)][..], &[(None, 0), (Some(3), 4)], &[(None, 0), (Some(0), 3), (Some(0), 4)]] {
            assert!(chain(broken).is_err(), "{broken:?}");
        }
        assert!(chain(&[(None, 0), (Some(0), 3)]).unwrap().ends_at(4, None).is_err(), "the last one is missing");
    }

    #[test]
    fn a_head_that_is_not_that_of_the_entries_is_found() {
        let stored = |head| EarlierHead { previous: None, head };
        let mut other = head(3);
        other.tree.root[7] ^= 1;
        assert!(matches!(Chain::default().extend(&stored(other), &head(3)), Err(Finding::Head { stated: 3, .. })));
        other = head(3);
        other.timestamp = Timestamp::from_millis(4);
        assert!(Chain::default().extend(&stored(other), &head(3)).is_err());
        assert!(Chain::default().extend(&stored(head(3)), &head(4)).is_err());
    }
}
