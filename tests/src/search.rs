//! Questions about what logs hold, an independent check of the answers, and a server that lies.

use crate::{
    http::{Request, Response},
    key::PublicKey,
    rekor::{Checkpoint, hash},
    rekor_v2,
    stack::Stack,
    tree::{self, Hash},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use url::form_urlencoded;

/// Where entries are asked for.
pub const SEARCH: &str = "/api/search";
/// Rekor v1's search.
pub const RETRIEVE: &str = "/api/v1/index/retrieve";
/// Longest a test waits for the index. It is behind for less than a second; the machine may be busy.
const DEADLINE: Duration = Duration::from_mins(1);

/// A path with parameters.
pub fn path(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{path}?{query}")
}

/// What the server answers to a search.
pub fn ask(stack: &Stack, parameters: &[(&str, &str)]) -> Response {
    stack.get(&path(SEARCH, parameters))
}

/// The entries of a page.
#[track_caller]
pub fn entries(stack: &Stack, parameters: &[(&str, &str)]) -> Vec<Value> {
    ask(stack, parameters).expect(200).json()["entries"].as_array().unwrap().clone()
}

/// Log and index of each of these entries.
pub fn places(entries: &[Value]) -> Vec<(String, u64)> {
    let place = |entry: &Value| (entry["log"].as_str().unwrap().to_owned(), entry["index"].as_u64().unwrap());
    entries.iter().map(place).collect()
}

/// Every entry of a search, `limit` on each page.
#[track_caller]
pub fn all_pages(stack: &Stack, parameters: &[(&str, &str)], limit: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let mut asked = [parameters, &[("limit", limit)]].concat();
        asked.extend(cursor.as_deref().map(|cursor: &str| ("cursor", cursor)));
        let answer = ask(stack, &asked).expect(200).json();
        found.extend(answer["entries"].as_array().unwrap().iter().cloned());
        cursor = answer["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return found;
        }
    }
}

/// Waits until the index has everything that the logs of the instance hold now.
#[track_caller]
pub fn wait(stack: &Stack) {
    let size = |path: &str| {
        let checkpoint = stack.get(path).expect(200).text();
        checkpoint.lines().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let sizes = [
        ("rekor", size("/tlog/rekor/checkpoint")),
        ("rekor2", size("/checkpoint")),
        ("ct", size("/ct/dev/checkpoint")),
    ];
    let begun = Instant::now();
    loop {
        let answer = ask(stack, &[("limit", "1")]).expect(200).json();
        let covered = |name: &str| {
            let logs = answer["complete_to"].as_array().unwrap();
            let log = logs.iter().find(|log| log["log"] == name);
            log.map_or(0, |log| log["size"].as_u64().unwrap())
        };
        if sizes.iter().all(|(name, size)| covered(name) >= *size) {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "the index does not come to {sizes:?}: {answer}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Checks the proof of every entry of an answer, and the signature of the checkpoint that it leads to.
#[track_caller]
pub fn verify(stack: &Stack, answer: &Value) {
    let rekor = PublicKey::from_pem(&fs::read_to_string(stack.trust("rekor.pub")).unwrap());
    let rekor2 = rekor_v2::key(stack);
    let of_log = |name: &Value| {
        let logs = answer["complete_to"].as_array().unwrap();
        logs.iter().find(|log| log["log"] == *name).unwrap_or_else(|| panic!("{name}: {answer}"))
    };
    for log in answer["complete_to"].as_array().unwrap() {
        let checkpoint = &log["checkpoint"];
        if checkpoint.is_null() {
            assert_eq!(log["size"], 0, "{log}");
            continue;
        }
        assert!(checkpoint["tree_size"].as_u64() >= log["size"].as_u64(), "{log}");
        let note = checkpoint["note"].as_str().unwrap();
        let (size, root) = (checkpoint["tree_size"].as_u64().unwrap(), hash(&checkpoint["root_hash"]));
        let key = match log["log"].as_str().unwrap() {
            "rekor" => Some(&rekor),
            "rekor2" => Some(&rekor2),
            // Signed as RFC 6962 says it: `chancery-verify` and the tests of the certificate log check that.
            _ => None,
        };
        if let Some(key) = key {
            let opened = Checkpoint::open(note, key);
            assert_eq!((opened.size, opened.root), (size, root), "{log}");
        }
    }
    for entry in answer["entries"].as_array().unwrap() {
        let checkpoint = &of_log(&entry["log"])["checkpoint"];
        let leaf = STANDARD.decode(entry["proof"]["leaf"].as_str().unwrap()).unwrap();
        let leaf = tree::leaf_hash(&leaf);
        assert!(entry["id"].as_str().unwrap().ends_with(&hex::encode(leaf)), "{entry}");
        let hashes: Vec<Hash> = entry["proof"]["hashes"].as_array().unwrap().iter().map(hash).collect();
        let (index, size) = (entry["index"].as_u64().unwrap(), checkpoint["tree_size"].as_u64().unwrap());
        let root = tree::root_from_inclusion(index, size, &leaf, &hashes);
        assert_eq!(root, Some(hash(&checkpoint["root_hash"])), "{entry}");
    }
}

/// Changes the JSON that a path is answered with.
type Lie = dyn Fn(&str, Value) -> Value + Send + Sync;

/// A server that answers what another one does, except for what it changes.
pub struct Liar {
    url: String,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Liar {
    /// Stands before `stack`; `lie` changes what is answered.
    pub fn before(stack: &Stack, lie: impl Fn(&str, Value) -> Value + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, honest) = (Arc::new(AtomicBool::new(false)), stack.url());
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away is its own business.
                let _ = answer(&stream.unwrap(), &honest, &lie);
            }
        });
        Self { url, stop, thread: Some(thread) }
    }

    /// Stands before `stack`. Answers to what `is_meant` have checkpoints that no log has signed.
    pub fn about_checkpoints(stack: &Stack, is_meant: fn(&str) -> bool) -> Self {
        Self::before(stack, move |target, mut answer| {
            if is_meant(target) {
                for log in answer["complete_to"].as_array_mut().unwrap() {
                    let note = log["checkpoint"]["note"].as_str().unwrap().replacen('\n', "\n1", 1);
                    log["checkpoint"]["note"] = note.into();
                }
            }
            answer
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer(stream: &TcpStream, honest: &str, lie: &Lie) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let target = lines.next().transpose()?.unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let answer = Request::get(&format!("{honest}{target}")).send();
    let body = match serde_json::from_slice::<Value>(&answer.body) {
        Ok(json) => {
            let told = lie(&target, json.clone());
            // What is not lied about keeps its bytes: some are signed.
            if told == json { answer.body } else { told.to_string().into_bytes() }
        }
        Err(_) => answer.body,
    };
    let (mut stream, status, length) = (stream, answer.status, body.len());
    let head = format!("HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
    write!(stream, "{head}Connection: close\r\n\r\n")?;
    stream.write_all(&body)
}
