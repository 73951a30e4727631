//! Health: named checks of the roles of a process, and one verdict for every caller.
//!
//! There are two kinds of checks:
//!
//! - [`Known`]: what is in memory anyway (a quarantine, a clock in doubt, the end of a certificate). It is read when
//!   a caller asks, so it is never late, and it MUST NOT block.
//! - [`Probe`]: what needs I/O (a database, a log elsewhere). All probes are run in the background, one round every
//!   1.5 seconds, at the same time, each with a shorter deadline. A question reads the last round. So a database that hangs is a
//!   failed check, and no question waits for it or causes work.
//!
//! If no round has ended for three times as long, its findings are not believed any more: they count as failed.
//!
//! This module does not know what a role checks, nor how a verdict is shown: that is [`crate::http`]'s, over HTTP and gRPC.

use crate::metrics::{MetricError, Metrics};
use futures_util::future::join_all;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// Time between the beginnings of two rounds.
const ROUND: Duration = Duration::from_millis(1500);
/// How long a probe may take. Shorter than [`ROUND`], so that rounds do not wait for each other.
const DEADLINE: Duration = Duration::from_millis(1200);
/// Age at which the findings of a round are not believed any more: three rounds.
const MAX_AGE: Duration = Duration::from_millis(4500);

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All is well.
    Passed,
    /// The role does all of its work, and an operator should look at this.
    Warning(String),
    /// The role does not do all of its work. The text says what happened and what to do.
    Failed(String),
}

/// One check of one role, with what it has found. Written as a line of `/readyz?verbose`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The role, by its name on the command line.
    pub role: &'static str,
    /// Name of the check, from a closed set: it is a label of a metric.
    pub check: String,
    /// What was found.
    pub state: State,
}

impl Finding {
    /// A finding of the check of this name.
    #[must_use]
    pub fn new(role: &'static str, check: impl Into<String>, state: State) -> Self {
        Self { role, check: check.into(), state }
    }

    /// A check that fails for the reason `obstacle`, or passes if there is none.
    #[must_use]
    pub fn unless(role: &'static str, check: impl Into<String>, obstacle: Option<String>) -> Self {
        Self::new(role, check, obstacle.map_or(State::Passed, State::Failed))
    }

    /// Why the role does not do all of its work, if this check has failed.
    #[must_use]
    pub fn obstacle(&self) -> Option<&str> {
        if let State::Failed(reason) = &self.state { Some(reason) } else { None }
    }

    /// What an operator should look at, although the role does all of its work.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        if let State::Warning(reason) = &self.state { Some(reason) } else { None }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, check, state } = self;
        match state {
            State::Passed => write!(f, "[+]{role} {check} ok"),
            State::Warning(reason) => write!(f, "[!]{role} {check} warning: {}", one_line(reason)),
            State::Failed(reason) => write!(f, "[-]{role} {check} failed: {}", one_line(reason)),
        }
    }
}

/// The first reason why `role` does not do all of its work; why any role does not, without `role`.
#[must_use]
pub fn obstacle<'a>(findings: &'a [Finding], role: Option<&str>) -> Option<&'a str> {
    findings.iter().filter(|finding| role.is_none_or(|role| finding.role == role)).find_map(Finding::obstacle)
}

/// Every reason why a role does not do all of its work, once and as one line. A fault of one log says nothing of the others.
#[must_use]
pub fn obstacles(findings: &[Finding]) -> Vec<String> {
    let mut obstacles = Vec::new();
    for obstacle in findings.iter().filter_map(Finding::obstacle).map(one_line) {
        if !obstacles.contains(&obstacle) {
            obstacles.push(obstacle);
        }
    }
    obstacles
}

/// A database may answer in several lines.
fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// Returns every finding there is. It must not block.
pub type Checks = Arc<dyn Fn() -> Vec<Finding> + Send + Sync>;

/// Findings that are in memory.
pub type Known = Box<dyn Fn() -> Vec<Finding> + Send + Sync>;

/// Makes the probes of a round.
pub type Probes = Box<dyn Fn() -> Vec<Probe> + Send + Sync>;

/// What a probe asks: nothing, or what is wrong. Dropped at the deadline.
pub type Asking = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A check that needs I/O, for one round.
pub struct Probe {
    /// The role, by its name on the command line.
    pub role: &'static str,
    /// Name of the check, from a closed set.
    pub check: String,
    /// What is wrong if the answer is an error, e.g. `the database cannot be used`. The error follows it.
    pub fault: String,
    /// What to do then, without a full stop.
    pub advice: &'static str,
    /// The question.
    pub asking: Asking,
}

impl Probe {
    async fn run(self) -> Finding {
        let Self { role, check, fault, advice, asking } = self;
        let late = || format!("no answer within {} ms", DEADLINE.as_millis());
        let answer = tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| Err(late()));
        let state = answer.map_or_else(|why| State::Failed(format!("{fault}: {why}; {advice}")), |()| State::Passed);
        Finding { role, check, state }
    }
}

/// The findings of the last round.
struct Probed {
    findings: Vec<Finding>,
    at: Instant,
}

/// All checks of a process.
pub struct Health {
    known: Vec<Known>,
    probes: Vec<Probes>,
    /// Written by [`Self::refresh`] only.
    probed: Mutex<Probed>,
}

impl Health {
    /// Checks in this order. There are findings of probes after the first [`Self::refresh`].
    #[must_use]
    pub fn new(known: Vec<Known>, probes: Vec<Probes>) -> Arc<Self> {
        let probed = Mutex::new(Probed { findings: Vec::new(), at: Instant::now() });
        Arc::new(Self { known, probes, probed })
    }

    /// Runs one round. Takes as long as the deadline of a probe at most.
    pub async fn refresh(&self) {
        let findings = join_all(self.probes.iter().flat_map(|probes| probes()).map(Probe::run)).await;
        let mut probed = self.probed();
        tell(&probed.findings, &findings);
        *probed = Probed { findings, at: Instant::now() };
    }

    /// Runs rounds for as long as it is polled.
    pub async fn watch(self: Arc<Self>) {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            self.refresh().await;
        }
    }

    /// Returns what is known now, and what the last round has found.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.known.iter().flat_map(|known| known()).collect();
        let probed = self.probed();
        let age = probed.at.elapsed();
        findings.extend(probed.findings.iter().cloned().map(|finding| believed(finding, age)));
        findings
    }

    /// The same, for the listeners.
    #[must_use]
    pub fn checks(self: &Arc<Self>) -> Checks {
        let health = Arc::clone(self);
        Arc::new(move || health.findings())
    }

    /// Registers the metric of the checks.
    pub fn measure(self: &Arc<Self>, metrics: &Metrics) -> Result<(), MetricError> {
        let passed = metrics.gauges(
            "chancery_check_ok",
            "0 if the check has failed, so that the role does not do all of its work; 1 otherwise",
            &["role", "check"],
        )?;
        let health = Arc::clone(self);
        metrics.before_scrape(move || {
            // A log that does not run any more has no checks.
            passed.clear();
            for finding in health.findings() {
                passed.set(&[finding.role, &finding.check], u64::from(finding.obstacle().is_none()));
            }
        });
        Ok(())
    }

    fn probed(&self) -> MutexGuard<'_, Probed> {
        self.probed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.findings()).finish()
    }
}

/// What a finding of this age is worth.
fn believed(finding: Finding, age: Duration) -> Finding {
    if age <= MAX_AGE {
        return finding;
    }
    let Finding { role, check, .. } = finding;
    let seconds = age.as_secs();
    let late = format!("{check} was last checked {seconds} s ago: the process hangs, or its machine is overloaded");
    Finding { role, check, state: State::Failed(late) }
}

/// Logs which probes have begun to fail, and which pass again.
fn tell(before: &[Finding], now: &[Finding]) {
    for finding in now {
        let same = |other: &&Finding| (other.role, &other.check) == (finding.role, &finding.check);
        let failed_before = before.iter().find(same).is_some_and(|before| before.obstacle().is_some());
        let (role, check) = (finding.role, &finding.check);
        match finding.obstacle() {
            Some(reason) if !failed_before => tracing::error!(role, check, reason, "a check has failed"),
            None if failed_before => tracing::info!(role, check, "the check passes again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicBool, Ordering};

    fn probe(check: &str, asking: impl Future<Output = Result<(), String>> + Send + 'static) -> Probe {
        let fault = format!("{check} cannot be used");
        Probe { role: "log", check: check.to_owned(), fault, advice: "start it", asking: Box::pin(asking) }
    }

    fn lines(health: &Health) -> Vec<String> {
        health.findings().iter().map(ToString::to_string).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_has_failed_and_holds_up_nothing_else() {
        let probes: Probes = Box::new(|| {
            let refused = ready(Err("connection\nrefused".to_owned()));
            vec![probe("database", pending()), probe("mirror", refused), probe("head", ready(Ok(())))]
        });
        let health = Health::new(Vec::new(), vec![probes]);
        assert_eq!(lines(&health), Vec::<String>::new());
        let begun = Instant::now();
        health.refresh().await;
        assert!(begun.elapsed() < ROUND);
        let found = [
            "[-]log database failed: database cannot be used: no answer within 1200 ms; start it",
            "[-]log mirror failed: mirror cannot be used: connection refused; start it",
            "[+]log head ok",
        ];
        assert_eq!(lines(&health), found);
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_that_is_too_old_has_failed() {
        let probes: Probes = Box::new(|| vec![probe("head", ready(Ok(())))]);
        let health = Health::new(Vec::new(), vec![probes]);
        health.refresh().await;
        tokio::time::sleep(MAX_AGE.mul_f64(0.9)).await;
        assert_eq!(obstacle(&health.findings(), None), None);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(obstacle(&health.findings(), None).unwrap().starts_with("head was last checked 5 s ago"));
        health.refresh().await;
        assert_eq!(obstacle(&health.findings(), None), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_comes_back_by_itself_within_two_seconds() {
        let works = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&works);
        let probes: Probes = Box::new(move || {
            let answer = if asked.load(Ordering::SeqCst) { Ok(()) } else { Err("gone".to_owned()) };
            vec![probe("database", ready(answer))]
        });
        let health = Health::new(Vec::new(), vec![probes]);
        let watch = tokio::spawn(Arc::clone(&health).watch());
        for state in [false, true, false] {
            works.store(state, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(obstacle(&health.findings(), None).is_none(), state);
        }
        watch.abort();
    }

    #[test]
    fn warnings_are_no_obstacle_and_a_role_has_its_own_verdict() {
        let known: Known = Box::new(|| {
            vec![
                Finding::new("log", "rekor witnesses", State::Warning("one does not cosign".to_owned())),
                Finding::unless("ca", "disk", Some("it is full".to_owned())),
                Finding::unless("ca", "audit", None),
            ]
        });
        let health = Health::new(vec![known], Vec::new());
        let findings = health.findings();
        assert_eq!(obstacle(&findings, Some("log")), None);
        assert_eq!(obstacle(&findings, Some("ca")), Some("it is full"));
        assert_eq!(obstacle(&findings, None), Some("it is full"));
        assert_eq!(findings.iter().find_map(Finding::warning), Some("one does not cosign"));
        let metrics = Metrics::default();
        health.measure(&metrics).unwrap();
        let text = metrics.text().unwrap();
        for line in [
            "chancery_check_ok{check=\"rekor witnesses\",role=\"log\"} 1",
            "chancery_check_ok{check=\"disk\",role=\"ca\"} 0",
            "chancery_check_ok{check=\"audit\",role=\"ca\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
