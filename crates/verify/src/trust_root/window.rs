//! Windows of trust.

use crate::Timestamp;
use std::fmt;

/// The time in which an instance is trusted: a closed interval, at the resolution of a millisecond.
///
/// Finer bounds are rounded into the interval (start up, end down). This changes no comparison, because no time that is
/// compared with a window is finer than a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// First moment.
    pub start: Timestamp,
    /// Last moment. `None` if the window has no end.
    pub end: Option<Timestamp>,
}

impl Window {
    /// Returns whether `time` is in the window. Both bounds are included.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && self.end.is_none_or(|end| time <= end)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to ", self.start.rfc3339_millis())?;
        match self.end {
            Some(end) => f.write_str(&end.rfc3339_millis()),
            None => f.write_str("now"),
        }
    }
}
