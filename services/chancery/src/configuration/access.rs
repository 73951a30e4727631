//! `[log.write]`, `[log.read]` and `[status.read]`: the signers that may write to the logs of signatures, and the readers of entries and
//! of the state of the instance.

use super::{Configuration, LogTable};
use crate::{instance::AccessSettings, issuers::ConfiguredIssuers};
use anyhow::{Context as _, ensure};
use chancery_log::admission::{Certificates, Rule, Signers};
use chancery_verify::{
    PublicKey,
    certificate::{Certificate, verify_is_ca},
    policy::Pattern,
    rekor::EntryKind,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may write to the logs of signatures.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteTable {
    /// Rules. An entry is logged if rules allow each of its signers.
    allow: Vec<AllowTable>,
}

/// A rule of `[log.write]`. Without any of `own_certificates`, `authorities` and `keys`, it allows every signer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct AllowTable {
    /// Kinds of entries that the rule is about, such as `hashedrekord` or `dsse`. Default: every kind.
    kinds: Vec<String>,
    /// Allow signers with a certificate of this instance's certificate authority.
    own_certificates: bool,
    /// Allow signers with a certificate that one of these authorities has issued: files with their certificates in PEM, that of
    /// the authority that issues among them.
    authorities: Vec<PathBuf>,
    /// Allow signers with one of these keys and no certificate: files with public keys in PEM.
    keys: Vec<PathBuf>,
    /// Issuer that the certificate must name. Default: any.
    issuer: Option<Pattern>,
    /// Identity that the certificate must have: an email address, a URI or a username. Needs `issuer`. Default: any.
    identity: Option<Pattern>,
}

/// Readers, by the issuers of their tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadTable {
    /// File with the list of issuers whose tokens may read, in the form of `issuers` in `[ca]`. The server reads it again when it
    /// changes.
    issuers: PathBuf,
}

impl ReadTable {
    /// The file that it names.
    pub(super) const fn file(&mut self) -> &mut PathBuf {
        &mut self.issuers
    }

    /// Reads the file. `table` is the name of this table, for messages.
    pub(super) fn read(&self, table: &str) -> anyhow::Result<ConfiguredIssuers> {
        ConfiguredIssuers::load(Some(&self.issuers)).with_context(|| format!("[{table}] issuers"))
    }
}

impl Configuration {
    /// Reads the files that say who may write to and read the logs, if the process `has_logs`, and who may read its state.
    pub(crate) fn access(&self, has_logs: bool) -> anyhow::Result<AccessSettings> {
        let logs = if has_logs { self.log.access()? } else { AccessSettings::default() };
        Ok(AccessSettings { status: self.status.readers()?, ..logs })
    }
}

impl LogTable {
    /// The files that the two tables name.
    pub(super) fn files_of_access<'a>(
        write: Option<&'a mut WriteTable>,
        read: Option<&'a mut ReadTable>,
    ) -> impl Iterator<Item = &'a mut PathBuf> {
        let rules = write.into_iter().flat_map(|write| &mut write.allow);
        let files = rules.flat_map(|rule| rule.authorities.iter_mut().chain(&mut rule.keys));
        files.chain(read.map(ReadTable::file))
    }

    /// Refuses rules that allow nothing, everything, or something else than they seem to.
    pub(super) fn check_access(&self) -> anyhow::Result<()> {
        let Some(WriteTable { allow }) = &self.write else { return Ok(()) };
        ensure!(
            !allow.is_empty(),
            "[log.write] allow has no rule, so no entry would be logged; add a rule, or remove [log.write]"
        );
        for (number, rule) in (1..).zip(allow) {
            rule.check().with_context(|| format!("[log.write] allow, rule {number}"))?;
        }
        Ok(())
    }

    /// Reads the files that the two tables name.
    fn access(&self) -> anyhow::Result<AccessSettings> {
        let rules = self.write.iter().flat_map(|write| (1..).zip(&write.allow));
        let rules =
            rules.map(|(number, rule)| rule.read().with_context(|| format!("[log.write] allow, rule {number}")));
        let rules = rules.collect::<anyhow::Result<Vec<_>>>()?;
        let readers = self.read.as_ref().map(|read| read.read("log.read")).transpose()?;
        Ok(AccessSettings { rules, readers, status: None })
    }
}

impl AllowTable {
    fn check(&self) -> anyhow::Result<()> {
        check_kinds(&self.kinds)?;
        let names_certificates = self.own_certificates || !self.authorities.is_empty();
        let names_identities = self.issuer.is_some() || self.identity.is_some();
        ensure!(
            self.keys.is_empty() || !names_certificates && !names_identities,
            "a signature by one of `keys` has no certificate, so no authority, issuer or identity; write two rules"
        );
        ensure!(
            names_certificates || !names_identities,
            "anyone can make a certificate with any `issuer` and `identity`; add `own_certificates = true` or `authorities`"
        );
        ensure!(
            self.identity.is_none() || self.issuer.is_some(),
            "`identity` has no meaning without its issuer; add `issuer`"
        );
        ensure!(
            names_certificates || !self.keys.is_empty() || !self.kinds.is_empty(),
            "this rule allows every entry; add `own_certificates`, `authorities`, `keys` or `kinds`, or remove [log.write]"
        );
        Ok(())
    }

    /// Reads the files that the rule names.
    fn read(&self) -> anyhow::Result<Rule> {
        let keys = self.keys.iter().map(|file| {
            let key = PublicKey::from_pem(&contents(file)?);
            key.with_context(|| format!("{} does not contain a public key in PEM", file.display()))
        });
        let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
        let mut authorities = Vec::new();
        for file in &self.authorities {
            authorities.extend(issuing(file)?);
        }
        let signers = if !keys.is_empty() {
            Signers::Keys(keys)
        } else if self.own_certificates || !authorities.is_empty() {
            let (own, issuer, identity) = (self.own_certificates, self.issuer.clone(), self.identity.clone());
            Signers::Certificates(Certificates { own, authorities, issuer, identity })
        } else {
            Signers::Everyone
        };
        Ok(Rule { kinds: self.kinds.clone(), signers })
    }
}

/// Refuses kinds of which no entry is.
pub(super) fn check_kinds(kinds: &[String]) -> anyhow::Result<()> {
    let mut known: Vec<&str> = EntryKind::ALL.into_iter().map(EntryKind::name).collect();
    known.dedup();
    for kind in kinds {
        ensure!(known.contains(&kind.as_str()), "no entry is of the kind {kind:?}; write one of {}", known.join(", "));
    }
    Ok(())
}

fn contents(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The certificates in a file that may issue others.
fn issuing(file: &Path) -> anyhow::Result<Vec<Certificate>> {
    let chain = Certificate::chain_from_pem(&contents(file)?);
    let chain = chain.with_context(|| format!("{} does not contain certificates in PEM", file.display()))?;
    let issuing: Vec<_> = chain.into_iter().filter(|certificate| verify_is_ca(certificate).is_ok()).collect();
    ensure!(
        !issuing.is_empty(),
        "{} contains no certificate of an authority; `authorities` needs that of the authority that issues",
        file.display()
    );
    Ok(issuing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_daemon::signer::Signer;
    use chancery_verify::key::KeyKind;

    fn read(text: &str) -> Result<LogTable, String> {
        toml::from_str::<LogTable>(text).map_err(|error| error.to_string())
    }

    fn checked(rules: &str) -> Result<(), String> {
        let table = read(&format!("write = {{ allow = [{rules}] }}"))?;
        table.check_access().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn rules_that_say_what_they_mean_are_taken_and_others_are_explained() {
        assert_eq!(read("").unwrap().check_access().map_err(|error| error.to_string()), Ok(()));
        for good in [
            "{ own_certificates = true }",
            "{ own_certificates = true, issuer = \"https://a.test\" }",
            "{ own_certificates = true, issuer = \"https://a.test\", identity = { glob = \"*@a.test\" } }",
            "{ authorities = [\"a.pem\"], kinds = [\"hashedrekord\", \"intoto\"] }, { keys = [\"a.pub\"] }",
            "{ kinds = [\"dsse\"] }",
        ] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", "no rule"),
            ("{}", "allows every entry"),
            ("{ own_certificates = true }, {}", "rule 2"),
            ("{ kinds = [\"hashedrecord\"] }", "hashedrekord"),
            ("{ keys = [\"a.pub\"], own_certificates = true }", "two rules"),
            ("{ keys = [\"a.pub\"], issuer = \"https://a.test\" }", "two rules"),
            ("{ issuer = \"https://a.test\" }", "own_certificates"),
            ("{ own_certificates = true, identity = \"a@a.test\" }", "add `issuer`"),
            ("{ own_certificates = true, issuer = \"\" }", "empty pattern"),
            ("{ own_certificates = true, issuer = { glob = \"a?\" } }", "policy.pattern"),
            ("{ own_certificate = true }", "own_certificate"),
        ] {
            let refusal = checked(bad).unwrap_err();
            assert!(refusal.contains(why), "{bad}: {refusal}");
        }
    }

    #[test]
    fn files_are_keys_and_authorities_or_the_refusal_names_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("release.pub");
        let (signer, _) = Signer::generate(KeyKind::P256).unwrap();
        fs::write(&file, signer.public_key().to_pem()).unwrap();
        let rule = |setting: &str| {
            let mut table = read(&format!("write = {{ allow = [{{ {setting} = [\"release.pub\"] }}] }}")).unwrap();
            for file in LogTable::files_of_access(table.write.as_mut(), table.read.as_mut()) {
                *file = directory.path().join(&*file);
            }
            table.access().map_err(|error| format!("{error:#}"))
        };
        let settings = rule("keys").unwrap();
        assert!(matches!(&settings.rules[0].signers, Signers::Keys(keys) if keys == &[signer.public_key().clone()]));
        assert!(settings.readers.is_none());
        for (setting, why) in [("authorities", "certificates in PEM"), ("keys", "public key in PEM")] {
            fs::write(&file, if setting == "keys" { "" } else { "-----BEGIN" }).unwrap();
            let refusal = rule(setting).err().unwrap();
            assert!(
                refusal.contains(why) && refusal.contains("release.pub") && refusal.contains("rule 1"),
                "{refusal}"
            );
        }
        fs::remove_file(&file).unwrap();
        assert!(rule("keys").err().unwrap().contains("cannot read"));
        let table = read("read = { issuers = \"no.toml\" }").unwrap();
        assert!(format!("{:#}", table.access().err().unwrap()).contains("[log.read] issuers"));
    }
}
