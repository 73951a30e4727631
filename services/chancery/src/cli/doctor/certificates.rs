//! The certificates of the authorities and of TLS in files: whether they can be used, and for how long.
//!
//! What a server shows to clients is another matter: that is [`super::web`]'s.

use super::finding::Finding;
use crate::{
    instance::certificates_finding,
    listening::TlsFiles,
    role::Role,
    rotation::{self, RingFiles, State},
    serve::missing_tls,
};
use anyhow::Context as _;
use chancery_daemon::{expiry::End, health};
use chancery_verify::{Timestamp, certificate::Certificate, counted};
use std::{fs, path::Path};

const CHECK: &str = "certificates";
const TLS: &str = "tls";

/// Examines the chains of the certificate authority and of the timestamp authority in the data directory.
pub(super) fn examine(data: &Path, now: Timestamp) -> Vec<Finding> {
    let roles = [(Role::Ca, rotation::Role::Ca), (Role::Tsa, rotation::Role::Tsa)];
    let files = RingFiles::of(data);
    roles.into_iter().map(|(role, key)| chain(&files, role, key, now)).collect()
}

fn chain(files: &RingFiles, role: Role, key: rotation::Role, now: Timestamp) -> Finding {
    let expires = match expires(files, key) {
        Ok(expires) => expires,
        Err(error) => {
            let action = "restore the data directory from a backup: docs/src/operate/backup.md";
            return Finding::error(CHECK, role.name(), &format!("its certificates cannot be used: {error:#}"), action);
        }
    };
    let action = format!("chancery keys rotate {role} --data {} stage", files.directory().display());
    match certificates_finding(role, expires, now).state {
        health::State::Passed => Finding::ok(CHECK, role.name(), &format!("valid until {}", expires.rfc3339())),
        health::State::Warning(reason) => Finding::warning(CHECK, role.name(), &reason, &action),
        health::State::Failed(reason) => Finding::error(CHECK, role.name(), &reason, &action),
    }
}

/// When the first certificate of the key that signs expires.
fn expires(files: &RingFiles, key: rotation::Role) -> anyhow::Result<Timestamp> {
    let ring = files.ring(key)?;
    let active = ring.find(key, State::Active).context("no generation of its key is active")?;
    let chain = active.chain.as_deref().context("the active generation of its key has no certificates")?;
    first_end(&files.key_file(chain))
}

fn first_end(file: &Path) -> anyhow::Result<Timestamp> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let chain = Certificate::chain_from_pem(&text).with_context(|| format!("{} is damaged", file.display()))?;
    let ends = chain.iter().map(Certificate::not_after);
    ends.min().with_context(|| format!("there is no certificate in {}", file.display()))
}

/// Examines the files of `[listen] tls`.
pub(super) fn examine_tls(files: &TlsFiles, now: Timestamp) -> Finding {
    let shown = files.certificate.display().to_string();
    let action = "put the certificate and its key there, in PEM: [listen] tls";
    match missing_tls(Some(files)) {
        Ok(None) => {}
        Ok(Some(missing)) => {
            return Finding::error(TLS, &shown, &format!("{missing}, and the server needs it"), action);
        }
        Err(error) => return Finding::error(TLS, &shown, &format!("{error:#}"), action),
    }
    match first_end(&files.certificate) {
        Ok(expires) => ends(&shown, expires, now),
        // The server can use it, and shows it.
        Err(error) => {
            Finding::note(TLS, &shown, &format!("its end is not known: {error:#}"), "see: openssl x509 -enddate")
        }
    }
}

/// Whether a TLS certificate comes to its end.
pub(super) fn ends(subject: &str, expires: Timestamp, now: Timestamp) -> Finding {
    let date = expires.rfc3339();
    let action = "renew it; a running server takes the new files by itself, a proxy may need a reload";
    match End::of(expires, now) {
        End::Far => Finding::ok(TLS, subject, &format!("the certificate is valid until {date}")),
        End::Near { days_left } => {
            let days = counted(days_left, "day", "days");
            Finding::warning(TLS, subject, &format!("the certificate expires in {days}, on {date}"), action)
        }
        End::Passed => {
            let message = format!("the certificate has expired on {date}, so every client refuses the server");
            Finding::error(TLS, subject, &message, action)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity;

    #[test]
    fn an_end_is_far_near_or_passed() {
        let end = Timestamp::from_seconds(1_800_000_000);
        for (seconds, severity) in
            [(1_700_000_000, Severity::Ok), (1_799_000_000, Severity::Warning), (1_800_000_000, Severity::Error)]
        {
            assert_eq!(ends("sign.example.org", end, Timestamp::from_seconds(seconds)).severity, severity);
        }
    }

    #[test]
    fn what_is_missing_is_an_error_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let findings = examine(directory.path(), Timestamp::from_seconds(1_800_000_000));
        assert!(findings.iter().all(|finding| finding.severity == Severity::Error), "{findings:?}");
        let files = TlsFiles { certificate: directory.path().join("tls.crt"), key: directory.path().join("tls.key") };
        let found = examine_tls(&files, Timestamp::from_seconds(1_800_000_000));
        assert!(found.severity == Severity::Error && found.message.contains("tls.crt is missing"), "{found:?}");
    }
}
