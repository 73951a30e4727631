//! Who may read the data directory, its keys and the other secrets that the configuration names, and whose they are.
//!
//! Modes and owners only: no key is opened. Whether a key signs, `chancery keys test` says.

use super::finding::Finding;
use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

const CHECK: &str = "permissions";
/// Bits by which users beside the owner may read, write or enter.
const OTHERS: u32 = 0o077;
/// Bits by which they may write.
const OTHERS_WRITE: u32 = 0o022;
/// A file of `keys/` with more bytes is no key.
const MAX_KEY_BYTES: u64 = 64 * 1024;

/// A file with a secret that a setting names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretFile {
    /// The setting.
    pub(super) setting: String,
    pub(super) path: PathBuf,
}

/// Examines the data directory and `secrets`.
pub(super) fn examine(data: &Path, secrets: &[SecretFile]) -> Vec<Finding> {
    let shown = data.display().to_string();
    let owner = match fs::metadata(data) {
        Ok(metadata) => metadata,
        Err(error) => return vec![missing(&shown, &format!("it cannot be read: {error}"))],
    };
    if !data.join("instance.json").exists() {
        return vec![missing(&shown, "there is no instance in it (no instance.json)")];
    }
    let mut findings: Vec<Finding> = directory(data, &owner, OTHERS_WRITE).into_iter().collect();
    let keys = data.join("keys");
    match fs::metadata(&keys) {
        Ok(metadata) => findings.extend(directory(&keys, &metadata, OTHERS)),
        Err(error) => findings.push(unreadable(&keys, "the keys of the instance", &error)),
    }
    findings.extend(private_keys(&keys).iter().filter_map(|path| secret(path, "a key of the instance", Some(&owner))));
    findings.extend(secrets.iter().filter_map(|SecretFile { setting, path }| secret(path, setting, None)));
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, &shown, "keys and secrets are readable by their owner only"));
    }
    findings
}

fn missing(shown: &str, why: &str) -> Finding {
    let action = "name the data directory of the server with --data, or in its configuration (data = …); a new instance is made by \
                  chancery init";
    Finding::error("data", shown, &format!("{why}, so there is nothing to serve"), action)
}

/// A directory that users beside its owner may use in a way of `forbidden`.
fn directory(path: &Path, metadata: &Metadata, forbidden: u32) -> Option<Finding> {
    let (shown, mode) = (path.display().to_string(), metadata.mode() & 0o7777);
    if mode & forbidden == 0 {
        return None;
    }
    let action = format!("chmod 700 {shown}");
    if mode & OTHERS_WRITE == 0 {
        let message = format!("its mode is {mode:04o}, so other users can see which keys there are");
        return Some(Finding::warning(CHECK, &shown, &message, &action));
    }
    let message = format!("its mode is {mode:04o}, so other users can replace what is in it, keys among it");
    Some(Finding::error(CHECK, &shown, &message, &action))
}

/// A file with a secret that others may read, that is not there, or that is another user's than `owner`'s.
fn secret(path: &Path, what: &str, owner: Option<&Metadata>) -> Option<Finding> {
    let shown = path.display().to_string();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Some(unreadable(path, what, &error)),
    };
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        let message =
            format!("{what}: its mode is {mode:04o}, so other users may read it, and a server refuses a key in it");
        return Some(Finding::error(CHECK, &shown, &message, &format!("chmod 600 {shown}")));
    }
    let owner = owner.filter(|owner| owner.uid() != metadata.uid())?;
    let (uid, own) = (metadata.uid(), owner.uid());
    let message = format!("{what}: it belongs to the user {uid}, and the data directory to the user {own}");
    Some(Finding::error(CHECK, &shown, &message, &format!("chown {own}:{} {shown}", owner.gid())))
}

fn unreadable(path: &Path, what: &str, error: &io::Error) -> Finding {
    let (shown, message) = (path.display().to_string(), format!("{what}: it cannot be looked at: {error}"));
    let action = match error.kind() {
        ErrorKind::PermissionDenied => "run chancery doctor as the user of the server",
        _ => "put it back, unless it is for a process on another machine alone",
    };
    Finding::note(CHECK, &shown, &message, action)
}

/// The files of `keys/` that have a private key; certificates and public keys are for everybody. One that this user must not read
/// is a private one.
fn private_keys(keys: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(keys).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_file() && is_private(path)).collect();
    found.sort_unstable();
    found
}

fn is_private(path: &Path) -> bool {
    let read = || -> io::Result<bool> {
        let mut text = Vec::new();
        File::open(path)?.take(MAX_KEY_BYTES).read_to_end(&mut text)?;
        Ok(text.windows(11).any(|window| window == b"PRIVATE KEY"))
    };
    read().unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity;
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// A data directory with a key and a certificate.
    fn data() -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("keys")).unwrap();
        for (name, text) in [
            ("instance.json", "{}"),
            ("keys/ca.pem", "-----BEGIN PRIVATE KEY-----"),
            ("keys/ca-chain.pem", "-----BEGIN CERTIFICATE-----"),
        ] {
            fs::write(data.path().join(name), text).unwrap();
        }
        set(&data.path().join("keys"), 0o700);
        set(&data.path().join("keys/ca.pem"), 0o600);
        set(&data.path().join("keys/ca-chain.pem"), 0o644);
        data
    }

    fn found(data: &Path, secrets: &[SecretFile]) -> Vec<(Severity, String)> {
        let findings = examine(data, secrets).into_iter();
        findings.map(|finding| (finding.severity, finding.action.unwrap_or_default())).collect()
    }

    #[test]
    fn only_what_others_may_read_or_change_is_told() {
        let data = data();
        // Joining nothing adds a slash.
        let path = |name: &str| if name.is_empty() { data.path().to_owned() } else { data.path().join(name) };
        assert_eq!(found(data.path(), &[]), [(Severity::Ok, String::new())]);
        for (name, mode, severity) in [
            ("keys/ca.pem", 0o640, Severity::Error),
            ("keys/ca.pem", 0o602, Severity::Error),
            ("keys", 0o750, Severity::Warning),
            ("keys", 0o770, Severity::Error),
            ("", 0o720, Severity::Error),
        ] {
            let path = path(name);
            let good = if path.is_file() { 0o600 } else { 0o700 };
            set(&path, mode);
            assert_eq!(found(data.path(), &[]), [(severity, format!("chmod {good:o} {}", path.display()))], "{name}");
            set(&path, good);
        }
        // systemd's default for a state directory.
        set(data.path(), 0o755);
        assert_eq!(found(data.path(), &[])[0].0, Severity::Ok);
    }

    #[test]
    fn secrets_of_settings_and_a_wrong_directory_are_told() {
        let data = data();
        let path = data.path().join("password");
        let secrets = [SecretFile { setting: "[ca] key".to_owned(), path: path.clone() }];
        assert_eq!(found(data.path(), &secrets)[0].0, Severity::Note, "it may be another process's");
        fs::write(&path, "x").unwrap();
        set(&path, 0o644);
        assert_eq!(found(data.path(), &secrets)[0], (Severity::Error, format!("chmod 600 {}", path.display())));
        fs::remove_file(data.path().join("instance.json")).unwrap();
        let [(severity, action)] = found(data.path(), &[]).try_into().unwrap();
        assert!(severity == Severity::Error && action.contains("chancery init"), "{action}");
    }
}
