//! What stands between clients and a server: a proxy of HTTP/1.1 with small limits, and a pooler of database connections that shares
//! sessions.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    thread,
};

/// Asks whether TLS is spoken (`SSLRequest`).
const ASKS_FOR_TLS: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// A proxy on loopback. Its threads end with the test's process.
pub struct Proxy(String);

impl Proxy {
    /// In front of the server at `address`, for headers of so many bytes together, and bodies of so many.
    pub fn start(address: &str, header_bytes: usize, body_bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = address.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = server.clone();
                // A client that hangs up early has got what it wanted.
                thread::spawn(move || pass_on(client, &server, header_bytes, body_bytes).ok());
            }
        });
        Self(url)
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.0
    }
}

/// One request; the connection ends with it.
fn pass_on(mut client: TcpStream, server: &str, header_bytes: usize, body_bytes: usize) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    let refusal = if head.len() > header_bytes {
        Some("431 Request Header Fields Too Large")
    } else if length > body_bytes {
        Some("413 Content Too Large")
    } else {
        None
    };
    if let Some(status) = refusal {
        return write!(client, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let line = head.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (line, rest) = head.split_at(line);
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(&[line, &b"Connection: close\r\n"[..], rest, body.as_slice()].concat())?;
    io::copy(&mut upstream, &mut client).map(drop)
}

/// A pooler that drops the settings of sessions, as `PgBouncer` does with `ignore_startup_parameters`. It listens in `directory`, for
/// the `PostgreSQL` server at `socket`.
pub fn pooler(directory: &Path, socket: PathBuf) {
    let listener = UnixListener::bind(directory.join(".s.PGSQL.5432")).unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let socket = socket.clone();
            thread::spawn(move || pool(client, &socket).ok());
        }
    });
}

fn pool(mut client: UnixStream, socket: &Path) -> io::Result<()> {
    let message = loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut message = vec![0; u32::from_be_bytes(length) as usize - 4];
        client.read_exact(&mut message)?;
        if message != ASKS_FOR_TLS {
            break message;
        }
        client.write_all(b"N")?;
    };
    let (version, parameters) = message.split_at(4);
    let mut kept = version.to_vec();
    let mut words = parameters.split(|byte| *byte == 0);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        if name.is_empty() {
            break;
        }
        if name != b"options" {
            kept.extend([name, &b"\0"[..], value, &b"\0"[..]].concat());
        }
    }
    kept.push(0);
    let mut server = UnixStream::connect(socket)?;
    let length = u32::try_from(kept.len() + 4).unwrap();
    server.write_all(&[&length.to_be_bytes()[..], &kept].concat())?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut from_server, &mut to_client).ok());
    io::copy(&mut client, &mut server).map(drop)
}
