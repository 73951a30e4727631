//! Expected signatures: a file that a build writes to, so that only unexpected entries are alarmed.
//!
//! Each line of the file is one of these; empty lines and those that begin with `#` are left out:
//!
//! ```text
//! sha256:632579b5183d418ff3dc443994fd35e0e1a2a6ce89a1ee22fdca577f8e8bc9c3
//! https://github.com/acme/app/actions/runs/4735384265/attempts/1
//! {"run-url":"https://github.com/acme/app/actions/runs/4735384265/attempts/1","commit":"0bf8ca0f…"}
//! ```
//!
//! A digest is that of an artifact, or of payload or envelope of an attestation. A URL is that of the run in the certificate. An
//! object names terms ([`chancery_verify::terms`]), all of which an entry must have.

use chancery_verify::terms::{Term, TermKind, Terms};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// Maximum bytes of the file: about 200,000 digests.
const MAX_BYTES: u64 = 16 << 20;
/// Maximum terms of a line.
const MAX_TERMS: usize = 16;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExpectedError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is too large.
    #[error("{0} has more than {MAX_BYTES} bytes: remove the lines of old runs")]
    TooLarge(PathBuf),
    /// A line has none of the three forms.
    #[error("{path}, line {line}: {fault}")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong, and what is expected.
        fault: String,
    },
}

/// What is expected, as the file said it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Each is enough.
    single: HashSet<Term>,
    /// By one of them: all are needed.
    several: HashMap<Term, Vec<Vec<Term>>>,
}

impl Known {
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut known = Self::default();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if !line.is_empty() && !line.starts_with('#') {
                known.add(line).map_err(|fault| (number, fault))?;
            }
        }
        Ok(known)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        if line.starts_with('{') {
            return self.add_object(line);
        }
        if line.contains("://") {
            self.single.extend(Term::of_text(TermKind::RunUrl, line));
            return Ok(());
        }
        let digest =
            line.split_once(':').filter(|(_, digest)| hex::decode(digest).is_ok_and(|bytes| !bytes.is_empty()));
        let (algorithm, digest) = digest.ok_or_else(|| {
            format!("{} is not algorithm:hexadecimal, a URL or a JSON object", chancery_verify::shown(line))
        })?;
        for kind in [TermKind::ArtifactDigest, TermKind::AttestationDigest] {
            self.single.insert(Term::of_digest_text(kind, algorithm, digest));
        }
        Ok(())
    }

    fn add_object(&mut self, line: &str) -> Result<(), String> {
        let members: BTreeMap<String, String> =
            serde_json::from_str(line).map_err(|error| format!("not a JSON object of texts: {error}"))?;
        if !(1..=MAX_TERMS).contains(&members.len()) {
            return Err(format!("an object has 1 to {MAX_TERMS} members"));
        }
        let terms = members.iter().map(|(name, text)| term(name, text)).collect::<Result<Vec<_>, _>>()?;
        if let Some(first) = terms.first() {
            self.several.entry(first.clone()).or_default().push(terms.clone());
        }
        Ok(())
    }

    /// Returns whether an entry with these terms is expected.
    pub(crate) fn has(&self, terms: &Terms) -> bool {
        let has_several = |term: &Term| {
            let mut lines = self.several.get(term).into_iter().flatten();
            lines.any(|all| all.iter().all(|term| terms.contains(term)))
        };
        terms.iter().any(|term| self.single.contains(term) || has_several(term))
    }
}

/// A term by the name of its kind.
pub(crate) fn term(kind: &str, text: &str) -> Result<Term, String> {
    let known = TermKind::from_name(kind);
    let known =
        known.ok_or_else(|| format!("{} is not the name of a term, such as commit", chancery_verify::shown(kind)))?;
    Term::of_text(known, text)
        .filter(|term| !term.value().is_empty())
        .ok_or_else(|| format!("{} is not a {kind}, such as {}", chancery_verify::shown(text), known.example()))
}

/// A file with what is expected. It is read again when it has changed.
#[derive(Debug)]
pub(crate) struct Expected {
    path: PathBuf,
    read: RwLock<(Stamp, Arc<Known>)>,
}

/// By what a changed file is noticed.
type Stamp = (u64, Option<SystemTime>);

impl Expected {
    pub(crate) fn open(path: PathBuf) -> Result<Self, ExpectedError> {
        let read = read(&path)?;
        Ok(Self { path, read: RwLock::new(read) })
    }

    /// Reads the file again if it has changed. With an error, what was read before stays.
    pub(crate) fn refresh(&self) -> Result<(), ExpectedError> {
        let now = stamp(&self.path).map_err(|source| ExpectedError::File { path: self.path.clone(), source })?;
        let then = self.read.read().unwrap_or_else(PoisonError::into_inner).0;
        if now != then {
            let read = read(&self.path)?;
            *self.read.write().unwrap_or_else(PoisonError::into_inner) = read;
        }
        Ok(())
    }

    pub(crate) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.read.read().unwrap_or_else(PoisonError::into_inner).1)
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.len(), metadata.modified().ok()))
}

fn read(path: &Path) -> Result<(Stamp, Arc<Known>), ExpectedError> {
    let file_error = |source| ExpectedError::File { path: path.to_owned(), source };
    // Before the contents: what is written meanwhile is read again.
    let stamp = stamp(path).map_err(file_error)?;
    let mut text = String::new();
    let file = File::open(path).map_err(file_error)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(file_error)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(ExpectedError::TooLarge(path.to_owned()));
    }
    let known = Known::parse(&text);
    let known = known.map_err(|(line, fault)| ExpectedError::Line { path: path.to_owned(), line, fault })?;
    Ok((stamp, Arc::new(known)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::terms::of_rekor;
    use serde_json::json;

    fn terms(digest: &str) -> Terms {
        let hash = json!({ "algorithm": "sha256", "value": digest });
        let body = json!({ "kind": "rpm", "apiVersion": "0.0.1", "spec": { "package": { "hash": hash } } });
        of_rekor(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_line_is_a_digest_a_run_or_terms() {
        let (one, other) = ("ab".repeat(32), "cd".repeat(32));
        for (text, expected) in [
            (format!("# known\n\nSHA256:{}\n", one.to_uppercase()), true),
            (format!("sha512:{one}"), false),
            (format!("sha256:{other}"), false),
            (format!("{{\"artifact\":\"sha256:{one}\"}}"), true),
            (format!("{{\"artifact\":\"sha256:{one}\",\"kind\":\"rpm\"}}"), true),
            (format!("{{\"artifact\":\"sha256:{one}\",\"kind\":\"helm\"}}"), false),
            ("https://github.com/acme/app/actions/runs/1/attempts/1".to_owned(), false),
        ] {
            assert_eq!(Known::parse(&text).unwrap().has(&terms(&one)), expected, "{text}");
        }
    }

    #[test]
    fn a_line_of_no_form_is_an_error_with_its_number() {
        for bad in
            ["sha256", "sha256:", "sha256:xy", "{}", "{\"colour\":\"red\"}", "{\"artifact\":1}", "{\"serial\":\"x\"}"]
        {
            let (line, fault) = Known::parse(&format!("# first\n{bad}\n")).unwrap_err();
            assert!(line == 2 && !fault.is_empty(), "{bad}: {fault}");
        }
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_bad_one_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("expected");
        fs::write(&path, "").unwrap();
        let (expected, digest) = (Expected::open(path.clone()).unwrap(), "ab".repeat(32));
        assert!(!expected.known().has(&terms(&digest)));
        fs::write(&path, format!("sha256:{digest}\n")).unwrap();
        expected.refresh().unwrap();
        assert!(expected.known().has(&terms(&digest)));
        fs::write(&path, "nonsense\n").unwrap();
        let error = expected.refresh().unwrap_err().to_string();
        assert!(error.contains("line 1") && expected.known().has(&terms(&digest)), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(expected.refresh().is_err() && Expected::open(path).is_err());
    }
}
