//! An index that `chancery search follow` has made: it is checked and built again as that of a server is.

use chancery_tests::{
    Stack,
    key::{Key, unique},
    program::Program,
    rekor::{ENTRIES, hashedrekord},
    tamper,
};
use serde_json::Value;
use std::path::Path;

fn write(stack: &Stack, count: usize) {
    for _ in 0..count {
        stack.post(ENTRIES, &hashedrekord(&Key::generate(), unique("artifact").as_bytes())).expect(201);
    }
}

/// The command about the index in `database` of the Rekor v1 log of the instance.
fn command(stack: &Stack, command: &str, url: &str, database: &Path) -> Program {
    let command = stack.chancery().args(command).arg(url).arg("--database").arg(database);
    command.args("--protocol rekor-v1 --name rekor --trusted-root").arg(stack.trust("trusted_root.json"))
}

fn followed(stack: &Stack, verb: &str, database: &Path) -> Program {
    command(stack, &format!("search {verb} --followed"), &stack.url(), database)
}

fn indexed(program: Program) -> u64 {
    let reports: Value = serde_json::from_str(&program.arg("--json").run().succeeds()).unwrap();
    assert_eq!(reports[0]["log"], "rekor", "{reports}");
    reports[0]["indexed"].as_u64().unwrap()
}

#[test]
fn an_index_of_a_followed_log_that_lies_is_found_and_built_again() {
    let stack = Stack::start();
    write(&stack, 100);
    let database = stack.data().join("followed.db");
    command(&stack, "search follow --once", &stack.url(), &database).run().succeeds();
    assert_eq!(indexed(followed(&stack, "check", &database)), 101);
    let first = "(SELECT min(run_id) FROM search_pages)";
    for lie in [
        format!("DELETE FROM search_pages WHERE rowid = (SELECT min(rowid) FROM search_pages WHERE run_id = {first})"),
        format!("UPDATE search_pages SET page = substr(page, 1, length(page) - 1) WHERE run_id = {first}"),
    ] {
        assert!(tamper::sqlite(&database, &lie).is_some_and(|rows| rows > 0), "{lie}");
        followed(&stack, "check", &database).run().fails_with(&["chancery search rebuild"]);
        assert_eq!(indexed(followed(&stack, "rebuild", &database)), 101);
        assert_eq!(indexed(followed(&stack, "check", &database)), 101);
    }
    // The log has grown: the index is of its beginning, and checked against the tree of now.
    write(&stack, 30);
    assert_eq!(indexed(followed(&stack, "check", &database)), 101);
    assert_eq!(indexed(followed(&stack, "rebuild", &database)), 131);
    // The instance's own index is as it was.
    let own = stack.chancery().args("search check --data").arg(stack.data()).run().succeeds();
    assert!(own.contains("rekor: the index of"), "{own}");
}

#[test]
fn an_index_that_is_not_the_named_one_is_refused() {
    let stack = Stack::start();
    write(&stack, 3);
    let database = stack.data().join("followed.db");
    let missing = followed(&stack, "check", &database).run();
    missing.fails_with(&["there is no index in", "followed.db"]);
    command(&stack, "search follow --once", &stack.url(), &database).run().succeeds();
    // Another log of the instance.
    let other = stack.chancery().args("search check --followed").arg(stack.url()).arg("--database").arg(&database);
    let other = other.args("--protocol rekor-v2 --trusted-root").arg(stack.trust("trusted_root.json"));
    other.run().fails_with(&["this database has no index of the log at"]);
    // The database of the instance.
    let own = followed(&stack, "rebuild", &stack.data().join("chancery.db")).run();
    own.fails_with(&["this is the database of a server"]);
    // Options that would do nothing.
    let without = stack.chancery().args("search check --name rekor --data").arg(stack.data());
    without.run().fails_with(&["need --followed"]);
    let file = stack.chancery().args("search check --database").arg(&database);
    file.run().fails_with(&["is a file", "--data", "--followed"]);
}
