//! Crashes: whatever was written last, an alarm is delivered at least once, with one id, and never lost.

use crate::log::FakeLog;
use crate::world::{LOG, World};
use chancery_monitor::{Authorities, FollowedLog, Source};
use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};

const EVERYTHING: &str = "[[watch]]\nname = \"all\"\nunreadable = true\n";

#[tokio::test]
async fn a_crash_between_delivery_and_its_note_delivers_again_with_the_same_ids() {
    let (world, log) = (World::new(EVERYTHING, Authorities::default()), FakeLog::with_leaves(3));
    // What is on disk while the delivery runs is what a process that is killed then leaves behind.
    let (file, left) = (world.state_file(), Arc::new(Mutex::new(String::new())));
    let seen = Arc::clone(&left);
    let read = move || *seen.lock().unwrap() = fs::read_to_string(&file).unwrap();
    *world.recorder.before.lock().unwrap() = Some(Box::new(read));
    assert_eq!(world.once(&log).await.alarms, 3);
    let first = world.told();
    fs::write(world.state_file(), &*left.lock().unwrap()).unwrap();
    assert_eq!(world.once(&log).await.alarms, 3);
    let again = world.told();
    assert_eq!(first, again);
    assert_eq!(world.once(&log).await.alarms, 0);
}

#[tokio::test]
async fn a_crash_before_the_commit_finds_the_same_again() {
    let (world, log) = (World::new(EVERYTHING, Authorities::default()), FakeLog::with_leaves(3));
    world.once(&log).await;
    let before = fs::read(world.state_file()).unwrap();
    world.told();
    log.add("later".into());
    world.once(&log).await;
    let first = world.told();
    fs::write(world.state_file(), before).unwrap();
    world.wait(60);
    world.once(&log).await;
    let again = world.told();
    assert_eq!((first.len(), again.len(), &first[0].id), (1, 1, &again[0].id));
}

#[tokio::test]
async fn alarms_wait_for_an_output_that_fails() {
    let (world, log) = (World::new(EVERYTHING, Authorities::default()), FakeLog::with_leaves(3));
    *world.recorder.is_full.lock().unwrap() = true;
    let round = world.once(&log).await;
    assert_eq!((round.alarms, round.unknown), (3, vec!["the recorder is full".to_owned()]));
    log.add("later".into());
    assert_eq!(world.once(&log).await.alarms, 4);
    *world.recorder.is_full.lock().unwrap() = false;
    let round = world.once(&log).await;
    assert_eq!((round.alarms, round.unknown), (4, Vec::new()));
    let ids: BTreeSet<String> = world.told().into_iter().map(|alarm| alarm.id).collect();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn following_stops_where_too_many_alarms_wait() {
    let (world, log) = (World::new(EVERYTHING, Authorities::default()), FakeLog::with_leaves(5000));
    *world.recorder.is_full.lock().unwrap() = true;
    let round = world.once(&log).await;
    assert!((2000..4000).contains(&round.alarms), "{}", round.alarms);
    assert!(round.unknown.iter().any(|reason| reason.contains("not followed until")), "{:?}", round.unknown);
    *world.recorder.is_full.lock().unwrap() = false;
    // The first round delivers what waits, and may follow only then.
    for _ in 0..2 {
        world.once(&log).await;
    }
    let indices: BTreeSet<Option<u64>> = world.told().into_iter().map(|alarm| alarm.index).collect();
    assert_eq!(indices.len(), 5000);
}

#[tokio::test]
async fn a_state_that_cannot_be_written_is_an_error() {
    let (world, log) = (World::new(EVERYTHING, Authorities::default()), FakeLog::with_leaves(3));
    world.once(&log).await;
    let state = fs::read(world.state_file()).unwrap();
    log.add("later".into());
    // A directory in its place cannot be replaced by a file, whoever runs the test.
    let file = world.state_file();
    let obstruct = move || {
        let _ = fs::remove_file(&file);
        let _ = fs::create_dir(&file);
    };
    *world.recorder.before.lock().unwrap() = Some(Box::new(obstruct));
    world.told();
    assert!(world.try_once(&log).await.is_err());
    fs::remove_dir(world.state_file()).unwrap();
    fs::write(world.state_file(), state).unwrap();
    *world.recorder.before.lock().unwrap() = None;
    let first = world.told();
    assert_eq!(world.once(&log).await.alarms, 1);
    assert_eq!((first.len(), world.told()), (1, first));
}

#[tokio::test]
async fn a_state_that_cannot_be_written_hides_no_alarm_of_another_log() {
    let (world, log, away) =
        (World::new(EVERYTHING, Authorities::default()), FakeLog::with_leaves(3), FakeLog::with_leaves(3));
    away.change(|shown| shown.is_away = true);
    let file = world.state_file();
    let obstruct = move || {
        let _ = fs::remove_file(&file);
        let _ = fs::create_dir(&file);
    };
    *world.recorder.before.lock().unwrap() = Some(Box::new(obstruct));
    let mut monitor = world.monitor();
    for (name, source) in [(LOG, log), ("away", away)] {
        let source: Arc<dyn Source> = Arc::new(source);
        monitor.add(FollowedLog { name: name.to_owned(), source, following: world.following }).unwrap();
    }
    let round = monitor.once().await.unwrap();
    assert!(round.alarms == 1 && round.is_accused, "{round:?}");
    assert!(round.unknown.iter().any(|reason| reason.contains("rekor.json")), "{:?}", round.unknown);
}
