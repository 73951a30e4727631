//! Logs that are slow, and entries that are many: what matters is told all the same.

use crate::log::FakeLog;
use crate::world::{LOG, World};
use chancery_monitor::{Authorities, FollowedLog, Source};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(start_paused = true)]
async fn a_slow_log_is_asked_for_its_head_before_its_end_is_reached() {
    let (world, log) = (World::without_watches(), FakeLog::with_leaves(7000));
    log.change(|shown| shown.delay = Duration::from_secs(100));
    let mut monitor = world.monitor();
    let source: Arc<dyn Source> = Arc::new(log.clone());
    monitor.add(FollowedLog { name: LOG.to_owned(), source, following: world.following }).unwrap();
    let statuses = monitor.statuses();
    // Its ten answers take longer than this.
    timeout(Duration::from_mins(15), monitor.run(Duration::from_secs(1))).await.unwrap_err();
    let status = &statuses.all()[LOG];
    assert!((1..7000).contains(&status.followed) && status.checked_at.is_none(), "{status:?}");
    assert!(log.change(|shown| shown.heads) >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_never_shows_its_entries_is_told() {
    let (world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    log.change(|shown| shown.delay = Duration::from_hours(24));
    let round = world.once(&log).await;
    assert!(round.alarms == 1 && round.unknown[0].contains("has not shown the entries from 0 on"), "{round:?}");
    assert_eq!(world.kinds(), ["unreachable"]);
}

#[tokio::test]
async fn no_more_alarms_wait_than_a_state_has_room_for() {
    let watches = "[[watch]]\nname = \"one\"\nunreadable = true\n[[watch]]\nname = \"two\"\nunreadable = true\n";
    let (world, log) = (World::new(watches, Authorities::default()), FakeLog::with_leaves(3000));
    *world.recorder.is_full.lock().unwrap() = true;
    let round = world.once(&log).await;
    assert!((2000..2300).contains(&round.alarms), "{}", round.alarms);
    *world.recorder.is_full.lock().unwrap() = false;
    for _ in 0..4 {
        world.once(&log).await;
    }
    let told: Vec<_> = world.told().into_iter().map(|alarm| (alarm.index.unwrap(), alarm.watch.unwrap())).collect();
    let expected = (0..3000).flat_map(|index| ["one", "two"].map(|watch| (index, watch.to_owned())));
    assert!(told.into_iter().eq(expected), "each once, in order");
}

#[tokio::test]
async fn the_history_is_proved_although_what_is_expected_cannot_be_read() {
    let expected = tempfile::NamedTempFile::new().unwrap();
    let watch =
        format!("[[watch]]\nname = \"a\"\nidentity = \"a\"\nexpected = {:?}\n", expected.path().to_str().unwrap());
    let (world, log) = (World::new(&watch, Authorities::default()), FakeLog::with_leaves(9));
    world.once(&log).await;
    fs::write(expected.path(), "nonsense").unwrap();
    log.change(|shown| shown.leaves[4] = "another".into());
    let round = world.once(&log).await;
    assert!(round.is_accused && round.unknown[0].contains("line 1"), "{round:?}");
    assert_eq!(world.kinds(), ["fork"]);
}
