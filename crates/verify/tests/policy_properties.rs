//! Properties of every policy and all evidence: distrust has priority, no signer counts twice, more signatures never
//! refuse, and parsing a file never panics.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use chancery_verify::certificate::Identity;
use chancery_verify::claims::Claims;
use chancery_verify::extension::Claim;
use chancery_verify::policy::{Distrust, Evidence, Pattern, Policy, Requirement};
use chancery_verify::signer::Signer;
use proptest::prelude::*;
use std::collections::BTreeSet;

const ISSUER: &str = "https://issuer.example";

/// A signature of person `person` with key `key` and bytes `signature`.
fn evidence((person, key, signature): (u8, u8, u8)) -> Evidence {
    let identity = Identity::Email(format!("p{person}@acme.example"));
    let claims = Claims::new(identity, [(Claim::Issuer, ISSUER.to_owned())]).unwrap();
    let signer = Signer::Certificate { claims, sha256: [key; 32], key_sha256: [key; 32], serial: vec![key] };
    let mut evidence = Evidence::new(signer);
    evidence.signature = Some(vec![signature]);
    evidence
}

fn person(number: u8) -> Requirement {
    Requirement::identity(format!("p{number}@acme.example"), ISSUER)
}

fn anybody() -> Requirement {
    Requirement::matching(Pattern::glob("*@acme.example").unwrap(), Pattern::exact(ISSUER))
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let rule = prop_oneof![(0..4_u8).prop_map(person), Just(anybody())];
    rule.prop_recursive(3, 16, 4, |inner| {
        let parts = prop::collection::vec(inner, 1..4);
        prop_oneof![
            parts.clone().prop_map(Requirement::all_of),
            parts.prop_map(Requirement::any_of),
            (prop::collection::vec(prop_oneof![(0..4_u8).prop_map(person), Just(anybody())], 1..4), 1..4_usize)
                .prop_map(|(of, count)| Requirement::at_least(count.min(of.len()), of).unwrap()),
        ]
    })
}

fn signatures() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    prop::collection::vec((0..4_u8, 0..4_u8, 0..4_u8), 0..6)
}

/// The maximum number of rules that signatures can meet with every person, key and signature used once, by exhaustive
/// search.
fn brute_force(rules: &[Option<u8>], signatures: &[(u8, u8, u8)]) -> usize {
    let Some((rule, rest)) = rules.split_first() else { return 0 };
    let without = brute_force(rest, signatures);
    let with = signatures.iter().filter(|one| rule.is_none_or(|person| person == one.0)).map(|one| {
        let apart = |other: &&(u8, u8, u8)| other.0 != one.0 && other.1 != one.1 && other.2 != one.2;
        let left: Vec<_> = signatures.iter().filter(apart).copied().collect();
        1 + brute_force(rest, &left)
    });
    with.max().unwrap_or(0).max(without)
}

proptest! {
    /// With a distrust rule, the decision is that over the signatures without those that the rule matches, and none of
    /// these counts.
    #[test]
    fn distrust_always_wins(requirement in requirement(), signatures in signatures(), bad in 0..4_u8, by_key in any::<bool>()) {
        let rule = if by_key {
            Distrust::key([bad; 32], "test")
        } else {
            Distrust::identity(Pattern::exact(format!("P{bad}@ACME.example")), "test").unwrap()
        };
        let hit = |one: &(u8, u8, u8)| if by_key { one.1 == bad } else { one.0 == bad };
        let all: Vec<_> = signatures.iter().copied().map(evidence).collect();
        let rest: Vec<_> = signatures.iter().copied().filter(|one| !hit(one)).map(evidence).collect();
        let decision = Policy::require(requirement.clone()).distrusting(rule).evaluate(&all);
        prop_assert_eq!(decision.accepted(), Policy::require(requirement).evaluate(&rest).accepted());
        prop_assert!(decision.counted().iter().all(|position| !hit(&signatures[*position])));
        prop_assert_eq!(decision.distrusted().len(), all.len() - rest.len());
        prop_assert_eq!(decision.accepted(), decision.refusal().is_none());
    }

    /// An accepted quorum has the required number of counted signatures, with different people, keys and bytes. A
    /// quorum is never found if exhaustive search does not find one.
    #[test]
    fn a_quorum_never_counts_anything_twice(rules in prop::collection::vec(prop::option::of(0..4_u8), 1..5), signatures in signatures(), count in 1..5_usize) {
        let count = count.min(rules.len());
        let of = rules.iter().map(|rule| rule.map_or_else(anybody, person)).collect();
        let policy = Policy::require(Requirement::at_least(count, of).unwrap());
        let all: Vec<_> = signatures.iter().copied().map(evidence).collect();
        let decision = policy.evaluate(&all);
        if decision.accepted() {
            let counted: Vec<_> = decision.counted().iter().map(|position| signatures[*position]).collect();
            prop_assert!(counted.len() >= count);
            for part in [|one: &(u8, u8, u8)| one.0, |one: &(u8, u8, u8)| one.1, |one: &(u8, u8, u8)| one.2] {
                prop_assert_eq!(counted.iter().map(part).collect::<BTreeSet<_>>().len(), counted.len());
            }
            prop_assert!(brute_force(&rules, &signatures) >= count);
        }
        // If all people have their own keys and signatures, every possible quorum is accepted.
        let own: Vec<_> = signatures.iter().map(|one| (one.0, one.0, one.0)).collect();
        let accepted = policy.evaluate(&own.iter().copied().map(evidence).collect::<Vec<_>>()).accepted();
        prop_assert_eq!(accepted, brute_force(&rules, &own) >= count);
    }

    /// Another signature never refuses a policy, unless it shows that two signers are one.
    #[test]
    fn more_signatures_never_hurt(requirement in requirement(), signatures in signatures(), more in 0..4_u8) {
        let own = |people: &[u8]| people.iter().map(|one| evidence((*one, *one, *one))).collect::<Vec<_>>();
        let mut people: Vec<_> = signatures.iter().map(|one| one.0).collect();
        let policy = Policy::require(requirement);
        let before = policy.evaluate(&own(&people)).accepted();
        people.push(more);
        prop_assert!(!before || policy.evaluate(&own(&people)).accepted());
    }

    /// A decision does not depend on the order of the evidence.
    #[test]
    fn order_does_not_matter(requirement in requirement(), signatures in signatures()) {
        let policy = Policy::require(requirement);
        let mut all: Vec<_> = signatures.iter().copied().map(evidence).collect();
        let forwards = policy.evaluate(&all).accepted();
        all.reverse();
        prop_assert_eq!(forwards, policy.evaluate(&all).accepted());
    }

    /// Parsing never panics, and an error has a code and a place in the file.
    #[test]
    fn any_text_is_read_or_refused(text in "(version = 1\n)?(\\[+require\\.?(any_of|at_least|github)?\\]+\n)?[a-z_]{1,12} ?= ?['\"\\[{(0-9a-zé*.]{0,12}[\n'\"}]{0,3}") {
        if let Err(error) = Policy::parse(&text) {
            prop_assert!(error.code().starts_with("policy."));
            let lines = text.lines().count().max(1) + 1;
            prop_assert!(error.position().is_none_or(|(line, _)| (1..=lines).contains(&line)), "{error}");
        }
    }

    /// A glob agrees with the equivalent regular expression.
    #[test]
    fn a_glob_is_the_regular_expression_it_stands_for(pattern in "([ab/@]|\\*|\\*\\*[ab/@]){1,8}", text in "[ab/@\n]{0,10}") {
        let Ok(glob) = Pattern::glob(&pattern) else { return Ok(()) };
        let mut regex = String::new();
        let mut rest = pattern.as_str();
        while let Some(character) = rest.chars().next() {
            let (piece, taken) = match () {
                () if rest.starts_with("**") => ("[^@\n]*".to_owned(), 2),
                () if character == '*' => ("[^/@\n]*".to_owned(), 1),
                () => (character.to_string(), 1),
            };
            regex.push_str(&piece);
            rest = &rest[taken..];
        }
        prop_assert_eq!(glob.matches(&text), Pattern::regex(&regex).unwrap().matches(&text), "{} {:?}", regex, text);
    }
}
