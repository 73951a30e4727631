//! A log as a witness is told of it: its key, and the first line of its checkpoints.
//!
//! That line is the key's name, unless the log says otherwise: the Go checksum database, for example, names itself in its
//! signature, and begins its checkpoints with `go.sum database tree`. Logs are given one by one, or as a list in the format of the
//! [witness network](https://github.com/transparency-dev/witness-network/blob/main/docs/log-list-format.md).

use crate::Rejection;
use crate::checkpoint::Scheme;
use crate::merkle::TreeHead;
use crate::verifier_key::VerifierKey;

/// Maximum bytes of an origin, as of a key's name.
const MAX_ORIGIN: usize = 255;
/// First line of a list.
const HEADER: &str = "logs/v0";
/// Value of an origin that is the key's name.
const NAME_OF_KEY: &str = "none";

/// A log whose checkpoints a witness cosigns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    origin: String,
    key: VerifierKey,
    scheme: Scheme,
}

impl Log {
    /// The log with this key. Without `origin`, its checkpoints begin with the key's name.
    ///
    /// # Errors
    /// [`Rejection::KeyUnsupported`] for the key of a witness, [`Rejection::WitnessLog`] for a text that cannot be the
    /// first line of a checkpoint.
    pub fn new(key: VerifierKey, origin: Option<&str>) -> Result<Self, Rejection> {
        let scheme = key.scheme().ok_or(Rejection::KeyUnsupported)?;
        let origin = match origin {
            None => scheme.origin(),
            Some(origin) if is_origin(origin) => origin.to_owned(),
            Some(_) => return Err(Rejection::WitnessLog),
        };
        Ok(Self { origin, key, scheme })
    }

    /// Parses `VKEY`, or `ORIGIN=VKEY` for a log with another origin than its key's name.
    ///
    /// # Errors
    /// Those of [`VerifierKey::parse`] and [`Self::new`].
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        // An origin, a name and base64 may all contain `=`. The key id shows where the verifier key begins, and where it does not
        // depend on the name, the shortest name is meant.
        let parts = text.match_indices('=').map(|(at, _)| text.split_at(at));
        let mut found =
            parts.filter_map(|(origin, key)| Some((origin, VerifierKey::parse(key.strip_prefix('=')?).ok()?)));
        match found.next_back() {
            Some((origin, key)) => Self::new(key, Some(origin)),
            None => Self::new(VerifierKey::parse(text)?, None),
        }
    }

    /// The first line of its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Parses a checkpoint, checks that this log signed it, and returns the tree head.
    pub fn open(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        Ok(self.scheme.open_signed_as(&self.origin, checkpoint, self.key.key())?.head)
    }
}

/// Parses a list of logs: `logs/v0`, then for each log a line `vkey` and lines about it. `origin` is read. What a log may
/// ask in a day (`qpd`), where it can be reached (`bastion`) and its operator (`contact`) are not used.
///
/// # Errors
/// [`Rejection::WitnessList`] with the line.
pub fn parse_list(text: &str) -> Result<Vec<Log>, Rejection> {
    let lines = (1..).zip(text.lines()).map(|(line, text)| (line, text.trim()));
    let mut lines = lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
    match lines.next() {
        Some((_, HEADER)) => {}
        other => {
            let line = other.map_or(1, |(line, _)| line);
            return Err(Rejection::WitnessList { line, fault: "expected `logs/v0`, the format of the list" });
        }
    }
    let mut logs: Vec<Log> = Vec::new();
    for (line, text) in lines {
        let wrong = |fault| Rejection::WitnessList { line, fault };
        let (keyword, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let value = value.trim();
        if keyword == "vkey" {
            let log = VerifierKey::parse(value).and_then(|key| Log::new(key, None));
            logs.push(log.map_err(|_| wrong("not the verifier key of a log"))?);
            continue;
        }
        match (keyword, logs.last_mut()) {
            ("origin", Some(_)) if value == NAME_OF_KEY => {}
            ("origin", Some(log)) if is_origin(value) => value.clone_into(&mut log.origin),
            ("origin", Some(_)) => return Err(wrong("not the first line of a checkpoint")),
            ("bastion" | "contact" | "qpd", Some(_)) => {}
            ("bastion" | "contact" | "origin" | "qpd", None) => {
                return Err(wrong("expected `vkey`, with which a log begins"));
            }
            _ => return Err(wrong("unknown keyword; expected vkey, origin, bastion, qpd or contact")),
        }
    }
    Ok(logs)
}

fn is_origin(text: &str) -> bool {
    (1..=MAX_ORIGIN).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rekor's staging log, and one of transparency.dev's with another origin.
    const LOG: &str = "log2025-alpha3.rekor.sigstage.dev+d3d3a70c+AZQ93VXPMmj9uZj7U/7CefQ9yy8RgYFv6mKzOseipjqp";
    const OTHER: &str = "transparency.dev-aw-ftlog-ci-2+f77c6276+AZXqiaARpwF4MoNOxx46kuiIRjrML0PDTm+c7BLaAMt6";
    const ORIGIN: &str = "transparency.dev/armored-witness/firmware_transparency/ci/2";
    const WITNESS: &str = "example.org/w+74cab48a+BE74L7zW/hUjXBBzcByXyBhoa/hRfR47UAXqWMP1EAmr";

    #[test]
    fn a_log_has_the_name_of_its_key_or_another_origin() {
        let log = Log::parse(LOG).unwrap();
        assert_eq!((log.origin(), log.key().to_string().as_str()), ("log2025-alpha3.rekor.sigstage.dev", LOG));
        for origin in [ORIGIN, "go.sum database tree", "a=b", "a=", "rekor.example.org - 42"] {
            let log = Log::parse(&format!("{origin}={OTHER}")).unwrap();
            assert_eq!((log.origin(), log.key().to_string().as_str()), (origin, OTHER));
        }
        for (text, rejection) in [
            (format!("={OTHER}"), Rejection::WitnessLog),
            (format!(" a tree={OTHER}"), Rejection::WitnessLog),
            (format!("a tree\n={OTHER}"), Rejection::WitnessLog),
            (format!("{}={OTHER}", "x".repeat(256)), Rejection::WitnessLog),
            (format!("a tree={WITNESS}"), Rejection::KeyUnsupported),
            (WITNESS.to_owned(), Rejection::KeyUnsupported),
            (format!("a tree={}", OTHER.replace("f77c", "f77d")), Rejection::VerifierKey),
            ("a tree=".to_owned(), Rejection::VerifierKey),
            (String::new(), Rejection::VerifierKey),
        ] {
            assert_eq!(Log::parse(&text), Err(rejection), "{text}");
        }
    }

    #[test]
    fn a_list_is_that_of_the_witness_network() {
        let text = format!(
            "#\n# List: test\n\n  logs/v0\n# one\nvkey {LOG}\norigin none\nqpd 86400\nbastion https://b.example/\n\
             contact a b c\n\nvkey {OTHER}\norigin {ORIGIN}\nqpd 24\nbastion none\ncontact x\nvkey {LOG}\n"
        );
        let logs = parse_list(&text).unwrap();
        let origins: Vec<&str> = logs.iter().map(Log::origin).collect();
        let name = "log2025-alpha3.rekor.sigstage.dev";
        assert_eq!(origins, [name, ORIGIN, name]);
        assert_eq!(logs[1].key().to_string(), OTHER);
        assert_eq!(parse_list("logs/v0"), Ok(Vec::new()));
        for (text, line) in [
            (String::new(), 1),
            (format!("vkey {LOG}"), 1),
            ("# x\nlogs/v1".to_owned(), 2),
            ("logs/v0\norigin none".to_owned(), 2),
            ("logs/v0\nlogs/v0".to_owned(), 2),
            (format!("logs/v0\nvkey {WITNESS}"), 2),
            ("logs/v0\nvkey".to_owned(), 2),
            (format!("logs/v0\n\nvkey {OTHER}\norigin"), 4),
            (format!("logs/v0\nvkey {OTHER}\nurl https://log.example"), 3),
        ] {
            let refused = parse_list(&text).unwrap_err();
            assert!(
                matches!(refused, Rejection::WitnessList { line: found, .. } if found == line),
                "{text}: {refused}"
            );
        }
    }
}
