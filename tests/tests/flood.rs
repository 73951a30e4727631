//! Floods of large bodies (S-23): the server refuses what does not fit into its budget, stays within its memory, answers others
//! meanwhile, gives the memory back, and loses nothing that it has acknowledged.

use chancery_tests::{
    Stack,
    fulcio::{SIGNING_CERT_V2, refusal},
    http::Request,
    http2,
    key::Key,
    rekor::{ENTRIES, Entry, dsse, envelope, hashedrekord},
};
use serde_json::json;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;
/// All memory that the server may have.
const MEMORY: u64 = 512 * MIB;
/// What may remain of a flood in memory.
const REMAINS: u64 = 128 * MIB;
/// Longest that a health check may take. The machine also runs the clients.
const PATIENCE: Duration = Duration::from_secs(2);
const HTTP1_UPLOADS: usize = 100;
const HTTP2_UPLOADS: u32 = 128;

/// A `dsse` entry whose JSON has almost 32 MiB.
fn large_entry() -> Vec<u8> {
    let payload = vec![b' '; 23 << 20];
    let key = Key::generate();
    let body = dsse(&key, &envelope(&key, "application/vnd.in-toto+json", &payload).to_string()).to_string();
    assert!((30 << 20..32 << 20).contains(&body.len()), "{}", body.len());
    body.into_bytes()
}

fn address(stack: &Stack) -> String {
    stack.url().replace("http://", "")
}

fn resident(stack: &Stack) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", stack.server().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Sets a flag when it goes, even in a panic, so that no thread waits for ever.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something until the flag is set.
fn until<T>(over: &AtomicBool, pause: Duration, mut act: impl FnMut() -> T) -> Vec<T> {
    let mut done = Vec::new();
    while !over.load(Ordering::Relaxed) {
        done.push(act());
        thread::sleep(pause);
    }
    done
}

/// Floods the server while others use it, and checks what they and the machine see of it.
fn others_go_on<T>(stack: &Stack, flood: impl FnOnce() -> T) -> T {
    let (before, over, key) = (resident(stack), AtomicBool::new(false), Key::generate());
    let begun = Instant::now();
    let (outcome, mut health, entries, memory) = thread::scope(|scope| {
        let health = scope.spawn(|| {
            until(&over, Duration::from_millis(5), || {
                let asked = Instant::now();
                stack.get("/healthz").expect(200);
                asked.elapsed()
            })
        });
        let mut number = 0;
        let (over, key) = (&over, &key);
        let entries = scope.spawn(move || {
            until(over, Duration::from_millis(20), || {
                number += 1;
                let artifact = format!("{begun:?} {number}");
                Entry::parse(&stack.post(ENTRIES, &hashedrekord(key, artifact.as_bytes())).expect(201).json()).id
            })
        });
        let memory = scope.spawn(move || until(over, Duration::from_millis(10), || resident(stack)));
        let at_the_end = AtTheEnd(over);
        let outcome = flood();
        drop(at_the_end);
        (outcome, health.join().unwrap(), entries.join().unwrap(), memory.join().unwrap())
    });
    health.sort();
    let (p99, slowest) = (health[(health.len() - 1) * 99 / 100], health[health.len() - 1]);
    let peak = memory.into_iter().max().unwrap();
    println!(
        "flood of {:?}: {} health checks, p99 {p99:?}, slowest {slowest:?}; {} entries of others; {} MiB at most, {} before",
        begun.elapsed(),
        health.len(),
        entries.len(),
        peak / MIB,
        before / MIB
    );
    assert!(slowest < PATIENCE, "{slowest:?}");
    assert!(peak < MEMORY, "{} MiB", peak / MIB);
    assert!(!entries.is_empty());
    for id in entries {
        stack.get(&format!("{ENTRIES}/{id}")).expect(200);
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while resident(stack) > before + REMAINS {
        assert!(Instant::now() < deadline, "{} MiB remain of {}", resident(stack) / MIB, peak / MIB);
        stack.get("/healthz").expect(200);
        thread::sleep(Duration::from_millis(100));
    }
    outcome
}

/// Uploads `body`. Returns the status of the answer and its `Retry-After`, or `None` if the connection ends before.
fn upload(address: &str, body: &[u8]) -> Option<(u16, Option<String>)> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.set_write_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(head(address, ENTRIES, body.len(), "").as_bytes()).unwrap();
    // The server may close before it has everything.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let retry_after = answer.lines().find_map(|line| line.strip_prefix("retry-after: "));
    Some((answer.get(9..12)?.parse().ok()?, retry_after.map(str::to_owned)))
}

fn head(address: &str, path: &str, length: usize, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\
         Connection: close\r\n\r\n"
    )
}

#[test]
fn a_hundred_large_bodies_at_once_over_http1() {
    let stack = Stack::start_within(MEMORY);
    let (body, address) = (large_entry(), address(&stack));
    let answers = others_go_on(&stack, || {
        thread::scope(|scope| {
            let uploads: Vec<_> = (0..HTTP1_UPLOADS).map(|_| scope.spawn(|| upload(&address, &body))).collect();
            uploads.into_iter().map(|upload| upload.join().unwrap()).collect::<Vec<_>>()
        })
    });
    let count = |wanted: u16| answers.iter().flatten().filter(|(status, _)| *status == wanted).count();
    let cut_off = answers.iter().filter(|answer| answer.is_none()).count();
    println!("{} logged, {} known, {} refused, {cut_off} cut off", count(201), count(409), count(503));
    assert_eq!(count(201), 1, "{answers:?}");
    assert!(count(503) > 0, "{answers:?}");
    assert_eq!(count(201) + count(409) + count(503) + cut_off, HTTP1_UPLOADS, "{answers:?}");
    let mut refused = answers.iter().flatten().filter(|(status, _)| *status == 503);
    assert!(refused.all(|(_, retry_after)| retry_after.as_deref() == Some("1")), "{answers:?}");
    // What was refused is taken when there is room again.
    assert_eq!(upload(&address, &body), Some((409, None)));
}

#[test]
fn a_hundred_and_twenty_eight_large_bodies_at_once_over_one_http2_connection() {
    let stack = Stack::start_within(MEMORY);
    let (body, address) = (large_entry(), address(&stack));
    let answers = others_go_on(&stack, || http2::upload(&address, ENTRIES, &body, HTTP2_UPLOADS));
    let count = |text: &str| answers.iter().filter(|answer| answer.contains(text)).count();
    let (logged, known, refused) = (count("\"logIndex\""), count("\"code\":409"), count("\"code\":503"));
    println!("{logged} logged, {known} known, {refused} refused");
    assert_eq!(logged, 1, "{answers:?}");
    assert!(refused > 100, "{answers:?}");
    assert_eq!(logged + known + refused, answers.len(), "{answers:?}");
    assert_eq!(upload(&address, &body), Some((409, None)));
}

/// What the server says to a header, without a byte of the body.
fn answer_to_header(stack: &Stack, path: &str, length: usize, more: &str) -> (String, String) {
    let address = address(stack);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(head(&address, path, length, more).as_bytes()).unwrap();
    let begun = Instant::now();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    // Less than a body may take: it was not waited for.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].to_owned(), body.to_owned())
}

#[test]
fn a_body_over_the_limit_is_refused_by_its_length_alone() {
    let stack = Stack::start();
    for more in ["", "Expect: 100-continue\r\n"] {
        let (status, body) = answer_to_header(&stack, ENTRIES, (32 << 20) + 1, more);
        assert_eq!((status.as_str(), body.contains("Request Entity Too Large")), ("413", true), "{body}");
        let (status, body) = answer_to_header(&stack, SIGNING_CERT_V2, (64 << 10) + 1, more);
        assert_eq!((status.as_str(), body.contains("http: request body too large")), ("400", true), "{body}");
        let (status, body) = answer_to_header(&stack, "/api/v2/log/entries", (4 << 20) + 1, more);
        assert_eq!((status.as_str(), body.contains("http: request body too large")), ("413", true), "{body}");
    }
    // Almost the largest request for a certificate. It is read, and refused for its token.
    let (token, unknown) = ("x".repeat(31 << 10), "x".repeat(31 << 10));
    let request = Request::post(&stack.at(SIGNING_CERT_V2));
    let answer = request.json(&json!({ "credentials": { "oidcIdentityToken": token }, "unknown": unknown })).send();
    answer.expect_json(400, &refusal("There was an error processing the identity token", "token.malformed"));
}
