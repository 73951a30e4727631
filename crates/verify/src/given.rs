//! A chain from another organisation's authority for a key of ours: put in order, checked, and explained.
//!
//! [`chain::verify_authority`] and [`Authority::new`] give the verdict, with a code, that every program of ours goes by.
//! This module asks the same questions one by one, for an operator who holds a file from the company's own authority and
//! must tell its administrators what to change. What it lets pass, those accept: they are asked last. It asks for more where
//! some client does: what those refuse would come to light with a client, when the chain is published. Not here: where the
//! file is from, and whether the root is to be trusted.

use crate::certificate::chain::{self, UNDERSTOOD};
use crate::certificate::{Certificate, MAX_CHAIN};
use crate::key::KeyKind;
use crate::timestamping::{Authority, EXTENDED_KEY_USAGE_VALUE};
use crate::{PublicKey, Rejection, Timestamp, pem};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_NAME_CONSTRAINTS, ID_KP_CODE_SIGNING,
    ID_KP_TIME_STAMPING,
};
use std::fmt;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints};

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
    /// It is valid before its issuer is.
    StartsBefore {
        /// Its issuer.
        issuer: String,
        /// When the issuer's validity starts.
        start: Timestamp,
    },
    /// Its key is of a kind that some client does not verify.
    Kind(&'static str),
    /// It has name constraints, which are these.
    NameConstraints(String),
    /// It has this critical extension, which clients do not know.
    Critical(ObjectIdentifier),
    /// It has no subject, so no certificate can name it as its issuer.
    NoSubject,
    /// Its serial number is negative, which Go refuses to read.
    NegativeSerial,
    /// It is not a CA.
    NotCa,
    /// It is a CA, and must not be.
    IsCa,
    /// Its basic constraints are not critical.
    ConstraintsNotCritical,
    /// It has no key usage, or another one than it needs.
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
    /// Its extended key usage is critical.
    UsageCritical,
    /// It has no subject key identifier.
    KeyIdentifier,
    /// It has no identifier of its issuer's key.
    IssuerIdentifier,
    /// Its identifier of its issuer's key is not the one that the issuer's certificate has.
    OtherIdentifier,
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
            Self::StartsBefore { issuer, start } => {
                write!(f, "is valid before its issuer «{issuer}» is ({}); have it issued with a later start", start.rfc3339())
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
            Self::NoSubject => f.write_str(
                "has no subject, and certificates name their issuer by it; have it issued with the subject of the request (openssl ca \
                 leaves out what its policy does not list)",
            ),
            Self::NegativeSerial => {
                f.write_str("has a negative serial number, with which clients refuse the whole trust root; have it issued with another")
            }
            Self::NotCa => f.write_str("is not a CA; have it issued with the basic constraint CA:TRUE"),
            Self::IsCa => f.write_str("is a CA, and makes timestamps; have it issued with the basic constraint CA:FALSE"),
            Self::ConstraintsNotCritical => {
                f.write_str("has basic constraints that are not critical, which some clients refuse; have it issued with critical ones")
            }
            Self::KeyUsage => f.write_str(
                "does not have the key usage that it needs; have it issued with keyCertSign for a CA, with digitalSignature alone for \
                 timestamps",
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
            Self::UsageCritical => f.write_str(
                "has a critical extended key usage, which some clients refuse in a CA; have it issued with one that is not critical",
            ),
            Self::KeyIdentifier => f.write_str("has no subject key identifier; have it issued with one"),
            Self::IssuerIdentifier => f.write_str(
                "has no authority key identifier with a key identifier, which some clients require; have it issued with one",
            ),
            Self::OtherIdentifier => f.write_str(
                "has an authority key identifier that is not the subject key identifier of its issuer, so clients do not find the \
                 issuer; append the certificate of the issuer that has this identifier, or have it issued with the right one",
            ),
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
/// text the order does not matter, and certificates that are no part of the chain are left out. Of several for one key and
/// name, as after a renewal or a cross-certification, one that is valid is taken, and a root rather than a cross-certificate.
///
/// 1. Every block is a certificate that can be read.
/// 2. One is for the key. From there, each issuer is in the text, and its key has signed, up to a root.
/// 3. Every certificate is valid at `now`, is for a kind of key that clients verify, and has no name constraints and no
///    unknown critical extension. For code signing, [`verify_start`].
/// 4. Every issuer is a CA whose key usage and path length allow what is below it, and whose extended key usage, if it
///    has any, allows the purpose. For code signing, it has the form that RFC 5280 asks of a CA.
/// 5. Every certificate names the key of its issuer as the issuer's certificate does.
/// 6. The key's own certificate has the extended key usage of the purpose.
/// 7. The verdict that counts: [`chain::verify_authority`] or [`Authority::new`].
pub fn verify_given(
    purpose: Purpose,
    text: &[u8],
    key: &PublicKey,
    now: Timestamp,
) -> Result<Vec<Certificate>, ChainFault> {
    // (1), (2)
    let chain = ordered(read(text)?, key, now)?;
    let flawed = |certificate: &Certificate, flaw| ChainFault::Certificate(certificate.subject().to_string(), flaw);
    // (3)
    for certificate in &chain {
        verify_form(certificate, now).map_err(|flaw| flawed(certificate, flaw))?;
    }
    if purpose == Purpose::CodeSigning {
        verify_start(&chain)?;
    }
    // (4)
    let first_issuer = usize::from(purpose == Purpose::Timestamping);
    for (below, issuer) in chain.iter().skip(first_issuer).enumerate() {
        verify_issuer(purpose, issuer, below)?.map_or(Ok(()), |flaw| Err(flawed(issuer, flaw)))?;
    }
    // (5)
    for (below, issuer) in chain.iter().zip(chain.iter().skip(1)) {
        verify_identifier(purpose, below, issuer)?.map_or(Ok(()), |flaw| Err(flawed(below, flaw)))?;
    }
    // (6)
    let own = chain.first().ok_or(ChainFault::Alone)?;
    verify_own(purpose, own)?.map_or(Ok(()), |flaw| Err(flawed(own, flaw)))?;
    // (7)
    match purpose {
        Purpose::CodeSigning => chain::verify_authority(&chain, now)?,
        Purpose::Timestamping => drop(Authority::new(chain.clone())?),
    }
    Ok(chain)
}

/// Whether `text` has a chain that serves `purpose` at `now` for the key of any certificate in it: what can be said before the key
/// is opened. If it has none, the fault is that of the certificate that has issued no other.
///
/// # Errors
/// What is wrong with the text or the chain.
pub fn verify_given_for_any_key(purpose: Purpose, text: &[u8], now: Timestamp) -> Result<(), ChainFault> {
    let certificates = read(text)?;
    let verdict = |own: &Certificate| verify_given(purpose, text, own.public_key(), now).map(drop);
    if certificates.iter().any(|own| verdict(own).is_ok()) {
        return Ok(());
    }
    let is_below =
        |below: &Certificate, issuer: &Certificate| below.der() != issuer.der() && below.issuer() == issuer.subject();
    let has_issued = |issuer: &Certificate| certificates.iter().any(|below| is_below(below, issuer));
    let own = certificates.iter().find(|certificate| !has_issued(certificate)).or(certificates.first());
    own.map_or(Err(ChainFault::NotPem), verdict)
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
fn ordered(mut rest: Vec<Certificate>, key: &PublicKey, now: Timestamp) -> Result<Vec<Certificate>, ChainFault> {
    let name = |certificate: &Certificate| certificate.subject().to_string();
    let is_root = |certificate: &Certificate| certificate.issuer() == certificate.subject();
    let first = rest.first().map(name).unwrap_or_default();
    let is_own = |certificate: &Certificate| certificate.public_key() == key;
    let own = take(&mut rest, is_own, |own| (!own.is_valid_at(now), is_root(own)));
    let mut chain = vec![own.ok_or(ChainFault::OtherKey(first))?];
    while let Some(below) = chain.last().filter(|last| !is_root(last)) {
        let has_issued = |issuer: &Certificate| chain::verify_issued_by(below, issuer).is_ok();
        let Some(issuer) = take(&mut rest, has_issued, |issuer| (!issuer.is_valid_at(now), !is_root(issuer))) else {
            let is_named = rest.iter().any(|issuer| issuer.subject() == below.issuer());
            let (below, issuer) = (name(below), below.issuer().to_string());
            let fault =
                if is_named { ChainFault::Signature { below, issuer } } else { ChainFault::Missing { below, issuer } };
            return Err(fault);
        };
        chain.push(issuer);
    }
    match chain.as_slice() {
        [_] => Err(ChainFault::Alone),
        [.., root] if chain::verify_issued_by(root, root).is_err() => {
            Err(ChainFault::Signature { below: name(root), issuer: name(root) })
        }
        _ => Ok(chain),
    }
}

/// Takes the certificate that `fits`: of several the first one with the lowest rank.
fn take(
    rest: &mut Vec<Certificate>,
    fits: impl Fn(&Certificate) -> bool,
    rank: impl Fn(&Certificate) -> (bool, bool),
) -> Option<Certificate> {
    let fitting = rest.iter().enumerate().filter(|(_, certificate)| fits(certificate));
    let (position, _) = fitting.min_by_key(|(_, certificate)| rank(certificate))?;
    Some(rest.remove(position))
}

/// Checks that every issuer of the first certificate is valid when that starts to be: a chain that does not issue yet, or no
/// more, is read as of that moment.
///
/// # Errors
/// [`ChainFault::Certificate`] with [`Flaw::StartsBefore`].
pub fn verify_start(chain: &[Certificate]) -> Result<(), ChainFault> {
    let Some((own, issuers)) = chain.split_first() else { return Ok(()) };
    let later = issuers.iter().find(|issuer| issuer.not_before().seconds() > own.not_before().seconds());
    later.map_or(Ok(()), |issuer| {
        let flaw = Flaw::StartsBefore { issuer: issuer.subject().to_string(), start: issuer.not_before() };
        Err(ChainFault::Certificate(own.subject().to_string(), flaw))
    })
}

/// What must be true of every certificate.
fn verify_form(certificate: &Certificate, now: Timestamp) -> Result<(), Flaw> {
    if now.seconds() > certificate.not_after().seconds() {
        return Err(Flaw::Expired(certificate.not_after()));
    }
    if !certificate.is_valid_at(now) {
        return Err(Flaw::NotYet(certificate.not_before()));
    }
    if certificate.subject().is_empty() {
        return Err(Flaw::NoSubject);
    }
    if certificate.tbs().serial_number().as_bytes().first().is_some_and(|first| *first >= 0x80) {
        return Err(Flaw::NegativeSerial);
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
    if !allows {
        return Ok(Some(Flaw::Usage(name)));
    }
    if purpose == Purpose::CodeSigning { verify_strict(issuer) } else { Ok(None) }
}

/// What RFC 5280 asks of a CA and sigstore-python insists on: with OpenSSL's `X509_STRICT` of every certificate, since version
/// 4.5 of the one that issues leaves. Chains of timestamps are read leniently everywhere.
fn verify_strict(issuer: &Certificate) -> Result<Option<Flaw>, Rejection> {
    if issuer.extension(ID_CE_BASIC_CONSTRAINTS).is_none_or(|constraints| !constraints.critical) {
        return Ok(Some(Flaw::ConstraintsNotCritical));
    }
    if issuer.decode::<KeyUsage>()?.is_none() {
        return Ok(Some(Flaw::KeyUsage));
    }
    Ok(issuer.subject_key_identifier()?.is_none().then_some(Flaw::KeyIdentifier))
}

/// What must be true of a certificate and its issuer. OpenSSL and sigstore-js look the issuer up by the identifier of its key.
fn verify_identifier(purpose: Purpose, below: &Certificate, issuer: &Certificate) -> Result<Option<Flaw>, Rejection> {
    let known = issuer.subject_key_identifier()?;
    Ok(match below.authority_key_identifier()? {
        Some(named) => known.is_some_and(|known| known != named).then_some(Flaw::OtherIdentifier),
        None => (purpose == Purpose::CodeSigning).then_some(Flaw::IssuerIdentifier),
    })
}

/// The extended key usage of an issuing certificate, as an error has it.
const CODE_SIGNING: &str = "codeSigning (1.3.6.1.5.5.7.3.3)";

/// What must be true of the key's own certificate, beside what is true of others.
fn verify_own(purpose: Purpose, own: &Certificate) -> Result<Option<Flaw>, Rejection> {
    if purpose == Purpose::CodeSigning {
        return Ok(match own.extension(ID_CE_EXT_KEY_USAGE) {
            None => Some(Flaw::Usage(CODE_SIGNING)),
            Some(usage) => usage.critical.then_some(Flaw::UsageCritical),
        });
    }
    if own.decode::<BasicConstraints>()?.is_some_and(|constraints| constraints.ca) {
        return Ok(Some(Flaw::IsCa));
    }
    // OpenSSL refuses a timestamp whose signer may do anything else.
    let is_signature = |usage| matches!(usage, KeyUsages::DigitalSignature | KeyUsages::NonRepudiation);
    let usage = own.decode::<KeyUsage>()?;
    if usage.is_some_and(|usage| usage.0.is_empty() || !usage.0.into_iter().all(is_signature)) {
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
