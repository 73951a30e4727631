//! HTTP/2 by hand (RFC 9113): its frames, and many uploads at once over one connection.
//!
//! Not a client to copy: it reads no header of an answer, only bodies.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

/// What a client sends first, before its settings.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// Number of the setting that has the initial window of a stream.
const INITIAL_WINDOW_SIZE: u16 = 4;
/// The window of a connection, and of a stream without that setting.
const DEFAULT_WINDOW: i64 = 65_535;
/// Largest payload of a frame.
const MAX_PAYLOAD: usize = 16 * 1024;
/// Longest wait for a frame of the server.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A frame (§4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A frame of the server.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// One upload.
struct Upload {
    sent: usize,
    /// Bytes that the server takes now.
    window: i64,
    answer: Vec<u8>,
    ended: bool,
}

/// Uploads over one connection.
struct Uploads<'a> {
    stream: TcpStream,
    frames: Receiver<Frame>,
    body: &'a [u8],
    window: i64,
    initial_window: i64,
    streams: BTreeMap<u32, Upload>,
}

/// Posts `body` to `path` at `address`, `count` times over one connection, and returns the body of each answer.
pub fn upload(address: &str, path: &str, body: &[u8], count: u32) -> Vec<String> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    let frames = frames(stream.try_clone().unwrap());
    let (window, initial_window) = (DEFAULT_WINDOW, DEFAULT_WINDOW);
    let mut uploads = Uploads { stream, frames, body, window, initial_window, streams: BTreeMap::new() };
    uploads.send(PREFACE);
    uploads.send(&frame(SETTINGS, 0, 0, &[]));
    let fields = fields(address, path, body.len());
    for number in 0..count {
        let id = 2 * number + 1;
        uploads.send(&frame(HEADERS, END_HEADERS, id, &fields));
        let window = uploads.initial_window;
        uploads.streams.insert(id, Upload { sent: 0, window, answer: Vec::new(), ended: false });
    }
    uploads.run();
    uploads.streams.into_values().map(|upload| String::from_utf8_lossy(&upload.answer).into_owned()).collect()
}

/// The header of a request, in literals that no table remembers (RFC 7541 §6.2.2).
fn fields(authority: &str, path: &str, length: usize) -> Vec<u8> {
    let length = length.to_string();
    let literal = |name: &[u8], value: &str| {
        assert!(value.len() < 127, "a length of one byte");
        [name, &[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
    };
    [
        // `:method POST`, `:scheme http`
        vec![0x83, 0x86],
        literal(&[0x04], path),
        literal(&[0x01], authority),
        // `content-type` and `content-length` are 31 and 28 in the table.
        literal(&[0x0f, 31 - 15], "application/json"),
        literal(&[0x0f, 28 - 15], &length),
    ]
    .concat()
}

/// Reads frames until the connection ends.
fn frames(mut stream: TcpStream) -> Receiver<Frame> {
    let (sender, frames) = mpsc::channel();
    thread::spawn(move || {
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).is_err() {
                return;
            }
            let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap();
            let mut payload = vec![0; length];
            if stream.read_exact(&mut payload).is_err() {
                return;
            }
            let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            if sender.send(Frame { kind: head[3], flags: head[4], stream: id, payload }).is_err() {
                return;
            }
        }
    });
    frames
}

impl Uploads<'_> {
    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends as much as the server takes, in turn for each upload, until every one is answered.
    fn run(&mut self) {
        while self.streams.values().any(|upload| !upload.ended) {
            while let Ok(frame) = self.frames.try_recv() {
                self.take(&frame);
            }
            let ids: Vec<u32> = self.streams.keys().copied().collect();
            let sent = ids.into_iter().filter(|id| self.send_some(*id)).count();
            if sent == 0 && self.streams.values().any(|upload| !upload.ended) {
                let frame = self.frames.recv_timeout(TIMEOUT).expect("the server goes on");
                self.take(&frame);
            }
        }
    }

    /// Sends one frame of an upload, if it is not answered yet and the server has room.
    fn send_some(&mut self, id: u32) -> bool {
        let upload = self.streams.get_mut(&id).unwrap();
        let rest = &self.body[upload.sent..];
        let room = usize::try_from(self.window.min(upload.window).max(0)).unwrap();
        let length = rest.len().min(room).min(MAX_PAYLOAD);
        if upload.ended || length == 0 {
            return false;
        }
        let flags = if length == rest.len() { END_STREAM } else { 0 };
        let data = frame(DATA, flags, id, &rest[..length]);
        upload.sent += length;
        let taken = i64::try_from(length).unwrap();
        upload.window -= taken;
        self.window -= taken;
        self.send(&data);
        true
    }

    fn take(&mut self, received: &Frame) {
        let Frame { kind, flags, stream, payload } = received;
        let upload = self.streams.get_mut(stream);
        match *kind {
            SETTINGS if flags & ACK == 0 => {
                self.set(payload);
                self.send(&frame(SETTINGS, ACK, 0, &[]));
            }
            PING if flags & ACK == 0 => self.send(&frame(PING, ACK, 0, payload)),
            WINDOW_UPDATE => {
                let more = i64::from(u32::from_be_bytes(payload[..4].try_into().unwrap()));
                match upload {
                    Some(upload) => upload.window += more,
                    None => self.window += more,
                }
            }
            RST_STREAM => upload.unwrap().ended = true,
            HEADERS | DATA => {
                let upload = upload.unwrap();
                if *kind == DATA {
                    upload.answer.extend_from_slice(payload);
                }
                upload.ended |= flags & END_STREAM != 0;
            }
            GOAWAY => panic!("the server ends the connection: {payload:?}"),
            _ => {}
        }
    }

    /// Takes the server's settings. A new initial window also changes those of open streams (§6.9.2).
    fn set(&mut self, settings: &[u8]) {
        for setting in settings.chunks_exact(6) {
            let (number, value) = setting.split_at(2);
            if u16::from_be_bytes(number.try_into().unwrap()) == INITIAL_WINDOW_SIZE {
                let value = i64::from(u32::from_be_bytes(value.try_into().unwrap()));
                let change = value - self.initial_window;
                self.initial_window = value;
                self.streams.values_mut().for_each(|upload| upload.window += change);
            }
        }
    }
}
