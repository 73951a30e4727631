//! Slow clients (S-24), each against its deadline. tokio's clock is paused, so time passes at once.

use super::*;
use crate::budget::Budget;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

/// A connection to a server that echoes, answers with a megabyte, or never.
fn connect(buffer: usize) -> (DuplexStream, tokio::task::JoinHandle<hyper::Result<()>>) {
    let routes = Router::new()
        .route("/echo", post(|body: String| async move { body }))
        .route("/much", get(|| async { "x".repeat(1 << 20) }))
        .route("/never", post(|_: String| std::future::pending::<()>()));
    let routes = shell(routes, Arc::new(Vec::new));
    let (client, server) = duplex(buffer);
    let served = async move {
        let graceful = GracefulShutdown::new();
        Servers::new().serve(server, false, Arrival::new(routes, None, Budget::default()), graceful.watcher()).await
    };
    (client, tokio::spawn(served))
}

/// What is answered until the connection is closed, and after how many seconds it is.
async fn answer(client: &mut DuplexStream) -> (String, u64) {
    let begun = Instant::now();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    (String::from_utf8(answer).unwrap(), begun.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_header_has_five_seconds() {
    let (mut client, _server) = connect(1 << 16);
    client.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let (said, seconds) = answer(&mut client).await;
    assert_eq!((said.as_str(), seconds), ("", 5));
}

#[tokio::test(start_paused = true)]
async fn a_body_has_thirty_seconds_and_who_is_late_is_told() {
    let (mut client, _server) = connect(1 << 16);
    client.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n").await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(client);
    let dripping = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let begun = Instant::now();
    let mut said = vec![0; 4096];
    let length = reader.read(&mut said).await.unwrap();
    let said = String::from_utf8(said[..length].to_vec()).unwrap();
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("connection: close\r\n") && said.contains("content-type: application/json\r\n"), "{said}");
    assert!(said.ends_with(r#"{"code":4,"message":"the request was not complete in time","details":[]}"#), "{said}");
    drop(reader);
    dripping.abort();
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_a_minute() {
    let (mut client, _server) = connect(1 << 16);
    let request = b"POST /never HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    client.write_all(request).await.unwrap();
    let (said, seconds) = answer(&mut client).await;
    assert_eq!(seconds, 60);
    assert!(said.starts_with("HTTP/1.1 504 ") && said.contains(r#"{"code":4,"#), "{said}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_must_be_read() {
    let request = b"GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let (mut client, server) = connect(1024);
    client.write_all(request).await.unwrap();
    let begun = Instant::now();
    assert!(server.await.unwrap().is_err(), "cut off");
    assert_eq!(begun.elapsed().as_secs(), 30);

    // A kilobyte each second is slow, and enough.
    let (mut client, server) = connect(1024);
    client.write_all(request).await.unwrap();
    let mut received = 0;
    let mut buffer = [0; 1024];
    loop {
        match client.read(&mut buffer).await.unwrap() {
            0 => break,
            count => received += count,
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(received > 1 << 20, "{received}");
    server.await.unwrap().unwrap();

    // A byte now and then is not.
    let (mut client, server) = connect(1024);
    client.write_all(request).await.unwrap();
    let dripping = tokio::spawn(async move {
        let mut byte = [0; 64];
        while client.read(&mut byte).await.is_ok_and(|count| count > 0) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert!(server.await.unwrap().is_err(), "cut off");
    dripping.abort();
}

#[tokio::test]
async fn a_header_has_64_kib() {
    for (size, expected) in [(60 * 1024, "HTTP/1.1 200 "), (70 * 1024, "HTTP/1.1 431 "), (1 << 20, "HTTP/1.1 431 ")] {
        let (mut client, _server) = connect(1 << 21);
        let filler = "x".repeat(size);
        let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Filler: {filler}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let (said, _) = answer(&mut client).await;
        assert!(said.starts_with(expected), "{size}: {said}");
    }
}

/// An HTTP/2 connection (RFC 9113) that has asked for `path`, with this much room for each answer, and has read what came first.
async fn http2(path: &str, room: u32) -> DuplexStream {
    let routes = Router::new().route("/much", get(|| async { "x".repeat(1 << 20) })).route(
        "/slow",
        get(|| async {
            tokio::time::sleep(Duration::from_secs(25)).await;
            "done"
        }),
    );
    let routes = shell(routes, Arc::new(Vec::new));
    let (mut client, server) = duplex(1 << 16);
    tokio::spawn(async move {
        let graceful = GracefulShutdown::new();
        Servers::new().serve(server, true, Arrival::new(routes, None, Budget::default()), graceful.watcher()).await
    });
    let settings = [&[0, 4][..], &room.to_be_bytes()].concat();
    // `:method GET`, `:scheme http`, `:path`, `:authority x` (RFC 7541).
    let path = [&[0x44, u8::try_from(path.len()).unwrap()], path.as_bytes()].concat();
    let fields = [&[0x82, 0x86][..], &path, &[0x41, 1, b'x']].concat();
    let request = [frame(4, 0, 0, &settings), frame(1, 5, 1, &fields)].concat();
    client.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &request[..]].concat()).await.unwrap();
    client
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Reads all that is sent, answers pings, and gives `room` more for stream 1 every ten seconds, if any; for how many seconds
/// there was something to read, and the bytes of the answer.
async fn read_all(client: DuplexStream, room: u32) -> (u64, usize) {
    let begun = Instant::now();
    let (mut reader, mut writer) = tokio::io::split(client);
    let (pings, mut asked) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    let writing = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(10));
        loop {
            let frames = tokio::select! {
                Some(ping) = asked.recv() => frame(6, 1, 0, &ping),
                _ = ticks.tick() => match room {
                    0 => continue,
                    room => [0, 1].map(|stream| frame(8, 0, stream, &room.to_be_bytes())).concat(),
                },
            };
            if writer.write_all(&frames).await.is_err() {
                return;
            }
        }
    });
    let mut data = 0;
    let mut header = [0; 9];
    while reader.read_exact(&mut header).await.is_ok() {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; length as usize];
        reader.read_exact(&mut payload).await.unwrap();
        match (header[3], header[4]) {
            (0, flags) => {
                data += payload.len();
                if flags & 1 == 1 {
                    break;
                }
            }
            (6, 0) => drop(pings.send(payload)),
            _ => {}
        }
    }
    writing.abort();
    (begun.elapsed().as_secs(), data)
}

#[tokio::test(start_paused = true)]
async fn who_gives_an_http2_answer_no_room_is_cut_off() {
    // Reading everything, and answering every ping.
    for room in [0, 1, 20_000] {
        let (seconds, data) = read_all(http2("/much", room).await, 0).await;
        assert!((115..=130).contains(&seconds), "{room}: {seconds}");
        assert_eq!(data, room as usize);
    }
    // A byte now and then is no reading either.
    let (seconds, data) = read_all(http2("/much", 0).await, 1).await;
    assert!((115..=130).contains(&seconds) && data < 20, "{seconds}, {data}");
}

#[tokio::test(start_paused = true)]
async fn slow_readers_and_slow_answers_are_waited_for() {
    // 2 KiB a second: ten minutes.
    let (seconds, data) = read_all(http2("/much", 0).await, 20_000).await;
    assert!(seconds > 500 && data == 1 << 20, "{seconds}, {data}");
    let (seconds, data) = read_all(http2("/slow", 65_535).await, 0).await;
    assert_eq!((seconds, data), (25, 4));
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let limit = Arc::new(ConnectionLimit::new(None, 2.try_into().ok()));
    let listener = Listener::from(tcp).limited(Arc::clone(&limit));
    let (_stop, stopping) = crate::shutdown::channel();
    tokio::spawn(serve(listener, shell(Router::new(), Arc::new(Vec::new)), stopping));
    let is_answered = async || {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut first = [0; 1];
        matches!(stream.read(&mut first).await, Ok(1)).then_some(stream)
    };
    let (one, two) = (is_answered().await.unwrap(), is_answered().await.unwrap());
    assert!(is_answered().await.is_none());
    assert_eq!(limit.refused(), 1);
    drop(one);
    // When the server has noticed.
    let mut again = None;
    while again.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = is_answered().await;
    }
    drop(two);
}

/// What is not read yet waits outside of the budget, four times as much with HTTP/2.
#[tokio::test]
async fn a_listener_has_so_many_connections_and_no_more() {
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let limit = Arc::new(ConnectionLimit::new(5.try_into().ok(), None));
    let listener = Listener::from(tcp).limited(Arc::clone(&limit));
    let (_stop, stopping) = crate::shutdown::channel();
    tokio::spawn(serve(listener, shell(Router::new(), Arc::new(Vec::new)), stopping));
    // The first byte of an answer, and the connection; nothing where it was closed.
    let answered = async |request: &[u8]| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(request).await;
        let mut first = [0; 1];
        matches!(stream.read(&mut first).await, Ok(1)).then_some(stream)
    };
    let http1: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    // The preface and empty settings: the server answers with its own.
    let http2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let first = answered(http2).await.unwrap();
    let _second = answered(http1).await.unwrap();
    assert!(answered(http1).await.is_none());
    drop(first);
    let mut third = None;
    while third.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        third = answered(http1).await;
    }
    assert!(answered(http2).await.is_none(), "it would be six");
    assert!(limit.refused() >= 2);
}
