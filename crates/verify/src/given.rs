//! A chain from somebody else's authority for a key of ours: put in order, checked, and explained.
//!
//! [`chain::verify_authority`] and [`Authority::new`] give the verdict, with a code, that every program of ours goes by.
//! This module asks the same questions one by one, for an operator who holds a file from the company's own authority and
//! must tell its administrators what to change. What it lets pass, those accept: they are asked last. Not here: where the
//! file is from, and whether the root is to be trusted.

use crate::certificate::chain::{self, UNDERSTOOD};
use crate::certificate::{Certificate, MAX_CHAIN};
use crate::key::KeyKind;
use crate::timestamping::{Authority, EXTENDED_KEY_USAGE_VALUE};
use crate::{PublicKey, Rejection, Timestamp, pem};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_CE_EXT_KEY_USAGE, ID_CE_NAME_CONSTRAINTS, ID_KP_CODE_SIGNING, ID_KP_TIME_STAMPING,
};
use std::fmt;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints};

/// What the key will sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Certificates for code signing: the key's own certificate is that of a CA.
    CodeSigning,
    /// Timestamps (RFC 3161).
    Timestamping,
}

/// Why a chain cannot be used. Names are those of certificates, as RFC 4514 writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// The text has no PEM block.
    NotPem,
    /// The text is a PKCS#7 bundle in PEM.
    Pkcs7,
    /// The text has a block of this kind, which does not belong there.
    Block(String),
    /// The text has more certificates than a chain may have.
    TooMany,
    /// The certificate at this position, from 1, is signed with an algorithm that clients do not verify.
    Algorithm(usize),
    /// The certificate at this position, from 1, cannot be read.
    Unreadable(usize, Rejection),
    /// No certificate is for the key. The name is that of the first certificate.
    OtherKey(String),
    /// The only certificate for the key is a root.
    Alone,
    /// The issuer of a certificate is not in the text.
    Missing {
        /// The certificate.
        below: String,
        /// Its issuer.
        issuer: String,
    },
    /// A certificate names an issuer whose key has not signed it.
    Signature {
        /// The certificate.
        below: String,
        /// Its issuer.
        issuer: String,
    },
    /// A certificate with this name has one flaw.
    Certificate(String, Flaw),
    /// The chain is refused for a reason that none of the others is.
    Other(Rejection),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It expired at this time.
    Expired(Timestamp),
    /// It is valid from this time on.
    NotYet(Timestamp),
    /// Its key is of a kind that some client does not verify.
    Kind(&'static str),
    /// It has name constraints, which are these.
    NameConstraints(String),
    /// It has this critical extension, which clients do not know.
    Critical(ObjectIdentifier),
    /// It is not a CA.
    NotCa,
    /// It is a CA, and must not be.
    IsCa,
    /// Its key may not sign certificates.
    KeyUsage,
    /// Its path length is this, and another one is needed.
    PathLength {
        /// What it has.
        limit: u8,
        /// The least that is enough.
        needed: usize,
    },
    /// It has no extended key usage, or not this one.
    Usage(&'static str),
    /// Its extended key usage is not time stamping alone, or not critical.
    TimestampingAlone,
    /// It has no subject key identifier.
    KeyIdentifier,
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPem => f.write_str(
                "there is no certificate in PEM in it; convert each certificate: openssl x509 -inform DER -in FILE -out FILE.pem",
            ),
            Self::Pkcs7 => f.write_str(
                "it is a PKCS#7 bundle; convert it: openssl pkcs7 -print_certs -in FILE -out FILE.pem",
            ),
            Self::Block(label) => {
                write!(f, "it contains a block {label:?}; only certificates belong there, so remove that block")
            }
            Self::TooMany => write!(f, "it has more than {MAX_CHAIN} certificates; leave only those of the chain"),
            Self::Algorithm(position) => write!(
                f,
                "certificate {position} of the file is signed with an algorithm that clients do not verify (SHA-1, MD5, RSASSA-PSS); \
                 have it issued with ECDSA or RSA (PKCS#1 v1.5) and SHA-256, SHA-384 or SHA-512"
            ),
            Self::Unreadable(position, reason) => {
                write!(f, "certificate {position} of the file cannot be used: {reason} ({})", reason.code())
            }
            Self::OtherKey(first) => write!(
                f,
                "no certificate in it is for the key (the first one is for the key of «{first}»); have a certificate issued for the \
                 request of this key"
            ),
            Self::Alone => f.write_str(
                "the certificate for the key is a root itself; have the key certified by a root whose key is elsewhere",
            ),
            Self::Missing { below, issuer } => write!(
                f,
                "the certificate of «{issuer}», which has issued «{below}», is missing; append every certificate up to the root, and \
                 the root"
            ),
            Self::Signature { below, issuer } => write!(
                f,
                "the signature of «{below}» was not made with the key of «{issuer}» in the file; append the issuer's certificate that \
                 was in use when it was issued"
            ),
            Self::Certificate(name, flaw) => write!(f, "«{name}» {flaw}"),
            Self::Other(reason) => write!(f, "the chain is refused: {reason} ({})", reason.code()),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(end) => write!(f, "expired at {}; have it issued again", end.rfc3339()),
            Self::NotYet(start) => {
                write!(f, "is valid from {} on; wait until then, or correct the clock", start.rfc3339())
            }
            Self::Kind(kind) => write!(f, "has a key of kind {kind}, which some clients do not verify; use P-256, P-384 or RSA"),
            Self::NameConstraints(names) => write!(
                f,
                "has name constraints ({names}): clients would refuse certificates for other names, and some of them all; have it \
                 issued without name constraints"
            ),
            Self::Critical(oid) => {
                write!(f, "has the critical extension {oid}, which clients do not know; have it issued without, or not critical")
            }
            Self::NotCa => f.write_str("is not a CA; have it issued with the basic constraint CA:TRUE"),
            Self::IsCa => f.write_str("is a CA, and makes timestamps; have it issued with the basic constraint CA:FALSE"),
            Self::KeyUsage => f.write_str(
                "has a key usage without what it is for; have it issued with keyCertSign for a CA, with digitalSignature for timestamps",
            ),
            Self::PathLength { limit, needed } => write!(
                f,
                "has path length {limit}, and {needed} is needed for the CAs below it; have it issued with path length {needed} or none, \
                 or have a CA closer to the root issue"
            ),
            Self::Usage(wanted) => {
                write!(f, "does not have the extended key usage {wanted}; have it issued with this usage")
            }
            Self::TimestampingAlone => f.write_str(
                "must have the extended key usage timeStamping (1.3.6.1.5.5.7.3.8), no other one, and critical (RFC 3161); have it \
                 issued so",
            ),
            Self::KeyIdentifier => f.write_str("has no subject key identifier; have it issued with one"),
        }
    }
}

impl std::error::Error for ChainFault {}

impl From<Rejection> for ChainFault {
    fn from(rejection: Rejection) -> Self {
        Self::Other(rejection)
    }
}

/// The chain in `text` for `key`, its own certificate first and the root last, if it serves `purpose` at `now`. In the
/// text the order does not matter, and certificates that are no part of the chain are left out.
///
/// 1. Every block is a certificate that can be read.
/// 2. One is for the key. From there, each issuer is in the text, and its key has signed, up to a root.
/// 3. Every certificate is valid at `now`, is for a kind of key that clients verify, and has no name constraints and no
///    unknown critical extension.
/// 4. Every issuer is a CA whose key usage and path length allow what is below it, and whose extended key usage, if it
///    has any, allows the purpose.
/// 5. The key's own certificate has the extended key usage of the purpose.
/// 6. The verdict that counts: [`chain::verify_authority`] or [`Authority::new`].
pub fn verify_given(
    purpose: Purpose,
    text: &[u8],
    key: &PublicKey,
    now: Timestamp,
) -> Result<Vec<Certificate>, ChainFault> {
    // (1), (2)
    let chain = ordered(read(text)?, key)?;
    let flawed = |certificate: &Certificate, flaw| ChainFault::Certificate(certificate.subject().to_string(), flaw);
    // (3)
    for certificate in &chain {
        verify_form(certificate, now).map_err(|flaw| flawed(certificate, flaw))?;
    }
    // (4)
    let first_issuer = usize::from(purpose == Purpose::Timestamping);
    for (below, issuer) in chain.iter().skip(first_issuer).enumerate() {
        verify_issuer(purpose, issuer, below)?.map_or(Ok(()), |flaw| Err(flawed(issuer, flaw)))?;
    }
    // (5)
    let own = chain.first().ok_or(ChainFault::Alone)?;
    verify_own(purpose, own)?.map_or(Ok(()), |flaw| Err(flawed(own, flaw)))?;
    // (6)
    match purpose {
        Purpose::CodeSigning => chain::verify_authority(&chain, now)?,
        Purpose::Timestamping => drop(Authority::new(chain.clone())?),
    }
    Ok(chain)
}

fn read(text: &[u8]) -> Result<Vec<Certificate>, ChainFault> {
    // Names in the text around a certificate may be in any encoding.
    let readable = String::from_utf8_lossy(text);
    let blocks = pem::decode_all(readable.as_bytes(), MAX_CHAIN).map_err(|rejection| match rejection {
        Rejection::PemTooMany { .. } => ChainFault::TooMany,
        _ => ChainFault::NotPem,
    })?;
    let certificate = |(position, block): (usize, pem::Block)| match block.label.as_str() {
        pem::CERTIFICATE => Certificate::from_der(&block.der).map_err(|rejection| match rejection {
            Rejection::AlgorithmNotAllowed => ChainFault::Algorithm(position),
            other => ChainFault::Unreadable(position, other),
        }),
        "PKCS7" => Err(ChainFault::Pkcs7),
        _ => Err(ChainFault::Block(block.label)),
    };
    (1..).zip(blocks).map(certificate).collect()
}

/// The certificate for `key`, and its issuers up to the root.
fn ordered(mut rest: Vec<Certificate>, key: &PublicKey) -> Result<Vec<Certificate>, ChainFault> {
    let name = |certificate: &Certificate| certificate.subject().to_string();
    let own = rest.iter().position(|certificate| certificate.public_key() == key);
    let own = own.ok_or_else(|| ChainFault::OtherKey(rest.first().map(name).unwrap_or_default()))?;
    let mut chain = vec![rest.swap_remove(own)];
    while let Some(below) = chain.last().filter(|last| last.issuer() != last.subject()) {
        let Some(issuer) = rest.iter().position(|issuer| chain::verify_issued_by(below, issuer).is_ok()) else {
            let is_named = rest.iter().any(|issuer| issuer.subject() == below.issuer());
            let (below, issuer) = (name(below), below.issuer().to_string());
            let fault =
                if is_named { ChainFault::Signature { below, issuer } } else { ChainFault::Missing { below, issuer } };
            return Err(fault);
        };
        chain.push(rest.swap_remove(issuer));
    }
    match chain.as_slice() {
        [_] => Err(ChainFault::Alone),
        [.., root] if chain::verify_issued_by(root, root).is_err() => {
            Err(ChainFault::Signature { below: name(root), issuer: name(root) })
        }
        _ => Ok(chain),
    }
}

/// What must be true of every certificate.
fn verify_form(certificate: &Certificate, now: Timestamp) -> Result<(), Flaw> {
    if now.seconds() > certificate.not_after().seconds() {
        return Err(Flaw::Expired(certificate.not_after()));
    }
    if !certificate.is_valid_at(now) {
        return Err(Flaw::NotYet(certificate.not_before()));
    }
    match certificate.public_key().kind() {
        KeyKind::Ed25519 => return Err(Flaw::Kind("Ed25519")),
        KeyKind::P521 => return Err(Flaw::Kind("P-521")),
        KeyKind::P256 | KeyKind::P384 | KeyKind::Rsa(_) => {}
    }
    if certificate.extension(ID_CE_NAME_CONSTRAINTS).is_some() {
        return Err(Flaw::NameConstraints(name_constraints(certificate)));
    }
    let unknown = certificate.extensions().iter().find(|found| found.critical && !UNDERSTOOD.contains(&found.extn_id));
    unknown.map_or(Ok(()), |extension| Err(Flaw::Critical(extension.extn_id)))
}

/// What must be true of an issuer with `below` CAs between it and what is signed with the last key.
fn verify_issuer(purpose: Purpose, issuer: &Certificate, below: usize) -> Result<Option<Flaw>, Rejection> {
    let Some(constraints) = issuer.decode::<BasicConstraints>()?.filter(|constraints| constraints.ca) else {
        return Ok(Some(Flaw::NotCa));
    };
    if issuer.decode::<KeyUsage>()?.is_some_and(|usage| !usage.key_cert_sign()) {
        return Ok(Some(Flaw::KeyUsage));
    }
    if let Some(limit) = constraints.path_len_constraint.filter(|limit| below > usize::from(*limit)) {
        return Ok(Some(Flaw::PathLength { limit, needed: below }));
    }
    let (wanted, name) = match purpose {
        Purpose::CodeSigning => (ID_KP_CODE_SIGNING, CODE_SIGNING),
        Purpose::Timestamping => (ID_KP_TIME_STAMPING, "timeStamping (1.3.6.1.5.5.7.3.8)"),
    };
    let usage = issuer.decode::<ExtendedKeyUsage>()?;
    let allows = usage.is_none_or(|usage| usage.0.contains(&wanted) || usage.0.contains(&ANY_EXTENDED_KEY_USAGE));
    Ok((!allows).then_some(Flaw::Usage(name)))
}

/// The extended key usage of an issuing certificate, as an error has it.
const CODE_SIGNING: &str = "codeSigning (1.3.6.1.5.5.7.3.3)";

/// What must be true of the key's own certificate, beside what is true of others.
fn verify_own(purpose: Purpose, own: &Certificate) -> Result<Option<Flaw>, Rejection> {
    if purpose == Purpose::CodeSigning {
        if own.decode::<ExtendedKeyUsage>()?.is_none() {
            return Ok(Some(Flaw::Usage(CODE_SIGNING)));
        }
        return Ok(own.subject_key_identifier()?.is_none().then_some(Flaw::KeyIdentifier));
    }
    if own.decode::<BasicConstraints>()?.is_some_and(|constraints| constraints.ca) {
        return Ok(Some(Flaw::IsCa));
    }
    let signs = own.decode::<KeyUsage>()?.is_none_or(|usage| usage.digital_signature() || usage.non_repudiation());
    if !signs {
        return Ok(Some(Flaw::KeyUsage));
    }
    let usage = own.extension(ID_CE_EXT_KEY_USAGE);
    let alone = usage.is_some_and(|usage| usage.critical && usage.extn_value.as_bytes() == EXTENDED_KEY_USAGE_VALUE);
    Ok((!alone).then_some(Flaw::TimestampingAlone))
}

/// The name constraints of a certificate, for people.
fn name_constraints(certificate: &Certificate) -> String {
    let Ok(Some(constraints)) = certificate.decode::<NameConstraints>() else { return "unreadable".to_owned() };
    let NameConstraints { permitted_subtrees, excluded_subtrees } = constraints;
    let permitted = permitted_subtrees.into_iter().flatten().map(|tree| ("permitted", tree.base));
    let excluded = excluded_subtrees.into_iter().flatten().map(|tree| ("excluded", tree.base));
    let names: Vec<String> =
        permitted.chain(excluded).map(|(rule, name)| format!("{rule} {}", general_name(&name))).collect();
    names.join(", ")
}

fn general_name(name: &GeneralName) -> String {
    match name {
        GeneralName::Rfc822Name(name) => format!("email {}", name.as_str()),
        GeneralName::DnsName(name) => format!("DNS {}", name.as_str()),
        GeneralName::UniformResourceIdentifier(name) => format!("URI {}", name.as_str()),
        GeneralName::DirectoryName(name) => format!("directory name {name}"),
        GeneralName::IpAddress(_) => "IP addresses".to_owned(),
        GeneralName::OtherName(_) | GeneralName::EdiPartyName(_) | GeneralName::RegisteredId(_) => {
            "names of another kind".to_owned()
        }
    }
}
