//! SIGTERM with a thousand requests in flight: each is answered, what is acknowledged is there afterwards, and the
//! server ends well and in time.

use chancery_tests::{
    Stack,
    key::{Key, PublicKey},
    rekor::{ENTRIES, Entry, hashedrekord, leaves},
};
use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

const IN_FLIGHT: usize = 1000;

/// A request of which the server has read the header and now waits for the body: it says so to whoever expects that.
fn begin(stack: &Stack, length: usize) -> TcpStream {
    let address = stack.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let head = format!(
        "POST {ENTRIES} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// The status and body of the answer.
fn finish(mut stream: TcpStream) -> (String, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head[9..12].to_owned(), body.to_owned())
}

#[test]
fn a_thousand_requests_in_flight_are_answered_before_it_ends() {
    let mut stack = Stack::start();
    let key = Key::generate();
    let bodies: Vec<String> =
        (0..IN_FLIGHT).map(|number| hashedrekord(&key, format!("artifact {number}").as_bytes()).to_string()).collect();
    let mut whole: Vec<TcpStream> = bodies.iter().map(|body| begin(&stack, body.len())).collect();
    // Half of them are being worked on when the signal comes, the others not even whole.
    let mut partial = whole.split_off(IN_FLIGHT / 2);
    for (request, body) in whole.iter_mut().zip(&bodies) {
        request.write_all(body.as_bytes()).unwrap();
    }
    let answers = thread::scope(|scope| {
        let stopped = scope.spawn(|| stack.terminate());
        thread::sleep(Duration::from_millis(100));
        for (request, body) in partial.iter_mut().zip(&bodies[IN_FLIGHT / 2..]) {
            request.write_all(body.as_bytes()).unwrap();
        }
        let answers: Vec<_> = whole.into_iter().chain(partial).map(finish).collect();
        // Demands that it ends with code 0.
        stopped.join().unwrap();
        answers
    });
    stack.log_check();
    stack.resume();
    let key = PublicKey::from_pem(&fs::read_to_string(stack.trust("rekor.pub")).unwrap());
    let size = stack.get("/api/v1/log").expect(200).json()["treeSize"].as_u64().unwrap();
    let logged = leaves(size, |path| stack.get(&format!("/tlog/rekor/{path}")).expect(200).body);
    let mut indices = BTreeSet::new();
    for (number, (status, body)) in answers.iter().enumerate() {
        assert_eq!(status, "201", "request {number}: {body}");
        let entry = Entry::parse(&serde_json::from_str(body).unwrap());
        assert_eq!(logged[usize::try_from(entry.log_index()).unwrap()], entry.body());
        assert!(indices.insert(entry.log_index()));
        if number % 50 == 0 {
            entry.verify(&key);
        }
    }
    stack.check();
}
