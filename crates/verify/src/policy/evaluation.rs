//! The decision: distrust first, then time, then the requirement.

use super::decision::{Decision, Distrusted, Explanation};
use super::distrust::Distrust;
use super::evidence::Evidence;
use super::period::Period;
use super::quorum;
use super::requirement::{Form, Requirement};
use crate::Rejection;
use crate::signer::Signer;
use std::collections::{BTreeMap, BTreeSet};

/// The evidence that may count, with its positions in the caller's list.
struct Counting<'a> {
    evidence: Vec<&'a Evidence>,
    positions: Vec<usize>,
    /// The signer of each piece of evidence, see [`quorum::signers`].
    signers: Vec<usize>,
}

/// A requirement's result, and the positions of the evidence that it counts.
struct Verdict {
    explanation: Explanation,
    counted: BTreeSet<usize>,
}

pub(super) fn decide(
    requirement: &Requirement,
    distrust: &[Distrust],
    period: &Period,
    evidence: &[Evidence],
) -> Decision {
    let mut rules = Vec::new();
    let mut distrusted = Vec::new();
    let mut positions = Vec::new();
    for (position, one) in evidence.iter().enumerate() {
        // 1. Distrust has priority over all other rules.
        if let Some(rule) = distrust.iter().position(|rule| rule.hits(one)) {
            rules.push(distrusted_rule(&distrust[rule], one, position));
            distrusted.push(Distrusted { evidence: position, rule, reason: distrust[rule].reason().to_owned() });
        } else if period.contains_all(&one.times) {
            positions.push(position);
        } else {
            // 2. The policy's own period.
            rules.push(outside(period, one, position));
        }
    }
    // 3. The requirement.
    let counting: Vec<_> = positions.iter().map(|position| &evidence[*position]).collect();
    let counting = Counting { signers: quorum::signers(&counting), evidence: counting, positions };
    let verdict = evaluate(requirement, &counting);
    let accepted = verdict.explanation.held;
    // If no evidence is left, the reason is the first rule that removed some.
    let taken_away = counting.evidence.is_empty().then(|| rules.first().cloned()).flatten();
    let reason = taken_away.and_then(|rule| rule.rejection);
    let closest = verdict.explanation.clone();
    rules.push(verdict.explanation);
    let mut explanation = Explanation::of("policy", accepted, rules);
    if !accepted {
        let failure = closest.failure().cloned().unwrap_or(closest);
        explanation.rejection = reason.or(failure.rejection);
    }
    Decision { accepted, counted: verdict.counted.into_iter().collect(), distrusted, explanation }
}

/// Decides whether any rule requires this signer.
pub(super) fn decide_signer(requirement: &Requirement, signer: &Signer) -> Decision {
    let evidence = [Evidence::new(signer.clone())];
    decide(&Requirement::any_of(requirement.of_signers()), &[], &Period::default(), &evidence)
}

fn distrusted_rule(rule: &Distrust, evidence: &Evidence, position: usize) -> Explanation {
    let reason = if rule.reason().is_empty() { String::new() } else { format!(" ({})", crate::shown(rule.reason())) };
    let mut explanation = Explanation::comparison(format!("distrust{reason}"), Rejection::PolicyDistrusted, false)
        .values(format!("a signature other than by {rule}"), evidence.signer.to_string());
    explanation.evidence = Some(position);
    explanation
}

fn outside(period: &Period, evidence: &Evidence, position: usize) -> Explanation {
    let times = evidence.times.iter().map(|time| time.rfc3339_millis()).collect::<Vec<_>>().join(", ");
    let times = if times.is_empty() { "no established time".to_owned() } else { times };
    let mut explanation = Explanation::comparison("signing time of the policy", Rejection::PolicyTime, false)
        .values(period.to_string(), times);
    explanation.evidence = Some(position);
    explanation
}

fn evaluate(requirement: &Requirement, counting: &Counting<'_>) -> Verdict {
    let title =
        |usual: String| if requirement.name.is_empty() { usual } else { format!("{} ({usual})", requirement.name) };
    match &requirement.form {
        Form::One(_) => one(requirement, counting).0,
        Form::All(parts) => {
            let verdicts: Vec<_> = parts.iter().map(|part| evaluate(part, counting)).collect();
            let held = !parts.is_empty() && verdicts.iter().all(|verdict| verdict.explanation.held);
            combine(title("all of".to_owned()), held, verdicts)
        }
        Form::Any(parts) => {
            let verdicts: Vec<_> = parts.iter().map(|part| evaluate(part, counting)).collect();
            let held = verdicts.iter().any(|verdict| verdict.explanation.held);
            combine(title("any of".to_owned()), held, verdicts)
        }
        Form::AtLeast(needed, parts) => at_least(
            title(format!("at least {needed} of {}, by different signers", parts.len())),
            *needed,
            parts,
            counting,
        ),
    }
}

fn combine(rule: String, held: bool, verdicts: Vec<Verdict>) -> Verdict {
    let counts = |verdict: &Verdict| held && verdict.explanation.held;
    let counted =
        verdicts.iter().filter(|verdict| counts(verdict)).flat_map(|verdict| verdict.counted.clone()).collect();
    let rules = verdicts.into_iter().map(|verdict| verdict.explanation).collect();
    Verdict { explanation: Explanation::of(rule, held, rules), counted }
}

/// Evaluates one rule over every signature. Also returns the indices of the signatures that meet it.
fn one(requirement: &Requirement, counting: &Counting<'_>) -> (Verdict, Vec<usize>) {
    let Form::One(conditions) = &requirement.form else {
        // Parts of a quorum are single rules. No signature meets any other part.
        return (
            Verdict { explanation: Explanation::of("rule", false, Vec::new()), counted: BTreeSet::new() },
            Vec::new(),
        );
    };
    let mut met = Vec::new();
    let mut rules = Vec::new();
    for (index, evidence) in counting.evidence.iter().enumerate() {
        let checks: Vec<_> = conditions.iter().map(|condition| condition.check(evidence)).collect();
        let held = !checks.is_empty() && checks.iter().all(|check| check.held);
        if held {
            met.push(index);
        }
        let position = counting.positions[index];
        let mut signature = Explanation::of(format!("signature {} by {}", position + 1, evidence.signer), held, checks);
        signature.evidence = Some(position);
        rules.push(signature);
    }
    let name = if requirement.name.is_empty() { "signer" } else { &requirement.name };
    let mut explanation = Explanation::of(name, !met.is_empty(), rules);
    if counting.evidence.is_empty() {
        explanation.rejection = Some(Rejection::PolicyQuorum { found: 0, needed: 1 });
    }
    let counted = met.iter().map(|index| counting.positions[*index]).collect();
    (Verdict { explanation, counted }, met)
}

fn at_least(rule: String, needed: usize, parts: &[Requirement], counting: &Counting<'_>) -> Verdict {
    let (verdicts, met): (Vec<_>, Vec<_>) = parts.iter().map(|part| one(part, counting)).unzip();
    let signers: Vec<Vec<usize>> = met
        .iter()
        .map(|indices| {
            indices.iter().map(|index| counting.signers[*index]).collect::<BTreeSet<_>>().into_iter().collect()
        })
        .collect();
    let assigned = quorum::assign(&signers);
    let held = needed > 0 && assigned.len() >= needed;
    let counted = if held { counted_of(&assigned, &met, counting) } else { BTreeSet::new() };
    let rules = verdicts.into_iter().map(|verdict| verdict.explanation).collect();
    let mut explanation = Explanation::of(rule, held, rules)
        .values(format!("{needed} different signers"), format!("{} that meet rules of their own", assigned.len()));
    explanation.rejection = (!held).then_some(Rejection::PolicyQuorum { found: assigned.len(), needed });
    Verdict { explanation, counted }
}

/// Returns, for each rule with a signer, the first signature by that signer that meets the rule.
fn counted_of(assigned: &BTreeMap<usize, usize>, met: &[Vec<usize>], counting: &Counting<'_>) -> BTreeSet<usize> {
    assigned
        .iter()
        .filter_map(|(rule, signer)| met[*rule].iter().find(|index| counting.signers[**index] == *signer))
        .map(|index| counting.positions[*index])
        .collect()
}
