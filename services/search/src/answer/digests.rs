//! Which of many digests are in a log: one look at the index for all of them, then the entries.

use super::entry::{self, Found, Place};
use super::logs::{self, AskedLog};
use super::statements::{self, Beyond, STATEMENTS_AT_ONCE};
use super::{AskError, Asking};
use crate::query::filters::of_digest;
use crate::query::{Condition, Digest, Query};
use crate::source::LogKind;
use crate::store::Order;
use chancery_verify::terms::Term;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Digests of one question.
pub(crate) const MAX_DIGESTS: usize = 10_000;
/// Entries of each digest that can be asked for.
pub(crate) const MAX_ENTRIES: usize = 10;
/// Entries that are read at a time.
const BATCH: usize = 512;

/// What the logs have of one digest.
pub(crate) struct OfDigest {
    pub(crate) digest: Digest,
    /// The newest entries first.
    pub(crate) found: Vec<Place>,
    /// Whether there may be more than were asked for.
    pub(crate) more: bool,
}

/// For each digest its newest entries in the logs of signatures, at most `entries` of them.
pub(crate) async fn of_digests(
    asking: &Asking,
    digests: Vec<Digest>,
    entries: usize,
) -> Result<(Vec<OfDigest>, Vec<Arc<AskedLog>>), AskError> {
    let conditions: Vec<Condition> = digests.iter().map(of_digest).collect();
    let logs = logs::asked(asking.index(), &Query::of(Some(LogKind::Rekor))).await?;
    let mut all: Vec<OfDigest> =
        digests.into_iter().map(|digest| OfDigest { digest, found: Vec::new(), more: false }).collect();
    for log in &logs {
        for (answer, (found, more)) in all.iter_mut().zip(in_log(asking, log, &conditions, entries).await?) {
            answer.found.extend(found);
            answer.more |= more;
        }
    }
    for answer in &mut all {
        answer.found.sort_by_key(|place| std::cmp::Reverse((place.time, place.log.log_id, place.index)));
        answer.more |= answer.found.len() > entries;
        answer.found.truncate(entries);
    }
    Ok((all, logs))
}

/// For each condition the entries of one log, and whether there may be more.
async fn in_log(
    asking: &Asking,
    log: &Arc<AskedLog>,
    conditions: &[Condition],
    entries: usize,
) -> Result<Vec<(Vec<Place>, bool)>, AskError> {
    let widened = statements::widened(log, conditions, Beyond::Refuse).await?;
    let wider = widened.as_deref().unwrap_or(conditions);
    let terms: Vec<Term> = wider.iter().flat_map(|condition| condition.exact.iter().cloned()).collect();
    let postings = asking.index().postings_of_each(log.log_id, &terms, 0..log.size, Order::Newest, entries + 1).await?;
    let mut postings = postings.into_iter();
    let candidates: Vec<BTreeSet<u64>> = wider
        .iter()
        .map(|condition| postings.by_ref().take(condition.exact.len()).flatten().collect::<BTreeSet<u64>>())
        .collect();
    // Which conditions name an entry: one that was read is looked at once, and only its place is kept.
    let mut wanted: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (number, candidates) in candidates.iter().enumerate() {
        for index in candidates.iter().rev().take(entries) {
            wanted.entry(*index).or_default().push(number);
        }
    }
    let mut answers: Vec<(Vec<Place>, bool)> =
        candidates.iter().map(|candidates| (Vec::new(), candidates.len() > entries)).collect();
    let indices: Vec<u64> = wanted.keys().copied().collect();
    // What was read of a batch is in memory together, and a statement is a hundred times an entry.
    let batch = if widened.is_some() { STATEMENTS_AT_ONCE } else { BATCH };
    for indices in indices.chunks(batch) {
        let mut read = entry::read(log, indices).await?;
        if widened.is_some() {
            let holds = |number: &usize, found: &Found| {
                conditions.get(*number).is_some_and(|condition| condition.holds(&found.terms))
            };
            let is_answer =
                |found: &Found| wanted.get(&found.index).into_iter().flatten().all(|number| holds(number, found));
            statements::complete(log, &mut read, is_answer).await?;
        }
        for found in read {
            for number in wanted.get(&found.index).into_iter().flatten() {
                if let (Some(condition), Some((places, _))) = (conditions.get(*number), answers.get_mut(*number))
                    && condition.holds(&found.terms)
                {
                    places.push(found.place());
                }
            }
        }
    }
    Ok(answers)
}
