//! Turns an `[[issuer]]` table into settings, with the help of its preset, and refuses a key that has no effect.

use super::preset::SERVICE_ACCOUNT_TOKEN;
use super::{IssuerEntry, IssuerType, Patterns, Preset, Wrong, read};
use crate::identity::{ClaimPath, Condition};
use crate::{Access, Bearer, DEFAULT_AUDIENCE, DEFAULT_MAX_AGE_SECONDS, IssuerName, IssuerSettings, KeySource};
use chancery_address::host_name;
use std::path::Path;
use url::Url;

/// Largest `max_age_seconds`: a week.
const MAX_MAX_AGE_SECONDS: u64 = 7 * 86_400;

impl IssuerEntry {
    /// Turns the table into settings. Relative paths start at `directory`.
    pub(super) fn settings(mut self, directory: &Path) -> Result<IssuerSettings, Wrong> {
        if self.url.is_some() && self.url_pattern.is_some() {
            return Wrong::because("`url` and `url_pattern` exclude each other");
        }
        let (issuer_type, known) = match (self.preset, self.issuer_type) {
            (Some(preset), None) => {
                preset.complete(&mut self)?;
                (preset.issuer_type(), preset.known())
            }
            (None, Some(issuer_type)) => (issuer_type, None),
            _ => return Wrong::because("give either `preset` or `type`"),
        };
        let name = match (self.url.take(), self.url_pattern.take()) {
            (Some(url), _) => IssuerName::Exact(url),
            (None, Some(pattern)) => IssuerName::Pattern(pattern),
            (None, None) => return Wrong::because("`url` is missing"),
        };
        let mut conditions = self.conditions()?;
        let kind = self.kind(issuer_type, known, &name, &mut conditions)?;
        let keys = self.key_source(directory)?;
        let access = self.access(&keys, directory)?;
        let max_age_seconds = self.max_age_seconds.unwrap_or(DEFAULT_MAX_AGE_SECONDS);
        if !(1..=MAX_MAX_AGE_SECONDS).contains(&max_age_seconds) {
            return Wrong::because("`max_age_seconds` is not between 1 and 604800");
        }
        let audiences = self.audiences.take().unwrap_or_else(|| vec![DEFAULT_AUDIENCE.to_owned()]);
        if audiences.is_empty() || audiences.iter().any(String::is_empty) {
            return Wrong::because("`audiences` must have at least one entry, and no empty one");
        }
        self.refuse_leftovers(issuer_type)?;
        let other_audiences = self.other_audiences;
        Ok(IssuerSettings { name, audiences, other_audiences, kind, conditions, max_age_seconds, keys, access })
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, Wrong> {
        let mut conditions = Vec::new();
        for (claim, patterns) in std::mem::take(&mut self.require) {
            let Some(path) = ClaimPath::parse(&claim) else {
                return Wrong::because(format!("`{claim}` in `require` is not the name of a claim"));
            };
            let any_of = match patterns {
                Patterns::One(pattern) => vec![pattern],
                Patterns::AnyOf(patterns) if patterns.is_empty() => {
                    return Wrong::because(format!("`{claim}` in `require` has no allowed value"));
                }
                Patterns::AnyOf(patterns) => patterns,
            };
            conditions.push(Condition { claim: path, any_of });
        }
        Ok(conditions)
    }

    fn key_source(&mut self, directory: &Path) -> Result<KeySource, Wrong> {
        let jwks_hosts = self.jwks_hosts.drain(..).map(|host| keys_host(&host)).collect::<Result<Vec<_>, _>>()?;
        match (self.jwks_uri.take(), self.jwks_file.take()) {
            (None, None) => Ok(KeySource::Discovery { jwks_hosts }),
            _ if !jwks_hosts.is_empty() => Wrong::because("`jwks_hosts` has an effect only if keys are discovered"),
            (Some(uri), None) => Ok(KeySource::At(uri)),
            (None, Some(file)) => read(&directory.join(file)).map(KeySource::Static).map_err(Wrong::Config),
            (Some(_), Some(_)) => Wrong::because("`jwks_uri` and `jwks_file` exclude each other"),
        }
    }

    fn access(&mut self, keys: &KeySource, directory: &Path) -> Result<Access, Wrong> {
        let ca_pem = match (self.ca_pem.take(), self.ca_file.take()) {
            (Some(_), Some(_)) => return Wrong::because("`ca_pem` and `ca_file` exclude each other"),
            (Some(pem), None) => Some(pem),
            (None, Some(file)) => Some(read(&directory.join(file)).map_err(Wrong::Config)?),
            (None, None) => None,
        };
        let proxy = self.proxy.take();
        let usable = |proxy: &String| {
            Url::parse(proxy).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
        };
        if proxy.as_ref().is_some_and(|proxy| !usable(proxy)) {
            return Wrong::because("`proxy` must be an http or https URL");
        }
        let bearer = match keys {
            KeySource::At(uri) if self.in_cluster && self.preset == Some(Preset::Kubernetes) => {
                self.in_cluster = false;
                Some(Bearer { file: SERVICE_ACCOUNT_TOKEN.into(), origin: uri.clone() })
            }
            _ => None,
        };
        Ok(Access {
            loopback_http: self.development_loopback_http,
            private_addresses: self.allow_private_addresses,
            ca_pem,
            proxy,
            bearer,
        })
    }

    /// A key that is left over has no meaning for this kind of issuer, so the operator would expect an effect it does
    /// not have.
    fn refuse_leftovers(&self, issuer_type: IssuerType) -> Result<(), Wrong> {
        let leftovers = [
            ("base_url", self.base_url.is_some()),
            ("email_claim", self.email_claim.is_some()),
            ("issuer_claim", self.issuer_claim.is_some()),
            ("accept_unverified_email", self.accept_unverified_email),
            ("subject_domain", self.subject_domain.is_some()),
            ("unrelated_subject_domain", self.unrelated_subject_domain),
            ("trust_domain", self.trust_domain.is_some()),
            ("subject", self.subject.is_some()),
            ("extensions", !self.extensions.is_empty()),
            ("in_cluster", self.in_cluster),
        ];
        match leftovers.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((key, _)) => {
                // Uses the key's name from the file.
                let kind = serde_json::to_value(issuer_type).unwrap_or_default();
                Wrong::because(format!("`{key}` has no meaning for an issuer of kind {kind}"))
            }
        }
    }
}

/// A host in its one spelling. It is compared with those of discovery documents, and another spelling would never match.
fn keys_host(text: &str) -> Result<String, Wrong> {
    host_name(text).ok_or_else(|| {
        Wrong::Reason(format!("`jwks_hosts` has `{text}`: write the name of a host, without scheme, port and path"))
    })
}
