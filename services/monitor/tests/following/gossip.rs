//! What others have seen: a log that shows each of them another history is found as soon as they compare.

use crate::log::{FakeLog, ORIGIN};
use crate::world::{LOG, World};
use chancery_monitor::{FollowedLog, Peer, Source, Statuses};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

fn saved(world: &World, name: &str, note: &str) -> Peer {
    let path = world.directory.path().join(name);
    fs::write(&path, note).unwrap();
    Peer::parse(path.to_str().unwrap(), Path::new("/")).unwrap()
}

#[tokio::test]
async fn a_saved_checkpoint_of_another_history_is_evidence() {
    for size in [3, 5, 9] {
        let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
        let twin = log.twin();
        twin.change(|shown| shown.leaves = (0..9).map(|number| format!("other {number}").into()).collect());
        let note = twin.checkpoint(size);
        world.peers = vec![saved(&world, "saved", &note)];
        let round = world.once(&log).await;
        assert!(round.alarms == 1 && round.is_accused, "{size} {round:?}");
        let told = world.told();
        assert_eq!(told[0].kind.name(), if size == 9 { "fork" } else { "inconsistent" });
        assert!(told[0].message.contains("saved"), "{}", told[0].message);
        let evidence = fs::read_to_string(told[0].evidence.clone().unwrap()).unwrap();
        let evidence: serde_json::Value = serde_json::from_str(&evidence).unwrap();
        assert_eq!(evidence["shown"], note);
        assert_eq!(world.once(&log).await.alarms, 0);
    }
}

#[tokio::test]
async fn checkpoints_of_the_same_history_and_of_nobody_are_no_alarm() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.peers = vec![
        saved(&world, "older", &log.checkpoint(4)),
        saved(&world, "same", &log.checkpoint(9)),
        saved(&world, "other key", &FakeLog::with_leaves(9).checkpoint(9)),
        saved(&world, "no note", ORIGIN),
    ];
    log.change(|shown| shown.size = Some(8));
    // Newer than what is shown here, and proven.
    let round = world.once(&log).await;
    assert_eq!(round, chancery_monitor::Round::default());
}

#[tokio::test(start_paused = true)]
async fn what_was_compared_is_not_proven_again_in_each_round() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.peers =
        [2, 4, 6].map(|size| saved(&world, &format!("of {size}"), &log.checkpoint(size))).into_iter().collect();
    world.peers.push(saved(&world, "again", &log.checkpoint(4)));
    let mut monitor = world.monitor();
    let source: Arc<dyn Source> = Arc::new(log.clone());
    monitor.add(FollowedLog { name: LOG.to_owned(), source, following: world.following }).unwrap();
    timeout(Duration::from_mins(10), monitor.run(Duration::from_secs(1))).await.unwrap_err();
    let (heads, proofs) = log.change(|shown| (shown.heads, shown.proofs));
    assert!(heads > 10 && proofs == 3, "{heads} rounds, {proofs} proofs");
}

#[tokio::test]
async fn a_tree_that_is_kept_from_us_is_told() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    let twin = log.twin();
    twin.change(|shown| shown.leaves = (0..20).map(|number| format!("leaf {number}").into()).collect());
    world.peers = vec![saved(&world, "newer", &twin.checkpoint(20))];
    let round = world.once(&log).await;
    assert!(round.alarms == 1 && round.unknown.len() == 1, "{round:?}");
    assert_eq!(world.kinds(), ["hidden"]);
    log.change(|shown| shown.leaves = (0..20).map(|number| format!("leaf {number}").into()).collect());
    let round = world.once(&log).await;
    assert_eq!((round.unknown, round.is_accused), (Vec::new(), false));
}

#[tokio::test]
async fn a_tree_stays_hidden_while_the_peer_that_has_seen_it_cannot_be_asked() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.following.patience.hidden = Duration::from_mins(10);
    let twin = log.twin();
    twin.change(|shown| shown.leaves = (0..20).map(|number| format!("leaf {number}").into()).collect());
    let note = twin.checkpoint(20);
    world.peers = vec![saved(&world, "newer", &note)];
    assert_eq!(world.once(&log).await.alarms, 0);
    world.wait(300);
    fs::remove_file(world.directory.path().join("newer")).unwrap();
    world.once(&log).await;
    world.wait(300);
    saved(&world, "newer", &note);
    assert_eq!(world.once(&log).await.alarms, 1);
    assert_eq!(world.kinds(), ["hidden"]);
}

#[tokio::test]
async fn a_peer_that_cannot_be_asked_is_no_answer() {
    let (mut world, log) = (World::without_watches(), FakeLog::with_leaves(9));
    world.peers = vec![Peer::File("/nowhere/at/all".into())];
    let round = world.once(&log).await;
    assert!(round.alarms == 0 && round.unknown[0].contains("/nowhere/at/all"), "{round:?}");
}

/// Serves what a monitor has seen.
async fn serve(statuses: Statuses) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, chancery_monitor::http::router(statuses)).await });
    url
}

#[tokio::test]
async fn two_monitors_find_a_log_that_shows_each_another_history() {
    let (mut one, mut other) = (World::without_watches(), World::without_watches());
    let log = FakeLog::with_leaves(9);
    let twin = log.twin();
    twin.change(|shown| shown.leaves = (0..9).map(|number| format!("other {number}").into()).collect());
    let (round, statuses) = one.try_once(&log).await.unwrap();
    assert_eq!(round.alarms, 0);
    let url = serve(statuses).await;
    other.peers = vec![Peer::parse(&url, Path::new("/")).unwrap()];
    let (round, statuses) = other.try_once(&twin).await.unwrap();
    assert!(round.alarms == 1 && round.is_accused, "{round:?}");
    assert_eq!(other.kinds(), ["fork"]);
    // And the other way round.
    assert_eq!(twin.open_checkpoint(statuses.all()[LOG].checkpoint.as_ref().unwrap()).unwrap().size, 9);
    one.peers = vec![Peer::parse(&serve(statuses).await, Path::new("/")).unwrap()];
    assert_eq!(one.once(&log).await.alarms, 1);
    assert_eq!(one.kinds(), ["fork"]);
}
