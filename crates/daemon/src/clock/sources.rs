//! Checks this machine's clock against time servers (SNTP, RFC 5905 §14).
//!
//! Answers never set the clock, which is the system's task. They only decide whether the clock is trusted. Answers are
//! not signed: one server, or an attacker on the path to it, can stop the process from signing, but cannot make it sign
//! a wrong time without also controlling the clock. [`super::ClockGuard`] notices a clock that steps between two
//! rounds, and says why it is not trusted.

use super::ClockFault;
use rsntp::{AsyncSntpClient, Config, SynchronizationError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// An answer can be off by half of its round trip. A slower answer than this is ignored.
const DEADLINE: Duration = Duration::from_secs(2);
/// Limit for looking up a server's name and receiving its answer.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(4);
/// While the clock is not confirmed, the servers are asked at least this often.
const IMPATIENCE: Duration = Duration::from_secs(16);

/// The time servers, and the rules for their answers.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// `host`, or `host:port`; at least one.
    pub servers: Vec<String>,
    /// Limit for the difference between the clock and a server's time.
    pub max_offset: Duration,
    /// Quorum: how many servers must agree with the clock, or agree with each other that it is wrong. From 1 to all of
    /// them.
    pub threshold: usize,
    /// How long the clock is trusted after a quorum has confirmed it.
    pub max_age: Duration,
    /// Time between two rounds.
    pub period: Duration,
}

/// Results of asking one server.
#[derive(Debug, Clone, Default)]
pub struct SourceReport {
    /// The server, as configured.
    pub server: String,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were not answered.
    pub failed: u64,
    /// Milliseconds the clock was behind in the newest answer; negative if it was ahead.
    pub offset_ms: Option<i64>,
}

/// Result of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// A quorum agrees with the clock.
    Right,
    /// A quorum agrees that the clock is off, by at least this.
    Wrong { offset_ms: i64 },
    /// No quorum for either.
    Unknown,
}

/// State of the checks.
#[derive(Debug, Default)]
struct Standing {
    /// Uptime of the last confirmation by a quorum.
    confirmed: Option<Duration>,
    /// Uptime at the start of the round that confirmed the clock. The round proves nothing about a jump after that.
    asked: Duration,
    wrong_ms: Option<i64>,
    reports: Vec<SourceReport>,
    /// Rounds without a quorum, and rounds in which a quorum said that the clock was wrong.
    unknown: u64,
    wrong: u64,
}

/// Time servers that are asked in rounds.
pub struct Sources {
    settings: SourceSettings,
    standing: Mutex<Standing>,
}

impl Sources {
    /// Starts without a verdict; see [`Self::round`].
    #[must_use]
    pub fn new(settings: SourceSettings) -> Self {
        let report = |server: &String| SourceReport { server: server.clone(), ..SourceReport::default() };
        let standing = Standing { reports: settings.servers.iter().map(report).collect(), ..Standing::default() };
        Self { settings, standing: Mutex::new(standing) }
    }

    /// Each server's report.
    pub fn reports(&self) -> Vec<SourceReport> {
        self.standing().reports.clone()
    }

    /// Rounds without a quorum, and rounds in which a quorum said that the clock was wrong.
    pub fn failed_rounds(&self) -> (u64, u64) {
        let standing = self.standing();
        (standing.unknown, standing.wrong)
    }

    /// Returns why the clock cannot be trusted at this uptime, if so: a quorum says that it is wrong, or no quorum has
    /// confirmed it for too long, or ever.
    pub(super) fn fault(&self, uptime: Duration) -> Option<ClockFault> {
        let standing = self.standing();
        if let Some(offset_ms) = standing.wrong_ms {
            return Some(ClockFault::Wrong { offset_ms });
        }
        let Some(confirmed) = standing.confirmed else { return Some(ClockFault::Unconfirmed) };
        let age = uptime.saturating_sub(confirmed);
        (age > self.settings.max_age).then_some(ClockFault::Stale { seconds: age.as_secs() })
    }

    /// Returns when the round began that confirmed the clock last.
    pub(super) fn confirmed(&self, uptime: Duration) -> Result<Duration, ClockFault> {
        match self.fault(uptime) {
            Some(fault) => Err(fault),
            None => Ok(self.standing().asked),
        }
    }

    /// Asks every server once. `uptime` is read before the first question and after the last answer.
    pub async fn round(&self, uptime: &(impl Fn() -> Duration + Sync)) {
        let begun = uptime();
        let mut questions = JoinSet::new();
        for (place, server) in self.settings.servers.iter().cloned().enumerate() {
            questions.spawn(async move { (place, ask(&server).await) });
        }
        let mut offsets = Vec::new();
        while let Some(Ok((place, answer))) = questions.join_next().await {
            self.note(place, answer.as_ref().ok().copied());
            match answer {
                Ok(offset_ms) => offsets.push(offset_ms),
                Err(error) => tracing::debug!(place, %error, "a time server did not answer"),
            }
        }
        self.conclude(judge(&offsets, &self.settings), begun, uptime());
    }

    /// Runs rounds for as long as it is polled.
    pub async fn follow(self: Arc<Self>, uptime: impl Fn() -> Duration + Sync) {
        loop {
            let calm = self.fault(uptime()).is_none();
            sleep(if calm { self.settings.period } else { self.settings.period.min(IMPATIENCE) }).await;
            self.round(&uptime).await;
        }
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, place: usize, offset_ms: Option<i64>) {
        if let Some(report) = self.standing().reports.get_mut(place) {
            report.answered += u64::from(offset_ms.is_some());
            report.failed += u64::from(offset_ms.is_none());
            report.offset_ms = offset_ms;
        }
    }

    /// Takes the verdict of a round that began and ended at these uptimes.
    fn conclude(&self, verdict: Verdict, began: Duration, ended: Duration) {
        let mut standing = self.standing();
        match verdict {
            Verdict::Right => {
                (standing.confirmed, standing.asked, standing.wrong_ms) = (Some(ended), began, None);
            }
            Verdict::Wrong { offset_ms } => {
                standing.wrong_ms = Some(offset_ms);
                standing.wrong += 1;
            }
            // A clock found wrong stays refused until a quorum confirms it.
            Verdict::Unknown => standing.unknown += 1,
        }
    }

    /// A round in which a quorum agreed with the clock.
    #[cfg(test)]
    pub(super) fn agree(&self, began: Duration, ended: Duration) {
        self.conclude(Verdict::Right, began, ended);
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sources({:?})", self.settings)
    }
}

/// Returns the milliseconds by which the clock is behind `server`.
async fn ask(server: &str) -> Result<i64, SynchronizationError> {
    let client = AsyncSntpClient::with_config(Config::default().timeout(DEADLINE));
    let answer = timeout(LOOKUP_DEADLINE, client.synchronize(server)).await;
    let answer = answer.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates, far beyond any bound")]
    let offset_ms = (answer.clock_offset().as_secs_f64() * 1e3) as i64;
    Ok(offset_ms)
}

fn judge(offsets_ms: &[i64], settings: &SourceSettings) -> Verdict {
    let max_offset_ms = u64::try_from(settings.max_offset.as_millis()).unwrap_or(u64::MAX);
    let is_wrong = |offset: &&i64| offset.unsigned_abs() > max_offset_ms;
    let wrong: Vec<&i64> = offsets_ms.iter().filter(is_wrong).collect();
    if offsets_ms.len() - wrong.len() >= settings.threshold {
        return Verdict::Right;
    }
    match wrong.iter().min_by_key(|offset| offset.unsigned_abs()) {
        Some(least) if wrong.len() >= settings.threshold => Verdict::Wrong { offset_ms: **least },
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(threshold: usize) -> SourceSettings {
        SourceSettings {
            servers: ["a", "b", "c"].map(str::to_owned).into(),
            max_offset: Duration::from_secs(1),
            threshold,
            max_age: Duration::from_mins(10),
            period: Duration::from_mins(1),
        }
    }

    #[test]
    fn enough_servers_decide_and_too_few_do_not() {
        for (offsets, threshold, verdict) in [
            (&[0, -1000, 1000][..], 3, Verdict::Right),
            (&[0, 0, 5000], 2, Verdict::Right),
            (&[0, 5000, 7000], 2, Verdict::Wrong { offset_ms: 5000 }),
            (&[-1001], 1, Verdict::Wrong { offset_ms: -1001 }),
            (&[0, 5000, 7000], 3, Verdict::Unknown),
            (&[0, 5000], 2, Verdict::Unknown),
            (&[0], 2, Verdict::Unknown),
            (&[], 1, Verdict::Unknown),
            (&[i64::MIN, i64::MAX, 0], 2, Verdict::Wrong { offset_ms: i64::MAX }),
        ] {
            assert_eq!(judge(offsets, &settings(threshold)), verdict, "{offsets:?}, {threshold}");
        }
    }

    #[test]
    fn the_clock_is_believed_for_a_while_after_it_was_confirmed() {
        let sources = Sources::new(settings(2));
        let at = Duration::from_secs;
        assert_eq!(sources.fault(at(0)), Some(ClockFault::Unconfirmed), "never yet");
        sources.conclude(Verdict::Unknown, at(1), at(1));
        assert_eq!(sources.fault(at(1)), Some(ClockFault::Unconfirmed));
        sources.conclude(Verdict::Right, at(8), at(10));
        assert_eq!(sources.fault(at(610)), None);
        assert_eq!(sources.confirmed(at(610)), Ok(at(8)));
        assert_eq!(sources.fault(at(611)), Some(ClockFault::Stale { seconds: 601 }));
        sources.conclude(Verdict::Wrong { offset_ms: 5000 }, at(20), at(20));
        sources.conclude(Verdict::Unknown, at(30), at(30));
        assert_eq!(sources.fault(at(30)), Some(ClockFault::Wrong { offset_ms: 5000 }), "silence is no correction");
        sources.conclude(Verdict::Right, at(40), at(40));
        assert_eq!(sources.fault(at(41)), None);
        assert_eq!(sources.failed_rounds(), (2, 1));
    }
}
