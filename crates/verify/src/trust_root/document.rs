//! `trusted_root.json`, versions 0.1 and 0.2.
//!
//! The steps of [`parse`]:
//!
//! 1. The size is checked, then strict JSON is parsed.
//! 2. The media type.
//! 3. Each instance of each section: its window, its key or chain, and the id of a log.
//! 4. No two logs of a section have the same id. There is at least one instance.
//! 5. There is no other member, at any level.

use super::authority::Chain;
use super::instance::Instance;
use super::limits::{MAX_INSTANCES, MAX_ROOT_BYTES, MAX_TEXT_BYTES};
use super::log::Description;
use super::{CertificateAuthority, Section, TimestampAuthority, TransparencyLog, TrustRoot, Unusable};
use crate::protojson::strict::{Format, Node, Object};
use crate::{Refusal, Rejection, Step};

/// The rejections for trust roots.
static FORMAT: Format = Format {
    malformed: Rejection::RootMalformed,
    missing: Rejection::RootMalformed,
    too_many: |what, limit| Rejection::RootTooMany { what, limit },
};

/// Maximum JSON values in a root: enough for the maximum of instances with the longest chains.
const MAX_VALUES: usize = 1 << 14;

/// All media types of trust roots.
const MEDIA_TYPES: [&str; 3] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];

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

/// Refuses two logs with the same id: two verifiers could choose different ones.
pub(super) fn distinct(logs: &[TransparencyLog], section: Section) -> Result<(), Refusal> {
    for (index, log) in logs.iter().enumerate() {
        if logs.iter().take(index).any(|known| known.log_id == log.log_id) {
            let refusal = Refusal::new(Rejection::RootDuplicate, Step::Formats).at(section.name());
            return Err(refusal.expected("logs with different ids", hex::encode(log.log_id)));
        }
    }
    Ok(())
}
