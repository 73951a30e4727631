//! Watches, and whether an entry meets one.
//!
//! A watch has conditions, all of which an entry must meet. Those about a signer must be met by one and the same. Where
//! authorities are configured, a certificate counts only if one of them has issued it: anybody can write any name into a
//! certificate of their own.
//!
//! Patterns are broad: letter case is ignored, and globs cross `@`. A match too many is looked at; one too few is what an
//! attacker wants.

use crate::authorities::Authorities;
use crate::expected::{self, Expected, ExpectedError, Known};
use crate::source::{LogKind, SourceEntry};
use chancery_verify::policy::Pattern;
use chancery_verify::terms::{self, Entry, EntrySigner, Term, TermKind, Terms};
use chancery_verify::{Hash, Rejection};
use serde::Deserialize;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::Arc;

/// Begins the id of a key that has no fingerprint.
const KEY_ID: &str = "id:";

/// A watch as it is configured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchTable {
    /// Its name in alarms.
    pub name: String,
    /// Names of the logs that it is about. Default: all.
    #[serde(default)]
    pub logs: Vec<String>,
    /// A name in the certificate.
    pub identity: Option<Pattern>,
    /// The domain of a name in the certificate, or one above it. Any of these.
    #[serde(default)]
    pub domains: Vec<String>,
    /// The OIDC issuer in the certificate.
    pub issuer: Option<Pattern>,
    /// Digests of artifacts, payloads or envelopes: `algorithm:hexadecimal`. Any of these.
    #[serde(default)]
    pub digests: Vec<String>,
    /// SHA-256 of keys or certificates in hexadecimal, or `id:` and the id of a PGP, SSH or minisign key. Any of these.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Terms, `kind=text`, such as `repository=https://github.com/acme/app`. All of these.
    #[serde(default)]
    pub terms: Vec<String>,
    /// Whether the certificate must be of one of the configured authorities. Default: yes, if there are any and the watch names an
    /// identity, a domain or an issuer.
    pub ours: Option<bool>,
    /// Entries that cannot be read, or not wholly. Then there is no other condition.
    #[serde(default)]
    pub unreadable: bool,
    /// File with what is expected. Only other entries are alarmed.
    pub expected: Option<PathBuf>,
}

/// Why a watch cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// A key has a wrong value.
    #[error("{key}: {fault}")]
    Key {
        /// The key.
        key: &'static str,
        /// What is wrong, and what is expected.
        fault: String,
    },
    /// What is expected cannot be read.
    #[error("expected: {0}")]
    Expected(#[from] ExpectedError),
}

fn wrong(key: &'static str, fault: impl Into<String>) -> WatchError {
    WatchError::Key { key, fault: fault.into() }
}

/// A watch.
#[derive(Debug)]
pub struct Watch {
    name: String,
    logs: Vec<String>,
    identity: Option<Pattern>,
    domains: Vec<String>,
    issuer: Option<Pattern>,
    digests: Vec<Term>,
    fingerprints: Vec<Hash>,
    key_ids: Vec<String>,
    terms: Vec<Term>,
    is_ours: bool,
    is_unreadable: bool,
    expected: Option<Expected>,
}

impl Watch {
    /// Checks a watch, and reads the file that it names.
    ///
    /// # Errors
    /// A condition is malformed, there is none, or the file cannot be used.
    pub fn new(table: WatchTable, authorities: &Authorities) -> Result<Self, WatchError> {
        let broad = |pattern: Option<Pattern>| pattern.map(Pattern::broad).transpose();
        let (fingerprints, key_ids) = keys(&table.keys)?;
        let names_signer = table.identity.is_some() || table.issuer.is_some() || !table.domains.is_empty();
        let watch = Self {
            name: table.name,
            logs: table.logs,
            identity: broad(table.identity).map_err(|rejection| wrong("identity", rejection.to_string()))?,
            domains: domains(table.domains)?,
            issuer: broad(table.issuer).map_err(|rejection| wrong("issuer", rejection.to_string()))?,
            digests: digests(&table.digests)?,
            fingerprints,
            key_ids,
            terms: watched_terms(&table.terms)?,
            is_ours: table.ours.unwrap_or(names_signer && !authorities.is_empty()),
            is_unreadable: table.unreadable,
            expected: table.expected.map(Expected::open).transpose()?,
        };
        watch.check(authorities)?;
        Ok(watch)
    }

    fn check(&self, authorities: &Authorities) -> Result<(), WatchError> {
        if self.name.is_empty() || self.name.len() > 100 || self.name.chars().any(char::is_control) {
            return Err(wrong("name", "write 1 to 100 characters on one line"));
        }
        if self.is_ours && authorities.is_empty() {
            return Err(wrong("ours", "no authority is configured; name its certificates under [authorities]"));
        }
        let names_entry = !self.digests.is_empty() || !self.terms.is_empty() || self.is_ours;
        let has_condition = names_entry || self.is_about_signers();
        match (self.is_unreadable, has_condition) {
            (true, false) | (false, true) => Ok(()),
            (true, true) => Err(wrong("unreadable", "an unreadable entry meets no other condition: make two watches")),
            (false, false) => Err(wrong(
                "name",
                "the watch has no condition: add identity, domains, issuer, digests, keys, terms, ours or unreadable",
            )),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The logs that it is about; empty for all.
    #[must_use]
    pub fn logs(&self) -> &[String] {
        &self.logs
    }

    fn is_about(&self, log: &str) -> bool {
        self.logs.is_empty() || self.logs.iter().any(|name| is_named(name, log))
    }

    fn is_about_signers(&self) -> bool {
        let names_key = !self.fingerprints.is_empty() || !self.key_ids.is_empty();
        self.identity.is_some() || self.issuer.is_some() || !self.domains.is_empty() || names_key
    }

    /// Whether a signer meets the conditions about signers, but for who has issued its certificate.
    fn is_signer(&self, signer: EntrySigner<'_>) -> bool {
        let same_domain = |domain: &str| self.domains.iter().any(|watched| watched.eq_ignore_ascii_case(domain));
        let is_key = || {
            signer.fingerprints().any(|fingerprint| self.fingerprints.contains(fingerprint))
                || signer.key_ids().any(|id| self.key_ids.iter().any(|watched| watched.eq_ignore_ascii_case(id)))
        };
        self.identity.as_ref().is_none_or(|pattern| signer.names().any(|name| pattern.matches(name)))
            && self.issuer.as_ref().is_none_or(|pattern| signer.issuers().any(|issuer| pattern.matches(issuer)))
            && (self.domains.is_empty() || signer.domains().any(same_domain))
            && ((self.fingerprints.is_empty() && self.key_ids.is_empty()) || is_key())
    }

    /// Whether an entry is what is watched for, whether or not it is expected.
    fn matches(&self, candidate: &Candidate<'_>, authorities: &Authorities) -> bool {
        let Some(entry) = candidate.entry else { return self.is_unreadable };
        if self.is_unreadable {
            return entry.is_incomplete();
        }
        let has_digest = || entry.own_terms().iter().any(|term| self.digests.contains(term));
        if !self.digests.is_empty() && !has_digest() {
            return false;
        }
        if (self.is_about_signers() || self.is_ours)
            && !entry.signers().enumerate().any(|(place, signer)| {
                self.is_signer(signer) && (!self.is_ours || candidate.is_issued(place, authorities))
            })
        {
            return false;
        }
        self.terms.is_empty() || self.terms.iter().all(|term| candidate.terms(entry).contains(term))
    }
}

/// Whether a watch for `name` is about `log`: the same, or a later one of its series, `rekor-2` for `rekor`.
#[must_use]
pub fn is_named(name: &str, log: &str) -> bool {
    log.strip_prefix(name).is_some_and(|rest| {
        let number = rest.strip_prefix('-').unwrap_or_default();
        rest.is_empty() || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

fn domains(domains: Vec<String>) -> Result<Vec<String>, WatchError> {
    let is_domain = |domain: &String| domain.contains('.') && !domain.starts_with(['.', '*']) && !domain.contains('@');
    match domains.iter().find(|domain| !is_domain(domain)) {
        None => Ok(domains),
        Some(bad) => Err(wrong("domains", format!("{bad:?} is not a domain such as example.org, without * and @"))),
    }
}

fn digests(digests: &[String]) -> Result<Vec<Term>, WatchError> {
    let mut terms = Vec::new();
    for text in digests {
        let digest = text.split_once(':').and_then(|(algorithm, digest)| Some((algorithm, hex::decode(digest).ok()?)));
        let (algorithm, digest) = digest
            .filter(|(_, digest)| !digest.is_empty())
            .ok_or_else(|| wrong("digests", format!("{text:?} is not algorithm:hexadecimal, such as sha256:…")))?;
        for kind in [TermKind::ArtifactDigest, TermKind::AttestationDigest] {
            terms.push(Term::of_digest(kind, algorithm, &digest));
        }
    }
    Ok(terms)
}

fn keys(keys: &[String]) -> Result<(Vec<Hash>, Vec<String>), WatchError> {
    let (mut fingerprints, mut ids) = (Vec::new(), Vec::new());
    for text in keys {
        if let Some(id) = text.strip_prefix(KEY_ID).filter(|id| !id.is_empty()) {
            ids.push(id.to_owned());
            continue;
        }
        let hash = hex::decode(text.replace(':', "")).ok().and_then(|bytes| Hash::try_from(bytes).ok());
        let expected = "is neither a SHA-256 in hexadecimal nor id: and the id of a key";
        fingerprints.push(hash.ok_or_else(|| wrong("keys", format!("{text:?} {expected}")))?);
    }
    Ok((fingerprints, ids))
}

fn watched_terms(terms: &[String]) -> Result<Vec<Term>, WatchError> {
    let term = |text: &String| {
        let (kind, value) = text.split_once('=').ok_or_else(|| wrong("terms", format!("{text:?} is not kind=text")))?;
        expected::term(kind, value).map_err(|fault| wrong("terms", fault))
    };
    terms.iter().map(term).collect()
}

/// An entry, and what is read of it when it is needed.
struct Candidate<'a> {
    kind: LogKind,
    source: &'a SourceEntry,
    /// `None` if it cannot be read at all.
    entry: Option<&'a Entry>,
    terms: OnceCell<Terms>,
    chains: OnceCell<Vec<Vec<Vec<u8>>>>,
}

impl Candidate<'_> {
    fn terms(&self, entry: &Entry) -> &Terms {
        self.terms.get_or_init(|| entry.terms())
    }

    /// Whether one of the authorities has issued the certificate of the signer at `place`.
    fn is_issued(&self, place: usize, authorities: &Authorities) -> bool {
        // The precertificate is beside the leaf, where a log may lie. The leaf itself has the key of the issuer, at hand already.
        self.entry.is_some_and(|entry| {
            let is_ours = |term: &Term| term.kind() == TermKind::IssuerKey && authorities.has_key(term.value());
            entry.own_terms().iter().any(is_ours)
        }) || {
            let chains = self.chains.get_or_init(|| self.read_chains().unwrap_or_default());
            chains.get(place).is_some_and(|chain| authorities.issued(chain))
        }
    }

    fn read_chains(&self) -> Result<Vec<Vec<Vec<u8>>>, Rejection> {
        let SourceEntry { leaf, extra, .. } = self.source;
        match self.kind {
            LogKind::Rekor => terms::certificates_of_rekor(leaf),
            LogKind::Certificates => terms::certificates_of_certificate_entry(leaf, extra).map(|chain| vec![chain]),
        }
    }
}

/// All watches, and the authorities whose certificates count.
#[derive(Debug, Default)]
pub struct Watches {
    watches: Vec<Watch>,
    authorities: Authorities,
}

impl Watches {
    /// These watches. `authorities` are those with which they were made.
    #[must_use]
    pub const fn new(watches: Vec<Watch>, authorities: Authorities) -> Self {
        Self { watches, authorities }
    }

    /// Reads the files of what is expected again, where they have changed.
    pub(crate) fn refresh(&self) -> Result<(), ExpectedError> {
        self.watches.iter().filter_map(|watch| watch.expected.as_ref()).try_for_each(Expected::refresh)
    }

    /// Those about a log, with what is expected now.
    pub(crate) fn of_log<'a>(&'a self, log: &str) -> LogWatches<'a> {
        let watches = self.watches.iter().filter(|watch| watch.is_about(log));
        let known = |watch: &'a Watch| (watch, watch.expected.as_ref().map(Expected::known));
        LogWatches { watches: watches.map(known).collect(), authorities: &self.authorities }
    }
}

/// The watches about a log.
pub(crate) struct LogWatches<'a> {
    watches: Vec<(&'a Watch, Option<Arc<Known>>)>,
    authorities: &'a Authorities,
}

impl<'a> LogWatches<'a> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// The watches that an entry meets and that do not expect it. `entry` is `source`, if it can be read.
    pub(crate) fn met(&self, kind: LogKind, source: &SourceEntry, entry: Option<&Entry>) -> Vec<&'a Watch> {
        let candidate = Candidate { kind, source, entry, terms: OnceCell::new(), chains: OnceCell::new() };
        let is_expected = |known: Option<&Arc<Known>>| match (known, entry) {
            (Some(known), Some(entry)) => known.has(candidate.terms(entry)),
            _ => false,
        };
        let met = self.watches.iter().filter(|(watch, _)| watch.matches(&candidate, self.authorities));
        met.filter(|(_, known)| !is_expected(known.as_ref())).map(|(watch, _)| *watch).collect()
    }
}
