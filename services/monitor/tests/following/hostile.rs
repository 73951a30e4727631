//! Logs that lie: each lie is told, and nothing is believed.

use crate::log::FakeLog;
use crate::world::{LOG, World};
use chancery_monitor::{Begin, FollowedLog, Source, SourceError};
use serde_json::Value;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// The evidence of the only alarm that was told.
fn evidence(world: &World, kind: &str) -> Value {
    let told = world.told();
    assert_eq!(told.iter().map(|alarm| alarm.kind.name()).collect::<Vec<_>>(), [kind], "{told:?}");
    assert_eq!(told[0].severity, "critical");
    let path = told[0].evidence.clone().unwrap();
    assert!(path.starts_with(world.state().join("evidence")));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn two_trees_of_one_size_are_kept_as_evidence() {
    let (world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.once(&log).await;
    let honest = log.checkpoint(9);
    log.change(|shown| shown.leaves[4] = "another".into());
    let round = world.once(&log).await;
    assert!(round.alarms == 1 && round.is_accused, "{round:?}");
    let evidence = evidence(&world, "fork");
    for (name, size, root_of) in [("remembered", 9, &honest), ("shown", 9, &log.checkpoint(9))] {
        let note = evidence[name].as_str().unwrap();
        let head = log.open_checkpoint(note).unwrap();
        assert_eq!((head.size, head.root), (size, log.open_checkpoint(root_of).unwrap().root), "{name}");
    }
    assert_eq!((evidence["kind"].as_str(), evidence["log"].as_str()), (Some("fork"), Some(LOG)));
    // It is told once, and stays true, whatever the log shows later.
    log.change(|shown| shown.leaves[4] = "leaf 4".into());
    let round = world.once(&log).await;
    assert!(round.alarms == 0 && round.is_accused, "{round:?}");
    assert!(world.told().is_empty());
}

#[tokio::test]
async fn a_tree_that_does_not_extend_the_remembered_one_is_not_followed() {
    for begin in [Begin::Beginning, Begin::Now] {
        let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
        world.following.begin = begin;
        world.once(&log).await;
        log.change(|shown| {
            shown.leaves[4] = "another".into();
            shown.leaves.extend((9..20).map(|number| format!("leaf {number}").into()));
        });
        let (round, statuses) = world.try_once(&log).await.unwrap();
        assert!(round.alarms == 1 && round.is_accused, "{round:?}");
        let evidence = evidence(&world, "inconsistent");
        assert!(evidence["proof"].as_array().is_some_and(|proof| !proof.is_empty()));
        assert_eq!((statuses.all()[LOG].size, statuses.all()[LOG].followed), (9, 9));
        assert_eq!(world.once(&log).await.alarms, 0);
    }
}

#[tokio::test]
async fn a_proof_that_fails_is_told() {
    let (world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.once(&log).await;
    log.add("leaf 9".into());
    log.change(|shown| shown.lies = true);
    assert_eq!(world.once(&log).await.alarms, 1);
    evidence(&world, "inconsistent");
}

#[tokio::test]
async fn a_proof_that_was_mixed_up_is_made_anew() {
    let (world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.once(&log).await;
    log.add("leaf 9".into());
    log.change(|shown| shown.is_mixed_up = true);
    assert_eq!(world.once(&log).await, chancery_monitor::Round::default());
    assert!(world.told().is_empty());
}

#[tokio::test]
async fn a_time_that_is_yet_to_come_is_no_sign_of_life() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.following.max_quiet = Some(Duration::from_hours(1));
    // In the year 2100.
    log.change(|shown| shown.timestamp_ms = Some(4_102_444_800_000));
    world.once(&log).await;
    world.wait(3601);
    assert_eq!(world.once(&log).await.alarms, 1);
    assert_eq!(world.kinds(), ["stalled"]);
}

#[tokio::test]
async fn an_older_tree_is_told_when_it_lasts() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.following.patience.rollback = Duration::from_mins(1);
    world.once(&log).await;
    log.change(|shown| shown.size = Some(5));
    let round = world.once(&log).await;
    assert!(round.alarms == 0 && round.unknown.len() == 1, "{round:?}");
    world.wait(61);
    assert_eq!((world.once(&log).await.alarms, world.once(&log).await.alarms), (1, 0));
    assert_eq!(world.kinds(), ["rollback"]);
    log.change(|shown| shown.size = None);
    let round = world.once(&log).await;
    assert_eq!((round.unknown, round.is_accused), (Vec::new(), false));
    log.change(|shown| shown.size = Some(5));
    world.once(&log).await;
    world.wait(61);
    assert_eq!(world.once(&log).await.alarms, 1, "it is told anew");
}

#[tokio::test]
async fn a_log_that_was_put_back_and_can_prove_nothing_is_told_when_it_lasts() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.following.patience.rollback = Duration::from_mins(1);
    world.once(&log).await;
    log.change(|shown| shown.leaves.truncate(5));
    let round = world.once(&log).await;
    assert!(round.alarms == 0 && round.unknown.len() == 1, "{round:?}");
    assert!(round.unknown[0].contains("it has no tree of 9 leaves"), "{round:?}");
    world.wait(61);
    let round = world.once(&log).await;
    assert!(round.alarms == 1 && round.is_accused, "{round:?}");
    assert_eq!((world.kinds(), world.once(&log).await.alarms), (vec!["rollback"], 0));
    log.change(|shown| shown.leaves.extend((5..9).map(|number| format!("leaf {number}").into())));
    let round = world.once(&log).await;
    assert_eq!((round.unknown, round.is_accused), (Vec::new(), false));
}

#[tokio::test]
async fn without_a_proof_only_a_smaller_tree_of_a_log_that_answers_is_older() {
    for (size, is_refusal, kind) in
        [(5, true, "rollback"), (5, false, "unreachable"), (12, true, "unreachable"), (12, false, "unreachable")]
    {
        let (world, log) = (World::without_watches(), FakeLog::with_leaves(9));
        world.once(&log).await;
        log.change(|shown| {
            shown.leaves = (0..size).map(|number| format!("leaf {number}").into()).collect();
            shown.unproven = Some(SourceError { reason: "no proof".to_owned(), is_refusal });
        });
        assert_eq!(world.once(&log).await.alarms, 1);
        assert_eq!(world.kinds(), [kind], "{size} {is_refusal}");
    }
}

#[tokio::test]
async fn wrong_entries_are_not_believed() {
    let world = World::new("[[watch]]\nname = \"all\"\nunreadable = true\n", chancery_monitor::Authorities::default());
    let log = FakeLog::with_leaves(9);
    log.change(|shown| shown.instead = Some((4, "a lie".into())));
    let (round, statuses) = world.try_once(&log).await.unwrap();
    assert!(round.alarms == 1 && round.is_accused && round.unknown.len() == 1, "{round:?}");
    assert_eq!((world.kinds(), statuses.all()[LOG].followed), (vec!["wrong-entries"], 0));
    assert_eq!(world.once(&log).await.alarms, 0);
    log.change(|shown| shown.instead = None);
    let round = world.once(&log).await;
    assert_eq!((round.alarms, round.unknown, round.is_accused), (9, Vec::new(), false));
}

#[tokio::test]
async fn a_log_that_is_away_or_quiet_is_told_after_its_time() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.following.patience.unreachable = Duration::from_mins(15);
    world.following.max_quiet = Some(Duration::from_hours(1));
    world.once(&log).await;
    log.change(|shown| shown.is_away = true);
    let round = world.once(&log).await;
    assert!(round.alarms == 0 && round.unknown[0].contains("it is away"), "{round:?}");
    world.wait(15 * 60);
    assert_eq!(world.once(&log).await.alarms, 1);
    log.change(|shown| shown.is_away = false);
    assert!(!world.once(&log).await.is_accused);
    world.wait(3600);
    assert!(world.once(&log).await.is_accused);
    assert_eq!(world.kinds(), ["unreachable", "stalled"]);
    log.add("leaf 9".into());
    assert!(!world.once(&log).await.is_accused);
}

#[tokio::test]
async fn a_tree_that_is_no_longer_used_is_told() {
    let (world, log) = (World::without_watches(), FakeLog::with_leaves(3));
    log.change(|shown| shown.successor = Some("log.example.org - 2".to_owned()));
    assert_eq!(world.once(&log).await.alarms, 1);
    assert_eq!(world.kinds(), ["successor"]);
    assert_eq!(world.once(&log).await.alarms, 0);
}

#[tokio::test]
async fn a_state_that_is_not_the_logs_is_refused() {
    let (world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.once(&log).await;
    let state = fs::read_to_string(world.state_file()).unwrap();
    let open = |log: &FakeLog| {
        let mut monitor = world.monitor();
        let source: Arc<dyn Source> = Arc::new(log.clone());
        monitor
            .add(FollowedLog { name: LOG.to_owned(), source, following: world.following })
            .map_err(|error| error.to_string())
    };
    for (from, to) in [("\"followed\":9", "\"followed\":8"), ("\"version\":1", "\"version\":2"), ("{", "")] {
        assert!(state.contains(from), "{state}");
        fs::write(world.state_file(), state.replacen(from, to, 1)).unwrap();
        assert!(open(&log).unwrap_err().contains("damaged"), "{to}");
    }
    fs::write(world.state_file(), &state).unwrap();
    open(&log).unwrap();
}

#[tokio::test]
async fn a_log_with_another_key_is_not_known_and_the_others_are_followed() {
    let (world, log, successor) = (World::without_watches(), FakeLog::with_leaves(9), FakeLog::with_leaves(9));
    world.once(&log).await;
    let state = fs::read_to_string(world.state_file()).unwrap();
    let mut monitor = world.monitor();
    for (name, log) in [(LOG, &successor), ("beside", &successor)] {
        let source: Arc<dyn Source> = Arc::new(log.clone());
        monitor.add(FollowedLog { name: name.to_owned(), source, following: world.following }).unwrap();
    }
    let statuses = monitor.statuses();
    let round = monitor.once().await.unwrap();
    assert!(round.alarms == 0 && round.unknown.len() == 1, "{round:?}");
    for part in [LOG, "another log", "keep this [[log]] with its old key", "a new name for the successor"] {
        assert!(round.unknown[0].contains(part), "{part}: {round:?}");
    }
    assert_eq!(statuses.all()["beside"].followed, 9);
    assert_eq!(fs::read_to_string(world.state_file()).unwrap(), state, "the history with the old key is kept");
    assert!(world.once(&log).await.unknown.is_empty());
}

#[tokio::test]
async fn one_directory_is_for_one_monitor_and_one_name_for_one_log() {
    let (world, log) = (World::without_watches(), FakeLog::with_leaves(1));
    let mut monitor = world.monitor();
    let add = |monitor: &mut chancery_monitor::Monitor, name: &str| {
        let source: Arc<dyn Source> = Arc::new(log.clone());
        let followed = FollowedLog { name: name.to_owned(), source, following: world.following };
        monitor.add(followed).map_err(|error| error.to_string())
    };
    add(&mut monitor, "a").unwrap();
    assert!(add(&mut monitor, "a").unwrap_err().contains("two logs"));
    assert!(add(&mut monitor, "../a").unwrap_err().contains("name of a log"));
    let settings = chancery_monitor::Settings {
        directory: world.state(),
        watches: world.watches.clone(),
        outputs: chancery_monitor::Outputs::default(),
        peers: Vec::new(),
        client: chancery_monitor::HttpClient::new(None, chancery_monitor::HttpClient::DEADLINE).unwrap(),
        statuses: chancery_monitor::Statuses::default(),
    };
    let second = chancery_monitor::Monitor::open(settings, world.clock.clone());
    assert!(second.err().unwrap().to_string().contains("another monitor"));
}
