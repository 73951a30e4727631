//! Which of several servers over one database does a work that one is enough for.
//!
//! Every step of the work changes a version in the database by compare-and-swap, so that the result is right whichever server
//! works. A server that sees that another has changed the version stands by for some rounds, so that not all of them do the
//! same. No clocks are compared.

/// What a server remembers of a work. At first it stands by for no server.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    seen: Option<i64>,
    waits: u32,
}

impl Turn {
    /// Whether to work in this round, or to leave it to another server, which has changed `version` less than `stand_by` rounds ago.
    pub(crate) fn is_ours(&mut self, version: i64, stand_by: u32) -> bool {
        if self.seen.replace(version).is_some_and(|seen| seen != version) {
            self.waits = stand_by;
        }
        let is_waiting = self.waits > 0;
        self.waits = self.waits.saturating_sub(1);
        !is_waiting
    }

    /// What was written by this process is no reason to stand by.
    pub(crate) const fn wrote(&mut self, version: i64) {
        self.seen = Some(version);
    }

    /// The version that was seen or written last.
    pub(crate) const fn seen(&self) -> Option<i64> {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_stands_by_for_another_and_not_for_itself() {
        let mut turn = Turn::default();
        assert!(turn.is_ours(5, 2), "after a start nobody is known");
        turn.wrote(6);
        assert!(turn.is_ours(6, 2));
        assert!(!turn.is_ours(7, 2));
        assert!(!turn.is_ours(7, 2));
        assert!(turn.is_ours(7, 2), "the other one does nothing any more");
        assert!(!turn.is_ours(8, 2));
        assert!(!turn.is_ours(9, 2), "it goes on");
        assert!(!turn.is_ours(9, 2));
        assert!(turn.is_ours(9, 2));
        assert_eq!(turn.seen(), Some(9));
    }
}
