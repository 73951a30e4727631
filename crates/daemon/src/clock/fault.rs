//! Why the clock cannot be trusted. [`super::ClockGuard`] decides it, partly from the answers of [`super::Sources`].

use chancery_verify::Timestamp;

/// The clock cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockFault {
    /// The clock shows an earlier time than one that was signed.
    #[error(
        "the clock is {seconds} s behind a time that was signed: correct it; if it was wrong then and is right now, freeze \
         the logs that were written then (chancery log freeze) and start again"
    )]
    Behind {
        /// Seconds it is behind.
        seconds: u64,
    },
    /// The clock has been set forward since the process started.
    #[error("the clock was set forward by {seconds} s: correct it or, if it is right now, start again")]
    Ahead {
        /// Seconds it was set forward.
        seconds: u64,
    },
    /// Another server of the same log gives its entries earlier times.
    #[error(
        "the clock is {seconds} s ahead of the one by which another server dates entries of the same log: correct \
         whichever is wrong; if it is the other one, start this server again after that"
    )]
    Disputed {
        /// Seconds it is ahead.
        seconds: u64,
    },
    /// Time servers show another time.
    #[error("the clock is {offset_ms} ms behind its time servers (ahead, if negative): correct it")]
    Wrong {
        /// Smallest offset, in milliseconds.
        offset_ms: i64,
    },
    /// Time servers have not confirmed the clock since the start.
    #[error("too few time servers have confirmed the clock since the start: check that they can be reached")]
    Unconfirmed,
    /// Time servers have confirmed the clock, but too long ago.
    #[error("too few time servers have confirmed the clock for {seconds} s: check that they can be reached")]
    Stale {
        /// Seconds since the last confirmation.
        seconds: u64,
    },
}

impl ClockFault {
    /// Every code.
    pub const CODES: [&'static str; 6] =
        ["clock.behind", "clock.ahead", "clock.disputed", "clock.wrong", "clock.unconfirmed", "clock.stale"];

    /// The fault of a clock that shows `now`, if `dated` is known to have passed.
    #[must_use]
    pub const fn behind(now: Timestamp, dated: Timestamp) -> Self {
        Self::Behind { seconds: dated.seconds().saturating_sub(now.seconds()) }
    }

    /// Stable, dotted, lower-case name of this reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Behind { .. } => "clock.behind",
            Self::Ahead { .. } => "clock.ahead",
            Self::Disputed { .. } => "clock.disputed",
            Self::Wrong { .. } => "clock.wrong",
            Self::Unconfirmed => "clock.unconfirmed",
            Self::Stale { .. } => "clock.stale",
        }
    }
}
