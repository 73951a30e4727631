//! The names that members of a case have. There are no others, so no name leads out of a directory.

use std::fmt;

/// Longest name of a log.
const MAX_LOG_NAME: usize = 32;

/// What a member is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member<'a> {
    /// The question, and the hashes of all other members.
    Manifest,
    /// An answer, by its number.
    Answer(u64),
    /// The checkpoint of a log.
    Checkpoint(&'a str),
    /// An older checkpoint of a log, by the size of its tree.
    Consistency(&'a str, u64),
    /// An entry of a log, by its index.
    Entry(&'a str, u64),
    /// A certificate, by its SHA-256 in hexadecimal.
    Certificate(&'a str),
    /// A statement of which an entry has the hash, by its SHA-256 in hexadecimal.
    Attestation(&'a str),
    /// The trust files of now.
    TrustedRoot,
    /// Earlier ones, by their SHA-256 in hexadecimal.
    FormerRoot(&'a str),
    /// TUF metadata, by its version.
    Tuf(u64, TufRole),
    /// Lines of the CA's audit log.
    Audit,
}

/// A role of TUF whose metadata is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TufRole {
    /// Keys of all roles.
    Root,
    /// Hashes of the trust files.
    Targets,
}

impl TufRole {
    const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
        }
    }
}

impl<'a> Member<'a> {
    /// The member of this name. `None` if no member has it: each has exactly one spelling.
    #[must_use]
    pub fn of(name: &'a str) -> Option<Self> {
        let mut parts = name.split('/');
        let parts = [(); 4].map(|()| parts.next());
        let member = match parts {
            [Some("manifest.json"), None, ..] => Self::Manifest,
            [Some("audit.jsonl"), None, ..] => Self::Audit,
            [Some("answers"), Some(file), None, _] => Self::Answer(number(file, ".json")?),
            [Some("certificates"), Some(file), None, _] => Self::Certificate(hash(file, ".pem")?),
            [Some("attestations"), Some(file), None, _] => Self::Attestation(hash(file, ".json")?),
            [Some("trust"), Some("trusted_root.json"), None, _] => Self::TrustedRoot,
            [Some("trust"), Some("roots"), Some(file), None] => Self::FormerRoot(hash(file, ".json")?),
            [Some("trust"), Some("tuf"), Some(file), None] => match number(file, ".root.json") {
                Some(version) => Self::Tuf(version, TufRole::Root),
                None => Self::Tuf(number(file, ".targets.json")?, TufRole::Targets),
            },
            [Some("logs"), Some(log), Some("checkpoint"), None] => Self::Checkpoint(log),
            [Some("logs"), Some(log), Some("entries"), Some(file)] => Self::Entry(log, number(file, ".json")?),
            [Some("logs"), Some(log), Some("consistency"), Some(file)] => {
                Self::Consistency(log, number(file, ".json")?)
            }
            _ => return None,
        };
        let is_sound = member.log().is_none_or(is_log_name) && member.to_string() == name;
        is_sound.then_some(member)
    }

    /// The log that it belongs to.
    #[must_use]
    pub const fn log(&self) -> Option<&'a str> {
        match self {
            Self::Checkpoint(log) | Self::Consistency(log, _) | Self::Entry(log, _) => Some(log),
            _ => None,
        }
    }
}

/// Whether a log may have this name in a case.
fn is_log_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_LOG_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

fn number(file: &str, suffix: &str) -> Option<u64> {
    let digits = file.strip_suffix(suffix)?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn hash<'a>(file: &'a str, suffix: &str) -> Option<&'a str> {
    let digits = file.strip_suffix(suffix)?;
    let is_hash = digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then_some(digits)
}

impl fmt::Display for Member<'_> {
    /// Its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("manifest.json"),
            Self::Answer(number) => write!(f, "answers/{number}.json"),
            Self::Checkpoint(log) => write!(f, "logs/{log}/checkpoint"),
            Self::Consistency(log, size) => write!(f, "logs/{log}/consistency/{size}.json"),
            Self::Entry(log, index) => write!(f, "logs/{log}/entries/{index}.json"),
            Self::Certificate(sha256) => write!(f, "certificates/{sha256}.pem"),
            Self::Attestation(sha256) => write!(f, "attestations/{sha256}.json"),
            Self::TrustedRoot => f.write_str("trust/trusted_root.json"),
            Self::FormerRoot(sha256) => write!(f, "trust/roots/{sha256}.json"),
            Self::Tuf(version, role) => write!(f, "trust/tuf/{version}.{}.json", role.name()),
            Self::Audit => f.write_str("audit.jsonl"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_one_name() {
        let hash = "ab".repeat(32);
        for member in [
            Member::Manifest,
            Member::Answer(0),
            Member::Checkpoint("rekor"),
            Member::Consistency("rekor-2", 7),
            Member::Entry("ct", u64::MAX),
            Member::Certificate(&hash),
            Member::Attestation(&hash),
            Member::TrustedRoot,
            Member::FormerRoot(&hash),
            Member::Tuf(1, TufRole::Root),
            Member::Tuf(12, TufRole::Targets),
            Member::Audit,
        ] {
            let name = member.to_string();
            assert_eq!(Member::of(&name), Some(member), "{name}");
            // A name fits in the header of the archive.
            assert!(name.len() <= 100, "{name}");
        }
    }

    #[test]
    fn no_other_name_is_one() {
        for name in [
            "",
            "manifest.json/",
            "/manifest.json",
            "./manifest.json",
            "../manifest.json",
            "answers/00.json",
            "answers/+1.json",
            "answers/.json",
            "answers/18446744073709551616.json",
            "logs/../entries/1.json",
            "logs//checkpoint",
            "logs/Rekor/checkpoint",
            "logs/rekor/entries/1.json/2",
            "logs/rekor/entries/1.JSON",
            "certificates/ab.pem",
            "attestations/ab.json",
            "trust/tuf/1.snapshot.json",
            "trust/tuf/root.json",
            "etc/passwd",
        ] {
            assert_eq!(Member::of(name), None, "{name}");
        }
        assert_eq!(Member::of(&format!("certificates/{}.pem", "AB".repeat(32))), None);
        assert_eq!(Member::of(&format!("logs/{}/checkpoint", "a".repeat(MAX_LOG_NAME + 1))), None);
    }
}
