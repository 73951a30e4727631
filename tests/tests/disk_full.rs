//! A disk that is full (R-10): writes are refused, reads go on, nothing is left half done, and with space come writes.

use chancery_tests::{
    ALICE, fulcio,
    http::{Request, Response},
    key::{Key, PublicKey, unique},
    program::{Program, Running},
    rekor::{ENTRIES, Entry, hashedrekord, leaves},
    stack::{chancery_binary, free_port},
};
use std::{
    env,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A small disk that only this process and its children see, and that is gone with them.
const ON_A_SMALL_DISK: &str = r#"mount -t tmpfs -o size=24m tmpfs "$1" && shift && exec "$@""#;
const DEADLINE: Duration = Duration::from_mins(1);
const PAGE: usize = 4096;

const CHECKPOINT: &str = "/api/v2/checkpoint";

struct SmallDisk {
    server: Running,
    url: String,
    directory: TempDir,
    key: Key,
}

impl SmallDisk {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (address, data) = (format!("127.0.0.1:{}", free_port()), directory.path().join("data"));
        let command = Program::new("/usr/bin/env", directory.path()).env("PATH", env::var_os("PATH").unwrap());
        let command = command.args("unshare --user --map-root-user --mount sh -c").arg(ON_A_SMALL_DISK).arg("sh");
        let command = command.arg(directory.path()).arg(chancery_binary()).args("dev --listen").arg(&address);
        let mut server = command.arg("--data").arg(data).start();
        server.wait_for("Stop with Ctrl-C");
        Self { server, url: format!("http://{address}"), directory, key: Key::generate() }
    }

    /// A path on the disk, as it looks from here.
    fn path(&self, name: &str) -> PathBuf {
        let directory = self.directory.path().strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.server.id())).join(directory).join(name)
    }

    /// Fills the disk up to so many pages.
    fn fill(&self, rest: usize) {
        let mut file = File::create(self.path("filler")).unwrap();
        // Twice, because the server looks for room now and then, and what it wrote to find it is free again at once.
        for _ in 0..2 {
            let error = loop {
                if let Err(error) = file.write_all(&[0; PAGE]) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
            thread::sleep(Duration::from_millis(30));
        }
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub((rest * PAGE) as u64)).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }

    fn get(&self, path: &str) -> Response {
        Request::get(&format!("{}{path}", self.url)).send()
    }

    /// A request for a certificate.
    fn certificate(&self) -> Response {
        let token =
            Program::new(chancery_binary(), self.directory.path()).args("token --url").arg(&self.url).arg(ALICE);
        let token = token.run().succeeds();
        let request = fulcio::key_request_with_token(&self.key, ALICE, token.trim());
        Request::post(&format!("{}{}", self.url, fulcio::SIGNING_CERT_V2)).json(&request).send()
    }

    /// Waits until `/readyz` answers with this status.
    fn wait_until(&self, status: u16) -> String {
        let begun = Instant::now();
        loop {
            let answer = self.get("/readyz");
            if answer.status == status {
                return answer.text();
            }
            assert!(begun.elapsed() < DEADLINE, "{} {}", answer.status, answer.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn write(&self) -> Response {
        let proposal = hashedrekord(&self.key, unique("artifact").as_bytes());
        Request::post(&format!("{}{ENTRIES}", self.url)).json(&proposal).send()
    }
}

#[test]
fn a_full_disk_stops_writes_until_there_is_space_and_loses_nothing() {
    let disk = SmallDisk::start();
    let mut acknowledged = Vec::new();
    // Each time it runs out at another place: in the entries of a batch, its tiles, the commit, the fold of the log.
    for rest in [0, 1, 3, 6, 10, 17, 40, 90] {
        for _ in 0..10 {
            acknowledged.push(Entry::parse(&disk.write().expect(201).json()));
        }
        disk.fill(rest);
        let begun = Instant::now();
        let refused = loop {
            let answer = disk.write();
            if answer.status != 201 {
                break answer;
            }
            acknowledged.push(Entry::parse(&answer.json()));
            assert!(begun.elapsed() < DEADLINE, "the disk does not fill up");
        };
        let refused = refused.expect(503);
        assert!(refused.header("retry-after").is_some());
        let size = disk.get("/api/v1/log").expect(200).json()["treeSize"].as_u64().unwrap();
        assert_eq!(size, acknowledged.len() as u64 + 1, "nothing of the refused entry is seen");
        for index in [1, size / 2, size - 1] {
            disk.get(&format!("{ENTRIES}?logIndex={index}")).expect(200);
        }
        disk.make_room();
        let begun = Instant::now();
        let taken = loop {
            let answer = disk.write();
            if answer.status == 201 {
                break answer;
            }
            assert!(begun.elapsed() < DEADLINE, "writes do not resume after {rest}: {}", disk.server.stderr());
            thread::sleep(Duration::from_millis(20));
        };
        acknowledged.push(Entry::parse(&taken.json()));
    }
    let key = PublicKey::from_pem(&fs::read_to_string(disk.path("data/trust/rekor.pub")).unwrap());
    let logged =
        leaves(acknowledged.len() as u64 + 1, |path| disk.get(&format!("/tlog/rekor/{path}")).expect(200).body);
    for entry in &acknowledged {
        assert_eq!(logged[usize::try_from(entry.log_index()).unwrap()], entry.body());
        entry.verify(&key);
    }
    // Nobody writes: a copy is what is there.
    let outside = tempfile::tempdir().unwrap();
    Program::new("/bin/cp", outside.path()).arg("-a").arg(disk.path("data")).arg("data").run().succeeds();
    Program::new(chancery_binary(), outside.path()).args("log check --data data").run().succeeds();
    disk.get("/readyz").expect(200);
    let SmallDisk { server, .. } = disk;
    server.terminate();
    let outcome = server.finish();
    assert!(outcome.status.success(), "{}", outcome.report());
}

#[test]
fn a_full_disk_stops_issuance_and_readyz_says_so_until_there_is_space() {
    let disk = SmallDisk::start();
    disk.certificate().expect(200);
    disk.get("/readyz").expect(200);
    let issued = disk.get("/ct/dev/checkpoint").expect(200).text();
    for _ in 0..2 {
        disk.fill(0);
        // Nothing was asked for: it notices by itself.
        let why = disk.wait_until(503);
        assert!(why.contains("data cannot be written") && why.contains("make room"), "{why}");
        let checks = disk.get("/readyz?verbose").expect(503).text();
        for role in ["log", "ca", "trust"] {
            assert!(checks.contains(&format!("[-]{role} disk failed: ")), "{checks}");
        }
        assert!(checks.contains("[+]tsa timestamps ok\n"), "{checks}");
        let begun = Instant::now();
        loop {
            let answer = disk.certificate();
            if answer.status != 200 {
                assert!([500, 503].contains(&answer.status), "{} {}", answer.status, answer.text());
                break;
            }
            assert!(begun.elapsed() < DEADLINE, "certificates are issued on a full disk");
        }
        // Reads go on.
        for path in [CHECKPOINT, "/ct/dev/checkpoint", "/api/v2/trustBundle", "/trust/trusted_root.json", "/livez"] {
            disk.get(path).expect(200);
        }
        disk.make_room();
        disk.wait_until(200);
        let begun = Instant::now();
        while disk.certificate().status != 200 {
            assert!(begun.elapsed() < DEADLINE, "nothing is issued again: {}", disk.server.stderr());
        }
    }
    assert_ne!(disk.get("/ct/dev/checkpoint").expect(200).text(), issued);
    // Each certificate that was answered has its line, and each line is whole.
    let audit = fs::read_to_string(disk.path("data/audit.jsonl")).unwrap();
    let whole = audit.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    assert!(whole >= 3, "{audit}");
    let SmallDisk { server, .. } = disk;
    server.terminate();
    let outcome = server.finish();
    assert!(outcome.status.success(), "{}", outcome.report());
}
