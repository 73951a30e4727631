//! One `[[issuer]]` table, and its conversion to settings.

use super::preset::SERVICE_ACCOUNT_TOKEN;
use super::{Preset, Wrong, read};
use crate::identity::{ClaimPath, Condition};
use crate::{Access, Bearer, DEFAULT_AUDIENCE, DEFAULT_MAX_AGE_SECONDS, IssuerName, IssuerSettings, KeySource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use url::{Host, Url};

/// Largest `max_age_seconds`: a week.
const MAX_MAX_AGE_SECONDS: u64 = 7 * 86_400;

/// Fulcio's kinds of issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerType {
    /// People, by an email address that the issuer has verified.
    Email,
    /// `sub` is a URL below `subject_domain`.
    Uri,
    /// `sub` is a user name within `subject_domain`.
    Username,
    /// A SPIFFE workload of `trust_domain`.
    Spiffe,
    /// A service account of a Kubernetes cluster.
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
    /// A job of any other CI service. Set the templates `subject` and `extensions`.
    CiProvider,
}

/// One pattern, or several. One of them must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Patterns {
    /// One pattern.
    One(String),
    /// Any of these patterns.
    AnyOf(Vec<String>),
}

/// An issuer, as configured. Set either `preset` or `type`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a configuration file, each with its name")]
pub struct IssuerEntry {
    /// The `iss` of the issuer's tokens. It must match exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Use instead of `url` for a family of issuers. Each `*` stands for one whole label of the host or one whole
    /// segment of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_pattern: Option<String>,
    /// A service with built-in settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Use instead of `preset`: one of Fulcio's kinds of issuers.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub issuer_type: Option<IssuerType>,
    /// Accepted audiences: the token's `aud` must contain one of them. Default: `sigstore`, which Sigstore's clients
    /// request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// Accepts tokens whose `aud` also contains other audiences. Each of those services could use such a token here. To
    /// limit which client may have requested the token, set a condition on `azp` in `require`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub other_audiences: bool,
    /// Largest age of a token since its `iat`, in seconds. Default: a day. Maximum: a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
    /// URL of the service's own pages. Names in certificates begin with it. It is a constant: no claim can change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// For kind `email`: the claim that names the issuer in the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_claim: Option<String>,
    /// For kind `email`: accepts addresses that the issuer does not mark as verified. Set it only if you alone assign
    /// the addresses at this issuer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accept_unverified_email: bool,
    /// For kind `uri`: scheme and host of every subject. For kind `username`: the domain of the user names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_domain: Option<String>,
    /// Accepts a `subject_domain` that is neither the issuer's host nor a parent or child domain of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unrelated_subject_domain: bool,
    /// For kind `spiffe`: the trust domain of the issuer's workloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// For kind `ci-provider`: the template of the name, which must be a URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Hosts, other than the issuer's own, that the discovery document may name for the keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jwks_hosts: Vec<String>,
    /// URL of the keys. Replaces the discovery document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// A file with the keys (a JWK set). Nothing is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// With preset `kubernetes`: trusts the cluster this program runs in. Its API server is asked with the pod's own
    /// service account.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_cluster: bool,
    /// A file with the only authorities, in PEM, that are trusted for TLS to this issuer. Replaces the system's
    /// authorities. The issuer's own certificate may be in it: it is trusted for its names as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// As `ca_file`, with the PEM text written here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// A proxy for this issuer. The proxy settings of the environment are never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Allows addresses of private networks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_private_addresses: bool,
    /// Allows `http://` on this machine. For development only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub development_loopback_http: bool,
    /// Claims (or JSON pointers into them) and the values they must have. `*` in a value matches any text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub require: BTreeMap<String, Patterns>,
    /// For kind `ci-provider`: the templates of the extensions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
}

impl IssuerEntry {
    /// Returns the URL or pattern.
    pub(super) fn name(&self) -> Option<&str> {
        self.url.as_deref().or(self.url_pattern.as_deref())
    }

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
        let jwks_hosts = self.jwks_hosts.drain(..).map(|host| host_name(&host)).collect::<Result<Vec<_>, _>>()?;
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

/// A host as a URL has it once it is parsed: in lower case, an international name in punycode. It is compared with those of
/// discovery documents, and one that is written otherwise would never match.
fn host_name(text: &str) -> Result<String, Wrong> {
    match Host::parse(text.strip_suffix('.').unwrap_or(text)) {
        Ok(host) => Ok(host.to_string()),
        Err(_) => Wrong::because(format!(
            "`jwks_hosts` has `{text}`: write the name of a host, without scheme, port and path"
        )),
    }
}
