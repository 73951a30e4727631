//! Every setting that names a key: each key has one role, and a root is ours or another authority's.

use super::Configuration;
use crate::one_role::NamedKey;
use anyhow::{Context as _, bail, ensure};
use chancery_keys::KeyUri;

impl Configuration {
    /// Every key that the file names.
    pub(crate) fn keys(&self) -> Vec<NamedKey<'_>> {
        let Self { ca, log, tsa, trust, .. } = self;
        let own = [
            ("[ca] key", "ca", &ca.key),
            ("[ca] root_key", "ca-root", &ca.root_key),
            ("[tsa] key", "tsa", &tsa.key),
            ("[tsa] root_key", "tsa-root", &tsa.root_key),
            ("[log] rekor_key", "rekor", &log.rekor_key),
            ("[log] rekor2_key", "rekor2", &log.rekor2_key),
            ("[log] ct_key", "ct", &log.ct_key),
        ];
        let own = own.into_iter().filter_map(|(setting, name, uri)| {
            let (setting, name) = (setting.to_owned(), name.to_owned());
            uri.as_deref().map(|uri| NamedKey { setting, name, uri })
        });
        let tuf = trust.keys().map(|(role, uri)| NamedKey {
            setting: format!("[trust] keys, {role}"),
            name: format!("tuf-{role}"),
            uri,
        });
        own.chain(tuf).collect()
    }

    /// Checks that every URI is one and that no two of them are one key. Whether two URIs lead to one key, only their public
    /// halves tell.
    pub(super) fn check_keys(&self) -> anyhow::Result<()> {
        let mut seen: Vec<(String, KeyUri)> = Vec::new();
        for NamedKey { setting, uri, .. } in self.keys() {
            let key = uri.parse::<KeyUri>().with_context(|| setting.clone())?;
            if let Some((other, _)) = seen.iter().find(|(_, known)| known.is_same_key(&key)) {
                bail!(
                    "{other} and {setting} are one key; each role needs a key of its own, because a signature for one role \
                     could be taken for one of the other role: name two keys"
                );
            }
            seen.push((setting, key));
        }
        let Self { ca, tsa, .. } = self;
        let authorities = [("ca", &ca.key, &ca.root_key, &ca.chain), ("tsa", &tsa.key, &tsa.root_key, &tsa.chain)];
        for (table, key, root_key, chain) in authorities {
            ensure!(
                chain.is_none() || key.is_some(),
                "[{table}] chain has the certificates of a key that exists: set [{table}] key, too"
            );
            ensure!(
                chain.is_none() || root_key.is_none(),
                "[{table}] chain and root_key contradict each other: the root is another authority's, or ours; remove one"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "url = \"https://sign.example.org\"\norganization = \"Example\"\ndata = \"data\"\n\
        [listen]\naddress = \"127.0.0.1:8080\"\n[ca]\nissuers = \"issuers.toml\"\n";

    fn check(more: &str) -> Result<(), String> {
        let configuration: Configuration = toml::from_str(&format!("{SMALLEST}{more}\n")).unwrap();
        configuration.check_keys().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn each_key_has_one_role_and_each_root_one_owner() {
        let apart =
            "key = \"file:/ca.pem\"\nroot_key = \"file:/root.pem\"\n[tsa]\nkey = \"file:/tsa.pem\"\nchain = \"c.pem\"";
        assert_eq!(check(apart), Ok(()));
        for (more, why) in [
            (
                "[tsa]\nkey = \"file:/a.pem\"\n[trust]\nkeys = { root = \"file:///a.pem?password-env=A\" }",
                "[tsa] key and [trust] keys, root are one key",
            ),
            ("key = \"file:/a.pem\"\nroot_key = \"file:/a.pem\"", "[ca] key and [ca] root_key are one key"),
            ("root_key = \"x\"", "[ca] root_key: a key URI starts with"),
            ("chain = \"chain.pem\"", "set [ca] key, too"),
            (
                "[tsa]\nkey = \"file:/a.pem\"\nroot_key = \"file:/b.pem\"\nchain = \"chain.pem\"",
                "[tsa] chain and root_key contradict each other",
            ),
        ] {
            let refused = check(more).unwrap_err();
            assert!(refused.contains(why), "{why}: {refused}");
        }
    }
}
