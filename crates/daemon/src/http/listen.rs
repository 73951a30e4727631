//! Listening sockets: plain TCP behind a proxy, or TLS with a certificate from files.
//!
//! The contents of the files are checked every few seconds, and on SIGHUP, so a tool that renews them (certbot, cert-manager, a
//! mounted secret) need not notify us. Files that are broken, or whose key does not match, are logged; the old
//! certificate stays in use. TLS 1.2 and 1.3, HTTP/2 by ALPN (RFC 7301).

use super::ConnectionLimit;
use crate::budget::Budget;
use crate::reload::Hangups;
use crate::signer::{self, SignerError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// Time between two checks of the files.
const PERIOD: Duration = Duration::from_secs(5);
/// ALPN's name of HTTP/2.
const HTTP2: &[u8] = b"h2";

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file has no certificate.
    #[error("{path} has no certificate in PEM", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The key cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: SignerError,
    },
    /// The key is encrypted.
    #[error(
        "{path} is encrypted, and a server that starts cannot ask for its password; decrypt it: {command}",
        path = .path.display()
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
        /// The command that decrypts it.
        command: String,
    },
    /// Certificate and key do not match, or rustls refuses them.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A listening socket, plain or with TLS.
pub struct Listener {
    pub(super) tcp: TcpListener,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) limit: Arc<ConnectionLimit>,
    pub(super) budget: Budget,
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None, limit: Arc::default(), budget: Budget::default() }
    }
}

impl Listener {
    /// Listens with TLS on `tcp`.
    #[must_use]
    pub fn tls(tcp: TcpListener, tls: Arc<Tls>) -> Self {
        Self { tls: Some(tls), ..Self::from(tcp) }
    }

    /// Sets the limit of its connections. Default: the usual one, and none for one address.
    #[must_use]
    pub fn limited(self, limit: Arc<ConnectionLimit>) -> Self {
        Self { limit, ..self }
    }

    /// Sets the budget for the bodies of requests, which listeners may share. Default: one of its own.
    #[must_use]
    pub fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }
}

/// A certificate chain and its key, as last loaded from the files.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Current>,
}

struct Current {
    /// Contents of both files when they were last read.
    read: [Vec<u8>; 2],
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads `certificate` (PEM, the server's own certificate first) and `key` (PEM).
    pub fn open(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let read = read(certificate, key)?;
        let config = configure(certificate, key, &read)?;
        let current = RwLock::new(Current { read, config });
        Ok(Arc::new(Self { certificate: certificate.to_owned(), key: key.to_owned(), current }))
    }

    /// Returns the TLS configuration for a new connection.
    fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.config))
    }

    /// Reads the files again. Returns whether they have changed.
    fn reload(&self) -> Result<bool, TlsError> {
        let read = read(&self.certificate, &self.key)?;
        if read == self.current.read().unwrap_or_else(PoisonError::into_inner).read {
            return Ok(false);
        }
        let config = configure(&self.certificate, &self.key, &read)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current { read, config };
        Ok(true)
    }

    /// Reloads the files when they change, and at once after `hangups`, for as long as it is polled.
    pub async fn follow(self: Arc<Self>, mut hangups: Hangups) {
        let mut complaint = None;
        loop {
            // Broken files are logged again if an operator has asked.
            if tokio::time::timeout(PERIOD, hangups.received()).await.is_ok() {
                complaint = None;
            }
            match self.reload() {
                Ok(changed) => {
                    if changed {
                        tracing::info!(certificate = %self.certificate.display(), "took the renewed TLS certificate");
                    }
                    complaint = None;
                }
                Err(error) => {
                    let error = error.to_string();
                    // Log each fault only once.
                    if complaint.as_ref() != Some(&error) {
                        tracing::error!(error, "the TLS certificate is not renewed; the previous one stays in use");
                    }
                    complaint = Some(error);
                }
            }
        }
    }
}

/// A connection before its first HTTP byte.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Does the TLS handshake, if any, and finds out whether the client speaks HTTP/2.
pub(super) async fn begin(stream: TcpStream, tls: Option<&Tls>) -> io::Result<(Stream, bool)> {
    let Some(tls) = tls else {
        let http2 = begins_http2(&stream).await?;
        return Ok((Stream::Plain(stream), http2));
    };
    let stream = tls.acceptor().accept(stream).await?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
    Ok((Stream::Tls(Box::new(stream)), http2))
}

/// Returns whether a connection begins with the preface of HTTP/2 (RFC 9113 §3.4), which gRPC sends without TLS. No
/// method of HTTP/1 begins like it. Only peeks: takes nothing out of the stream.
async fn begins_http2(stream: &TcpStream) -> io::Result<bool> {
    const BEGINNING: &[u8] = b"PRI ";
    let mut begins = [0; BEGINNING.len()];
    loop {
        let length = stream.peek(&mut begins).await?;
        if length == BEGINNING.len() || !BEGINNING.starts_with(begins.get(..length).unwrap_or_default()) || length == 0
        {
            return Ok(begins == BEGINNING);
        }
        // Peeked bytes stay in the socket, so the arrival of more bytes would not wake this task.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn read(certificate: &Path, key: &Path) -> Result<[Vec<u8>; 2], TlsError> {
    let read = |path: &Path| fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source });
    Ok([read(certificate)?, read(key)?])
}

fn configure(certificate: &Path, key: &Path, read: &[Vec<u8>; 2]) -> Result<Arc<ServerConfig>, TlsError> {
    let [certificates, private] = read;
    let malformed = || TlsError::Malformed { path: certificate.to_owned() };
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>().map_err(|_| malformed())?;
    if chain.is_empty() {
        return Err(malformed());
    }
    let private = signer::pkcs8(key, private, None).map_err(|error| match error {
        SignerError::PasswordMissing | SignerError::Form { is_encrypted: true, .. } => {
            TlsError::Encrypted { path: key.to_owned(), command: signer::decrypt_command(key) }
        }
        source => TlsError::Key { path: key.to_owned(), source },
    })?;
    let private = PrivatePkcs8KeyDer::from(private.as_bytes().to_vec()).into();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed certificate and its key, in PEM.
    fn pair(name: &str) -> [String; 2] {
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        [cert.pem(), signing_key.serialize_pem()]
    }

    #[test]
    fn the_key_is_read_as_every_other_key_is() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
        let [own, text] = pair("one.example.test");
        fs::write(&certificate, own).unwrap();
        let with_certificate = format!("a text\r\n{}", text.replace('\n', "\r\n"));
        fs::write(&key, with_certificate).unwrap();
        Tls::open(&certificate, &key).unwrap();
        let encrypted = signer::encrypt(&text, b"a password", &crate::random::SystemRandom).unwrap();
        fs::write(&key, encrypted).unwrap();
        let refused = Tls::open(&certificate, &key).err().unwrap().to_string();
        let command = format!("decrypt it: openssl pkey -in {0} -out {0}.plain", key.display());
        assert!(refused.ends_with(&command), "{refused}");
        fs::write(&key, "no key").unwrap();
        assert!(matches!(Tls::open(&certificate, &key), Err(TlsError::Key { .. })));
    }

    #[test]
    fn renewed_files_are_taken_and_broken_ones_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
        let write = |pair: &[String; 2]| {
            fs::write(&certificate, &pair[0]).unwrap();
            fs::write(&key, &pair[1]).unwrap();
        };
        assert!(matches!(Tls::open(&certificate, &key), Err(TlsError::File { .. })));
        let (first, second) = (pair("one.example.test"), pair("two.example.test"));
        write(&first);
        let tls = Tls::open(&certificate, &key).unwrap();
        assert!(!tls.reload().unwrap());
        write(&[second[0].clone(), first[1].clone()]);
        assert!(matches!(tls.reload(), Err(TlsError::Unusable(_))), "the key is another's");
        write(&[String::new(), first[1].clone()]);
        assert!(matches!(tls.reload(), Err(TlsError::Malformed { .. })));
        write(&second);
        assert!(tls.reload().unwrap());
        write(&[second[0].clone(), "no key".to_owned()]);
        assert!(matches!(tls.reload(), Err(TlsError::Key { .. })));
    }
}
