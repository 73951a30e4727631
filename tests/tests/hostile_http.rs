//! Requests that two parsers could read differently, and floods of frames (S-25, S-24): refused or cut off, and the server
//! answers everybody else meanwhile.

use chancery_tests::{
    Stack,
    http::Request,
    http2::{CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, frame},
};
use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

/// What a server may take more of because of one connection, in KiB.
const MAX_GROWTH_KIB: u64 = 96 * 1024;

fn connect(stack: &Stack) -> TcpStream {
    let stream = TcpStream::connect(stack.url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Sends bytes and reads until the server closes; `None` where it does not.
fn exchange(stack: &Stack, bytes: &[u8]) -> Option<String> {
    let mut stream = connect(stack);
    let _ = stream.write_all(bytes);
    read_to_end(&mut stream)
}

fn read_to_end(stream: &mut TcpStream) -> Option<String> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        // A reset is an end, too.
        _ => Some(String::from_utf8_lossy(&answer).into_owned()),
    }
}

fn resident_kib(stack: &Stack) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", stack.server().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn is_healthy(stack: &Stack) {
    Request::get(&stack.at("/healthz")).send().expect(200);
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_or_read_once() {
    let stack = Stack::start();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let post =
        |headers: &str, body: &str| format!("POST /api/v2/signingCert HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}");
    let te = "Transfer-Encoding: chunked\r\n";
    let chunks = format!("0\r\n\r\n{smuggled}");
    // Read by the chunks alone, and nothing after them (RFC 9112 §6.1): one answer, then the end.
    for (name, request) in [
        ("CL.TE", post(&format!("Content-Length: {}\r\n{te}", chunks.len()), &chunks)),
        ("TE.CL", post(&format!("{te}Content-Length: 5\r\n"), &chunks)),
    ] {
        let answer =
            exchange(&stack, request.as_bytes()).unwrap_or_else(|| panic!("{name}: the connection stays open"));
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer}");
    }
    let long = "x".repeat(80 * 1024);
    let many = "X-Many: x\r\n".repeat(200);
    for (name, status, request) in [
        ("two lengths", 400, post("Content-Length: 5\r\nContent-Length: 6\r\n", "{}   ")),
        ("two lengths in one", 400, post("Content-Length: 5, 6\r\n", "{}   ")),
        ("a signed length", 400, post("Content-Length: +5\r\n", "{}   ")),
        ("a negative length", 400, post("Content-Length: -5\r\n", "")),
        ("a hexadecimal length", 400, post("Content-Length: 0x5\r\n", "{}   ")),
        ("a length of 2^64", 400, post("Content-Length: 18446744073709551616\r\n", "")),
        ("chunked is not last", 400, post("Transfer-Encoding: chunked, identity\r\n", &chunks)),
        ("nearly chunked", 400, post("Transfer-Encoding: xchunked\r\n", &chunks)),
        ("chunked with a tab", 400, post("Transfer-Encoding:\x0bchunked\r\n", &chunks)),
        ("HTTP/1.0", 400, post(te, &chunks).replace("HTTP/1.1", "HTTP/1.0")),
        ("a folded line", 400, post("X-Folded: a\r\n b\r\nContent-Length: 2\r\n", "{}")),
        ("a space before the colon", 400, post("Content-Length : 2\r\n", "{}")),
        ("a bare CR", 400, post("X-Bare: a\rContent-Length: 2\r\n", "{}")),
        ("a NUL", 400, post("X-Nul: a\0b\r\nContent-Length: 2\r\n", "{}")),
        ("a line without colon", 400, post("Nonsense\r\n", "")),
        ("no version", 400, "GET /\r\n\r\n".to_owned()),
        ("a header of 80 KiB", 431, post(&format!("X-Long: {long}\r\n"), "")),
        ("200 header fields", 431, post(&many, "")),
    ] {
        let answer =
            exchange(&stack, request.as_bytes()).unwrap_or_else(|| panic!("{name}: the connection stays open"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer}");
    }
    for (name, body) in [
        ("no number", "zz\r\n{}\r\n0\r\n\r\n"),
        ("a chunk of 2^64", "10000000000000000\r\n{}\r\n0\r\n\r\n"),
        ("a chunk longer than it says", "1\r\n{}\r\n0\r\n\r\n"),
        ("a bare LF in an extension", "2;a\n\r\n{}\r\n0\r\n\r\n"),
    ] {
        let answer = exchange(&stack, post(te, &format!("{body}{smuggled}")).as_bytes())
            .unwrap_or_else(|| panic!("{name}: the connection stays open"));
        assert!(answer.matches("HTTP/1.1 ").count() <= 1 && !answer.starts_with("HTTP/1.1 2"), "{name}: {answer}");
    }
    // A bare LF ends a line for us (RFC 9112 §2.2 allows it), everywhere: there is one way to read this.
    let request = post("Content-Length: 2\r\nConnection: close\r\n", "{}").replace("\r\n", "\n");
    let answer = exchange(&stack, request.as_bytes()).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    is_healthy(&stack);
}

#[test]
fn a_request_names_one_host() {
    let stack = Stack::start();
    let address = stack.url().trim_start_matches("http://").to_owned();
    let get = |target: &str, hosts: &str| format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
    let host = format!("Host: {address}\r\n");
    for (name, status, request) in [
        ("one", 200, get("/healthz", &host)),
        ("none in HTTP/1.1", 400, get("/healthz", "")),
        ("the same twice", 400, get("/healthz", &host.repeat(2))),
        ("two", 400, get("/healthz", &format!("{host}Host: other.test\r\n"))),
        ("two in one", 400, get("/healthz", &format!("Host: {address}, other.test\r\n"))),
        ("one with a user", 400, get("/healthz", &format!("Host: me@{address}\r\n"))),
        ("one behind a user", 400, get("/healthz", &format!("Host: {address}@other.test\r\n"))),
        ("a user in the request line", 400, get(&format!("http://me@{address}/healthz"), &host)),
        ("an empty one", 400, get("/healthz", "Host:\r\n")),
    ] {
        let answer =
            exchange(&stack, request.as_bytes()).unwrap_or_else(|| panic!("{name}: the connection stays open"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
    }
    is_healthy(&stack);
}

#[test]
fn who_does_not_finish_a_header_is_cut_off() {
    let stack = Stack::start();
    let begun = Instant::now();
    let mut waiting: Vec<TcpStream> = (0..100).map(|_| connect(&stack)).collect();
    for (number, stream) in waiting.iter_mut().enumerate() {
        // Nothing at all, the beginning of HTTP/2, the beginning of a header.
        let beginning: &[u8] = [&b""[..], b"PR", b"GET / HTTP/1.1\r\nX-Slow: "][number % 3];
        stream.write_all(beginning).unwrap();
    }
    is_healthy(&stack);
    for stream in &mut waiting {
        assert_eq!(read_to_end(stream).as_deref(), Some(""));
    }
    assert!((4..9).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

/// `:method POST`, `:scheme http`, `:path /`, `:authority x` (RFC 7541).
const FIELDS: [u8; 6] = [0x83, 0x86, 0x84, 0x41, 0x01, b'x'];

/// Sends frames until the server ends the connection or `count` are sent; whether it has ended it.
fn flood(stack: &Stack, count: u32, mut next: impl FnMut(u32) -> Vec<u8>) -> bool {
    let before = resident_kib(stack);
    let mut stream = connect(stack);
    let preface = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
    stream.write_all(&preface).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let answers = std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        // Until the end, or until nothing comes any more.
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        }
    });
    let mut cut_off = false;
    for number in 0..count {
        if stream.write_all(&next(number)).is_err() {
            cut_off = true;
            break;
        }
        if number == count / 2 {
            is_healthy(stack);
        }
    }
    is_healthy(stack);
    let ended = answers.join().unwrap() || cut_off;
    let grown = resident_kib(stack).saturating_sub(before);
    assert!(grown < MAX_GROWTH_KIB, "{grown} KiB more");
    ended
}

#[test]
fn floods_of_frames_end_the_connection_or_cost_nothing() {
    let stack = Stack::start();
    let rapid_reset = |number: u32| {
        let id = 2 * number + 1;
        [frame(HEADERS, END_HEADERS | END_STREAM, id, &FIELDS), frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
    };
    assert!(flood(&stack, 200_000, rapid_reset), "rapid reset");
    let continuation = |number: u32| match number {
        0 => frame(HEADERS, 0, 1, &FIELDS),
        // A field of 16 KiB that is new each time.
        _ => frame(CONTINUATION, 0, 1, &[&[0x40, 1, b'a', 0x7f, 0xfe, 0x7e][..], &[b'x'; 16_000]].concat()),
    };
    assert!(flood(&stack, 20_000, continuation), "CONTINUATION");
    let empty_continuation = |number: u32| match number {
        0 => frame(HEADERS, 0, 1, &FIELDS),
        _ => frame(CONTINUATION, 0, 1, &[]),
    };
    assert!(flood(&stack, 200_000, empty_continuation), "empty CONTINUATION");
    assert!(flood(&stack, 10, |number| frame(DATA, 0, 2 * number + 1, b"x")), "DATA on no stream");
    // These may stay: they cost as much to send as to receive.
    flood(&stack, 200_000, |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &FIELDS),
        _ => frame(DATA, 0, 1, &[]),
    });
    flood(&stack, 100_000, |number| frame(PING, 0, 0, &u64::from(number).to_be_bytes()));
    flood(&stack, 100_000, |_| frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]));
    is_healthy(&stack);
}
