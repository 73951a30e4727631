//! When an output that has failed is asked again. Pure. A monitor that begins asks at once.
//!
//! An output that fails is left alone as a whole, so that following a log does not wait for it at each step. An alarm that it refuses
//! is left alone by itself: what comes after it goes on.

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// After the first failure; each later one in a row doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// Pauses of every output, by name.
pub(crate) type Backoffs = HashMap<String, Backoff>;

/// Pauses of an output.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// That it takes nothing, and why.
    failing: Option<(Pause, String)>,
    /// Alarms that it has refused, by id.
    refused: HashMap<String, Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    /// `None`: as long as the process runs.
    until: Option<Instant>,
    length: Duration,
}

impl Pause {
    /// The pause after `before`.
    fn after(before: Option<Self>, now: Instant) -> Self {
        let length = before.map_or(FIRST_PAUSE, |before| (before.length * 2).min(LONGEST_PAUSE));
        Self { until: now.checked_add(length), length }
    }

    fn lasts(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Backoff {
    /// Why it is not asked for anything now, if it is not.
    pub(crate) fn failing(&self, now: Instant) -> Option<&str> {
        self.failing.as_ref().filter(|(pause, _)| pause.lasts(now)).map(|(_, reason)| reason.as_str())
    }

    /// Whether it is not asked to take the alarm with this id now.
    pub(crate) fn is_refusing(&self, id: &str, now: Instant) -> bool {
        self.refused.get(id).is_some_and(|pause| pause.lasts(now))
    }

    /// It takes nothing.
    pub(crate) fn fail(&mut self, reason: &str, now: Instant) {
        let before = self.failing.take().map(|(pause, _)| pause);
        self.failing = Some((Pause::after(before, now), reason.to_owned()));
    }

    /// It refuses the alarm with this id, and is not asked again if that is put aside.
    pub(crate) fn refuse(&mut self, id: &str, is_put_aside: bool, now: Instant) {
        let pause = Pause::after(self.refused.get(id).copied(), now);
        let pause = if is_put_aside { Pause { until: None, ..pause } } else { pause };
        self.refused.insert(id.to_owned(), pause);
    }

    /// It answers as it should.
    pub(crate) fn succeed(&mut self) {
        self.failing = None;
    }

    /// It has taken the alarm with this id.
    pub(crate) fn take(&mut self, id: &str) {
        self.refused.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_end_with_success() {
        let (mut backoff, mut now) = (Backoff::default(), Instant::now());
        for seconds in [30, 60, 120, 240, 480, 900, 900] {
            assert_eq!(backoff.failing(now), None);
            backoff.fail("away", now);
            now += Duration::from_millis(seconds * 1000 - 1);
            assert_eq!(backoff.failing(now), Some("away"), "{seconds}");
            now += Duration::from_millis(1);
        }
        backoff.succeed();
        backoff.fail("away", now);
        assert_eq!(backoff.failing(now + FIRST_PAUSE), None);
    }

    #[test]
    fn a_refused_alarm_pauses_alone_and_one_that_is_put_aside_for_good() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        backoff.refuse("a", false, now);
        backoff.refuse("b", true, now);
        assert_eq!((backoff.failing(now), backoff.is_refusing("c", now)), (None, false));
        let later = now + FIRST_PAUSE;
        let refusing = |backoff: &Backoff, at| ["a", "b"].map(|id| backoff.is_refusing(id, at));
        assert_eq!((refusing(&backoff, now), refusing(&backoff, later)), ([true, true], [false, true]));
        backoff.take("b");
        assert_eq!(refusing(&backoff, later), [false, false]);
    }
}
