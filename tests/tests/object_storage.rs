//! Logs copied to a directory and to a bucket: read from there when nothing else is left, and never overwritten.

use chancery_tests::{
    ALICE, Stack,
    bucket::Bucket,
    files::{read_ct, read_rekor},
    fulcio::{SIGNING_CERT_V2, key_request},
    http::Request,
    key::Key,
    program::Program,
    rekor::{ENTRIES, hashedrekord},
    rekor_v2,
    rotation::Rotated,
    stack::free_port,
    waiting::eventually,
};
use std::fs;

fn sign(stack: &Stack, from: u64, to: u64) {
    let key = Key::generate();
    for number in from..to {
        stack.post(ENTRIES, &hashedrekord(&key, format!("artifact {number}").as_bytes())).expect(201);
    }
    let request = Request::post(&stack.at(SIGNING_CERT_V2));
    let request = request.header("Authorization", &format!("Bearer {}", stack.token(ALICE)));
    request.json(&key_request(&Key::generate(), ALICE)).send().expect(200);
}

fn keys(stack: &Stack) -> (Vec<u8>, Vec<u8>) {
    (fs::read(stack.trust("rekor.pub")).unwrap(), fs::read(stack.trust("ctfe.pub")).unwrap())
}

#[test]
fn a_frozen_log_is_read_from_a_plain_file_server() {
    let directory = tempfile::tempdir().unwrap();
    let tiles = format!("file://{}", directory.path().to_str().unwrap());
    let mut stack = Stack::start_with(&["--tiles", &tiles]);
    sign(&stack, 0, 300);
    for artifact in ["one", "two"] {
        let request = rekor_v2::hashedrekord(&Key::generate(), artifact.as_bytes());
        stack.post(rekor_v2::ENTRIES, &request).expect(201);
    }
    stack.check();
    let (rekor, ct) = keys(&stack);

    let address = free_port().to_string();
    let server = Program::new("/usr/bin/env", directory.path()).env("PATH", std::env::var_os("PATH").unwrap());
    let _server = server.args("python3 -m http.server --bind 127.0.0.1").arg(&address).start();
    let url = |path: &str| format!("http://127.0.0.1:{address}/{path}");
    let up = || Request::get(&url("rekor/checkpoint")).try_send().is_ok_and(|answer| answer.status == 200);
    eventually("a file server is up", up);
    let read = |log: &str, path: &str| {
        let answer = Request::get(&url(&format!("{log}/{path}"))).send();
        (answer.status == 200).then_some(answer.body)
    };
    assert_eq!(read_rekor(&rekor, |path| read("rekor", path)), Ok(301));
    assert_eq!(read_ct(&ct, |path| read("ct", path)), Ok(1));
    let trust = stack.data().join("trust");
    let check = || {
        let check = stack.chancery().args("log check --url").arg(url("").trim_end_matches('/'));
        check.arg("--trust").arg(&trust).args("--path rekor=/rekor rekor2=/rekor2 ct=/ct").run()
    };
    let said = check().succeeds();
    assert!(said.contains("127.0.0.1: 3 entries re-derived"), "{said}");
    // Somebody who can change a file can make the reader fail, and nothing else.
    fs::write(directory.path().join("rekor/tile/0/000"), vec![0; 8192]).unwrap();
    assert_eq!(read_rekor(&rekor, |path| read("rekor", path)), Err("tile/0/000".to_owned()));
    check().fails_with(&["log rekor"]);
}

#[test]
fn the_log_of_the_next_key_is_copied_like_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut stack = Stack::start_with(&["--tiles", &format!("file://{}", directory.path().display())]);
    let rotated = Rotated::of(&stack, "ct");
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    sign(&stack, 0, 1);
    let (_, ct) = keys(&stack);
    stack.check();
    assert_eq!(read_ct(&ct, |path| fs::read(directory.path().join("ct-2").join(path)).ok()), Ok(1));
}

#[test]
fn a_bucket_that_fails_for_a_while_gets_the_whole_log() {
    let bucket = Bucket::start();
    let options = bucket.options();
    let mut stack = Stack::start_with(&options.iter().map(String::as_str).collect::<Vec<_>>());
    let (rekor, ct) = keys(&stack);
    let read = || {
        let rekor = read_rekor(&rekor, |path| bucket.read(&format!("rekor/{path}")));
        (rekor, read_ct(&ct, |path| bucket.read(&format!("ct/{path}"))))
    };
    sign(&stack, 0, 260);
    eventually("the bucket has all", || read() == (Ok(261), Ok(1)));
    let header = |path, name| bucket.header(path, name).unwrap_or_default();
    assert_eq!(header("rekor/tile/0/000", "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header("rekor/checkpoint", "cache-control"), "no-cache");
    assert_eq!(header("rekor/checkpoint", "content-type"), "text/plain; charset=utf-8");

    // The log does not wait for the bucket.
    bucket.shut();
    sign(&stack, 260, 300);
    eventually("it tries again", || bucket.turned_away() >= 3);
    stack.get("/readyz").expect(200);
    assert_eq!(read(), (Ok(261), Ok(1)), "what was there before is whole");
    bucket.reopen();
    eventually("the bucket has all", || read() == (Ok(301), Ok(2)));

    // A restart goes on, and does not start what contradicts the bucket.
    stack.terminate();
    stack.resume();
    sign(&stack, 300, 310);
    eventually("the bucket has all", || read() == (Ok(311), Ok(3)));
    stack.check();
}

/// What is in a bucket is somebody else's: it is said and counted, and stops neither the start nor the log.
#[test]
fn junk_in_the_bucket_is_named_and_not_overwritten() {
    let bucket = Bucket::start();
    let options = bucket.options();
    let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
    let metrics = format!("127.0.0.1:{}", free_port());
    options.extend(["--metrics", metrics.as_str()]);
    bucket.overwrite("rekor/tile/0/000.p/5", b"something else");
    bucket.overwrite("ct/checkpoint", b"garbage");
    let mut stack = Stack::start_with(&options);
    // The seed is the first entry, and these become four more: once all are in the tree, no other size is pushed.
    sign(&stack, 0, 4);
    let counted = |log: &str, fault: &str| {
        let sample = format!("chancery_log_mirror_faults_total{{fault=\"{fault}\",log=\"{log}\"}} ");
        let metrics = Request::get(&format!("http://{metrics}/metrics")).send().text();
        metrics.lines().filter_map(|line| line.strip_prefix(&sample)).any(|count| count != "0")
    };
    let faults = || (counted("rekor", "mirror.conflict"), counted("ct", "mirror.foreign"));
    eventually("both faults are counted", || faults() == (true, true));
    assert!(!counted("ct", "mirror.conflict") && !counted("rekor2", "mirror.foreign"));
    let ready = stack.get("/readyz").expect(200).text();
    for warning in ["the rekor log is not copied (mirror.conflict)", "the ct log is not copied (mirror.foreign)"] {
        assert!(ready.contains(&format!("\nwarning: {warning}")), "{ready}");
    }
    let said = stack.server().stderr();
    for named in
        ["tile/0/000.p/5 in the object store has other bytes", "the checkpoint in the object store is not one of"]
    {
        assert!(said.contains(named), "{said}");
    }
    assert_eq!(bucket.read("rekor/tile/0/000.p/5").as_deref(), Some(b"something else".as_slice()));
    assert_eq!(bucket.read("ct/checkpoint").as_deref(), Some(b"garbage".as_slice()));
    sign(&stack, 4, 5);
    stack.check();
}

#[test]
fn an_instance_does_not_take_the_place_of_another_one() {
    let directory = tempfile::tempdir().unwrap();
    let tiles = format!("file://{}", directory.path().to_str().unwrap());
    let mut stack = Stack::start_with(&["--tiles", &tiles]);
    sign(&stack, 0, 3);
    stack.check();
    let published = fs::read(directory.path().join("rekor/checkpoint")).unwrap();
    let data = tempfile::tempdir().unwrap();
    let empty = stack.chancery().args("dev --listen 127.0.0.1:0 --tiles").arg(&tiles).arg("--data");
    let mut other = empty.arg(data.path().join("new")).start();
    // Of each log at its start, and then when it is not copied.
    for said in ["the copy proves nothing", "the log is not copied"] {
        eventually(said, || other.stderr().matches(said).count() >= 3);
    }
    assert!(other.is_running());
    other.terminate();
    assert_eq!(fs::read(directory.path().join("rekor/checkpoint")).unwrap(), published);
}

/// the database is put back to an earlier state, the copy is not.
#[test]
fn a_copy_that_is_newer_than_the_database_quarantines_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("rekor/checkpoint");
    let tiles = format!("file://{}", directory.path().to_str().unwrap());
    let mut stack = Stack::start_with(&["--tiles", &tiles]);
    let database = stack.data().join("chancery.db");
    let key = Key::generate();
    let sign = |stack: &Stack, text: &[u8]| stack.post(ENTRIES, &hashedrekord(&key, text));
    sign(&stack, b"before").expect(201);
    stack.terminate();
    let backup = fs::read(&database).unwrap();
    stack.resume();
    sign(&stack, b"after").expect(201);
    stack.terminate();
    let (published, newest) = (fs::read(&copy).unwrap(), fs::read(&database).unwrap());
    fs::write(&database, backup).unwrap();

    stack.resume();
    let said = stack.get("/readyz").expect(503).text();
    let reason = "the rekor log is QUARANTINED (quarantine.store_newer): the database has 2 leaves, and the object \
                  store has a checkpoint of 3";
    assert!(said.contains(reason), "{said}");
    sign(&stack, b"another").expect(503);
    stack.get(&format!("{ENTRIES}?logIndex=1")).expect(200);
    stack.terminate();
    assert_eq!(fs::read(&copy).unwrap(), published);
    fs::write(&database, newest).unwrap();
    stack.resume();
    stack.get("/readyz").expect(200);
    sign(&stack, b"another").expect(201);
    stack.check();
}

#[test]
fn a_place_that_cannot_be_used_is_refused_before_anything_is_made() {
    let stack = Stack::start();
    let data = tempfile::tempdir().unwrap();
    let dev = |url: &str| {
        let command = stack.chancery().args("dev --listen 127.0.0.1:0 --tiles").arg(url).arg("--data");
        command.arg(data.path().join("new")).run()
    };
    dev("gopher://somewhere").fails_with(&["cannot use --tiles", "gopher is not supported"]);
    dev("file://host/directory").fails_with(&["file:///dir"]);
    dev("s3://user:secret@bucket/prefix").fails_with(&["--tiles-credentials"]);
    dev("s3://bucket/prefix?x=y").fails_with(&["must not have a query or fragment"]);
}
