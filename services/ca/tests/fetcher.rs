//! The fetcher against a server that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use chancery_ca::oidc::{Fetch as _, FetchError, HttpFetcher};
use chancery_ca::{Access, Bearer};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};
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
async fn a_server_that_drips_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
        // Every byte is in time; all of them together would take hours.
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let error = HttpFetcher::new(&development()).unwrap().get(&url).await.unwrap_err();
    assert!(matches!(&error, FetchError::Transport { reason, .. } if reason.contains("timed out")), "{error}");
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

#[tokio::test]
async fn addresses_inside_are_reached_only_where_that_is_allowed() {
    let (url, visits) = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    let port = url.port().unwrap();
    let private = Access { private_addresses: true, ..Access::default() };
    // A name that resolves to this machine, as one would that an attacker controls (DNS rebinding).
    for host in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433"] {
        let url: Url = format!("https://{host}:{port}/keys").parse().unwrap();
        for access in [&Access::default(), &private] {
            let error = HttpFetcher::new(access).unwrap().get(&url).await.unwrap_err();
            assert!(matches!(error, FetchError::Address { .. }), "{host}: {error}");
        }
    }
    for host in ["169.254.169.254", "10.0.0.1", "[fd00::1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"] {
        let url: Url = format!("https://{host}/latest/meta-data").parse().unwrap();
        let error = HttpFetcher::new(&Access::default()).unwrap().get(&url).await.unwrap_err();
        assert!(matches!(error, FetchError::Address { .. }), "{host}: {error}");
    }
    let metadata: Url = "http://169.254.169.254/".parse().unwrap();
    let everything = Access { private_addresses: true, ..development() };
    let error = HttpFetcher::new(&everything).unwrap().get(&metadata).await.unwrap_err();
    assert!(matches!(error, FetchError::Address { .. }), "{error}");
    assert_eq!(visits.load(Ordering::SeqCst), 0);
    // Where it is allowed, the name is good too.
    let named: Url = format!("http://localhost:{port}/keys").parse().unwrap();
    assert_eq!(HttpFetcher::new(&development()).unwrap().get(&named).await.unwrap(), b"{}");
}

#[tokio::test]
async fn plain_http_is_for_development() {
    let (url, visits) = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    let access = Access { private_addresses: true, ..Access::default() };
    assert!(HttpFetcher::new(&access).unwrap().get(&url).await.is_err());
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

/// Answers every connection and keeps what was sent.
async fn record() -> (Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/openid/v1/jwks", listener.local_addr().unwrap()).parse().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            seen.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).to_lowercase());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
        }
    });
    (url, requests)
}

#[tokio::test]
async fn a_service_account_s_token_goes_to_its_api_server_and_nowhere_else() {
    let (server, seen) = record().await;
    let (elsewhere, seen_elsewhere) = record().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let bearer = Some(Bearer { file: file.clone(), origin: server.to_string() });
    let fetcher = HttpFetcher::new(&Access { bearer, ..development() }).unwrap();
    fetcher.get(&server).await.unwrap();
    // Kubernetes replaces the file; a token that is read once ends some day.
    std::fs::write(&file, "second").unwrap();
    fetcher.get(&server).await.unwrap();
    fetcher.get(&elsewhere).await.unwrap();
    let other_name: Url = server.as_str().replace("127.0.0.1", "localhost").parse().unwrap();
    fetcher.get(&other_name).await.unwrap();
    let sent = |requests: &Mutex<Vec<String>>| -> Vec<bool> {
        requests.lock().unwrap().iter().map(|request| request.contains("authorization:")).collect()
    };
    assert_eq!(sent(&seen), [true, true, false]);
    assert_eq!(sent(&seen_elsewhere), [false]);
    assert!(seen.lock().unwrap()[0].contains("authorization: bearer first\r\n"));
    assert!(seen.lock().unwrap()[1].contains("authorization: bearer second\r\n"));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(fetcher.get(&server).await, Err(FetchError::Bearer { .. })));
}

#[tokio::test]
async fn a_proxy_is_used_where_one_is_configured() {
    let (proxy, seen) = record().await;
    let access = Access { proxy: Some(format!("http://127.0.0.1:{}", proxy.port().unwrap())), ..development() };
    let url: Url = "http://issuer.invalid/keys".parse().unwrap();
    HttpFetcher::new(&access).unwrap().get(&url).await.unwrap();
    assert!(seen.lock().unwrap()[0].starts_with("get http://issuer.invalid/keys "));
}

/// A TLS server for `localhost` by an authority of its own; the authority's certificate.
async fn serve_tls() -> (Url, String) {
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let ca_pem = root.self_signed(&root_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
    (serve_with(&leaf, &key).await, ca_pem)
}

/// A TLS server with this certificate.
async fn serve_with(certificate: &Certificate, key: &KeyPair) -> Url {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/keys", listener.local_addr().unwrap().port()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust the certificate hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
            let _ = stream.shutdown().await;
        }
    });
    url
}

#[tokio::test]
async fn an_issuer_s_own_certificate_is_enough_if_it_is_named() {
    // As `openssl req -x509` makes it: authority and server in one.
    let mut both = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    both.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = both.self_signed(&key).unwrap();
    let url = serve_with(&certificate, &key).await;
    let access = |pem: String| Access { ca_pem: Some(pem), ..development() };
    let fetcher = HttpFetcher::new(&access(certificate.pem())).unwrap();
    assert_eq!(fetcher.get(&url).await.unwrap(), b"{}");
    let address: Url = url.as_str().replace("localhost", "127.0.0.1").parse().unwrap();
    let refused = fetcher.get(&address).await.unwrap_err().to_string();
    assert!(refused.contains("not valid for name"), "{refused}");
    let empty = HttpFetcher::new(&access(key.serialize_pem())).unwrap_err().to_string();
    assert!(empty.contains("ca_file or ca_pem") && empty.contains("no certificate"), "{empty}");
}

#[tokio::test]
async fn a_company_s_own_authority_is_the_only_one_for_its_issuer() {
    let (url, ca_pem) = serve_tls().await;
    let (_, other_pem) = serve_tls().await;
    let get = async |ca_pem: Option<&str>| {
        let access = Access { ca_pem: ca_pem.map(str::to_owned), ..development() };
        HttpFetcher::new(&access).unwrap().get(&url).await
    };
    assert_eq!(get(Some(&ca_pem)).await.unwrap(), b"{}");
    assert_eq!(get(Some(&format!("{other_pem}{ca_pem}"))).await.unwrap(), b"{}");
    for untrusted in [None, Some(other_pem.as_str())] {
        let refused = get(untrusted).await.unwrap_err();
        assert!(
            matches!(&refused, FetchError::Transport { reason, .. } if reason.contains("certificate")),
            "{refused}"
        );
    }
}
