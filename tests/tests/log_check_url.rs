//! `chancery log check --url`: an auditor with the log's key and nothing else, against honest and dishonest servers.

use chancery_tests::{
    ALICE, Client, Stack,
    key::{Key, unique},
    program::{Outcome, Program},
    rekor::{ENTRIES, hashedrekord},
    rekor_v2,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

const REKOR: &str = "/tlog/rekor";
const REKOR_V2: &str = "/api/v2";
const CT: &str = "/ct/dev";

fn write(stack: &Stack, count: usize) {
    let key = Key::generate();
    for _ in 0..count {
        stack.post(ENTRIES, &hashedrekord(&key, unique("artifact").as_bytes())).expect(201);
    }
}

fn write_v2(stack: &Stack, count: usize) {
    let key = Key::generate();
    for _ in 0..count {
        let request = rekor_v2::hashedrekord(&key, unique("artifact").as_bytes());
        stack.post(rekor_v2::ENTRIES, &request).expect(201);
    }
}

fn sign(stack: &Stack) {
    let alice = stack.person(ALICE);
    alice.write("artifact", unique("hello"));
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
}

fn check(stack: &Stack, url: &str, arguments: &str) -> Outcome {
    let trust = stack.data().join("trust");
    stack.chancery().args("log check --url").arg(url).arg("--trust").arg(trust).args(arguments).run()
}

/// Saves the Rekor log's checkpoint; returns the tree size it states.
fn save(stack: &Stack, file: &Path) -> u64 {
    let trust = stack.trust("trusted_root.json");
    let command = stack.chancery().args("log checkpoint --json --url").arg(stack.url()).arg("--trust").arg(trust);
    let outcome = command.arg("--out").arg(file).run();
    let said = outcome.stderr.clone();
    let printed: Value = serde_json::from_str(&outcome.succeeds()).unwrap();
    let (origin, size) = (printed["origin"].as_str().unwrap(), printed["tree_size"].as_u64().unwrap());
    let entries = if size == 1 { "entry" } else { "entries" };
    assert!(said.contains(&format!("log rekor ({origin}): a checkpoint of {size} {entries}, ")), "{said}");
    assert_eq!(printed["note"].as_str().unwrap(), fs::read_to_string(file).unwrap());
    printed["tree_size"].as_u64().unwrap()
}

/// What a log publishes, as files by path.
type Files = BTreeMap<String, Vec<u8>>;

fn partial(width: u64) -> String {
    if width == 256 { String::new() } else { format!(".p/{width}") }
}

/// Copies every file of a log from a server.
fn copy(stack: &Stack, prefix: &str, entries: &str, files: &mut Files) -> u64 {
    let mut get = |path: String| {
        let body = stack.get(&path).expect(200).body;
        files.insert(path, body.clone());
        body
    };
    let checkpoint = String::from_utf8(get(format!("{prefix}/checkpoint"))).unwrap();
    let size: u64 = checkpoint.lines().nth(1).unwrap().parse().unwrap();
    for (level, hashes) in [(0, size), (1, size >> 8)] {
        for tile in 0..hashes.div_ceil(256) {
            let suffix = format!("{tile:03}{}", partial((hashes - 256 * tile).min(256)));
            get(format!("{prefix}/tile/{level}/{suffix}"));
            if level == 0 {
                get(format!("{prefix}/tile/{entries}/{suffix}"));
            }
        }
    }
    size
}

/// A plain file server.
struct FileServer {
    url: String,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl FileServer {
    fn start(files: Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away is its own business.
                let _ = answer(&stream.unwrap(), &files);
            }
        });
        Self { url, stop, thread: Some(thread) }
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer(stream: &TcpStream, files: &Files) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let target = lines.next().transpose()?.unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let found = files.get(&target);
    let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
    let body = found.map_or(&[][..], Vec::as_slice);
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)
}

#[test]
fn a_live_server_re_derives_while_it_is_written_to() {
    let stack = Stack::start();
    sign(&stack);
    write(&stack, 300);
    write_v2(&stack, 300);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                write(&stack, 5);
                write_v2(&stack, 5);
            }
        });
        let mut last = [0; 2];
        for _ in 0..4 {
            let said = check(&stack, &stack.url(), "--json");
            if !said.status.success() {
                done.store(true, Ordering::Relaxed);
            }
            let reports: Value = serde_json::from_str(&said.succeeds()).unwrap();
            let report = |name: &str| reports.as_array().unwrap().iter().find(|r| r["log"] == name).unwrap().clone();
            assert_eq!(report("ct")["tree_size"], 1);
            for (name, last) in ["rekor", "rekor2"].into_iter().zip(&mut last) {
                let size = report(name)["tree_size"].as_u64().unwrap();
                assert!(size >= *last && size > 300, "{reports}");
                *last = size;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn names_what_a_server_has_forged() {
    let stack = Stack::start();
    sign(&stack);
    write(&stack, 300);
    let mut honest = Files::new();
    let size = copy(&stack, REKOR, "entries", &mut honest);
    write_v2(&stack, 2);
    copy(&stack, REKOR_V2, "entries", &mut honest);
    copy(&stack, CT, "data", &mut honest);
    let last = size - 256;
    check(&stack, &FileServer::start(honest.clone()).url, "").succeeds();

    let tile = |name: &str| format!("{REKOR}/tile/{name}");
    let last_of = |name: &str| tile(&format!("{name}/001.p/{last}"));
    let flip = |path: &str, at: usize| {
        let mut files = honest.clone();
        files.get_mut(path).unwrap_or_else(|| panic!("{path}"))[at] ^= 1;
        files
    };
    let without = |path: &str| {
        let mut files = honest.clone();
        files.remove(path).unwrap();
        files
    };
    // The bytes after the first entry's length are that entry.
    let first_length = {
        let bundle = &honest[&tile("entries/000")];
        usize::from(u16::from_be_bytes([bundle[0], bundle[1]]))
    };
    let mut other_key = honest.clone();
    let other = Stack::start();
    copy(&other, REKOR, "entries", &mut other_key);
    for (files, finding) in [
        (flip(&tile("entries/000"), 10), "entry 0: it is not the entry that is in the tree"),
        (flip(&tile("entries/000"), 2 + first_length + 10), "entry 1: it is not the entry that is in the tree"),
        (flip(&last_of("entries"), 10), "entry 256: it is not the entry that is in the tree"),
        (flip(&tile("0/000"), 32 * 5), "tile 0/0: "),
        (flip(&last_of("0"), 0), "tile 0/1: "),
        (flip(&tile("1/000.p/1"), 0), "tile 1/0: "),
        (flip(&tile("entries/000"), 0), "tile/entries/000: "),
        (without(&tile("0/000")), "tile/0/000: the file is missing"),
        (without(&last_of("entries")), "the file is missing"),
        (without(&format!("{REKOR}/checkpoint")), "checkpoint: the file is missing"),
        (flip(&format!("{REKOR}/checkpoint"), 0), "checkpoint "),
        (other_key, "the note is not signed by a known key"),
        (flip(&format!("{REKOR_V2}/tile/entries/000.p/4"), 10), "log rekor2"),
        (flip(&format!("{REKOR_V2}/checkpoint"), 0), "log rekor2"),
        (flip(&format!("{CT}/tile/data/000.p/1"), 3), "log ct"),
    ] {
        check(&stack, &FileServer::start(files).url, "").fails_with(&[finding]);
    }
    // Signed by the log's key, and of another tree: a proof of misbehaviour, were it not for the files.
    write(&stack, 1);
    let mut ahead = honest.clone();
    ahead.insert(format!("{REKOR}/checkpoint"), stack.get(&format!("{REKOR}/checkpoint")).expect(200).body);
    check(&stack, &FileServer::start(ahead).url, "").fails_with(&["the file is missing"]);
}

#[test]
fn a_log_that_was_put_back_or_forked_does_not_extend_a_saved_checkpoint() {
    let mut stack = Stack::start();
    let home = stack.person(ALICE);
    write(&stack, 20);
    stack.terminate();
    let backup = home.path("backup");
    copy_directory(&stack.data(), &backup);
    stack.resume();
    let early = home.path("early");
    save(&stack, &early);
    write(&stack, 10);
    let saved = home.path("saved");
    let size = save(&stack, &saved);
    write(&stack, 5);
    let from = format!("--from {} --from {}", early.display(), saved.display());
    let said = check(&stack, &stack.url(), &from).succeeds();
    assert!(said.contains(&format!("extends the saved checkpoint of {size} entries")), "{said}");
    let not_compared: Vec<_> =
        said.lines().filter(|line| line.ends_with(", not compared with a saved checkpoint")).collect();
    assert_eq!(not_compared.len(), 2, "the Rekor v2 and the certificate log: {said}");
    assert!(!check(&stack, &stack.url(), "").succeeds().contains("not compared"));
    stack.terminate();
    stack.chancery().args("log check --data").arg(stack.data()).args(&from).run().succeeds();

    fs::remove_dir_all(stack.data()).unwrap();
    copy_directory(&backup, &stack.data());
    stack.resume();
    let rolled_back = format!("a checkpoint of {size} leaves was published");
    check(&stack, &stack.url(), &from).fails_with(&["log rekor", &rolled_back]);
    write(&stack, 20);
    let forked = format!("checkpoint {size}: ");
    check(&stack, &stack.url(), &from).fails_with(&["log rekor", &forked, "forked or rolled back"]);
    check(&stack, &stack.url(), "").succeeds();
    stack.terminate();
    let stored = stack.chancery().args("log check --data").arg(stack.data()).args(&from).run();
    stored.fails_with(&["log rekor", &forked, "forked or rolled back"]);
}

/// A saved checkpoint may be the only proof of a fork.
#[test]
fn a_checkpoint_is_not_replaced_by_one_that_does_not_extend_it() {
    let mut stack = Stack::start();
    let home = stack.person(ALICE);
    let file = home.path("saved");
    write(&stack, 3);
    save(&stack, &file);
    stack.terminate();
    let backup = home.path("backup");
    copy_directory(&stack.data(), &backup);
    stack.resume();
    write(&stack, 300);
    save(&stack, &file);
    // The same one again is no other.
    save(&stack, &file);
    let kept = fs::read(&file).unwrap();
    let fetch = |stack: &Stack, options: &str| checkpoint(stack, options).arg("--out").arg(&file).run();
    let said = fetch(&stack, "").stderr;
    assert!(said.contains("log rekor (127.0.0.1 - ") && said.contains("choose one with --log: rekor2, ct"), "{said}");
    // Another log's, and whatever else somebody may have named by mistake.
    fetch(&stack, "--log rekor2")
        .fails_with(&["saved is kept, because it is not a checkpoint of 127.0.0.1", "--overwrite"]);
    assert_eq!(fs::read(&file).unwrap(), kept);
    fetch(&stack, "--log rekor2 --overwrite").succeeds();
    assert!(fs::read_to_string(&file).unwrap().starts_with("127.0.0.1\n"));
    fetch(&stack, "").fails_with(&["is kept, because it is not a checkpoint of 127.0.0.1 - "]);
    fs::write(&file, &kept).unwrap();
    // It was put back, and then it grew again.
    stack.terminate();
    fs::remove_dir_all(stack.data()).unwrap();
    copy_directory(&backup, &stack.data());
    stack.resume();
    for count in [0, 400] {
        write(&stack, count);
        fetch(&stack, "").fails_with(&["is kept, because the log does not prove that it extends the checkpoint in it"]);
        assert_eq!(fs::read(&file).unwrap(), kept);
    }
    fetch(&stack, "--overwrite").succeeds();
    assert_ne!(fs::read(&file).unwrap(), kept);
}

/// `chancery log checkpoint` of this server, as somebody with its trust files.
fn checkpoint(stack: &Stack, options: &str) -> Program {
    let command = stack.chancery().args("log checkpoint --url").arg(stack.url()).arg("--trust");
    let command = command.arg(stack.trust("trusted_root.json"));
    command.args(options)
}

#[test]
fn only_the_callers_keys_count() {
    let (stack, other) = (Stack::start(), Stack::start());
    let home = stack.person(ALICE);
    let file = home.path("saved");
    save(&stack, &file);
    check(&other, &stack.url(), "").fails_with(&["the note is not signed by a known key"]);
    check(&other, &other.url(), &format!("--from {}", file.display()))
        .fails_with(&["is not a checkpoint of any log that was checked", "or changed since it was saved"]);
    stack.chancery().args("log check --url").arg(stack.url()).run().fails_with(&["--trust"]);
    // A typing error says nothing about the log, and the data directory is one with trust files.
    let (nowhere, empty) = (home.path("nowhere"), home.path("empty"));
    fs::create_dir(&empty).unwrap();
    let logs = |verb: &str, trust: &Path| {
        let command = stack.chancery().args(verb).arg("--url").arg(stack.url()).arg("--trust").arg(trust);
        command.run()
    };
    for verb in ["log check", "log checkpoint"] {
        for trust in [&nowhere, &empty] {
            let outcome = logs(verb, trust);
            assert_eq!(outcome.code(), 2, "{}", outcome.report());
        }
        logs(verb, &stack.data()).succeeds();
    }
    let unknown = checkpoint(&stack, "--log rekor9").run();
    assert_eq!(unknown.code(), 2, "{}", unknown.report());
    unknown.fails_with(&["contains no key of a log rekor9"]);
    let lost = check(&stack, &stack.url(), &format!("--from {}", nowhere.display()));
    assert_eq!(lost.code(), 2, "{}", lost.report());
    let unreachable = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Silence says nothing about the log, and has an exit code of its own.
    let (there, away) = (check(&other, &stack.url(), ""), check(&stack, &format!("http://{unreachable}"), ""));
    assert_eq!((there.code(), away.code()), (1, 3), "{}", away.report());
    away.fails_with(&["log rekor", "checkpoint"]);
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy_directory(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}
