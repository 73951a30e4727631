//! TLS to servers without a certificate of a public authority: the operator configures certificates for them.
//!
//! Configured certificates replace the system's authorities, as curl's `--cacert` does. That is the one rule for every setting
//! and option that names certificates; the manual has it in `operate/own-servers.md`.
//!
//! A configured certificate is an authority for others, and is also trusted for its own names. `openssl req -x509`
//! makes one certificate that is both authority (`CA:TRUE`) and server. curl, Go and libpq accept it if it is
//! configured, but webpki alone does not (`CaUsedAsEndEntity`). So the chain is verified first. If that fails and the
//! server's certificate is, byte for byte, a configured one, then its validity, its use and its names decide. Not here:
//! revocation, and the choice of allowed hosts.

use reqwest::{Client, ClientBuilder};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, oid::ObjectIdentifier};
use x509_cert::ext::pkix::ExtendedKeyUsage;

/// Use of a certificate for a TLS server (RFC 5280 §4.2.1.12).
const SERVER_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");

/// The reason why the configured certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: io::Error,
    },
    /// The certificates in a file cannot be used.
    #[error("{path}: {fault}", path = .path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: Box<Self>,
    },
    /// The text is not PEM.
    #[error("not certificates in PEM: {0}")]
    Pem(#[from] pem::Error),
    /// The file has no certificate, so nothing would be trusted.
    #[error("there is no certificate in it; name a file with at least one in PEM")]
    Empty,
    /// rustls refuses one of the certificates.
    #[error("a certificate cannot be used: {0}")]
    Certificate(#[from] Error),
    /// rustls cannot make a verifier for the certificates.
    #[error("the certificates cannot be used: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

/// As [`trusting_only`], with the certificates in the file that a setting names. Without one, the system's authorities count.
pub fn trusting_file(builder: ClientBuilder, file: Option<&Path>) -> Result<ClientBuilder, AuthoritiesError> {
    let Some(path) = file else { return Ok(builder) };
    let pem = fs::read(path).map_err(|reason| AuthoritiesError::File { path: path.to_owned(), reason })?;
    trusting_only(builder, &pem).map_err(|fault| AuthoritiesError::In { path: path.to_owned(), fault: Box::new(fault) })
}

/// Checks that the certificates in a file can be used.
pub fn check_file(file: &Path) -> Result<(), AuthoritiesError> {
    trusting_file(Client::builder(), Some(file)).map(drop)
}

/// Trusts the certificates in `pem`, and no other authority.
pub fn trusting_only(builder: ClientBuilder, pem: &[u8]) -> Result<ClientBuilder, AuthoritiesError> {
    let (named, provider) = (read(pem)?, Arc::new(aws_lc_rs::default_provider()));
    let mut roots = RootCertStore::empty();
    for certificate in &named {
        roots.add(certificate.clone())?;
    }
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    with(builder, provider, Named { chains, named })
}

fn read(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, AuthoritiesError> {
    let named = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    if named.is_empty() { Err(AuthoritiesError::Empty) } else { Ok(named) }
}

fn with(
    builder: ClientBuilder,
    provider: Arc<CryptoProvider>,
    verifier: Named,
) -> Result<ClientBuilder, AuthoritiesError> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    // The client's protocols must be set here: reqwest does not change a given configuration.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(builder.tls_backend_preconfigured(config))
}

/// Verifies a chain to an authority, or a certificate that is itself configured.
#[derive(Debug)]
struct Named {
    chains: Arc<dyn ServerCertVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(_) if self.named.iter().any(|named| **named == **end_entity) => {
                verify_itself(end_entity, server_name, now)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Verifies a certificate without its issuer: its validity, its use, its names.
fn verify_itself(certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let tbs = parsed.tbs_certificate();
    let [not_before, not_after] = [tbs.validity().not_before, tbs.validity().not_after]
        .map(|moment| UnixTime::since_unix_epoch(moment.to_unix_duration()));
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    let usage = tbs.get_extension::<ExtendedKeyUsage>().map_err(|_| CertificateError::BadEncoding)?;
    if usage.is_some_and(|(_, usage)| !usage.0.contains(&SERVER_AUTHENTICATION)) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)
}
