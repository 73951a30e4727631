//! The certificates that were issued, from the certificate logs, and whether each was used.
//!
//! A certificate log has the *precertificate*; an entry of a signature has the certificate that was issued for it, so no
//! hash of one is in the other. What is provable: the certificate without its SCT list has the same bytes as the logged
//! `TBSCertificate` (RFC 6962 §3.2). Entries with the same serial number are looked up, and compared like that. Beside
//! that, entries are looked up that the same *key* has signed: a bare key can be logged instead of its certificate, and a
//! key that signs under two certificates would not be ephemeral.
//!
//! «Unused» is about the indexed entries of the logs of signatures, up to their checkpoints, and about these logs only.

use super::entry::{self, Found};
use super::logs::{self, AskedLog};
use super::pages::{Page, Search};
use super::{AskError, Asking};
use crate::cursor::Cursor;
use crate::query::Query;
use crate::source::LogKind;
use crate::store::Order;
use chancery_verify::certificate::Certificate;
use chancery_verify::rekor::logged::{LoggedEntry, LoggedSigner};
use chancery_verify::sct::{LogEntry, MerkleTreeLeaf};
use chancery_verify::terms::{Term, TermKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Entries that are named of one certificate, and looked at of one serial number or key in one log.
pub(crate) const MAX_USES: usize = 4;

/// A logged certificate.
pub(crate) struct Issued {
    pub(crate) found: Found,
    pub(crate) uses: Uses,
}

/// Entries of signatures under a certificate.
#[derive(Default)]
pub(crate) struct Uses {
    /// Entries with this certificate, the newest first.
    pub(crate) by_certificate: Vec<Arc<Found>>,
    /// Entries that its key has signed, with another certificate or with none.
    pub(crate) by_key: Vec<Arc<Found>>,
    /// Whether there may be more.
    pub(crate) more: bool,
}

impl Uses {
    /// Whether no entry was found.
    pub(crate) fn are_none(&self) -> bool {
        self.by_certificate.is_empty() && self.by_key.is_empty()
    }
}

/// A page of certificates.
pub(crate) struct Certificates {
    pub(crate) issued: Vec<Issued>,
    pub(crate) cursor: Option<Cursor>,
    /// The certificate logs that were asked, and the logs of signatures in which uses were looked for.
    pub(crate) logs: Vec<Arc<AskedLog>>,
}

/// The certificates of one page, at most `limit` of them; with `only_unused` fewer, if some of them were used.
pub(crate) async fn certificates(
    asking: &Asking,
    query: Query,
    limit: usize,
    cursor: Option<&str>,
    only_unused: bool,
) -> Result<Certificates, AskError> {
    let query = Query { kind: Some(LogKind::Certificates), ..query };
    let mut search = Search::begin(asking, query, cursor).await?;
    let signatures = logs::asked(asking.index(), &Query::of(Some(LogKind::Rekor))).await?;
    let logs = search.logs().cloned().chain(signatures.iter().cloned()).collect();
    let Page { found, cursor } = search.page(limit).await?;
    let mut uses: Vec<Uses> = found.iter().map(|_| Uses::default()).collect();
    for log in &signatures {
        for (uses, more) in uses.iter_mut().zip(in_log(asking, log, &found).await?) {
            uses.by_certificate.extend(more.by_certificate);
            uses.by_key.extend(more.by_key);
            uses.more |= more.more;
        }
    }
    let issued = found.into_iter().zip(uses).map(|(found, uses)| Issued { found, uses });
    let issued = issued.filter(|issued| !only_unused || issued.uses.are_none()).collect();
    Ok(Certificates { issued, cursor, logs })
}

/// The terms by which uses of a certificate are looked up: its serial number, then its key.
fn terms(found: &Found) -> Vec<Term> {
    let of = |kind| found.terms_of(kind).take(1).cloned();
    of(TermKind::CertificateSerial).chain(of(TermKind::KeyFingerprint)).collect()
}

/// For each certificate its uses in one log of signatures.
async fn in_log(asking: &Asking, log: &Arc<AskedLog>, certificates: &[Found]) -> Result<Vec<Uses>, AskError> {
    let terms_of_each: Vec<Vec<Term>> = certificates.iter().map(terms).collect();
    let terms = terms_of_each.concat();
    let postings =
        asking.index().postings_of_each(log.log_id, &terms, 0..log.size, Order::Newest, MAX_USES + 1).await?;
    let wanted: BTreeSet<u64> = postings.iter().flatten().copied().collect();
    let wanted: Vec<u64> = wanted.into_iter().rev().collect();
    let read = entry::read(log, &wanted).await?;
    let read: BTreeMap<u64, Arc<Found>> = read.into_iter().map(|found| (found.index, Arc::new(found))).collect();
    let mut postings = postings.into_iter();
    let uses = certificates.iter().zip(&terms_of_each).map(|(certificate, terms)| {
        let lists: Vec<Vec<u64>> = postings.by_ref().take(terms.len()).collect();
        let candidates: BTreeSet<u64> = lists.iter().flatten().copied().collect();
        let mut uses = Uses { more: lists.iter().any(|list| list.len() > MAX_USES), ..Uses::default() };
        for entry in candidates.iter().rev().filter_map(|index| read.get(index)) {
            if has_certificate(entry, certificate) {
                uses.by_certificate.push(Arc::clone(entry));
            } else if has_key(entry, certificate) {
                uses.by_key.push(Arc::clone(entry));
            }
        }
        uses.by_certificate.truncate(MAX_USES);
        uses.by_key.truncate(MAX_USES);
        uses
    });
    Ok(uses.collect())
}

/// Whether an entry of a signature has the certificate of this entry of a certificate log.
fn has_certificate(entry: &Found, logged: &Found) -> bool {
    let (Ok(entry), Ok(leaf)) = (LoggedEntry::read(&entry.leaf), MerkleTreeLeaf::from_bytes(&logged.leaf)) else {
        return false;
    };
    entry.signatures.iter().any(|signature| {
        let LoggedSigner::Certificate(der) = &signature.signer else { return false };
        match &leaf.entry {
            LogEntry::X509 { certificate } => certificate == der,
            LogEntry::Precert { tbs, .. } => {
                let issued = Certificate::from_der(der).and_then(|certificate| certificate.tbs_without_sct_list());
                issued.is_ok_and(|issued| issued == *tbs)
            }
        }
    })
}

/// Whether the key of a certificate has signed an entry.
fn has_key(entry: &Found, certificate: &Found) -> bool {
    certificate.terms_of(TermKind::KeyFingerprint).any(|key| entry.terms.contains(key))
}
