//! A wire to a database: what is sent over it arrives a while later, in order.
//!
//! Every direction of every connection has two threads. One notes when bytes came, the other hands them on when they are due.
//! So a packet does not wait for the one before it, as it would if each were slept for in turn. Threads and not tasks,
//! because tokio's timer knows whole milliseconds only. Its threads should run as soon as they are woken (`chrt --fifo 1`)
//! where the load shares their core.
//!
//! ```text
//! chrt --fifo 1 delay-proxy --listen 127.0.0.1:8096 --to /run/postgresql/.s.PGSQL.5432 --delay-us 500
//! ```

use anyhow::Context as _;
use clap::Parser;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes handed on at once, at most.
const CHUNK_BYTES: usize = 64 * 1024;

/// Delay everything on the way to a server and back
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8096")]
    listen: SocketAddr,
    /// Unix socket of the server
    #[arg(long)]
    to: PathBuf,
    /// Microseconds that each direction takes: a round trip takes twice as long
    #[arg(long)]
    delay_us: u64,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, to, delay_us } = Arguments::parse();
    let delay = Duration::from_micros(delay_us);
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    for client in listener.incoming() {
        // A client that finds no server is hung up on.
        if let Err(error) = client.and_then(|client| connect(client, &to, delay)) {
            eprintln!("delay-proxy: {error}");
        }
    }
    Ok(())
}

/// Connects a client with the server, both ways.
fn connect(client: TcpStream, to: &Path, delay: Duration) -> io::Result<()> {
    client.set_nodelay(true)?;
    let server = UnixStream::connect(to)?;
    let (client_again, server_again) = (client.try_clone()?, server.try_clone()?);
    carry(client_again, server_again, delay, |server| server.shutdown(Shutdown::Write));
    carry(server, client, delay, |client| client.shutdown(Shutdown::Write));
    Ok(())
}

/// Carries what is read `from` one end `to` the other, `delay` later, and then its end, in threads of their own.
fn carry<Source, Sink>(mut from: Source, mut to: Sink, delay: Duration, end: fn(&Sink) -> io::Result<()>)
where
    Source: Read + Send + 'static,
    Sink: Write + Send + 'static,
{
    let (sent, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK_BYTES];
        // A connection that is reset ends as one that is closed.
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let Some(bytes) = buffer.get(..length) else { return };
            if sent.send((Instant::now() + delay, bytes.to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (when, bytes) in due {
            thread::sleep(when.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        // Whoever is at the other end may be gone already.
        let _ = end(&to);
    });
}
