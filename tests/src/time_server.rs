//! An NTP server (RFC 5905) that is as wrong as a test wants it, or silent.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

/// Instead of an offset: no answer.
const SILENT: i64 = i64::MIN;
/// From 1900, where NTP counts from, to 1970.
const EPOCH_SECONDS: u64 = 2_208_988_800;

/// A server on this machine. Its thread ends with the test's process.
pub struct TimeServer {
    address: String,
    offset_ms: Arc<AtomicI64>,
}

impl TimeServer {
    /// One that shows this machine's time.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let offset_ms = Arc::new(AtomicI64::new(0));
        let shown = Arc::clone(&offset_ms);
        thread::spawn(move || {
            let mut question = [0; 128];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let offset_ms = shown.load(Ordering::SeqCst);
                if length >= 48 && offset_ms != SILENT {
                    let _ = socket.send_to(&answer(&question, offset_ms), from);
                }
            }
        });
        Self { address, offset_ms }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on it shows a time this much after this machine's.
    pub fn show(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::SeqCst);
    }

    /// From now on it does not answer.
    pub fn be_silent(&self) {
        self.offset_ms.store(SILENT, Ordering::SeqCst);
    }
}

fn answer(question: &[u8], offset_ms: i64) -> [u8; 48] {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let shown = Duration::from_millis(u64::try_from(since_epoch.as_millis()).unwrap().saturating_add_signed(offset_ms));
    let seconds = u32::try_from(shown.as_secs() + EPOCH_SECONDS).unwrap();
    let fraction = u32::try_from((u64::from(shown.subsec_millis()) << 32) / 1000).unwrap();
    let time = [seconds.to_be_bytes(), fraction.to_be_bytes()].concat();
    let mut answer = [0; 48];
    // Version 4, from a server; a primary one.
    (answer[0], answer[1]) = (0x24, 1);
    answer[12..16].copy_from_slice(b"LOCL");
    // Reference, originate (what the question had as its transmit time), receive, transmit.
    answer[16..24].copy_from_slice(&time);
    answer[24..32].copy_from_slice(&question[40..48]);
    answer[32..40].copy_from_slice(&time);
    answer[40..48].copy_from_slice(&time);
    answer
}
