//! One `[[issuer]]` table, and how it becomes settings.

use super::preset::SERVICE_ACCOUNT_TOKEN;
use super::{Preset, Wrong, read};
use crate::identity::{ClaimPath, Condition};
use crate::{Access, Bearer, DEFAULT_AUDIENCE, DEFAULT_MAX_AGE_SECONDS, IssuerName, IssuerSettings, KeySource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use url::Url;

/// Longest age a token may be allowed to have, in seconds: a week.
const MAX_MAX_AGE_SECONDS: u64 = 7 * 86_400;

/// Fulcio's kinds of issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerType {
    /// People, by an address the issuer has verified.
    Email,
    /// Whatever `sub` names, a URL below `subject_domain`.
    Uri,
    /// A name within `subject_domain`.
    Username,
    /// A workload of `trust_domain`.
    Spiffe,
    /// A service account of a cluster.
    Kubernetes,
    /// An identity at Chainguard.
    ChainguardIdentity,
    /// A workflow of GitHub Actions.
    GithubWorkflow,
    /// A pipeline of GitLab CI.
    GitlabPipeline,
    /// A job of Buildkite.
    BuildkiteJob,
    /// A workflow of Codefresh.
    CodefreshWorkflow,
    /// A job of any other service, by the templates `subject` and `extensions`.
    CiProvider,
}

/// One pattern, or several of which one must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Patterns {
    /// One.
    One(String),
    /// Any of these.
    AnyOf(Vec<String>),
}

/// An issuer as it is written down. Either `preset` or `type` says what it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a configuration file, each with its name")]
pub struct IssuerEntry {
    /// The `iss` of its tokens, letter by letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// In place of `url`: a family of issuers. Each `*` is one whole label of the host or segment of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_pattern: Option<String>,
    /// A service whose tokens are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// In place of `preset`: one of Fulcio's kinds of issuers.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub issuer_type: Option<IssuerType>,
    /// One of these must be among a token's `aud`. Sigstore's clients ask for `sigstore`, which it is if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// Allows tokens whose `aud` names others beside those. Each of them could use such a token here; a condition on `azp` in
    /// `require` says who may have asked for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub other_audiences: bool,
    /// How long ago a token may have been issued, in seconds; a day if nothing is said, a week at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
    /// Address of the service's own pages, with which names begin. A constant: no claim can change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// For kind `email`: the claim that names the issuer in the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_claim: Option<String>,
    /// For kind `email`: takes addresses that the issuer does not say it has verified. Only where nobody but you can give
    /// somebody an address there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accept_unverified_email: bool,
    /// For kind `uri`, scheme and host of every subject; for kind `username`, the domain its names are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_domain: Option<String>,
    /// Allows a `subject_domain` that is neither the issuer's host nor above or below it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unrelated_subject_domain: bool,
    /// For kind `spiffe`: the trust domain it may speak for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// For kind `ci-provider`: the template of the name, a URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Where to find keys that are on another host than the issuer: hosts its discovery document may name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jwks_hosts: Vec<String>,
    /// Where the keys are, in place of what a discovery document says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// A file with the keys (a JWK set); nothing is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// With preset `kubernetes`: the cluster this program runs in, asked with the pod's own service account.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_cluster: bool,
    /// The only certificates by which this issuer is trusted, PEM, in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The same, here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// A proxy for this issuer. The environment's is never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Allows addresses of private networks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_private_addresses: bool,
    /// Allows `http://` on this machine. For development.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub development_loopback_http: bool,
    /// Claims (or JSON pointers into them), and the values they must have; `*` in a value stands for any text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub require: BTreeMap<String, Patterns>,
    /// For kind `ci-provider`: the templates of the extensions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
}

impl IssuerEntry {
    /// The URL or pattern.
    pub(super) fn name(&self) -> Option<&str> {
        self.url.as_deref().or(self.url_pattern.as_deref())
    }

    /// What the table means. Files it names are relative to `directory`.
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
            return Wrong::because("`audiences` must name at least one, and none may be empty");
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
                    return Wrong::because(format!("`{claim}` in `require` allows no value at all"));
                }
                Patterns::AnyOf(patterns) => patterns,
            };
            conditions.push(Condition { claim: path, any_of });
        }
        Ok(conditions)
    }

    fn key_source(&mut self, directory: &Path) -> Result<KeySource, Wrong> {
        let jwks_hosts = std::mem::take(&mut self.jwks_hosts);
        match (self.jwks_uri.take(), self.jwks_file.take()) {
            (None, None) => Ok(KeySource::Discovery { jwks_hosts }),
            _ if !jwks_hosts.is_empty() => Wrong::because("`jwks_hosts` only counts where keys are discovered"),
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

    /// What nobody has taken by now means nothing for this kind of issuer, and was meant to mean something.
    fn refuse_leftovers(&self, issuer_type: IssuerType) -> Result<(), Wrong> {
        let leftovers = [
            ("base_url", self.base_url.is_some()),
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
                // The name as the file has it.
                let kind = serde_json::to_value(issuer_type).unwrap_or_default();
                Wrong::because(format!("`{key}` means nothing for this issuer of kind {kind}"))
            }
        }
    }
}
