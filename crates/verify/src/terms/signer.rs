//! A signer of an entry, read as far as it can be read: key, certificate, names and claims.
//!
//! Keys and certificates are not checked. One that cannot be parsed still has the hash by which upstream finds it, and a
//! certificate its fingerprint.

use super::key_names::{KeyNames, minisign, pgp, ssh};
use super::kind::TermKind;
use super::names::{domains, host};
use super::set::{Omissions, Terms};
use super::summary::{IdentitySummary, SignerSummary, bounded, listed};
use super::term::Term;
use super::{MAX_NAMES, tuf};
use crate::certificate::{MAX_CHAIN, SubjectName, Unverified};
use crate::extension::Claim;
use crate::rekor::KeyFormat;
use crate::{Hash, Rejection, Timestamp, hash, pem};

/// A signer. Only of a precertificate that is not at hand there is a certificate without a fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signer {
    format: KeyFormat,
    /// SHA-256 of the key or chain in the text that Rekor logs.
    rekor_key: Option<Hash>,
    /// SHA-256 of the `SubjectPublicKeyInfo`.
    key: Option<Hash>,
    names: KeyNames,
    certificate_sha256: Option<Hash>,
    certificate: Option<Certificate>,
}

/// The parts of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Certificate {
    serial: Term,
    /// First and last moment.
    validity: Option<(Timestamp, Timestamp)>,
    subject: Option<String>,
    names: Vec<SubjectName>,
    claims: Vec<(Claim, String)>,
}

impl Signer {
    /// Reads a key as Rekor v1 logs it.
    pub(super) fn logged(format: KeyFormat, text: &[u8], omissions: &mut Omissions) -> Self {
        let names = match format {
            KeyFormat::X509 => return Self::x509(text, omissions),
            KeyFormat::Pgp => pgp::read(text),
            KeyFormat::Ssh => ssh::read(text),
            KeyFormat::Minisign => minisign::read(text),
            KeyFormat::Tuf => tuf::key_names(text),
        };
        let mut names = names.unwrap_or_else(|| {
            omissions.note(Rejection::EntryKey);
            KeyNames::default()
        });
        for list in [&mut names.ids, &mut names.emails] {
            if list.len() > MAX_NAMES {
                list.truncate(MAX_NAMES);
                omissions.note(Rejection::EntryTooMany { what: "names", limit: MAX_NAMES });
            }
        }
        Self { format, rekor_key: Some(hash::sha256(text)), names, ..Self::default() }
    }

    /// Reads PEM: a key, or a certificate with its chain. Upstream hashes the canonical text, so this does, too.
    fn x509(text: &[u8], omissions: &mut Omissions) -> Self {
        let blocks = pem::decode_all(text, MAX_CHAIN).unwrap_or_default();
        let canonical: String = blocks.iter().map(|block| pem::encode(&block.label, &block.der)).collect();
        let Some(first) = blocks.first() else {
            omissions.note(Rejection::EntryKey);
            return Self { rekor_key: Some(hash::sha256(text)), ..Self::default() };
        };
        Self { rekor_key: Some(hash::sha256(canonical.as_bytes())), ..Self::block(&first.label, &first.der, omissions) }
    }

    /// Reads a key or certificate in DER as Rekor v2 logs it, under the label that it has in PEM.
    pub(super) fn der(label: &str, der: &[u8], omissions: &mut Omissions) -> Self {
        let canonical = pem::encode(label, der);
        Self { rekor_key: Some(hash::sha256(canonical.as_bytes())), ..Self::block(label, der, omissions) }
    }

    fn block(label: &str, der: &[u8], omissions: &mut Omissions) -> Self {
        match label {
            pem::CERTIFICATE => Self::certificate(der, omissions),
            pem::PUBLIC_KEY => Self { key: Some(hash::sha256(der)), ..Self::default() },
            _ => {
                omissions.note(Rejection::EntryKey);
                Self::default()
            }
        }
    }

    /// Reads a certificate.
    pub(super) fn certificate(der: &[u8], omissions: &mut Omissions) -> Self {
        let parts = Unverified::of_certificate(der);
        Self { certificate_sha256: Some(hash::sha256(der)), ..Self::parts(parts, omissions) }
    }

    /// Reads the `TBSCertificate` of a precertificate, and takes the fingerprint of the submitted precertificate.
    pub(super) fn precertificate(tbs: &[u8], sha256: Option<Hash>, omissions: &mut Omissions) -> Self {
        Self { certificate_sha256: sha256, ..Self::parts(Unverified::of_tbs(tbs), omissions) }
    }

    fn parts(parts: Result<Unverified<'_>, Rejection>, omissions: &mut Omissions) -> Self {
        match parts {
            Ok(parts) => Self {
                key: Some(hash::sha256(parts.spki)),
                certificate: Some(Certificate::of(&parts, omissions)),
                ..Self::default()
            },
            Err(rejection) => {
                omissions.note(rejection);
                Self::default()
            }
        }
    }

    /// Adds the terms of key and certificate.
    pub(super) fn add_keys(&self, terms: &mut Terms) {
        let hashes = [
            (TermKind::RekorKey, &self.rekor_key),
            (TermKind::KeyFingerprint, &self.key),
            (TermKind::CertificateFingerprint, &self.certificate_sha256),
        ];
        for (kind, hash) in hashes {
            if let Some(hash) = hash {
                terms.add(Term::of_bytes(kind, hash));
            }
        }
        if let Some(certificate) = &self.certificate {
            terms.add(certificate.serial.clone());
        }
    }

    /// Adds the terms of names.
    pub(super) fn add_names(&self, terms: &mut Terms) {
        for name in self.subject_names() {
            terms.add_text(TermKind::Identity, &name.value);
            terms.add_text(TermKind::IdentityKind, name.kind.name());
        }
        for (kind, names) in [(TermKind::KeyId, &self.names.ids), (TermKind::KeyEmail, &self.names.emails)] {
            for name in names {
                terms.add_text(kind, name);
            }
        }
    }

    /// Adds the terms of claims.
    pub(super) fn add_claims(&self, terms: &mut Terms) {
        for (claim, value) in self.certificate.iter().flat_map(|certificate| &certificate.claims) {
            terms.add_text(TermKind::of_claim(*claim), value);
        }
    }

    /// Adds the terms of domains.
    pub(super) fn add_domains(&self, terms: &mut Terms) {
        for domain in self.subject_names().iter().filter_map(host).flat_map(domains) {
            terms.add_text(TermKind::Domain, domain);
        }
    }

    fn subject_names(&self) -> &[SubjectName] {
        self.certificate.as_ref().map_or(&[], |certificate| certificate.names.as_slice())
    }

    /// First and last moment of the certificate, by its own word.
    pub(super) fn validity(&self) -> Option<(Timestamp, Timestamp)> {
        self.certificate.as_ref().and_then(|certificate| certificate.validity)
    }

    /// The signer in a list of results.
    pub(super) fn summary(&self) -> SignerSummary {
        let mut summary = SignerSummary {
            format: self.format,
            certificate_sha256: self.certificate_sha256.map(hex::encode),
            key_sha256: self.key.map(hex::encode),
            key_ids: listed(&self.names.ids),
            key_emails: listed(&self.names.emails),
            ..SignerSummary::default()
        };
        if let Some(certificate) = &self.certificate {
            certificate.describe(&mut summary);
        }
        summary
    }
}

/// A signer of an entry, for comparisons that need no terms. Nothing in it is verified.
#[derive(Debug, Clone, Copy)]
pub struct EntrySigner<'a>(&'a Signer);

impl<'a> EntrySigner<'a> {
    pub(super) const fn new(signer: &'a Signer) -> Self {
        Self(signer)
    }

    /// The names in the certificate, as they are written there.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.subject_names().iter().map(|name| name.value.as_str())
    }

    /// The hosts of the names, and the domains above them, as they are written there.
    pub fn domains(self) -> impl Iterator<Item = &'a str> {
        self.0.subject_names().iter().filter_map(host).flat_map(domains)
    }

    /// The OIDC issuers that the certificate names, in the newer and the older form of the claim.
    pub fn issuers(self) -> impl Iterator<Item = &'a str> {
        let claims = self.0.certificate.iter().flat_map(|certificate| &certificate.claims);
        claims.filter(|(claim, _)| matches!(claim, Claim::Issuer | Claim::IssuerV1)).map(|(_, value)| value.as_str())
    }

    /// SHA-256 of the key and of the certificate.
    pub fn fingerprints(self) -> impl Iterator<Item = &'a Hash> {
        self.0.key.iter().chain(&self.0.rekor_key).chain(&self.0.certificate_sha256)
    }

    /// Ids of a key that is not X.509.
    pub fn key_ids(self) -> impl Iterator<Item = &'a str> {
        self.0.names.ids.iter().map(String::as_str)
    }

    /// Whether it has a certificate. One that is read is not verified.
    #[must_use]
    pub const fn has_certificate(self) -> bool {
        self.0.certificate.is_some() || self.0.certificate_sha256.is_some()
    }
}

impl Certificate {
    fn of(parts: &Unverified<'_>, omissions: &mut Omissions) -> Self {
        let mut names = Vec::new();
        for name in parts.names() {
            match name {
                Ok(_) if names.len() == MAX_NAMES => {
                    omissions.note(Rejection::EntryTooMany { what: "names", limit: MAX_NAMES });
                    break;
                }
                Ok(name) => names.push(name),
                Err(rejection) => omissions.note(rejection),
            }
        }
        let mut claims = Vec::new();
        for claim in parts.claims() {
            match claim {
                Ok((_, value)) if value.is_empty() => {}
                Ok(claim) => claims.push(claim),
                Err(rejection) => omissions.note(rejection),
            }
        }
        let serial = Term::of_bytes(TermKind::CertificateSerial, parts.serial);
        Self { serial, validity: parts.validity, subject: parts.subject(), names, claims }
    }

    fn describe(&self, summary: &mut SignerSummary) {
        let text =
            |claim: &Claim| self.claims.iter().find(|(found, _)| found == claim).map(|(_, value)| bounded(value));
        let identity =
            |name: &SubjectName| IdentitySummary { kind: name.kind.name().to_owned(), value: bounded(&name.value) };
        summary.identities = self.names.iter().map(identity).collect();
        summary.issuer = text(&Claim::Issuer).or_else(|| text(&Claim::IssuerV1));
        summary.claims = self.claims.iter().map(|(claim, value)| (claim.name().to_owned(), bounded(value))).collect();
        summary.subject = self.subject.as_deref().map(bounded);
        summary.serial = Some(self.serial.text());
        summary.not_before = self.validity.map(|(not_before, _)| not_before.rfc3339());
        summary.not_after = self.validity.map(|(_, not_after)| not_after.rfc3339());
    }
}
