//! Rings that are ahead of what was done and published, and such as are behind.

use super::*;
use crate::rotation::Place;
use std::collections::BTreeMap;

fn generation(number: u64, state: State, ends_seconds: Option<u64>) -> Generation {
    Generation {
        number,
        state,
        key: Place::File(format!("ca-{number}.pem")),
        fingerprint: format!("{number:064}"),
        chain: Some(format!("ca-{number}-chain.pem")),
        since_seconds: 1000,
        activated_seconds: None,
        ends_seconds,
        url: None,
        root: None,
    }
}

fn ring(generations: &[Generation]) -> Ring {
    let (first, others) = generations.split_first().unwrap();
    let mut ring = Ring::new();
    ring.begin(Role::Ca, first.clone());
    for other in others {
        ring.stage(Role::Ca, other.clone());
    }
    ring
}

/// What `keys/ring.json` says once the first key was stolen, and what is left of it once that file is lost.
fn rotated_and_lost() -> (Ring, Ring) {
    let rotated = [generation(1, State::Retired, Some(5000)), generation(2, State::Active, None)];
    (ring(&rotated), ring(&[generation(1, State::Active, None)]))
}

#[test]
fn a_lost_ring_contradicts_what_the_server_has_done() {
    let (rotated, lost) = rotated_and_lost();
    let recorded = BTreeMap::from([(1, State::Retired), (2, State::Active)]);
    let done = Progress { signing: 2, recorded, ..Progress::default() };
    assert_eq!(with_progress(&rotated, Role::Ca, &done), Ok(()));
    assert_eq!(with_progress(&rotated, Role::Ca, &Progress::default()), Ok(()));
    let found = with_progress(&lost, Role::Ca, &done).unwrap_err();
    assert_eq!(found.ring, "does not have generation 2 of the CA key");
    // Of an older copy, which has both.
    let older = ring(&[generation(1, State::Outgoing, None), generation(2, State::Active, None)]);
    let found = with_progress(&older, Role::Ca, &done).unwrap_err();
    assert_eq!(found.ring, "has generation 1 of the CA key as outgoing");
    assert_eq!(found.other, "has it as retired");
    let published = BTreeMap::from([(2, 1500)]);
    let done = Progress { signing: 1, published_seconds: published, ..Progress::default() };
    assert!(with_progress(&lost, Role::Ca, &done).is_err(), "clients know it");
}

#[test]
fn a_generation_goes_forward_alone() {
    let steps = [State::Staged, State::Active, State::Outgoing, State::Retired];
    for (position, before) in steps.into_iter().enumerate() {
        for (next, now) in steps.into_iter().enumerate() {
            assert_eq!(may_follow(before, now), position <= next, "{before:?} {now:?}");
        }
        assert_eq!(may_follow(before, State::Abandoned), before == State::Staged);
        assert!(!may_follow(State::Abandoned, before));
    }
    assert!(may_follow(State::Abandoned, State::Abandoned));
}

#[test]
fn a_lost_ring_contradicts_what_was_published() {
    let (rotated, lost) = rotated_and_lost();
    let fingerprints = [1, 2].map(|number| generation(number, State::Active, None).fingerprint);
    let [first, second] = [fingerprints[0].as_str(), fingerprints[1].as_str()];
    let published = |keys: &[(&str, Option<u64>)]| Published {
        authorities: keys.iter().map(|(key, end)| ((*key).to_owned(), *end)).collect(),
        ..Published::default()
    };
    let compare = |ring: &Ring, keys: &[(&str, Option<u64>)]| {
        with_published(ring, Role::Ca, &published(keys), |_| false).map_err(|found| (found.ring, found.other))
    };
    // What was published may be behind, also by all of it.
    for behind in [&[][..], &[(first, None)], &[(first, None), (second, None)], &[(first, Some(5000)), (second, None)]]
    {
        assert_eq!(compare(&rotated, behind), Ok(()), "{behind:?}");
    }
    let (ring, other) = compare(&lost, &[(first, Some(5000)), (second, None)]).unwrap_err();
    assert_eq!(ring, "trusts generation 1 of the CA key without an end");
    assert_eq!(other, "trusts it until 1970-01-01T01:23:20Z");
    let (ring, other) = compare(&lost, &[(first, None), (second, None)]).unwrap_err();
    assert_eq!(ring, format!("does not have the key with SHA-256 {second} of the CA key"));
    assert_eq!(other, "has published it");
    let later = self::ring(&[generation(1, State::Retired, Some(5001)), generation(2, State::Active, None)]);
    assert!(compare(&later, &[(first, Some(5000))]).is_err(), "it would count for longer");
    let known = |fingerprint: &str| fingerprint == second;
    assert_eq!(with_published(&lost, Role::Ca, &published(&[(second, None)]), known), Ok(()), "another role's");
}

#[test]
fn a_key_file_of_another_key_or_a_missing_one_is_named() {
    let retired = generation(1, State::Retired, Some(5000));
    assert_eq!(with_key_file(Role::Ca, &retired, Some(&retired.fingerprint)), Ok(()));
    for (found, other) in [(Some("00"), "is of the key with SHA-256 00"), (None, "is missing")] {
        let found = with_key_file(Role::Ca, &retired, found).unwrap_err();
        assert!(found.ring.ends_with(" as generation 1 of the CA key"), "{found:?}");
        assert_eq!(found.other, other);
    }
}

#[test]
fn both_sides_are_in_the_message() {
    let disagreement = Disagreement { ring: "has it".to_owned(), other: "has it not".to_owned() };
    let said = Contradiction { ring: "ring.json".to_owned(), other: "tuf".to_owned(), disagreement }.to_string();
    assert!(said.starts_with("ring.json has it, but tuf has it not. If this were taken"), "{said}");
}
