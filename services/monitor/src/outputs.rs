//! Delivers what is pending in a state. An output that fails keeps its own alarms waiting, and not those of other outputs. An
//! alarm that it refuses keeps none of the others waiting.

use crate::alarm::Alarm;
use crate::backoff::{Backoff, Backoffs};
use crate::output::{MAX_ALARMS, Output, Undelivered};
use crate::state::{Pending, State};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;

/// Alarms that an output may refuse in one delivery. Then it is left alone: nothing that it is sent may be right.
const MAX_REFUSED: usize = 10;

/// Every output. Clones share them.
#[derive(Clone, Default)]
pub struct Outputs(Vec<Arc<dyn Output>>);

/// What came of deliveries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// Whether the state has changed. The caller MUST write it then.
    pub(crate) is_changed: bool,
    /// Why alarms wait.
    pub(crate) failures: Vec<String>,
}

impl Outputs {
    /// These outputs, in the order in which they are told.
    #[must_use]
    pub fn new(outputs: Vec<Arc<dyn Output>>) -> Self {
        Self(outputs)
    }

    /// An alarm for all of them.
    pub(crate) fn pending(&self, alarm: Alarm) -> Pending {
        Pending::new(alarm, self.0.iter().map(|output| output.name().to_owned()).collect())
    }

    /// Forgets outputs that are no longer configured.
    pub(crate) fn keep_known(&self, state: &mut State) {
        for pending in &mut state.pending {
            pending.keep(|name| self.0.iter().any(|output| output.name() == name));
        }
        state.pending.retain(|pending| !pending.left.is_empty());
    }

    /// Outputs for which alarms were put aside, and how many.
    pub(crate) fn refusing(&self, state: &State) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().filter_map(move |output| {
            let name = output.name();
            let is_aside = |pending: &&Pending| pending.is_aside(name) && pending.is_left(name);
            let count = state.pending.iter().filter(is_aside).count();
            (count > 0).then_some((name, count))
        })
    }

    /// Delivers to each output what it does not have, unless it is left alone at `now`.
    pub(crate) async fn deliver(&self, state: &mut State, backoffs: &mut Backoffs, now: Instant) -> Delivered {
        let mut delivered = Delivered::default();
        for output in &self.0 {
            let backoff = backoffs.entry(output.name().to_owned()).or_default();
            deliver_to(&**output, &mut state.pending, (backoff, now), &mut delivered).await;
        }
        state.pending.retain(|pending| !pending.left.is_empty());
        delivered
    }
}

async fn deliver_to(
    output: &dyn Output,
    pending: &mut [Pending],
    (backoff, now): (&mut Backoff, Instant),
    delivered: &mut Delivered,
) {
    let name = output.name();
    let mut waiting: Vec<&mut Pending> = pending
        .iter_mut()
        .filter(|pending| pending.is_left(name) && !backoff.is_refusing(&pending.alarm.id, now))
        .collect();
    // What was refused comes last. Others keep their order.
    waiting.sort_by_key(|pending| pending.refusals(name));
    let mut waiting = VecDeque::from(waiting);
    if let Some(reason) = backoff.failing(now).filter(|_| !waiting.is_empty()) {
        delivered.failures.push(reason.to_owned());
        return;
    }
    let (mut most, mut refusals) = (MAX_ALARMS, 0);
    while !waiting.is_empty() && refusals < MAX_REFUSED {
        let alarms: Vec<Alarm> = waiting.iter().take(most).map(|pending| pending.alarm.clone()).collect();
        let failure = output.deliver(&alarms).await.err();
        let taken = failure.as_ref().map_or(alarms.len(), |failure| failure.taken.min(alarms.len()));
        for pending in waiting.drain(..taken) {
            pending.keep(|left| left != name);
            backoff.take(&pending.alarm.id);
            delivered.is_changed = true;
        }
        match failure {
            None => backoff.succeed(),
            Some(Undelivered { refused: 0, reason, .. }) => {
                backoff.fail(&reason, now);
                delivered.failures.push(reason);
                return;
            }
            // Perhaps for one of them: each is sent alone from now on.
            Some(Undelivered { refused: 2.., .. }) if most > 1 => most = 1,
            Some(Undelivered { reason, .. }) => {
                refusals += 1;
                if let Some(pending) = waiting.pop_front() {
                    pending.refuse(name);
                    backoff.refuse(&pending.alarm.id, pending.is_aside(name), now);
                    delivered.is_changed = true;
                }
                delivered.failures.push(reason);
            }
        }
    }
    if let Some(reason) = delivered.failures.last().filter(|_| refusals == MAX_REFUSED) {
        backoff.fail(reason, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::AlarmKind;
    use crate::output::Delivering;
    use chancery_verify::Timestamp;
    use std::sync::Mutex;
    use std::time::Duration;

    /// Takes a few deliveries and fails then. Refuses those in which an alarm is about `refused`.
    struct Limited {
        name: &'static str,
        deliveries: Mutex<usize>,
        refused: &'static str,
        taken: Mutex<Vec<String>>,
        asked: Mutex<usize>,
    }

    impl Limited {
        fn new(name: &'static str, deliveries: usize, refused: &'static str) -> Arc<Self> {
            let (deliveries, taken, asked) = (Mutex::new(deliveries), Mutex::default(), Mutex::default());
            Arc::new(Self { name, deliveries, refused, taken, asked })
        }

        fn taken(&self) -> Vec<String> {
            std::mem::take(&mut *self.taken.lock().unwrap())
        }

        /// How often it was asked since this was asked last.
        fn asked(&self) -> usize {
            std::mem::take(&mut *self.asked.lock().unwrap())
        }
    }

    impl Output for Limited {
        fn name(&self) -> &str {
            self.name
        }

        fn deliver<'a>(&'a self, alarms: &'a [Alarm]) -> Delivering<'a> {
            Box::pin(async move {
                *self.asked.lock().unwrap() += 1;
                let mut deliveries = self.deliveries.lock().unwrap();
                if *deliveries == 0 {
                    return Err(Undelivered::all("full".to_owned()));
                }
                if alarms.iter().any(|alarm| alarm.message == self.refused) {
                    return Err(Undelivered { refused: alarms.len(), ..Undelivered::all("odd".to_owned()) });
                }
                *deliveries -= 1;
                self.taken.lock().unwrap().extend(alarms.iter().map(|alarm| alarm.message.clone()));
                Ok(())
            })
        }
    }

    fn alarm(number: usize) -> Alarm {
        let now = Timestamp::from_seconds(0);
        Alarm::new("a", AlarmKind::Entry, &number.to_string(), number.to_string(), now)
    }

    fn numbers(numbers: impl Iterator<Item = usize>) -> Vec<String> {
        numbers.map(|number| number.to_string()).collect()
    }

    /// A state in which so many alarms wait for these outputs.
    fn waiting(outputs: &Outputs, count: usize) -> State {
        State { pending: (0..count).map(|number| outputs.pending(alarm(number))).collect(), ..State::default() }
    }

    #[tokio::test]
    async fn each_output_has_every_alarm_once_although_another_fails() {
        let (good, bad) = (Limited::new("good", 99, ""), Limited::new("bad", 1, ""));
        let outputs = Outputs::new(vec![bad.clone(), good.clone()]);
        let (mut state, mut backoffs, now) = (waiting(&outputs, 150), Backoffs::new(), Instant::now());
        let delivered = outputs.deliver(&mut state, &mut backoffs, now).await;
        assert_eq!(delivered, Delivered { is_changed: true, failures: vec!["full".to_owned()] });
        assert_eq!((state.pending.len(), bad.asked()), (50, 2));
        // It is left alone for a while, and why its alarms wait is told all the same.
        *bad.deliveries.lock().unwrap() = 9;
        let delivered = outputs.deliver(&mut state, &mut backoffs, now).await;
        assert_eq!(delivered, Delivered { is_changed: false, failures: vec!["full".to_owned()] });
        assert_eq!(bad.asked(), 0);
        let later = now + Duration::from_mins(1);
        let delivered = outputs.deliver(&mut state, &mut backoffs, later).await;
        assert_eq!(delivered, Delivered { is_changed: true, failures: Vec::new() });
        for output in [good, bad] {
            assert_eq!(output.taken(), numbers(0..150), "{}", output.name);
        }
        assert!(state.pending.is_empty());
    }

    #[tokio::test]
    async fn an_alarm_that_is_refused_for_ever_holds_no_other_back() {
        let output = Limited::new("picky", 999, "3");
        let outputs = Outputs::new(vec![output.clone()]);
        let (mut state, mut backoffs, mut now) = (waiting(&outputs, 120), Backoffs::new(), Instant::now());
        let delivered = outputs.deliver(&mut state, &mut backoffs, now).await;
        assert_eq!(delivered, Delivered { is_changed: true, failures: vec!["odd".to_owned()] });
        assert_eq!(output.taken(), numbers((0..120).filter(|number| *number != 3)));
        let mut refusals = 1;
        output.asked();
        for _ in 0..20 {
            state.pending.push(outputs.pending(alarm(1000)));
            now += Duration::from_hours(1);
            outputs.deliver(&mut state, &mut backoffs, now).await;
            assert_eq!(output.taken(), ["1000"]);
            refusals += output.asked() - 1;
        }
        // Two alarms were refused together, each time, and then the one alone.
        assert!(refusals < 15, "{refusals}");
        assert_eq!(outputs.refusing(&state).collect::<Vec<_>>(), [("picky", 1)]);
        assert!(!state.pending[0].waits() && state.pending[0].is_refused());
        // The next monitor sends it again, last.
        let accepting = Outputs::new(vec![Limited::new("picky", 999, "")]);
        assert!(accepting.deliver(&mut state, &mut Backoffs::new(), now).await.is_changed && state.pending.is_empty());
    }

    #[tokio::test]
    async fn an_output_that_refuses_everything_is_left_alone() {
        struct Never(Mutex<usize>);
        impl Output for Never {
            fn name(&self) -> &'static str {
                "never"
            }
            fn deliver<'a>(&'a self, alarms: &'a [Alarm]) -> Delivering<'a> {
                *self.0.lock().unwrap() += 1;
                let refused = Undelivered { refused: alarms.len(), ..Undelivered::all("odd".to_owned()) };
                Box::pin(async move { Err(refused) })
            }
        }
        let never = Arc::new(Never(Mutex::default()));
        let outputs = Outputs::new(vec![never.clone()]);
        let (mut state, mut backoffs, now) = (waiting(&outputs, 150), Backoffs::new(), Instant::now());
        for _ in 0..3 {
            outputs.deliver(&mut state, &mut backoffs, now).await;
            assert_eq!((*never.0.lock().unwrap(), state.pending.len()), (1 + MAX_REFUSED, 150));
        }
    }

    #[tokio::test]
    async fn an_output_that_is_gone_is_not_waited_for() {
        let outputs = Outputs::new(vec![Limited::new("a", 0, "")]);
        let mut state = State::default();
        state.pending.push(Pending::new(alarm(1), vec!["gone".to_owned()]));
        state.pending.push(Pending::new(alarm(2), vec!["gone".to_owned(), "a".to_owned()]));
        state.pending[1].refuse("gone");
        outputs.keep_known(&mut state);
        assert_eq!(state.pending, [Pending::new(alarm(2), vec!["a".to_owned()])]);
    }
}
