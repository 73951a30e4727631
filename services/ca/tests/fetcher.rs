//! The fetcher against a server that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use chancery_ca::Access;
use chancery_ca::oidc::{Fetch as _, FetchError, HttpFetcher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

/// Loopback is reached, as in development.
fn development() -> Access {
    Access { loopback_http: true, ..Access::default() }
}

/// Answers every connection with `answer` and counts connections.
async fn serve(answer: Vec<u8>) -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            assert!(!String::from_utf8_lossy(&request[..read]).to_lowercase().contains("authorization"));
            // The client hangs up when it has read enough.
            let _ = stream.write_all(&answer).await;
        }
    });
    (url, connections)
}

#[tokio::test]
async fn gets_a_document() {
    let (url, _) = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    assert_eq!(HttpFetcher::new(&development()).unwrap().get(&url).await.unwrap(), b"{}");
}

#[tokio::test]
async fn never_follows_a_redirect() {
    let (elsewhere, visits) = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = format!("HTTP/1.1 {status} Moved\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
        let (url, _) = serve(redirect.into_bytes()).await;
        let answer = HttpFetcher::new(&development()).unwrap().get(&url).await;
        assert!(matches!(answer, Err(FetchError::Status { status: found, .. }) if found == status));
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn reads_no_more_than_a_document_may_have() {
    let mut long = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
    long.resize(1_000_000, b' ');
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    endless.resize(1_000_000, b' ');
    for answer in [long, endless] {
        let (url, _) = serve(answer).await;
        assert!(matches!(HttpFetcher::new(&development()).unwrap().get(&url).await, Err(FetchError::TooLarge { .. })));
    }
}

#[tokio::test]
async fn a_dead_host_is_an_error_that_names_it_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let error = HttpFetcher::new(&development()).unwrap().get(&url).await.unwrap_err();
    assert!(matches!(error, FetchError::Transport { .. }));
    assert_eq!(error.to_string().matches(url.as_str()).count(), 1);
}
