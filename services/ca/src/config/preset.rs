//! Presets: the settings that are the same for all users of a service.

use super::{IssuerEntry, IssuerType, Preset, Wrong};
use crate::identity::provider::Known;
use url::Url;

/// The URL of an API server's keys, and the files that it gives to pods.
const API_SERVER: &str = "https://kubernetes.default.svc";
const API_SERVER_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
/// The token with which a pod authenticates to its API server.
pub(super) const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

impl Preset {
    /// The kind of issuer.
    pub(super) const fn issuer_type(self) -> IssuerType {
        match self {
            Self::Github | Self::Ghes => IssuerType::GithubWorkflow,
            Self::Gitlab => IssuerType::GitlabPipeline,
            Self::Buildkite => IssuerType::BuildkiteJob,
            Self::Circleci | Self::Jenkins | Self::Generic => IssuerType::CiProvider,
            Self::Kubernetes => IssuerType::Kubernetes,
            Self::Keycloak | Self::Entra | Self::Google => IssuerType::Email,
            Self::Spiffe => IssuerType::Spiffe,
        }
    }

    /// Returns the mapping of a service that has one built in.
    pub(super) const fn known(self) -> Option<Known> {
        match self {
            Self::Circleci => Some(Known::CircleCi),
            Self::Jenkins => Some(Known::Jenkins),
            _ => None,
        }
    }

    /// Fills in the service's fixed settings, and refuses settings that contradict the service.
    pub(super) fn complete(self, entry: &mut IssuerEntry) -> Result<(), Wrong> {
        let fixed = match self {
            Self::Github => Some("https://token.actions.githubusercontent.com"),
            Self::Gitlab => Some("https://gitlab.com"),
            Self::Buildkite => Some("https://agent.buildkite.com"),
            Self::Google => Some("https://accounts.google.com"),
            _ => None,
        };
        if let (None, None, Some(fixed)) = (&entry.url, &entry.url_pattern, fixed) {
            entry.url = Some(fixed.to_owned());
        }
        let url = entry.name().unwrap_or_default().to_owned();
        match self {
            Self::Ghes => derive_base(entry, &url, "/_services/token")?,
            Self::Jenkins => derive_base(entry, &url, "/oidc")?,
            // Google's keys are on another host than its issuer URL.
            Self::Google => entry.jwks_hosts.push("www.googleapis.com".to_owned()),
            Self::Kubernetes => in_cluster(entry),
            Self::Keycloak if !url.contains("/realms/") => {
                return Wrong::because("a Keycloak issuer is a realm: https://HOST/realms/NAME");
            }
            Self::Entra if !is_tenant(&url) => {
                return Wrong::because(
                    "an Entra issuer is one tenant: https://login.microsoftonline.com/TENANT-ID/v2.0, with the tenant's \
                     number; `common`, `organizations` and `consumers` would accept every tenant",
                );
            }
            _ => {}
        }
        Ok(())
    }
}

/// Derives the URL of the service's pages from the issuer URL.
fn derive_base(entry: &mut IssuerEntry, url: &str, suffix: &str) -> Result<(), Wrong> {
    if entry.base_url.is_none() {
        let base = url.trim_end_matches('/').strip_suffix(suffix);
        let base = base.ok_or_else(|| {
            Wrong::Reason(format!(
                "the URL does not end in `{suffix}`: give `base_url`, the address of the service's pages"
            ))
        })?;
        entry.base_url = Some(base.to_owned());
    }
    Ok(())
}

/// In a cluster the API server has the keys, and requires authentication.
fn in_cluster(entry: &mut IssuerEntry) {
    if entry.in_cluster {
        entry.jwks_uri.get_or_insert_with(|| format!("{API_SERVER}/openid/v1/jwks"));
        entry.ca_file.get_or_insert_with(|| API_SERVER_CA.into());
        entry.allow_private_addresses = true;
    }
}

/// Checks for `https://login.microsoftonline.com/` and a tenant's id.
fn is_tenant(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let tenant = url.path_segments().and_then(|mut segments| segments.next().map(str::to_owned)).unwrap_or_default();
    let groups: Vec<usize> = tenant.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && tenant.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
