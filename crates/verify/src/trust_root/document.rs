//! `trusted_root.json`, versions 0.1 and 0.2.
//!
//! The steps of [`parse`]:
//!
//! 1. Size, then strict JSON.
//! 2. The media type.
//! 3. Each instance of each section: its window, its key or chain, of a log the id.
//! 4. No two logs with one id in one section; at least one instance.
//! 5. No other member, at any level.

use super::authority::Chain;
use super::limits::{MAX_INSTANCES, MAX_ROOT_BYTES, MAX_TEXT_BYTES};
use super::log::Description;
use super::{CertificateAuthority, Section, TimestampAuthority, TransparencyLog, TrustRoot, Unusable, Window};
use crate::protojson::strict::{Format, Node, Object};
use crate::{Hash, Refusal, Rejection, Step, Timestamp};

/// How trust roots are refused.
static FORMAT: Format = Format {
    malformed: Rejection::RootMalformed,
    missing: Rejection::RootMalformed,
    too_many: |what, limit| Rejection::RootTooMany { what, limit },
};

/// JSON values in one root: what the most instances with the longest chains need.
const MAX_VALUES: usize = 1 << 14;

/// Every form of the media type.
const MEDIA_TYPES: [&str; 3] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];

/// What an instance can be after reading: of use, or set aside because its algorithm is unknown here.
pub(super) enum Instance<T> {
    Usable(T),
    Unusable { url: String, log_id: Option<Hash>, reason: Refusal },
}

pub(super) fn parse(json: &[u8]) -> Result<TrustRoot, Refusal> {
    if json.len() > MAX_ROOT_BYTES {
        let refusal = Refusal::new(Rejection::RootTooLarge { limit: MAX_ROOT_BYTES }, Step::Formats);
        return Err(refusal.expected(format!("at most {MAX_ROOT_BYTES} bytes"), json.len().to_string()));
    }
    let mut document = FORMAT.document(json, MAX_VALUES)?;
    media_type(&mut document)?;
    let mut unusable = Vec::new();
    let mut root = TrustRoot {
        logs: section(&mut document, Section::TransparencyLogs, &mut unusable, log)?,
        certificate_authorities: section(&mut document, Section::CertificateAuthorities, &mut unusable, issuer)?,
        ct_logs: section(&mut document, Section::CertificateTransparencyLogs, &mut unusable, ct_log)?,
        timestamp_authorities: section(&mut document, Section::TimestampAuthorities, &mut unusable, time_server)?,
        unusable: Vec::new(),
    };
    document.finish()?;
    distinct(&root.logs, Section::TransparencyLogs)?;
    distinct(&root.ct_logs, Section::CertificateTransparencyLogs)?;
    let usable = root.logs.len() + root.certificate_authorities.len() + root.timestamp_authorities.len();
    if usable + root.ct_logs.len() + unusable.len() == 0 {
        return Err(Refusal::new(Rejection::RootEmpty, Step::Formats).expected("an authority or a log", "none"));
    }
    root.unusable = unusable;
    Ok(root)
}

fn media_type(document: &mut Object) -> Result<(), Refusal> {
    let refusal = document.refuse("mediaType", Rejection::RootMediaType);
    let text = document.string("mediaType", MAX_TEXT_BYTES)?;
    if MEDIA_TYPES.contains(&text.as_str()) {
        return Ok(());
    }
    Err(refusal.expected("a trust root of version 0.1 or 0.2", if text.is_empty() { "none" } else { &text }))
}

fn section<T>(
    document: &mut Object,
    section: Section,
    unusable: &mut Vec<Unusable>,
    read: fn(Node) -> Result<Instance<T>, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let mut usable = Vec::new();
    for (index, node) in document.list(section.name(), section.name(), MAX_INSTANCES)?.into_iter().enumerate() {
        match read(node)? {
            Instance::Usable(instance) => usable.push(instance),
            Instance::Unusable { url, log_id, reason } => {
                unusable.push(Unusable { section, index, url, log_id, reason });
            }
        }
    }
    Ok(usable)
}

fn log(node: Node) -> Result<Instance<TransparencyLog>, Refusal> {
    Description::read(node)?.rekor()
}

fn ct_log(node: Node) -> Result<Instance<TransparencyLog>, Refusal> {
    Description::read(node)?.certificate_transparency()
}

fn issuer(node: Node) -> Result<Instance<CertificateAuthority>, Refusal> {
    Chain::read(node)?.certificate_authority()
}

fn time_server(node: Node) -> Result<Instance<TimestampAuthority>, Refusal> {
    Chain::read(node)?.timestamp_authority()
}

/// Refuses two logs with one id: which of them counts would depend on the reader.
pub(super) fn distinct(logs: &[TransparencyLog], section: Section) -> Result<(), Refusal> {
    for (index, log) in logs.iter().enumerate() {
        if logs.iter().take(index).any(|known| known.log_id == log.log_id) {
            let refusal = Refusal::new(Rejection::RootDuplicate, Step::Formats).at(section.name());
            return Err(refusal.expected("logs with ids of their own", hex::encode(log.log_id)));
        }
    }
    Ok(())
}

/// Takes `validFor` out of `object`. The interval may lie in the future; it must have a start, and not end before it.
pub(super) fn window(object: &mut Object) -> Result<Window, Refusal> {
    let missing = |refusal: Refusal| refusal.expected("a start", "none");
    let refusal = missing(object.refuse("validFor", Rejection::RootWindow));
    let mut interval = object.take("validFor").ok_or(refusal)?.object()?;
    let no_start = missing(interval.refuse("start", Rejection::RootWindow));
    let (_, start) = moment(&interval.take("start").ok_or(no_start)?)?;
    let end = interval.take("end").as_ref().map(moment).transpose()?.map(|(end, _)| end);
    let reversed = interval.refuse("end", Rejection::RootWindow);
    interval.finish()?;
    let window = Window { start, end };
    match end {
        Some(end) if end < start => {
            Err(reversed.expected(format!("an end from {} on", start.rfc3339_millis()), end.rfc3339_millis()))
        }
        _ => Ok(window),
    }
}

fn moment(node: &Node) -> Result<(Timestamp, Timestamp), Refusal> {
    let text = node.value().as_str().filter(|text| text.len() <= 64);
    let bounds = text.and_then(Timestamp::bounds_rfc3339);
    bounds.ok_or_else(|| node.unlike("a time from 1970 on, as RFC 3339 writes it"))
}

/// The host of a URL that may lack its scheme, in lower case and without port, and its path without a slash at the end.
pub(super) fn host_and_path(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    // «ftp://host» is no host with an empty port.
    let number = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|digit| digit.is_ascii_digit());
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(number);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    let is_host = !host.is_empty() && host.bytes().all(allowed);
    let is_path = !path.contains(['?', '#']);
    (is_host && is_port && is_path).then(|| (host.to_ascii_lowercase(), path.trim_end_matches('/')))
}

/// Takes the operator out of `object`; where there is none, it is the URL's host.
pub(super) fn operator(object: &mut Object, host: &str) -> Result<String, Refusal> {
    let operator = object.string("operator", MAX_TEXT_BYTES)?;
    Ok(if operator.is_empty() { host.to_owned() } else { operator })
}
