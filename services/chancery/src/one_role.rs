//! One key has one role. A key that two roles share is refused, with both named: a signature for the one could be taken for
//! a signature for the other.
//!
//! Settings are compared before anything is made ([`of_settings`]), a data directory whenever a server starts
//! ([`of_directory`]), and a key that is to follow another one with all that the instance ever had ([`verify_new`]).
//!
//! A root that another authority has for several of our certificates is no key of ours. People may hold one key for several
//! roles of the TUF repository; the server's own keys may not be shared.

use crate::{
    instance::{KnownKey, known_keys},
    rotation::State,
};
use anyhow::{Context as _, bail};
use chancery_keys::KeyUri;
use chancery_verify::PublicKey;
use std::{collections::BTreeMap, path::Path};

/// What to do about it.
const ADVICE: &str =
    "each role needs a key of its own, because a signature for one role could be taken for one of the other role";
/// What the roles of the TUF repository begin with.
const TUF: &str = "tuf-";

/// A key that settings name.
pub(crate) struct NamedKey<'a> {
    /// The setting.
    pub(crate) setting: String,
    /// The key's name in a data directory.
    pub(crate) name: String,
    pub(crate) uri: &'a str,
}

/// Checks that all keys that exist already are different, whatever their URIs. Returns them by name, because opening one may take
/// a token or a service.
pub(crate) async fn of_settings(keys: &[NamedKey<'_>]) -> anyhow::Result<BTreeMap<String, PublicKey>> {
    let mut seen: Vec<(&NamedKey<'_>, PublicKey)> = Vec::new();
    for named in keys {
        let NamedKey { setting, name, uri } = named;
        let key: KeyUri = uri.parse().with_context(|| format!("{uri} is not a key URI"))?;
        // It will be made, and so be a new one.
        if matches!(&key, KeyUri::File(file) if !file.path.exists()) {
            continue;
        }
        let signer = chancery_keys::open(&key).await.with_context(|| format!("cannot use the {name} key {uri}"))?;
        if let Some((other, _)) = seen.iter().find(|(_, known)| known == signer.public_key()) {
            bail!("{} and {setting} lead to one key; {ADVICE}", other.setting);
        }
        seen.push((named, signer.public_key().clone()));
    }
    Ok(seen.into_iter().map(|(named, key)| (named.name.clone(), key)).collect())
}

/// Checks that no key with which a data directory's server signs, or lately did, has two roles.
pub(crate) fn of_directory(data: &Path) -> anyhow::Result<()> {
    let mut keys = known_keys(data);
    keys.retain(|key| matches!(key.state, State::Staged | State::Active | State::Outgoing));
    for (position, key) in keys.iter().enumerate() {
        let others = keys.iter().skip(position + 1);
        let both_tuf = |other: &KnownKey| key.role.starts_with(TUF) && other.role.starts_with(TUF);
        if let Some(other) = others.filter(|other| !both_tuf(other)).find(|other| is_shared(key, other)) {
            bail!(
                "the keys of {} and {} in {} are one key; {ADVICE}. To leave this state, start the version of chancery before and \
                 rotate one of them",
                key.role,
                other.role,
                data.display(),
            );
        }
    }
    Ok(())
}

/// Checks that a key that is to be one of `role` never had another role in this data directory.
pub(crate) fn verify_new(data: &Path, role: &str, public_key: &PublicKey) -> anyhow::Result<()> {
    let new = KnownKey { role: role.to_owned(), state: State::Staged, public_key: public_key.clone() };
    match known_keys(data).iter().find(|known| is_shared(known, &new)) {
        Some(known) => bail!("the key for {role} is the one of {}; {ADVICE}", known.role),
        None => Ok(()),
    }
}

/// Whether two roles, not both of them roots, have one key.
fn is_shared(one: &KnownKey, other: &KnownKey) -> bool {
    let is_root = |key: &KnownKey| ["ca-root", "tsa-root"].contains(&key.role.as_str());
    one.role != other.role && one.public_key == other.public_key && !(is_root(one) && is_root(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_daemon::signer::Signer;
    use chancery_verify::key::KeyKind;

    fn named<'a>(setting: &str, uri: &'a str) -> NamedKey<'a> {
        NamedKey { setting: setting.to_owned(), name: "ca".to_owned(), uri }
    }

    #[tokio::test]
    async fn one_key_at_two_places_is_found_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let uri = |name: &str| format!("file:{}", path(name).display());
        Signer::open_or_create(&path("a.pem"), KeyKind::P256).unwrap();
        Signer::open_or_create(&path("b.pem"), KeyKind::P256).unwrap();
        std::fs::copy(path("a.pem"), path("copy.pem")).unwrap();
        let (a, b, copy, missing) = (uri("a.pem"), uri("b.pem"), uri("copy.pem"), uri("missing.pem"));
        of_settings(&[named("[ca] key", &a), named("[tsa] key", &b), named("[log] ct_key", &missing)]).await.unwrap();
        let refused = of_settings(&[named("[ca] key", &a), named("[tsa] key", &b), named("[log] ct_key", &copy)]).await;
        assert!(refused.unwrap_err().to_string().contains("[ca] key and [log] ct_key lead to one key"));
    }

    #[test]
    fn roots_of_another_authority_may_be_one() {
        let key = |kind| Signer::ephemeral(kind).unwrap().public_key().clone();
        let (one, other) = (key(KeyKind::P256), key(KeyKind::P256));
        let known = |role: &str, key: &PublicKey| KnownKey {
            role: role.to_owned(),
            state: State::Active,
            public_key: key.clone(),
        };
        assert!(is_shared(&known("ca", &one), &known("tsa", &one)));
        assert!(is_shared(&known("ca-root", &one), &known("tsa", &one)));
        assert!(!is_shared(&known("ca-root", &one), &known("tsa-root", &one)));
        assert!(!is_shared(&known("ca", &one), &known("tsa", &other)));
        assert!(!is_shared(&known("ca-root", &one), &known("ca-root", &one)), "a root that issues again");
    }
}
