//! Trusted authorities: certificate authorities and timestamp authorities.

use super::Window;
use super::instance::{Instance, host_and_path, operator, window};
use super::limits::{MAX_DER_BYTES, MAX_TEXT_BYTES};
use crate::certificate::{Certificate, MAX_CHAIN, verify_issued_by};
use crate::protojson::strict::{Node, Object};
use crate::{Refusal, Rejection, Step};
use x509_cert::ext::pkix::BasicConstraints;

/// A certificate authority. Each certificate of its chain is a CA and issued by the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateAuthority {
    /// Not empty. The anchor is last.
    pub(super) chain: Vec<Certificate>,
    pub(super) window: Window,
    pub(super) operator: String,
    pub(super) url: String,
}

impl CertificateAuthority {
    /// The whole chain: the certificate that issues leaves first, the anchor last. Not empty.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The certificates between leaf and anchor, in order. They are not anchors.
    #[must_use]
    pub fn intermediates(&self) -> &[Certificate] {
        self.chain.split_last().map_or(&[], |(_, intermediates)| intermediates)
    }

    /// The anchor: a root, or an intermediate if the operator does not publish the root. A slice of one certificate,
    /// the form of roots in [`crate::certificate::verify_chain`].
    #[must_use]
    pub fn anchor(&self) -> &[Certificate] {
        self.chain.last().map_or(&[], std::slice::from_ref)
    }

    /// The window of trust of its whole chain.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The operator. If the file names none, the URL's host.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// The URL, as written. May be empty.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A timestamp authority. Its chain may lack the signing certificate: then tokens contain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampAuthority {
    /// Not empty. The anchor is last.
    pub(super) chain: Vec<Certificate>,
    /// Whether the first certificate is the signing certificate.
    pub(super) has_leaf: bool,
    pub(super) window: Window,
    pub(super) operator: String,
    pub(super) url: String,
}

impl TimestampAuthority {
    /// The whole chain: the signing certificate first, if it is known, the anchor last.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The signing certificate. `None` if tokens contain it.
    #[must_use]
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first().filter(|_| self.has_leaf)
    }

    /// The CAs of the chain in order, the anchor last.
    #[must_use]
    pub fn issuers(&self) -> &[Certificate] {
        self.chain.get(usize::from(self.has_leaf)..).unwrap_or_default()
    }

    /// The anchor: a root or an intermediate. A slice of one certificate.
    #[must_use]
    pub fn anchor(&self) -> &[Certificate] {
        self.chain.last().map_or(&[], std::slice::from_ref)
    }

    /// The window of trust of its whole chain.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The operator, which thresholds count. If the file names none, the URL's host. Empty if there is no URL either:
    /// all such authorities count as one.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// The URL, as written. May be empty.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// An authority as written, with parsed certificates.
pub(super) struct Chain {
    path: String,
    url: String,
    certificates: Vec<Certificate>,
    /// The refusal of the first certificate with an unsupported algorithm.
    unusable: Option<Refusal>,
    window: Window,
    operator: String,
}

impl Chain {
    pub(super) fn read(node: Node) -> Result<Self, Refusal> {
        let path = node.path().to_owned();
        let mut object = node.object()?;
        let url = object.string("uri", MAX_TEXT_BYTES)?;
        let host = match host_and_path(&url) {
            Some((host, _)) => host,
            None if url.is_empty() => String::new(),
            None => return Err(object.refuse("uri", Rejection::RootMalformed).expected("a URL", &url)),
        };
        subject(&mut object)?;
        let window = window(&mut object)?;
        let operator = operator(&mut object, &host)?;
        let (certificates, unusable) = certificates(&mut object)?;
        object.finish()?;
        Ok(Self { path, url, certificates, unusable, window, operator })
    }

    pub(super) fn certificate_authority(self) -> Result<Instance<CertificateAuthority>, Refusal> {
        if let Some(reason) = self.unusable {
            return Ok(Instance::Unusable { url: self.url, log_id: None, reason });
        }
        self.check(0)?;
        let Self { url, certificates: chain, window, operator, .. } = self;
        Ok(Instance::Usable(CertificateAuthority { chain, window, operator, url }))
    }

    pub(super) fn timestamp_authority(self) -> Result<Instance<TimestampAuthority>, Refusal> {
        if let Some(reason) = self.unusable {
            return Ok(Instance::Unusable { url: self.url, log_id: None, reason });
        }
        let has_leaf = match self.certificates.first() {
            Some(first) => !self.is_ca(0, first)?,
            None => false,
        };
        self.check(usize::from(has_leaf))?;
        let Self { url, certificates: chain, window, operator, .. } = self;
        Ok(Instance::Usable(TimestampAuthority { chain, has_leaf, window, operator, url }))
    }

    /// Checks the chain. Each certificate is issued by the next, and none is repeated. All from `first_ca` on are CAs,
    /// and there is at least one.
    fn check(&self, first_ca: usize) -> Result<(), Refusal> {
        if self.certificates.len() <= first_ca {
            let found = if first_ca == 0 { "an empty chain" } else { "the signing certificate alone" };
            return Err(self.refuse_chain().expected("a chain that ends in an anchor", found));
        }
        for (index, certificate) in self.certificates.iter().enumerate() {
            if index >= first_ca && !self.is_ca(index, certificate)? {
                return Err(self.refuse(index).expected("a CA", "a certificate that may not issue"));
            }
            let Some(issuer) = self.certificates.get(index + 1) else { continue };
            if certificate == issuer {
                return Err(self.refuse(index + 1).expected("another certificate", "the same one"));
            }
            if let Err(rejection) = verify_issued_by(certificate, issuer) {
                return Err(self
                    .refuse(index + 1)
                    .expected("the issuer of the certificate before it", rejection.to_string()));
            }
        }
        Ok(())
    }

    fn is_ca(&self, index: usize, certificate: &Certificate) -> Result<bool, Refusal> {
        let constraints = certificate.decode::<BasicConstraints>();
        let constraints =
            constraints.map_err(|rejection| self.refuse(index).expected("a certificate", rejection.to_string()))?;
        Ok(constraints.is_some_and(|constraints| constraints.ca))
    }

    fn refuse_chain(&self) -> Refusal {
        Refusal::new(Rejection::RootChain, Step::Formats).at(format!("{}.certChain.certificates", self.path))
    }

    fn refuse(&self, index: usize) -> Refusal {
        let path = format!("{}.certChain.certificates[{index}]", self.path);
        Refusal::new(Rejection::RootChain, Step::Formats).at(path)
    }
}

/// Parses `subject`. It repeats the certificate and is not used.
fn subject(object: &mut Object) -> Result<(), Refusal> {
    let Some(node) = object.take("subject") else { return Ok(()) };
    let mut subject = node.object()?;
    subject.string("organization", MAX_TEXT_BYTES)?;
    subject.string("commonName", MAX_TEXT_BYTES)?;
    subject.finish()
}

/// Parses `certChain`: the certificates, and the refusal of one with an unsupported algorithm.
fn certificates(object: &mut Object) -> Result<(Vec<Certificate>, Option<Refusal>), Refusal> {
    let missing = object.refuse("certChain", Rejection::RootChain).expected("a certificate chain", "none");
    let mut chain = object.take("certChain").ok_or(missing)?.object()?;
    let (mut certificates, mut unusable) = (Vec::new(), None);
    for node in chain.list("certificates", "certificates", MAX_CHAIN)? {
        let refusal = node.refuse(Rejection::RootChain);
        let mut element = node.object()?;
        let der = element.bytes("rawBytes", MAX_DER_BYTES)?;
        element.finish()?;
        match Certificate::from_der(&der) {
            Ok(certificate) => certificates.push(certificate),
            Err(rejection) => {
                let refusal = refusal.expected("a certificate in DER", rejection.to_string());
                match rejection {
                    Rejection::KeyUnsupported | Rejection::AlgorithmNotAllowed => unusable = unusable.or(Some(refusal)),
                    _ => return Err(refusal),
                }
            }
        }
    }
    chain.finish()?;
    Ok((certificates, unusable))
}
