//! A receiver of events or alarms, which does what a test wants it to do.

use serde_json::Value;
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    mem,
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long a request may take to come in.
const READ_DEADLINE: Duration = Duration::from_secs(20);
/// Longest until what must come has come. A server takes over from another after half a minute.
const DEADLINE: Duration = Duration::from_mins(2);

/// What the receiver does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It takes the events.
    Confirm,
    /// It answers with this status, and asks for a pause of a second.
    Refuse(u16),
    /// It never answers, and keeps the connection.
    Hang,
    /// It takes the events and closes the connection before it has said so.
    Forget,
}

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Told {
    /// The head: request line and headers.
    pub head: String,
    /// The events in the body.
    pub events: Vec<Value>,
    /// What was done with it.
    pub answer: Answer,
}

#[derive(Default)]
struct Shared {
    told: Mutex<Vec<Told>>,
    /// For the next requests. Then it confirms, unless `always` says otherwise.
    script: Mutex<VecDeque<Answer>>,
    always: Mutex<Option<Answer>>,
    stop: AtomicBool,
}

/// The receiver. It ends when it goes out of scope.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Listens on loopback, and confirms everything.
    pub fn start() -> Self {
        let mut receiver = Self { port: 0, shared: Arc::default(), listening: None };
        receiver.resume();
        receiver
    }

    /// Where events are sent.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/events", self.port)
    }

    /// What it does with the next requests, one after the other.
    pub fn next(&self, answers: &[Answer]) {
        self.shared.script.lock().unwrap().extend(answers);
    }

    /// What it does with all other requests; `None`: it confirms them.
    pub fn always(&self, answer: Option<Answer>) {
        *self.shared.always.lock().unwrap() = answer;
    }

    /// Nobody listens any more.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(listening) = self.listening.take() {
            listening.join().unwrap();
        }
    }

    /// Listens again at the same address.
    pub fn resume(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        self.shared.stop.store(false, Ordering::SeqCst);
        let shared = Arc::clone(&self.shared);
        self.listening = Some(thread::spawn(move || {
            while !shared.stop.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(&shared);
                        // A server that is killed has not sent all.
                        thread::spawn(move || shared.serve(stream).ok());
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(2)),
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }

    /// Every request so far.
    pub fn told(&self) -> Vec<Told> {
        self.shared.told.lock().unwrap().clone()
    }

    /// The events of every request since this was asked last, taken or not. They are forgotten.
    pub fn came(&self) -> Vec<Value> {
        mem::take(&mut *self.shared.told.lock().unwrap()).into_iter().flat_map(|told| told.events).collect()
    }

    /// Waits for a request, and returns what came.
    #[track_caller]
    pub fn wait_to_come(&self) -> Vec<Value> {
        self.wait(|told| !told.is_empty());
        self.came()
    }

    /// Every event that it has taken, in the order in which they came.
    pub fn events(&self) -> Vec<Value> {
        let taken = |told: &Told| matches!(told.answer, Answer::Confirm | Answer::Forget);
        self.told().into_iter().filter(taken).flat_map(|told| told.events).collect()
    }

    /// Waits until what it has been told is as `is_enough` asks.
    #[track_caller]
    pub fn wait(&self, is_enough: impl Fn(&[Told]) -> bool) {
        let begun = Instant::now();
        // Not `eventually`: it waits longer, and says what was taken.
        while !is_enough(&self.told()) {
            let ids: Vec<_> = self.events().into_iter().map(|event| event["id"].clone()).collect();
            assert!(begun.elapsed() < DEADLINE, "{} events were taken: {ids:?}", ids.len());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has taken an event of each of these ids.
    #[track_caller]
    pub fn wait_for(&self, ids: &[String]) {
        self.wait(|_| {
            let taken = self.events();
            ids.iter().all(|id| taken.iter().any(|event| event["id"] == *id))
        });
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn answer(&self) -> Answer {
        let scripted = self.script.lock().unwrap().pop_front();
        scripted.or(*self.always.lock().unwrap()).unwrap_or(Answer::Confirm)
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(READ_DEADLINE))?;
        let mut received = Vec::new();
        let (head, body) = loop {
            let text = String::from_utf8_lossy(&received).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && body.len() >= content_length(head)
            {
                break (head.to_owned(), body.to_owned());
            }
            let mut part = [0; 16 * 1024];
            match stream.read(&mut part)? {
                0 => return Ok(()),
                read => received.extend_from_slice(&part[..read]),
            }
        };
        let answer = self.answer();
        let events = match serde_json::from_str(&body).expect("a body in JSON") {
            Value::Array(events) => events,
            event => vec![event],
        };
        self.told.lock().unwrap().push(Told { head, events, answer });
        let line = match answer {
            Answer::Confirm => "204 No Content".to_owned(),
            Answer::Refuse(status) => format!("{status} Refused\r\nretry-after: 1\r\nlocation: /elsewhere"),
            Answer::Forget => return Ok(()),
            Answer::Hang => {
                // Until the server gives up or is gone.
                while stream.read(&mut [0; 64])? > 0 {}
                return Ok(());
            }
        };
        write!(stream, "HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    }
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().map_or(0, |(_, value)| value.trim().parse().unwrap())
}
