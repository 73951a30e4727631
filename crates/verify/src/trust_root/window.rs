//! Windows of validity.

use crate::Timestamp;
use std::fmt;

/// From when, and until when, an instance is trusted: a closed interval, at the resolution of a millisecond.
///
/// Finer bounds are rounded into the interval (start up, end down). No time that is compared with a window is finer than a
/// millisecond, so no comparison comes out differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// First moment.
    pub start: Timestamp,
    /// Last moment; without it the window is open.
    pub end: Option<Timestamp>,
}

impl Window {
    /// Whether `time` lies in the window. Both bounds belong to it.
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
