//! Connections to `PostgreSQL` that break around a write, so that nobody here knows whether it was committed.

use crate::bench::{Bench, Running, entry, sealed_by, verify};
use crate::postgres::Server;
use crate::replicas::append_with_patience;
use chancery_log::{Outcome, Pending};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// What becomes of a message with certain bytes in it.
#[derive(Clone, Copy)]
enum Loss {
    /// It does not arrive.
    Message,
    /// It arrives; what the server says to it does not.
    Answer,
}

type Armed = Arc<Mutex<Option<(&'static [u8], Loss)>>>;

/// Passes on what clients and server say, until it is armed: then one connection breaks.
struct Proxy {
    directory: tempfile::TempDir,
    armed: Armed,
}

impl Proxy {
    fn start(server: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
        let armed = Armed::default();
        let losses = armed.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(pass_on(client, server, losses.clone()));
            }
        });
        Self { directory, armed }
    }

    fn lose(&self, what: &'static [u8], loss: Loss) {
        *self.armed.lock().unwrap() = Some((what, loss));
    }

    fn has_lost(&self) -> bool {
        self.armed.lock().unwrap().is_none()
    }
}

async fn pass_on(mut client: UnixStream, mut server: UnixStream, armed: Armed) {
    let (mut said, mut answered) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut said) => {
                let Some(message) = read.ok().filter(|count| *count > 0).and_then(|count| said.get(..count)) else { return };
                match loss(message, &armed) {
                    Some(Loss::Message) => return,
                    Some(Loss::Answer) => {
                        server.write_all(message).await.unwrap();
                        assert!(server.read(&mut answered).await.unwrap() > 0);
                        return;
                    }
                    None => server.write_all(message).await.unwrap(),
                }
            }
            read = server.read(&mut answered) => {
                let Some(message) = read.ok().filter(|count| *count > 0).and_then(|count| answered.get(..count)) else {
                    // As over TCP, a client that speaks to a server that went away learns what its last words were.
                    let _ = client.read(&mut said).await;
                    return;
                };
                if client.write_all(message).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn loss(message: &[u8], armed: &Armed) -> Option<Loss> {
    let mut armed = armed.lock().unwrap();
    let (what, loss) = (*armed)?;
    let found = message.windows(what.len()).any(|window| window == what);
    found.then(|| {
        *armed = None;
        loss
    })
}

async fn start() -> (Proxy, Bench, Running) {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let proxy = Proxy::start(server.socket());
    let bench = Bench::postgres_on(Box::leak(Box::new(server.at_socket(proxy.directory.path()))));
    let running = bench.start().await;
    (proxy, bench, running)
}

fn logged_at(index: u64, outcome: &Outcome, running: &Running, bench: &Bench) {
    let Outcome::Logged(receipt) = outcome else { panic!("{outcome:?}") };
    assert_eq!(receipt.index, index);
    verify(receipt, running, &bench.signer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answer_was_lost_is_recognised_and_one_that_was_lost_is_sent_again() {
    let (proxy, bench, running) = start().await;
    running.log.append(entry("before")).await.unwrap();
    for (index, loss) in (1..).zip([Loss::Answer, Loss::Message, Loss::Answer]) {
        proxy.lose(b"a needle", loss);
        let outcome = running.log.append(entry(&format!("a needle {index}"))).await.unwrap();
        assert!(proxy.has_lost());
        logged_at(index, &outcome, &running, &bench);
        assert_eq!(bench.check(&running).await.unwrap(), index + 1);
    }
    running.stop().await;
}

/// An entry that another replica overtakes at the moment it is given its index.
fn overtaken(text: &str, other: &Running) -> Pending {
    let (log, faster, overtook) = (other.log.clone(), format!("faster than {text}"), AtomicBool::new(false));
    sealed_by(text, move |_| {
        if !overtook.swap(true, Ordering::SeqCst) {
            block_in_place(|| Handle::current().block_on(append_with_patience(&log, &faster)));
        }
    })
}

/// The same with the head locked, as it is after another replica was faster.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_whose_answer_was_lost_is_recognised_and_one_that_was_lost_is_sent_again() {
    let (proxy, bench, running) = start().await;
    let other = bench.twin().start().await;
    running.log.append(overtaken("overtaken", &other)).await.unwrap();
    // A batch that was recognised says nothing of other replicas: the one after it locks the head as well.
    for (index, loss) in (2..).zip([Loss::Answer, Loss::Message]) {
        proxy.lose(b"COMMIT", loss);
        let outcome = running.log.append(entry(&format!("locked {index}"))).await.unwrap();
        assert!(proxy.has_lost());
        logged_at(index, &outcome, &running, &bench);
        assert_eq!(bench.check(&running).await.unwrap(), index + 1);
    }
    running.stop().await;
    other.stop().await;
}

/// As with a replica that was stopped for seconds with the head locked: the server gives it to the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_that_lost_its_lock_is_tried_again() {
    let (_proxy, bench, running) = start().await;
    let other = bench.twin().start().await;
    running.log.append(overtaken("without a lock", &other)).await.unwrap();
    let outcome = running.log.append(overtaken("with a lock", &other)).await.unwrap();
    logged_at(3, &outcome, &running, &bench);
    assert_eq!(bench.check(&running).await.unwrap(), 4);
    running.stop().await;
    other.stop().await;
}
