//! What `trusted_root.json` says about the keys of each role: which ones clients know, and until when what they sign counts.
//!
//! Reads text alone. Where the text is from, and whether clients are given it, its callers know.

use super::Role;
use chancery_verify::{
    PublicKey, Refusal,
    certificate::Certificate,
    trust_root::{TransparencyLog, TrustRoot, Window},
};
use std::{collections::BTreeMap, pin::Pin};

/// The keys of a trusted root.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    pub(super) authorities: Keys,
    pub(super) certificate_logs: Keys,
    /// Of both versions of Rekor.
    pub(super) signature_logs: Keys,
    pub(super) timestamp_authorities: Keys,
}

/// When the time of a key ends, in seconds since 1970, if it does. The keys are named by their fingerprints in hexadecimal.
pub(super) type Keys = BTreeMap<String, Option<u64>>;

impl Published {
    /// Those of the trusted root in `text`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let root = TrustRoot::parse(text)?;
        let log = |log: &TransparencyLog| entry(log.key(), log.window());
        let first = |chain: &[Certificate], window| Some(entry(chain.first()?.public_key(), window));
        let authorities = root.certificate_authorities().iter();
        let timestamps = root.timestamp_authorities().iter();
        Ok(Self {
            authorities: ends(authorities.filter_map(|authority| first(authority.chain(), authority.window()))),
            certificate_logs: ends(root.ct_logs().iter().map(log)),
            signature_logs: ends(root.logs().iter().map(log)),
            timestamp_authorities: ends(timestamps.filter_map(|found| first(found.chain(), found.window()))),
        })
    }

    /// Those that may be of `role`: a signature log may be one of either version.
    pub(super) const fn keys(&self, role: Role) -> &Keys {
        match role {
            Role::Ca => &self.authorities,
            Role::Tsa => &self.timestamp_authorities,
            Role::Ct => &self.certificate_logs,
            Role::Rekor | Role::Rekor2 => &self.signature_logs,
        }
    }
}

fn entry(key: &PublicKey, window: Window) -> (String, Option<u64>) {
    (hex::encode(key.fingerprint()), window.end.map(chancery_verify::Timestamp::seconds))
}

/// A key in two entries counts until the last of them ends: logs of both versions of Rekor may have had one.
fn ends(entries: impl Iterator<Item = (String, Option<u64>)>) -> Keys {
    let mut keys = Keys::new();
    for (key, end) in entries {
        let known = keys.entry(key).or_insert(end);
        *known = known.zip(end).map(|(one, other)| one.max(other));
    }
    keys
}

/// What clients are given at this moment.
pub(crate) struct Served {
    /// Of the TUF repository that is served.
    pub(crate) trusted_root: Vec<u8>,
    /// Why it is not the one that was made last, if that is known.
    pub(crate) behind: Option<String>,
}

/// What clients are given, or why they are given nothing.
pub(crate) type Answer<'a> = Pin<Box<dyn Future<Output = Result<Served, String>> + Send + 'a>>;

/// The TUF repository of the instance as clients see it, in this process or another one.
pub(crate) trait Serving: Send + Sync {
    /// Asks once.
    fn served(&self) -> Answer<'_>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_two_logs_ends_with_the_last() {
        let key = || "k".to_owned();
        for (entries, end) in [
            ([Some(5), None], None),
            ([None, Some(5)], None),
            ([Some(5), Some(7)], Some(7)),
            ([Some(7), Some(5)], Some(7)),
        ] {
            assert_eq!(ends(entries.into_iter().map(|end| (key(), end))), Keys::from([(key(), end)]), "{entries:?}");
        }
    }
}
