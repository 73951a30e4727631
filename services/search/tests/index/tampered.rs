//! An index that was changed by someone with all rights: the check finds it.

use crate::bench::Bench;
use crate::log::FakeLog;
use crate::questions::check;
use chancery_daemon::random::SystemRandom;
use chancery_search::Finding;

/// Changes, and words of what is found. Every run of the log of 700 entries: 0 to 512, 512 to 576, 576 to 640, and the rest.
const CHANGES: [(&str, &str); 24] = [
    // Rows that are missing.
    (
        "DELETE FROM search_pages WHERE first_key = (SELECT first_key FROM search_pages ORDER BY first_key LIMIT 1)",
        "it is not found by its term",
    ),
    (
        "DELETE FROM search_pages WHERE first_key = (SELECT first_key FROM search_pages ORDER BY first_key DESC LIMIT 1)",
        "it is not found by its term",
    ),
    ("DELETE FROM search_runs WHERE first_index = 512", "do not cover each entry once"),
    ("DELETE FROM search_runs WHERE first_index = 640", "do not cover each entry once"),
    ("UPDATE search_runs SET state = 2 WHERE first_index = 0", "do not cover each entry once"),
    ("DELETE FROM search_logs", "no row in search_logs"),
    ("DELETE FROM search_problems WHERE leaf_index = 193", "entry 193: its row in search_problems is missing"),
    // Rows that are added.
    (
        "INSERT INTO search_pages (run_id, first_key, page) SELECT run_id + 1000, first_key, page FROM search_pages ORDER BY run_id, first_key LIMIT 1",
        "1 pages of the index belong to no run",
    ),
    (
        "INSERT INTO search_pages (run_id, first_key, page) SELECT run_id, $key, page FROM search_pages ORDER BY run_id, first_key LIMIT 1",
        "its pages are not in order",
    ),
    (
        "INSERT INTO search_runs (log_id, first_index, end_index, state) VALUES (7, 513, 514, 0)",
        "do not cover each entry once",
    ),
    (
        "INSERT INTO search_problems (log_id, leaf_index, reason) VALUES (7, 5, 'it is odd')",
        "entry 5: its row in search_problems is missing, or should not be there",
    ),
    // What is added hides nothing yet. A merge would go on with the first, and with the last a log that comes later.
    (
        "INSERT INTO search_runs (log_id, first_index, end_index, state) VALUES (7, 0, 4096, 1)",
        "being merged that is not made of its runs",
    ),
    ("INSERT INTO search_runs (log_id, first_index, end_index, state) VALUES (8, 0, 64, 0)", "1 rows to no log"),
    ("INSERT INTO search_problems (log_id, leaf_index, reason) VALUES (8, 5, 'it is odd')", "1 rows to no log"),
    // Rows that are changed.
    ("UPDATE search_logs SET name = 'ct'", "has the name of another log"),
    (
        "UPDATE search_pages SET page = (SELECT page FROM search_pages ORDER BY first_key DESC LIMIT 1) WHERE first_key = (SELECT first_key FROM search_pages ORDER BY first_key LIMIT 1)",
        "it is",
    ),
    ("UPDATE search_runs SET end_index = 701 WHERE end_index = 700", "more entries than the log shows"),
    ("UPDATE search_runs SET first_index = 513 WHERE first_index = 512", "do not cover each entry once"),
    ("UPDATE search_runs SET first_ms = first_ms - 1 WHERE first_index = 512", "its times are not those"),
    ("UPDATE search_runs SET first_ms = NULL, last_ms = NULL WHERE first_index = 640", "its times are not those"),
    ("UPDATE search_logs SET tree_size = 699", "the hashes in search_logs are not those"),
    ("UPDATE search_logs SET problems = 0", "it counts other problems"),
    ("UPDATE search_logs SET checkpoint = '690 00'", "its checkpoint is not one of the log"),
    ("UPDATE search_logs SET tree_size = 701", "more entries than the log shows"),
];

pub(crate) async fn a_row_that_is_missing_added_or_changed_is_found(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(700));
    let index = database.index(&log);
    index.rebuild(|_, _, _| {}).await.unwrap();
    let key = if matches!(bench, Bench::Sqlite(_)) { "x'fe'" } else { "'\\xfe'::bytea" };
    for (change, words) in CHANGES {
        assert_eq!(check(&index).await, 700);
        assert!(database.execute(&change.replace("$key", key)).await > 0, "{change}");
        let found = index.check(&SystemRandom, |_, _, _| {}).await.unwrap_err().to_string();
        assert!(found.contains(words), "{change}: {found}");
        assert!(found.contains("chancery search rebuild"), "{found}");
        // As an operator does.
        index.rebuild(|_, _, _| {}).await.unwrap();
    }
    assert_eq!(check(&index).await, 700);
    // A log elsewhere that was followed under another name before is not built again.
    database.execute("UPDATE search_logs SET name = 'before'").await;
    index.catch_up(|_, _, _| {}).await.unwrap();
    assert_eq!(check(&index).await, 700);
    database.close().await;
}

pub(crate) async fn a_changed_byte_of_any_page_is_found(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(70));
    let index = database.index(&log);
    index.rebuild(|_, _, _| {}).await.unwrap();
    for (run_id, key, page) in database.pages().await {
        for place in (0..page.len()).step_by(199) {
            let mut changed = page.clone();
            changed[place] ^= 1 << (place % 8);
            database.replace(run_id, &key, &changed).await;
            let found = index.check(&SystemRandom, |_, _, _| {}).await.unwrap_err();
            assert!(matches!(found, Finding::Entry { .. } | Finding::Run { .. }), "byte {place}: {found}");
        }
        database.replace(run_id, &key, &page).await;
    }
    assert_eq!(check(&index).await, 70);
    database.close().await;
}
