//! Counts distinct signers: at least k of n rules, each met by a different signer.
//!
//! Two signatures have the same signer if they have the same identity, the same key, or the same bytes. This relation
//! is transitive, so no signature, key or person counts twice. Rules and signers are then matched one to one.

use super::evidence::Evidence;
use crate::certificate::Identity;
use crate::signer::Signer;
use std::collections::BTreeMap;

/// The signer of each piece of evidence, as a number. Equal numbers are the same signer.
pub(super) fn signers(evidence: &[&Evidence]) -> Vec<usize> {
    let mut signer: Vec<usize> = (0..evidence.len()).collect();
    let mut names = BTreeMap::new();
    let mut keys = BTreeMap::new();
    let mut signatures = BTreeMap::new();
    for (index, evidence) in evidence.iter().enumerate() {
        let same = [
            distinct_name(&evidence.signer).map(|name| *names.entry(name).or_insert(index)),
            Some(*keys.entry(evidence.signer.key_sha256()).or_insert(index)),
            evidence.signature.as_ref().map(|signature| *signatures.entry(signature).or_insert(index)),
        ];
        for earlier in same.into_iter().flatten() {
            let (from, to) = (signer[index], signer[earlier]);
            signer.iter_mut().filter(|number| **number == from).for_each(|number| *number = to);
        }
    }
    signer
}

/// The name that distinguishes signers. An email address is the same person for every issuer and in any case. A URI or
/// username has a meaning only together with its issuer.
fn distinct_name(signer: &Signer) -> Option<(String, &str)> {
    let claims = signer.claims()?;
    match claims.identity() {
        Identity::Email(email) => Some((email.to_ascii_lowercase(), "")),
        Identity::Uri(name) | Identity::Username(name) => Some((name.clone(), claims.issuer())),
    }
}

/// Assigns different signers to as many rules as possible. `met[rule]` lists the signers that meet a rule.
pub(super) fn assign(met: &[Vec<usize>]) -> BTreeMap<usize, usize> {
    let mut rule_of = BTreeMap::new();
    for rule in 0..met.len() {
        let mut tried = Vec::new();
        augment(rule, met, &mut rule_of, &mut tried);
    }
    rule_of.into_iter().map(|(signer, rule)| (rule, signer)).collect()
}

/// Assigns a signer to `rule`, and moves other rules to other signers if necessary (augmenting paths, depth at most the
/// number of rules).
fn augment(rule: usize, met: &[Vec<usize>], rule_of: &mut BTreeMap<usize, usize>, tried: &mut Vec<usize>) -> bool {
    for signer in &met[rule] {
        if tried.contains(signer) {
            continue;
        }
        tried.push(*signer);
        let free = match rule_of.get(signer).copied() {
            None => true,
            Some(other) => augment(other, met, rule_of, tried),
        };
        if free {
            rule_of.insert(*signer, rule);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::assign;

    #[test]
    fn a_rule_gives_way_to_one_that_has_no_other_signer() {
        assert_eq!(assign(&[vec![0, 1], vec![0]]).len(), 2);
        assert_eq!(assign(&[vec![0], vec![0]]).len(), 1);
        assert_eq!(assign(&[vec![], vec![3]]).into_iter().collect::<Vec<_>>(), [(1, 3)]);
        assert_eq!(assign(&[vec![0, 1], vec![1, 2], vec![0]]).len(), 3);
        assert_eq!(assign(&[vec![0, 1], vec![0, 1], vec![0, 1]]).len(), 2);
    }
}
