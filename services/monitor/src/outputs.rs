//! Delivers what is pending in a state. An output that fails keeps its own alarms waiting, and not those of other outputs.

use crate::alarm::Alarm;
use crate::output::{MAX_ALARMS, Output, Undelivered};
use crate::state::{Pending, State};
use std::sync::Arc;

/// Every output. Clones share them.
#[derive(Clone, Default)]
pub struct Outputs(Vec<Arc<dyn Output>>);

impl Outputs {
    /// These outputs, in the order in which they are told.
    #[must_use]
    pub fn new(outputs: Vec<Arc<dyn Output>>) -> Self {
        Self(outputs)
    }

    /// An alarm for all of them.
    pub(crate) fn pending(&self, alarm: Alarm) -> Pending {
        Pending { alarm, left: self.0.iter().map(|output| output.name().to_owned()).collect() }
    }

    /// Forgets outputs that are no longer configured.
    pub(crate) fn keep_known(&self, state: &mut State) {
        for pending in &mut state.pending {
            pending.left.retain(|name| self.0.iter().any(|output| output.name() == name));
        }
        state.pending.retain(|pending| !pending.left.is_empty());
    }

    /// Delivers to each output what it does not have. Returns of how many deliveries an alarm was taken, and what failed. The caller
    /// MUST write the state if there was one.
    pub(crate) async fn deliver(&self, state: &mut State) -> (usize, Vec<Undelivered>) {
        let (mut deliveries, mut failures) = (0, Vec::new());
        for output in &self.0 {
            match deliver_to(&**output, &mut state.pending).await {
                (count, None) => deliveries += count,
                (count, Some(failure)) => {
                    deliveries += count;
                    failures.push(failure);
                }
            }
        }
        state.pending.retain(|pending| !pending.left.is_empty());
        (deliveries, failures)
    }
}

async fn deliver_to(output: &dyn Output, pending: &mut [Pending]) -> (usize, Option<Undelivered>) {
    let name = output.name();
    let mut deliveries = 0;
    loop {
        let waits = |pending: &&mut Pending| pending.left.iter().any(|left| left == name);
        let mut batch: Vec<&mut Pending> = pending.iter_mut().filter(waits).take(MAX_ALARMS).collect();
        if batch.is_empty() {
            return (deliveries, None);
        }
        let alarms: Vec<Alarm> = batch.iter().map(|pending| pending.alarm.clone()).collect();
        let failure = output.deliver(&alarms).await.err();
        let taken = failure.as_ref().map_or(alarms.len(), |failure| failure.taken);
        for pending in batch.iter_mut().take(taken) {
            pending.left.retain(|left| left != name);
        }
        deliveries += usize::from(taken > 0);
        if failure.is_some() {
            return (deliveries, failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::AlarmKind;
    use crate::output::Delivering;
    use chancery_verify::Timestamp;
    use std::sync::Mutex;

    /// Takes a few deliveries and fails then.
    struct Limited(&'static str, Mutex<(usize, Vec<String>)>);

    impl Output for Limited {
        fn name(&self) -> &str {
            self.0
        }

        fn deliver<'a>(&'a self, alarms: &'a [Alarm]) -> Delivering<'a> {
            Box::pin(async move {
                let mut state = self.1.lock().unwrap();
                if state.0 == 0 {
                    return Err(Undelivered::all("full".to_owned()));
                }
                state.0 -= 1;
                state.1.extend(alarms.iter().map(|alarm| alarm.message.clone()));
                Ok(())
            })
        }
    }

    #[tokio::test]
    async fn each_output_has_every_alarm_once_although_another_fails() {
        let [good, bad] =
            [("good", 99), ("bad", 1)].map(|(name, count)| Arc::new(Limited(name, Mutex::new((count, Vec::new())))));
        let outputs = Outputs::new(vec![bad.clone(), good.clone()]);
        let mut state = State::default();
        for number in 0..150 {
            let now = Timestamp::from_seconds(0);
            let alarm = Alarm::new("a", AlarmKind::Entry, &number.to_string(), number.to_string(), now);
            state.pending.push(outputs.pending(alarm));
        }
        let (deliveries, failures) = outputs.deliver(&mut state).await;
        assert_eq!((deliveries, failures.len(), state.pending.len()), (3, 1, 50));
        bad.1.lock().unwrap().0 = 9;
        assert_eq!(outputs.deliver(&mut state).await, (1, Vec::new()));
        let expected: Vec<String> = (0..150).map(|number| number.to_string()).collect();
        for output in [good, bad] {
            assert_eq!(output.1.lock().unwrap().1, expected, "{}", output.0);
        }
        assert!(state.pending.is_empty());
    }

    #[tokio::test]
    async fn an_output_that_is_gone_is_not_waited_for() {
        let outputs = Outputs::new(vec![Arc::new(Limited("a", Mutex::default()))]);
        let mut state = State::default();
        let alarm = |subject| Alarm::new("a", AlarmKind::Entry, subject, String::new(), Timestamp::from_seconds(0));
        state.pending.push(Pending { alarm: alarm("1"), left: vec!["gone".to_owned()] });
        state.pending.push(Pending { alarm: alarm("2"), left: vec!["gone".to_owned(), "a".to_owned()] });
        outputs.keep_known(&mut state);
        assert_eq!(state.pending, [Pending { alarm: alarm("2"), left: vec!["a".to_owned()] }]);
    }
}
