//! Several followers of one log over one database, and an index that is built again under them.

use crate::bench::{Bench, Database};
use crate::faults::complete;
use crate::log::{FakeLog, LOG_ID, digest};
use crate::questions::{ask_everything, catch_up, check};
use chancery_search::{Error, Index, Order};
use chancery_verify::terms::Term;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const ROLES: &str = include_str!("../../../../migrations/postgres/roles.sql");

/// A second server, where the database can have one; otherwise a second follower in this one.
async fn another(bench: &Bench, database: &Database) -> Database {
    match bench {
        Bench::Sqlite(_) => database.clone(),
        Bench::Postgres { .. } => bench.open().await,
    }
}

/// Has the log grow to so many entries, a few at a time.
async fn grow(log: Arc<FakeLog>, size: u64) {
    while log.size() < size {
        log.grow_to((log.size() + 40).min(size));
        sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn two_followers_make_one_index(bench: Bench) {
    let database = bench.open().await;
    let second = another(&bench, &database).await;
    let log = FakeLog::of(1000);
    let indexes = [database.index(&log), second.index(&log)];
    let followers = indexes.each_ref().map(Index::follow);
    grow(Arc::clone(&log), 5000).await;
    for index in &indexes {
        complete(index, 5000).await;
    }
    // One of them ends, and the other goes on.
    followers[0].abort();
    log.grow_to(5300);
    complete(&indexes[1], 5300).await;
    followers[1].abort();
    catch_up(&indexes[0]).await;
    assert_eq!(check(&indexes[1]).await, 5300);
    ask_everything(&indexes[0], 5300).await;
    second.close().await;
    database.close().await;
}

/// Asks until it is stopped: an answer is right, or none.
async fn ask_always(index: Index) {
    let term = Term::digest("sha256", &digest(0));
    loop {
        let size = index.complete_to(LOG_ID).await.unwrap().size;
        match index.postings(LOG_ID, &term, 0..size, Order::Oldest, 10).await {
            Ok(found) => assert_eq!(found, [0, 3, 6].into_iter().filter(|index| *index < size).collect::<Vec<_>>()),
            Err(Error::NotCovered { .. } | Error::Moved) => {}
            Err(error) => panic!("{error}"),
        }
        sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) async fn an_index_is_built_again_while_the_log_grows(bench: Bench) {
    let database = bench.open().await;
    let second = another(&bench, &database).await;
    let log = FakeLog::of(700);
    let index = database.index(&log);
    let follower = index.follow();
    complete(&index, 700).await;
    let growing = tokio::spawn(grow(Arc::clone(&log), 4000));
    let asking = tokio::spawn(ask_always(index.clone()));
    let rebuilding = second.index(&log);
    for _ in 0..4 {
        rebuilding.rebuild(|_, _, _| {}).await.unwrap();
    }
    growing.await.unwrap();
    complete(&index, 4000).await;
    asking.abort();
    let asked = asking.await.unwrap_err();
    assert!(asked.is_cancelled(), "{asked}");
    follower.abort();
    catch_up(&index).await;
    assert_eq!(check(&index).await, 4000);
    ask_everything(&index, 4000).await;
    second.close().await;
    database.close().await;
}

/// One that finds that others have deleted its pages must not take them for the last ones of their run.
pub(crate) async fn what_several_servers_delete_at_once_is_gone(bench: Bench) {
    let database = bench.open().await;
    let second = another(&bench, &database).await;
    catch_up(&database.index(&FakeLog::of(3000))).await;
    database.store().reset(LOG_ID).await.unwrap();
    let sweeps = [&database, &second, &database, &second].map(|database| {
        let store = database.store();
        tokio::spawn(async move { while store.sweep(2).await.unwrap() {} })
    });
    for sweep in sweeps {
        sweep.await.unwrap();
    }
    for table in ["search_runs", "search_pages"] {
        assert_eq!(database.number(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    second.close().await;
    database.close().await;
}

/// The least-privilege role of a server may build and ask the index.
#[tokio::test]
async fn the_role_of_a_server_may_build_the_index() {
    let bench = Bench::postgres();
    let owner = bench.open().await;
    let Bench::Postgres { server, database } = &bench else { unreachable!() };
    server.execute(database, ROLES);
    let user = "chancery_search_test";
    server.execute(database, &format!("DROP ROLE IF EXISTS {user}; CREATE ROLE {user} LOGIN IN ROLE chancery_log"));
    let least = Database::open(&server.url(database, Some(user))).await;
    let log = FakeLog::of(700);
    let index = least.index(&log);
    catch_up(&index).await;
    index.rebuild(|_, _, _| {}).await.unwrap();
    assert_eq!(check(&index).await, 700);
    least.cursors().begin("https://hooks.example.org", &[(LOG_ID, 700)]).await.unwrap();
    assert!(least.cursors().advance("https://hooks.example.org", LOG_ID, 0, 700).await.unwrap());
    // Where the rights were not given, it says what to do.
    server.execute(database, "REVOKE UPDATE ON search_logs FROM chancery_log");
    log.grow_to(701);
    let refused = index.catch_up(|_, _, _| {}).await.unwrap_err();
    assert!(matches!(&refused, Error::Store(error) if error.is_forbidden()), "{refused}");
    least.close().await;
    owner.close().await;
}
