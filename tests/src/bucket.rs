//! A bucket on a small S3 server (moto), behind a door that can be shut.

use crate::{
    http::Request,
    person::client,
    program::{Program, Running},
    stack::free_port,
};
use serde_json::json;
use std::{
    io::{Read as _, Write as _, copy},
    net::{Shutdown, TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const NAME: &str = "chancery-tests";
/// Importing the server takes a few seconds, more on a busy machine.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// What is answered while the door is shut.
const SHUT: &str = "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A bucket that everybody may read.
pub struct Bucket {
    directory: TempDir,
    server: String,
    door: Door,
    _running: Running,
}

impl Bucket {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = format!("http://127.0.0.1:{port}");
        let program = Program::new(client("s3/bin/moto_server"), directory.path());
        let mut running = program.args("-H 127.0.0.1 -p").arg(port.to_string()).start();
        let deadline = Instant::now() + START_DEADLINE;
        while Request::get(&format!("{server}/moto-api/")).try_send().is_err() {
            assert!(running.is_running(), "the S3 server ended:\n{}", running.stderr());
            assert!(Instant::now() < deadline, "the S3 server is not ready in time:\n{}", running.stderr());
            thread::sleep(Duration::from_millis(20));
        }
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{NAME}/*"),
        }]});
        Request::new("PUT", &server, &format!("/{NAME}")).send().expect(200);
        Request::new("PUT", &server, &format!("/{NAME}?policy")).json(&policy).send().expect(200);
        let door = Door::open(&format!("127.0.0.1:{port}"));
        std::fs::write(
            directory.path().join("credentials"),
            "[default]\naws_access_key_id = tests\naws_secret_access_key = no/secret=\n",
        )
        .unwrap();
        Self { directory, server, door, _running: running }
    }

    /// The options with which `chancery dev` copies its logs here.
    pub fn options(&self) -> Vec<String> {
        let credentials: PathBuf = self.directory.path().join("credentials");
        let option = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
        [
            option("--tiles", &format!("s3://{NAME}/logs")),
            option("--tiles-endpoint", &format!("http://{}", self.door.address)),
            option("--tiles-credentials", credentials.to_str().unwrap()),
        ]
        .concat()
    }

    /// From now on every request is answered with 503.
    pub fn shut(&self) {
        self.door.shut.store(true, Ordering::SeqCst);
        for connection in self.door.connections.lock().unwrap().drain(..) {
            // It may be gone already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// From now on requests get through again.
    pub fn reopen(&self) {
        self.door.shut.store(false, Ordering::SeqCst);
    }

    /// How many requests the shut door has turned away.
    pub fn turned_away(&self) -> usize {
        self.door.turned_away.load(Ordering::SeqCst)
    }

    /// The bytes of the object `logs/<path>`, as anybody reads them.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let response = Request::get(&format!("{}/{NAME}/logs/{path}", self.server)).send();
        (response.status == 200).then_some(response.body)
    }

    /// A header of the object `logs/<path>`.
    pub fn header(&self, path: &str, name: &str) -> Option<String> {
        let response = Request::get(&format!("{}/{NAME}/logs/{path}", self.server)).send().expect(200);
        response.header(name).map(str::to_owned)
    }

    /// Puts other bytes into the object `logs/<path>`, as whoever has the credentials can.
    pub fn overwrite(&self, path: &str, bytes: &[u8]) {
        let request = Request::new("PUT", &self.server, &format!("/{NAME}/logs/{path}"));
        request.body("application/octet-stream", bytes).send().expect(200);
    }
}

/// A TCP proxy.
struct Door {
    address: String,
    shut: Arc<AtomicBool>,
    turned_away: Arc<AtomicUsize>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Door {
    fn open(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Self {
            address: listener.local_addr().unwrap().to_string(),
            shut: Arc::default(),
            turned_away: Arc::default(),
            connections: Arc::default(),
        };
        let (shut, turned_away, connections) = (door.shut.clone(), door.turned_away.clone(), door.connections.clone());
        let server = server.to_owned();
        // Ends with the test's process.
        thread::spawn(move || {
            for visitor in listener.incoming().map_while(Result::ok) {
                if shut.load(Ordering::SeqCst) {
                    turned_away.fetch_add(1, Ordering::SeqCst);
                    thread::spawn(move || turn_away(visitor));
                } else if let Ok(inside) = TcpStream::connect(&server) {
                    let clone = |stream: &TcpStream| stream.try_clone().unwrap();
                    connections.lock().unwrap().extend([clone(&visitor), clone(&inside)]);
                    let (back, forth) = ((clone(&inside), clone(&visitor)), (visitor, inside));
                    for (mut from, mut to) in [back, forth] {
                        thread::spawn(move || {
                            let _ = copy(&mut from, &mut to);
                            let _ = to.shutdown(Shutdown::Write);
                        });
                    }
                }
            }
        });
        door
    }
}

fn turn_away(mut visitor: TcpStream) {
    let mut request = [0; 16 * 1024];
    let _ = visitor.read(&mut request);
    let _ = visitor.write_all(SHUT.as_bytes());
    let _ = visitor.shutdown(Shutdown::Write);
    // Unread bytes would make the system reset the connection, and the answer get lost.
    let _ = visitor.read(&mut request);
}
