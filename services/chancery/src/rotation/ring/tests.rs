//! The steps, one after another and out of order.

use super::*;

const DAY: u64 = 86_400;

fn generation(number: u64, state: State) -> Generation {
    Generation {
        number,
        state,
        key: Place::File(format!("ca-{number}.pem")),
        fingerprint: "00".repeat(32),
        chain: Some(format!("ca-{number}-chain.pem")),
        since_seconds: number * 1000,
        activated_seconds: None,
        ends_seconds: None,
        url: None,
        root: None,
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn first() -> Ring {
    let mut ring = Ring::new();
    ring.begin(Role::Ca, generation(1, State::Active));
    ring
}

fn staged() -> Ring {
    let mut ring = first();
    let number = ring.next_number(Role::Ca).unwrap();
    ring.stage(Role::Ca, generation(number, State::Staged));
    ring
}

fn states(ring: &Ring) -> Vec<(u64, State)> {
    ring.generations(Role::Ca).iter().map(|generation| (generation.number, generation.state)).collect()
}

#[test]
fn a_rotation_takes_its_steps_in_order_and_waits_for_the_server() {
    let mut ring = staged();
    let mut progress = Progress { signing: 1, ..Progress::default() };
    let unpublished = |ring: &mut Ring, progress: &Progress| {
        let refused = ring.activate(Role::Ca, progress, Some(0), at(5000)).unwrap_err();
        assert!(matches!(refused, Refusal::Unpublished { number: 2, .. }), "{refused}");
        refused.to_string()
    };
    assert!(unpublished(&mut ring, &progress).contains("has not published generation 2 yet; a running server"));
    // Made and signed for, but for the offline keys.
    progress.offered.insert(2);
    progress.unpublished.insert(2, "it waits for signatures".to_owned());
    let said = unpublished(&mut ring, &progress);
    assert!(
        said.contains("would refuse what it signs: it waits for signatures. To activate it all the same"),
        "{said}"
    );
    progress.published_seconds.insert(2, 2000);
    let early = ring.activate(Role::Ca, &progress, Some(DAY), at(2000 + DAY - 1)).unwrap_err();
    assert!(early.to_string().contains("may be activated from 1970-01-02T00:33:20Z"), "{early}");
    progress.obstacles.insert(2, "no token".to_owned());
    let unusable = ring.activate(Role::Ca, &progress, Some(DAY), at(2000 + DAY)).unwrap_err();
    assert!(unusable.to_string().contains("no token"), "{unusable}");
    progress.obstacles.clear();
    assert_eq!(states(&ring), [(1, State::Active), (2, State::Staged)], "what was refused changed nothing");

    assert_eq!(ring.activate(Role::Ca, &progress, Some(DAY), at(2000 + DAY)), Ok(2));
    assert_eq!(states(&ring), [(1, State::Outgoing), (2, State::Active)]);
    assert!(matches!(ring.next_number(Role::Ca), Err(Refusal::Busy { number: 1, .. })));
    assert_eq!(ring.retire(Role::Ca, &progress, None, at(95_000)), Err(Refusal::StillSigning { number: 1 }));
    // It has stopped once, and signs again because the new key is gone.
    progress.stopped_seconds.insert(1, 90_000);
    assert_eq!(ring.retire(Role::Ca, &progress, None, at(95_000)), Err(Refusal::StillSigning { number: 1 }));
    progress.signing = 2;
    assert_eq!(ring.retire(Role::Ca, &progress, None, at(95_000)), Ok((1, at(90_000 + 600 + 60))));
    assert_eq!(states(&ring), [(1, State::Retired), (2, State::Active)]);
    assert!(ring.is_sound());
    assert_eq!(ring.next_number(Role::Ca), Ok(3));
}

#[test]
fn a_stolen_key_ends_when_it_was_stolen() {
    let mut ring = staged();
    let progress = Progress {
        signing: 2,
        published_seconds: BTreeMap::from([(2, 2000)]),
        stopped_seconds: BTreeMap::from([(1, 3000)]),
        ..Progress::default()
    };
    ring.activate(Role::Ca, &progress, Some(0), at(2000)).unwrap();
    assert!(matches!(
        ring.retire(Role::Ca, &progress, Some(at(999)), at(95_000)),
        Err(Refusal::EndsBeforeStart { .. })
    ));
    assert!(matches!(ring.retire(Role::Ca, &progress, Some(at(3661)), at(95_000)), Err(Refusal::EndsTooLate { .. })));
    assert_eq!(ring.retire(Role::Ca, &progress, Some(at(1500)), at(95_000)), Ok((1, at(1500))));
}

#[test]
fn a_key_that_no_client_can_fetch_is_activated_only_if_that_is_asked_for() {
    let mut ring = staged();
    let mut progress = Progress { signing: 1, ..Progress::default() };
    progress.obstacles.insert(2, "no token".to_owned());
    assert!(matches!(ring.activate(Role::Ca, &progress, None, at(5000)), Err(Refusal::Unusable { .. })));
    progress.obstacles.clear();
    assert_eq!(ring.activate(Role::Ca, &progress, None, at(5000)), Ok(2));
    assert_eq!(states(&ring), [(1, State::Outgoing), (2, State::Active)]);
}

#[test]
fn what_was_staged_by_mistake_is_given_up_and_its_number_never_used_again() {
    let mut ring = staged();
    assert!(matches!(ring.next_number(Role::Ca), Err(Refusal::Busy { number: 2, .. })));
    assert_eq!(ring.abandon(Role::Ca), Ok(2));
    assert_eq!(ring.abandon(Role::Ca), Err(Refusal::Nothing { state: "staged" }));
    assert_eq!(ring.next_number(Role::Ca), Ok(3));
}

#[test]
fn where_the_root_is_stays_with_its_generation() {
    let mut ring = first();
    let roots = [Root::Uri("file:/a.pem".to_owned()), Root::Imported];
    for (number, root) in (2..).zip(roots) {
        ring.stage(Role::Ca, Generation { root: Some(root), ..generation(number, State::Abandoned) });
    }
    let text = serde_json::to_string(&ring).unwrap();
    assert_eq!(serde_json::from_str::<Ring>(&text).unwrap(), ring);
    assert!(text.contains(r#""root":{"uri":"file:/a.pem"}"#) && text.contains(r#""root":"imported""#), "{text}");
    assert_eq!(text.matches("root").count(), 2, "the first one's is not written: {text}");
}

#[test]
fn the_file_is_read_back_and_a_senseless_one_is_not_sound() {
    let ring = staged();
    let text = serde_json::to_string(&ring).unwrap();
    assert_eq!(serde_json::from_str::<Ring>(&text).unwrap(), ring);
    assert!(ring.is_sound());
    let with =
        |generations: &[Generation]| Ring { schema: SCHEMA, roles: BTreeMap::from([(Role::Ca, generations.to_vec())]) };
    for generations in [
        vec![],
        vec![generation(1, State::Staged)],
        vec![generation(1, State::Active), generation(2, State::Active)],
        vec![generation(2, State::Active), generation(1, State::Retired)],
    ] {
        assert!(!with(&generations).is_sound(), "{generations:?}");
    }
    assert!(!Ring { schema: 2, ..ring }.is_sound());
}

#[test]
fn the_successor_of_a_log_that_was_ended_signs_at_once() {
    let mut ring = Ring::new();
    ring.begin(Role::Rekor, generation(1, State::Active));
    ring.succeed(Role::Rekor, generation(2, State::Staged), at(DAY)).unwrap();
    assert!(ring.is_sound());
    let [ended, active] = ring.generations(Role::Rekor) else { panic!("{ring:?}") };
    assert_eq!((ended.state, ended.ends_seconds), (State::Retired, Some(DAY + 60)));
    assert_eq!((active.state, active.activated_seconds), (State::Active, Some(DAY)));
    // One that is staged takes over, and is not there twice.
    ring.stage(Role::Rekor, generation(3, State::Staged));
    ring.succeed(Role::Rekor, generation(3, State::Staged), at(2 * DAY)).unwrap();
    assert!(ring.is_sound());
    let states: Vec<State> = ring.generations(Role::Rekor).iter().map(|generation| generation.state).collect();
    assert_eq!(states, [State::Retired, State::Retired, State::Active]);
}
