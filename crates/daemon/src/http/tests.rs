//! Clients that take their time (S-24), each against the deadline that is meant for it. Time is tokio's, and flies.

use super::*;
use axum::routing::post;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

/// A connection to a server that echoes, answers with a megabyte, or never.
fn connect(buffer: usize) -> (DuplexStream, tokio::task::JoinHandle<hyper::Result<()>>) {
    let routes = Router::new()
        .route("/echo", post(|body: String| async move { body }))
        .route("/much", get(|| async { "x".repeat(1 << 20) }))
        .route("/never", post(|_: String| std::future::pending::<()>()));
    let routes = shell(routes, Arc::new(|| None));
    let (client, server) = duplex(buffer);
    let served = async move {
        let graceful = GracefulShutdown::new();
        Servers::new().serve(server, false, routes, graceful.watcher()).await
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
