//! One `[[issuer]]` table, as it is written. [`super::conversion`] turns it into settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

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

/// A service with built-in settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// GitHub Actions at github.com. With `base_url`, GitHub Enterprise Cloud with data residency.
    Github,
    /// GitHub Actions of a GitHub Enterprise Server: `url` is `https://HOST/_services/token`.
    Ghes,
    /// GitLab CI, at gitlab.com or at `url`.
    Gitlab,
    /// Buildkite.
    Buildkite,
    /// `CircleCI`: `url` is `https://oidc.circleci.com/org/ID`.
    Circleci,
    /// A Kubernetes cluster: set `jwks_file`, or `in_cluster = true` for the cluster this program runs in.
    Kubernetes,
    /// A realm of a Keycloak server, people by their email address: `url` is `https://HOST/realms/NAME`.
    Keycloak,
    /// A tenant of Microsoft Entra ID, people by their email address: `url` is
    /// `https://login.microsoftonline.com/ID/v2.0`.
    Entra,
    /// Google accounts, people by their email address.
    Google,
    /// A SPIFFE server's JWT-SVIDs, for one `trust_domain`.
    Spiffe,
    /// Jenkins with its OpenID Connect provider plug-in: `url` is `https://HOST/oidc`.
    Jenkins,
    /// Any other service: map its claims with `subject` and `extensions`.
    Generic,
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
    /// For kind `email`: the claim that has the address, such as `upn` or `preferred_username`. Default: `email`. Another
    /// claim needs `accept_unverified_email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_claim: Option<String>,
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
}
