//! Which servers are trusted when an operator has named certificates: real TLS handshakes with certificates of every kind.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use chancery_outbound::{AuthoritiesError, check_file, client, trusting_file, trusting_only};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion, crypto, version};

/// What `openssl req -x509` makes for `localhost`: authority and server in one.
fn both_in_one() -> CertificateParams {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

fn self_signed(parameters: &CertificateParams) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (parameters.self_signed(&key).unwrap(), key)
}

/// Serves with this certificate, and returns the port.
async fn serve(certificate: &Certificate, key: &KeyPair, versions: &[&'static SupportedProtocolVersion]) -> u16 {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate closes the connection.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

/// Asks, trusting the certificates in `pem`; the error with its causes.
async fn ask(url: &str, pem: &str) -> Result<(), String> {
    let deadline = Duration::from_secs(10);
    let client = trusting_only(client(deadline, deadline), pem.as_bytes()).unwrap().build().unwrap();
    let Err(error) = client.get(url).send().await else { return Ok(()) };
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    Err(text)
}

/// Serves with a certificate of these parameters and asks for `host`, naming that certificate.
async fn ask_named(parameters: &CertificateParams, host: &str) -> Result<(), String> {
    let (certificate, key) = self_signed(parameters);
    let port = serve(&certificate, &key, ALL_VERSIONS).await;
    ask(&format!("https://{host}:{port}/"), &certificate.pem()).await
}

#[tokio::test]
async fn a_named_certificate_is_trusted_for_its_names_as_it_stands() {
    for versions in [&[&version::TLS12][..], &[&version::TLS13]] {
        let (certificate, key) = self_signed(&both_in_one());
        let port = serve(&certificate, &key, versions).await;
        let (other, _) = self_signed(&both_in_one());
        let url = format!("https://localhost:{port}/");
        let bundle = format!("{}{}", other.pem(), certificate.pem());
        for pem in [certificate.pem(), bundle] {
            assert_eq!(ask(&url, &pem).await, Ok(()));
        }
        // Of the same name and made alike, and still another one.
        let refused = ask(&url, &other.pem()).await.unwrap_err();
        assert!(refused.contains("certificate"), "{refused}");
        let elsewhere = ask(&format!("https://127.0.0.1:{port}/"), &certificate.pem()).await.unwrap_err();
        assert!(elsewhere.contains("not valid for name"), "{elsewhere}");
    }
    let mut server = both_in_one();
    server.is_ca = IsCa::ExplicitNoCa;
    assert_eq!(ask_named(&server, "localhost").await, Ok(()), "no authority");
    let mut usage = both_in_one();
    usage.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(ask_named(&usage, "localhost").await, Ok(()));
    let mut address = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    address.is_ca = both_in_one().is_ca;
    assert_eq!(ask_named(&address, "127.0.0.1").await, Ok(()), "a name that is an address");
}

#[tokio::test]
async fn a_file_that_is_named_replaces_the_system_s_authorities() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = self_signed(&both_in_one());
    let url = format!("https://localhost:{}/", serve(&certificate, &key, ALL_VERSIONS).await);
    let file = directory.path().join("server.crt");
    std::fs::write(&file, certificate.pem()).unwrap();
    let deadline = Duration::from_secs(10);
    let ask = async |file: Option<&Path>| {
        let client = trusting_file(client(deadline, deadline), file).unwrap().build().unwrap();
        client.get(&url).send().await.is_ok()
    };
    assert!(ask(Some(&file)).await);
    assert!(!ask(None).await, "without a file the system's authorities count");
    assert!(check_file(&file).is_ok());
    let missing = directory.path().join("missing.crt");
    let refused = |file: &Path| check_file(file).unwrap_err().to_string();
    assert!(refused(&missing).starts_with("cannot read") && refused(&missing).contains("missing.crt"));
    std::fs::write(&file, key.serialize_pem()).unwrap();
    assert!(refused(&file).contains("server.crt: there is no certificate in it"), "{}", refused(&file));
}

#[tokio::test]
async fn its_validity_its_use_and_its_names_are_verified() {
    let refused = async |parameters: &CertificateParams, reason: &str| {
        let error = ask_named(parameters, "localhost").await.unwrap_err();
        assert!(error.contains(reason), "{reason}: {error}");
    };
    let (mut expired, mut early) = (both_in_one(), both_in_one());
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    refused(&expired, "expired").await;
    early.not_before = date_time_ymd(4000, 1, 1);
    refused(&early, "not valid yet").await;
    let mut client = both_in_one();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    refused(&client, "Purpose").await;
    let mut another = CertificateParams::new(vec!["other.example.test".to_owned()]).unwrap();
    another.is_ca = both_in_one().is_ca;
    refused(&another, "not valid for name").await;
    let mut nameless = CertificateParams::new(Vec::new()).unwrap();
    nameless.is_ca = both_in_one().is_ca;
    refused(&nameless, "not valid for").await;
}

#[tokio::test]
async fn a_named_authority_is_one_for_others_and_a_named_server_needs_none() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (root, root_key) = self_signed(&authority);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(authority, root_key)).unwrap();
    let port = serve(&leaf, &key, ALL_VERSIONS).await;
    let url = format!("https://localhost:{port}/");
    let (stranger, _) = self_signed(&both_in_one());
    assert_eq!(ask(&url, &root.pem()).await, Ok(()));
    assert_eq!(ask(&url, &leaf.pem()).await, Ok(()), "named itself, without its authority");
    assert!(ask(&url, &stranger.pem()).await.is_err());
}

#[test]
fn a_file_without_a_usable_certificate_is_refused() {
    let deadline = Duration::from_secs(1);
    let refused = |pem: &str| trusting_only(client(deadline, deadline), pem.as_bytes()).unwrap_err();
    for empty in ["", "text", &KeyPair::generate().unwrap().serialize_pem()] {
        assert!(matches!(refused(empty), AuthoritiesError::Empty), "{empty}");
    }
    assert!(matches!(refused("-----BEGIN CERTIFICATE-----\nx"), AuthoritiesError::Pem(_)));
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(refused(nonsense), AuthoritiesError::Certificate(_)));
}
