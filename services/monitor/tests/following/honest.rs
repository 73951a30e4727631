//! An honest log: everything in it is looked at once.

use crate::log::FakeLog;
use crate::people::{Authority, digest};
use crate::world::{LOG, World};
use chancery_monitor::{Authorities, Begin, LogKind};
use std::fs;

const ALICE: &str = "alice@example.test";
const WATCH: &str = "[[watch]]\nname = \"alice\"\nidentity = \"alice@example.test\"\n";

fn log_with(authority: &Authority, people: &[&str]) -> FakeLog {
    let log = FakeLog::new(LogKind::Rekor);
    for (number, person) in people.iter().enumerate() {
        log.add(authority.signed(person, "https://issuer.example", &format!("artifact {number}")));
    }
    log
}

#[tokio::test]
async fn what_is_watched_for_is_told_once_also_after_restarts() {
    let authority = Authority::new();
    let world = World::new(WATCH, Authorities::default());
    let log = log_with(&authority, &["bob@example.test", ALICE, "carol@example.test"]);
    let round = world.once(&log).await;
    assert_eq!((round.alarms, round.unknown, round.is_accused), (1, Vec::new(), false));
    let told = world.told();
    let alarm = &told[0];
    assert_eq!((told.len(), alarm.index, alarm.watch.as_deref()), (1, Some(1), Some("alice")));
    assert_eq!(alarm.tree.as_ref().unwrap().size, 3);
    assert!(alarm.message.contains(ALICE) && alarm.message.contains(&digest("artifact 1")), "{}", alarm.message);
    assert_eq!(world.once(&log).await.alarms, 0);
    log.add(authority.signed(ALICE, "https://issuer.example", "later"));
    assert_eq!(world.once(&log).await.alarms, 1);
    let later = world.told();
    assert_eq!((later.len(), later[0].index), (1, Some(3)));
    assert_ne!(later[0].id, alarm.id);
}

#[tokio::test]
async fn following_can_begin_at_the_tree_that_is_shown() {
    let authority = Authority::new();
    for before in [1, 2, 3, 7, 8] {
        let mut world = World::new(WATCH, Authorities::default());
        world.following.begin = Begin::Now;
        let log = log_with(&authority, &vec![ALICE; before]);
        assert_eq!(world.once(&log).await.alarms, 0);
        assert_eq!(log.change(|shown| shown.reads), 0, "nothing before is read");
        for _ in 0..3 {
            log.add(authority.signed(ALICE, "https://issuer.example", "later"));
            assert_eq!(world.once(&log).await.alarms, 1);
        }
        let indices: Vec<Option<u64>> = world.told().iter().map(|alarm| alarm.index).collect();
        let before = before as u64;
        assert_eq!(indices, [before, before + 1, before + 2].map(Some));
    }
}

#[tokio::test]
async fn an_empty_log_is_a_log() {
    for begin in [Begin::Beginning, Begin::Now] {
        let mut world = World::new(WATCH, Authorities::default());
        world.following.begin = begin;
        let log = FakeLog::new(LogKind::Rekor);
        assert_eq!(world.once(&log).await, chancery_monitor::Round::default());
        log.add(Authority::new().signed(ALICE, "https://issuer.example", "first"));
        assert_eq!(world.once(&log).await.alarms, 1);
    }
}

#[tokio::test]
async fn a_long_log_is_followed_to_its_end_in_steps() {
    let world = World::new("[[watch]]\nname = \"odd\"\nunreadable = true\n", Authorities::default());
    // More findings than one step has, more entries than one answer.
    let log = FakeLog::with_leaves(3001);
    let (round, statuses) = world.try_once(&log).await.unwrap();
    assert_eq!((round.alarms, round.unknown), (3001, Vec::new()));
    let told = world.told();
    assert!(told.iter().map(|alarm| alarm.index.unwrap()).eq(0..3001));
    let status = &statuses.all()[LOG];
    assert_eq!((status.size, status.followed, status.unreadable, status.pending), (3001, 3001, 3001, 0));
}

#[tokio::test]
async fn what_is_expected_is_not_told() {
    let authority = Authority::new();
    let expected = tempfile::NamedTempFile::new().unwrap();
    fs::write(expected.path(), digest("artifact 0")).unwrap();
    let watch = format!("{WATCH}expected = {:?}\n", expected.path().to_str().unwrap());
    let world = World::new(&watch, Authorities::default());
    let log = log_with(&authority, &[ALICE, ALICE]);
    assert_eq!(world.once(&log).await.alarms, 1);
    assert_eq!(world.told()[0].index, Some(1));
    // A file that cannot be read decides nothing, and nothing is passed over.
    fs::write(expected.path(), "nonsense").unwrap();
    log.add(authority.signed(ALICE, "https://issuer.example", "third"));
    let round = world.once(&log).await;
    assert!(round.alarms == 0 && round.unknown[0].contains("line 1"), "{round:?}");
    fs::write(expected.path(), digest("third")).unwrap();
    assert_eq!(world.once(&log).await.alarms, 0);
}
