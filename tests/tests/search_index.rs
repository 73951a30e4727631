//! The search index of a server: it is checked, built again, switched off, and found out when it lies.

use chancery_tests::{
    Stack,
    key::{Key, unique},
    postgres,
    rekor::{ENTRIES, hashedrekord},
    search::{SEARCH, wait},
};
use serde_json::Value;
use std::thread;

fn write(stack: &Stack, count: usize) {
    for _ in 0..count {
        stack.post(ENTRIES, &hashedrekord(&Key::generate(), unique("artifact").as_bytes())).expect(201);
    }
}

/// Entries of the Rekor v1 log that the command says are indexed.
fn indexed(stack: &Stack, command: &str, database: Option<&str>) -> u64 {
    let program = stack.chancery().args(command).args("--json --data").arg(stack.data());
    let program = database.into_iter().fold(program, |program, url| program.args("--database").arg(url));
    let reports: Value = serde_json::from_str(&program.run().succeeds()).unwrap();
    let rekor = reports.as_array().unwrap().iter().find(|report| report["log"] == "rekor");
    rekor.unwrap_or_else(|| panic!("{reports}"))["indexed"].as_u64().unwrap()
}

#[test]
fn an_index_that_lies_is_found_by_both_checks() {
    let mut stack = Stack::start();
    // More than a block, so that there is a run that was merged or may be.
    write(&stack, 100);
    wait(&stack);
    stack.terminate();
    assert_eq!(indexed(&stack, "search check", None), 101);
    let data = stack.data();
    let first = "(SELECT min(run_id) FROM search_pages)";
    for lie in [
        format!("DELETE FROM search_pages WHERE rowid = (SELECT min(rowid) FROM search_pages WHERE run_id = {first})"),
        "UPDATE search_runs SET end_index = end_index - 1 WHERE end_index = (SELECT max(end_index) FROM search_runs)"
            .into(),
        format!("UPDATE search_pages SET page = substr(page, 1, length(page) - 1) WHERE run_id = {first}"),
        "UPDATE search_logs SET checkpoint = replace(checkpoint, '101', '102')".into(),
    ] {
        stack.tamper(&data, &lie);
        let check = |command: &str| stack.chancery().args(command).args("--data").arg(&data).run();
        check("search check").fails_with(&["chancery search rebuild"]);
        check("log check").fails_with(&["chancery search rebuild"]);
        check("log check --without-index").succeeds();
        assert_eq!(indexed(&stack, "search rebuild", None), 101);
        check("log check").succeeds();
    }
    stack.check();
}

#[test]
fn an_index_is_built_again_beside_servers() {
    let database = postgres::database();
    let stack = Stack::start_with(&["--database", &database]);
    write(&stack, 30);
    let replica = stack.replica();
    thread::scope(|scope| {
        scope.spawn(|| write(&replica, 100));
        for _ in 0..3 {
            assert!(indexed(&stack, "search rebuild", Some(&database)) >= 31);
            assert!(indexed(&stack, "search check", Some(&database)) >= 31);
        }
    });
    wait(&stack);
    assert_eq!(indexed(&stack, "search check", Some(&database)), 131);
}

#[test]
fn what_was_logged_without_an_index_is_indexed_when_there_is_one() {
    let mut stack = Stack::start_with(&["--without-search"]);
    write(&stack, 3);
    stack.get(SEARCH).expect(404);
    let description = stack.get("/openapi.json").expect(200).json();
    assert!(description["paths"][SEARCH].is_null() && !description["paths"][ENTRIES].is_null());
    assert!(!stack.get("/readyz?verbose").text().contains(" index "));
    stack.terminate();
    assert_eq!(indexed(&stack, "search check", None), 0);
    stack.options(&[]);
    stack.resume();
    wait(&stack);
    assert!(stack.get("/readyz?verbose").text().contains("[+]log rekor index ok"));
    stack.terminate();
    assert_eq!(indexed(&stack, "search check", None), 4);
}

/// A kill at any moment leaves an index that the next start goes on with.
#[test]
fn a_server_that_is_killed_while_it_indexes_goes_on() {
    let mut stack = Stack::start();
    for _ in 0..4 {
        write(&stack, 40);
        stack.kill();
        stack.resume();
    }
    wait(&stack);
    stack.terminate();
    assert_eq!(indexed(&stack, "search check", None), 161);
}
