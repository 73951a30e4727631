//! Tests of the audit log while operators and disks change its file.

use super::*;
use crate::oidc::TokenRefusal;
use chancery_daemon::clock::FixedClock;
use std::fs;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU64;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_seconds(1_795_244_400);

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    (directory, path)
}

fn open(path: &Path) -> AuditLog {
    AuditLog::open(path, Rotation::default()).unwrap()
}

fn write(log: &AuditLog, number: u32) {
    write_at(log, number, NOW);
}

fn write_at(log: &AuditLog, number: u32, now: Timestamp) {
    log.changed("key", json!({ "number": number }), now).unwrap();
}

/// The numbers in the lines of a file.
fn numbers(path: &Path) -> Vec<u64> {
    lines(path).iter().filter_map(|line| line["number"].as_u64()).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn refuse(log: &AuditLog, now: Timestamp) -> io::Result<Recorded> {
    let peer = Some(Peer::of([192, 0, 2, 1].into()));
    let asked = Asked { request_id: "1", api: "v2", peer, issuer: None, principal: None };
    log.refused(&asked, &Error::Token(TokenRefusal::Missing), now)
}

#[tokio::test(start_paused = true)]
async fn lines_are_synced_in_the_background_and_devices_need_not_be() {
    let (_directory, path) = directory();
    for path in [&path, Path::new("/dev/null")] {
        let log = Arc::new(open(path));
        let keeping = tokio::spawn(Arc::clone(&log).keep(Arc::new(FixedClock::new(NOW))));
        log.changed("key", json!({ "generation": 2 }), Timestamp::from_seconds(0)).unwrap();
        assert!(log.file.is_unsynced());
        while log.file.is_unsynced() {
            tokio::time::sleep(SYNC_PERIOD / 4).await;
        }
        assert!(!keeping.is_finished());
        keeping.abort();
    }
    let text = fs::read_to_string(&path).unwrap();
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line, json!({ "schema": 1, "time": "1970-01-01T00:00:00Z", "event": "key", "generation": 2 }));
}

#[test]
fn a_file_that_is_renamed_or_removed_is_made_anew() {
    let (directory, path) = directory();
    let log = open(&path);
    write(&log, 1);
    let renamed = directory.path().join("audit.jsonl.1");
    fs::rename(&path, &renamed).unwrap();
    write(&log, 2);
    fs::remove_file(&path).unwrap();
    write(&log, 3);
    // As logrotate with `create`.
    fs::rename(&path, directory.path().join("audit.jsonl.2")).unwrap();
    fs::write(&path, "").unwrap();
    write(&log, 4);
    assert_eq!((numbers(&renamed), numbers(&path)), (vec![1], vec![4]));
    assert_eq!(numbers(&directory.path().join("audit.jsonl.2")), [3]);
    log.reopen();
    write(&log, 5);
    log.sync().unwrap();
    assert_eq!(numbers(&path), [4, 5]);
}

#[test]
fn a_line_is_not_lost_in_a_file_that_is_removed_while_it_is_written() {
    let (_directory, path) = directory();
    let log = open(&path);
    let (log, path) = (&log, &path);
    // A reader repeatedly reads the file and removes it. No line is lost.
    let found = std::thread::scope(|scope| {
        let writing = scope.spawn(move || (0..2000).for_each(|number| write(log, number)));
        let mut found = Vec::new();
        while !writing.is_finished() {
            std::thread::sleep(Duration::from_micros(50));
            let Ok(mut file) = fs::File::open(path) else { continue };
            if fs::remove_file(path).is_ok() {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                found.push(text);
            }
        }
        found
    });
    // The reader may have taken the last of it.
    let mut numbers: Vec<u64> = if path.exists() { numbers(path) } else { Vec::new() };
    for line in found.iter().flat_map(|text| text.lines()) {
        numbers.push(serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap());
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 2000);
}

#[test]
fn what_cannot_be_opened_anew_is_an_error_until_it_can() {
    let (directory, path) = directory();
    let log = open(&path);
    let place = directory.path().join("elsewhere");
    fs::create_dir(&place).unwrap();
    // A directory replaces the file.
    fs::rename(&path, place.join("audit.jsonl")).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(log.changed("key", json!({ "number": 1 }), NOW).is_err());
    assert!(refuse(&log, NOW).is_err());
    assert!(log.obstacle().unwrap().contains("nothing is issued"));
    log.resume(NOW);
    assert!(log.obstacle().is_some());
    fs::remove_dir(&path).unwrap();
    log.resume(NOW);
    assert_eq!(log.obstacle(), None);
    write(&log, 2);
    let events: Vec<_> = lines(&path).iter().map(|line| (line["event"].clone(), line["unrecorded"].clone())).collect();
    assert_eq!(events, [(json!("resumed"), json!(1)), (json!("key"), Value::Null)]);
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_and_no_wait() {
    let (_directory, path) = directory();
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let log = open(&path);
    let filled = (0..10_000).find(|number| log.changed("key", json!({ "number": number }), NOW).is_err());
    assert!(filled.is_some_and(|number| number > 100), "{filled:?}");
    assert!(log.obstacle().is_some());
    // It is read again.
    let mut pipe = fs::File::open(&path).unwrap();
    let mut bytes = [0; 4096];
    pipe.read_exact(&mut bytes).unwrap();
    pipe.read_exact(&mut bytes).unwrap();
    log.resume(NOW);
    assert_eq!(log.obstacle(), None);
}

#[test]
fn a_full_file_gets_the_time_in_its_name_and_stays() {
    let (directory, path) = directory();
    let rotation = Rotation { size_bytes: NonZeroU64::new(300), age: None };
    let log = AuditLog::open(&path, rotation).unwrap();
    (1..=9).for_each(|number| write(&log, number));
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["audit-20261121T070000Z-1.jsonl", "audit-20261121T070000Z.jsonl", "audit.jsonl"]);
    let all: Vec<Vec<u64>> =
        [1, 0, 2].iter().map(|index: &usize| numbers(&directory.path().join(&names[*index]))).collect();
    assert_eq!(all.concat(), (1..=9).collect::<Vec<_>>());
    assert!(all.iter().all(|numbers| !numbers.is_empty()));
    for name in &names {
        assert!(fs::metadata(directory.path().join(name)).unwrap().len() <= 300, "{name}");
    }
}

#[test]
fn an_old_file_is_left_also_by_a_process_that_did_not_begin_it() {
    let (directory, path) = directory();
    let elsewhere = directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    // Through a link, which stays.
    symlink(elsewhere.join("real.jsonl"), &path).unwrap();
    let rotation = Rotation { size_bytes: None, age: Some(Duration::from_hours(24)) };
    let log = AuditLog::open(&path, rotation).unwrap();
    write_at(&log, 1, NOW);
    drop(log);
    let log = AuditLog::open(&path, rotation).unwrap();
    write_at(&log, 2, NOW.plus_seconds(86_399));
    write_at(&log, 3, NOW.plus_seconds(86_400));
    write_at(&log, 4, NOW.plus_seconds(86_401));
    assert_eq!(numbers(&elsewhere.join("real-20261122T070000Z.jsonl")), [1, 2]);
    assert_eq!(numbers(&path), [3, 4]);
    assert!(path.is_symlink());
}

#[test]
fn two_processes_rotate_one_file_and_lose_nothing() {
    let (directory, path) = directory();
    let rotation = Rotation { size_bytes: NonZeroU64::new(2000), age: None };
    let logs = [(); 2].map(|()| AuditLog::open(&path, rotation).unwrap());
    std::thread::scope(|scope| {
        for (log, first) in logs.iter().zip([0, 1000]) {
            scope.spawn(move || (first..first + 1000).for_each(|number| write(log, number)));
        }
    });
    let files = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<u64> = files.flat_map(|path| numbers(&path)).collect();
    found.sort_unstable();
    assert_eq!(found, (0..2000).collect::<Vec<_>>());
}

#[test]
fn refusals_have_room_for_some_and_the_rest_is_counted() {
    let (_directory, path) = directory();
    let log = open(&path);
    let recorded = |count: usize| (0..count).filter(|_| refuse(&log, NOW).unwrap() == Recorded::Line).count();
    assert_eq!(recorded(500), 10);
    log.sum_up(NOW, false);
    assert_eq!(recorded(5), 0);
    log.close(NOW);
    let lines = lines(&path);
    assert_eq!(lines.len(), 12);
    for (line, count) in lines[10..].iter().zip([490, 5]) {
        let expected = json!({
            "schema": 1, "time": "2026-11-21T07:00:00Z", "event": "left_out", "code": "token.missing", "count": count,
        });
        assert_eq!(*line, expected);
    }
}

#[test]
fn a_line_that_was_cut_short_stays_alone() {
    let (_directory, path) = directory();
    fs::OpenOptions::new().create(true).append(true).open(&path).unwrap().write_all(b"{\"sche").unwrap();
    let log = open(&path);
    write(&log, 1);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"sche\n{") && text.ends_with("}\n"), "{text}");
}
