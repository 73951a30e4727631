//! The kinds of keys that certificates are issued for: Fulcio's `--client-signing-algorithms`.
//!
//! The names are those of the protobuf-specs algorithm registry. A name stands for a kind of key and the hash it signs
//! with. Pairs that no client's proof can show (PSS, Ed25519ph, a larger curve with SHA-256) are not in the list.

use chancery_verify::key::KeyKind;
use std::str::FromStr;

/// Every name and its kind of key, in the registry's order.
const REGISTRY: [(&str, KeyKind); 7] = [
    ("rsa-sign-pkcs1-2048-sha256", KeyKind::Rsa(2048)),
    ("rsa-sign-pkcs1-3072-sha256", KeyKind::Rsa(3072)),
    ("rsa-sign-pkcs1-4096-sha256", KeyKind::Rsa(4096)),
    ("ecdsa-sha2-256-nistp256", KeyKind::P256),
    ("ecdsa-sha2-384-nistp384", KeyKind::P384),
    ("ecdsa-sha2-512-nistp521", KeyKind::P521),
    ("ed25519", KeyKind::Ed25519),
];

/// A name that is not in the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a client signing algorithm; the known ones are {}", REGISTRY.map(|(name, _)| name).join(", "))]
pub struct UnknownAlgorithm {
    /// The name, as written.
    pub name: String,
}

/// One name of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAlgorithm(KeyKind);

impl FromStr for ClientAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let found = REGISTRY.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, kind)| Self(kind)).ok_or_else(|| UnknownAlgorithm { name: name.to_owned() })
    }
}

/// The permitted kinds. By default all in the list, as in Fulcio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAlgorithms(Vec<KeyKind>);

impl Default for ClientAlgorithms {
    fn default() -> Self {
        Self(REGISTRY.into_iter().map(|(_, kind)| kind).collect())
    }
}

impl FromIterator<ClientAlgorithm> for ClientAlgorithms {
    fn from_iter<T: IntoIterator<Item = ClientAlgorithm>>(algorithms: T) -> Self {
        Self(algorithms.into_iter().map(|ClientAlgorithm(kind)| kind).collect())
    }
}

impl ClientAlgorithms {
    /// Returns whether keys of `kind`, with that kind's own hash, are permitted.
    #[must_use]
    pub fn permit(&self, kind: KeyKind) -> bool {
        self.0.contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fulcio_s_and_everything_is_permitted_unless_a_list_says_otherwise() {
        let some: Result<ClientAlgorithms, _> =
            ["ecdsa-sha2-256-nistp256", "ed25519"].into_iter().map(str::parse::<ClientAlgorithm>).collect();
        let some = some.unwrap();
        assert!(some.permit(KeyKind::P256) && some.permit(KeyKind::Ed25519));
        for kind in [KeyKind::P384, KeyKind::P521, KeyKind::Rsa(2048), KeyKind::Rsa(4096)] {
            assert!(!some.permit(kind), "{kind:?}");
            assert!(ClientAlgorithms::default().permit(kind), "{kind:?}");
        }
        for name in ["ed25519-ph", "rsa-sign-pss-2048-sha256", "ecdsa-sha2-256-nistp384", "ED25519", ""] {
            let error = name.parse::<ClientAlgorithm>().unwrap_err();
            assert!(error.to_string().contains("ecdsa-sha2-256-nistp256"), "{error}");
        }
    }
}
