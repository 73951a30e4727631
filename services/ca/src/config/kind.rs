//! The part of a table that describes the kind of issuer: which subjects its tokens name, and how.

use super::{IssuerEntry, IssuerType, Wrong};
use crate::IssuerName;
use crate::identity::provider::Known;
use crate::identity::{ClaimPath, Condition, InvalidProvider, IssuerKind, Provider, is_trust_domain};
use chancery_address::{BaseUrl, host_of};
use url::Url;

impl IssuerEntry {
    /// The kind of issuer, and the conditions that exclude tokens of another instance.
    pub(super) fn kind(
        &mut self,
        issuer_type: IssuerType,
        known: Option<Known>,
        name: &IssuerName,
        conditions: &mut Vec<Condition>,
    ) -> Result<IssuerKind, Wrong> {
        Ok(match issuer_type {
            IssuerType::Email => self.email()?,
            IssuerType::Uri => IssuerKind::Uri { subject_domain: self.subject_url(name)? },
            IssuerType::Username => IssuerKind::Username { subject_domain: self.subject_host(name)? },
            IssuerType::Spiffe => {
                let domain = self.trust_domain.take().filter(|domain| is_trust_domain(domain));
                let Some(trust_domain) = domain else {
                    return Wrong::because("kind spiffe needs `trust_domain`, a host name in lower case");
                };
                if matches!(name, IssuerName::Pattern(_)) {
                    return Wrong::because("a trust domain has one issuer: give `url`");
                }
                IssuerKind::Spiffe { trust_domain }
            }
            IssuerType::Kubernetes => IssuerKind::Kubernetes,
            IssuerType::ChainguardIdentity => IssuerKind::Chainguard,
            IssuerType::GithubWorkflow => self.provider(Known::GitHub, name, conditions)?,
            IssuerType::GitlabPipeline => self.provider(Known::GitLab, name, conditions)?,
            IssuerType::BuildkiteJob => self.provider(Known::Buildkite, name, conditions)?,
            IssuerType::CodefreshWorkflow => self.provider(Known::Codefresh, name, conditions)?,
            IssuerType::CiProvider => match known {
                Some(known) => self.provider(known, name, conditions)?,
                None => self.templates()?,
            },
        })
    }

    fn email(&mut self) -> Result<IssuerKind, Wrong> {
        let path = |name: &str, claim: Option<String>| {
            let wrong = || Wrong::Reason(format!("`{name}` is not a claim"));
            claim.map(|claim| ClaimPath::parse(&claim).ok_or_else(wrong)).transpose()
        };
        let address_claim = path("email_claim", self.email_claim.take().filter(|claim| claim != "email"))?;
        let issuer_claim = path("issuer_claim", self.issuer_claim.take())?;
        let accept_unverified = std::mem::take(&mut self.accept_unverified_email);
        if address_claim.is_some() && !accept_unverified {
            return Wrong::because(
                "`email_claim` needs `accept_unverified_email = true`: `email_verified` says nothing of another claim; set it \
                 only if your own administrators alone assign its values",
            );
        }
        Ok(IssuerKind::Email { address_claim, issuer_claim, accept_unverified })
    }

    /// A service with a built-in mapping, and the conditions that exclude claims which name another instance.
    fn provider(
        &mut self,
        known: Known,
        name: &IssuerName,
        conditions: &mut Vec<Condition>,
    ) -> Result<IssuerKind, Wrong> {
        let base = self.base_url.take().or_else(|| known.default_base_url(name.as_str()));
        let base = base.as_deref().map(|base| base.trim_end_matches('/'));
        // Names in certificates are compared letter by letter, and begin with the URL as the issuer or the operator writes it.
        let urls = base.and_then(|base| Some((BaseUrl::as_written(base).ok()?, BaseUrl::parse(base).ok()?)));
        let Some((written, normal)) = urls else {
            return Wrong::because(
                "`base_url` must be the URL of the service's pages; it has a default only for the service's own issuer",
            );
        };
        let mut require = |claim: &str, any_of: Vec<String>| {
            conditions.extend(ClaimPath::parse(claim).map(|claim| Condition { claim, any_of }));
        };
        match known {
            Known::GitLab => {
                // Claims name the host as the instance's administrator has written it.
                let port = normal.url().port().map(|port| format!(":{port}")).unwrap_or_default();
                let below = |url: &BaseUrl| format!("{}{port}/*", url.host_in_url());
                require("ci_config_ref_uri", either(below(&written), below(&normal)));
                require("ref_type", vec!["branch".to_owned(), "tag".to_owned()]);
            }
            Known::Jenkins => require("sub", either(format!("{written}/*"), format!("{normal}/*"))),
            Known::GitHub | Known::Buildkite | Known::Codefresh | Known::CircleCi => {}
        }
        Ok(IssuerKind::Provider(known.provider(written.as_str()).map_err(invalid)?))
    }

    fn templates(&mut self) -> Result<IssuerKind, Wrong> {
        let Some(subject) = self.subject.take() else {
            return Wrong::because("kind ci-provider needs `subject`, the template of the name");
        };
        let extensions = std::mem::take(&mut self.extensions);
        let extensions = extensions.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        Ok(IssuerKind::Provider(Provider::new(&subject, extensions).map_err(invalid)?))
    }

    /// `subject_domain` of kind `uri`: an origin of the issuer's scheme and domain.
    fn subject_url(&mut self, name: &IssuerName) -> Result<String, Wrong> {
        let domain = self.subject_domain.take().unwrap_or_default();
        let Some(url) = Url::parse(&domain).ok().filter(Url::has_host) else {
            return Wrong::because(
                "kind uri needs `subject_domain`, a scheme and a host such as `https://example.org`",
            );
        };
        // A URL that is none is refused later, with its reason.
        if Url::parse(name.as_str()).is_ok_and(|issuer| issuer.scheme() != url.scheme()) {
            return Wrong::because("`subject_domain` and the issuer have different schemes");
        }
        self.related(host_of(&url), name)?;
        Ok(domain)
    }

    /// `subject_domain` of kind `username`: a host name.
    fn subject_host(&mut self, name: &IssuerName) -> Result<String, Wrong> {
        let domain = self.subject_domain.take().unwrap_or_default();
        let host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        if domain.is_empty() || domain.len() > 253 || !domain.bytes().all(host) {
            return Wrong::because("kind username needs `subject_domain`, a host name in lower case without a scheme");
        }
        self.related(&domain, name)?;
        Ok(domain)
    }

    /// An issuer speaks for its own domain. Only a list of public suffixes shows which parent domain has the same
    /// owner. So an equal, parent or child domain is accepted, and any other must be allowed explicitly.
    fn related(&mut self, subject: &str, name: &IssuerName) -> Result<(), Wrong> {
        let url = Url::parse(name.as_str()).ok();
        let issuer = url.as_ref().map(host_of).unwrap_or_default();
        let below = |lower: &str, upper: &str| {
            lower.strip_suffix(upper).is_some_and(|front| front.ends_with('.')) && upper.contains('.')
        };
        let related = subject == issuer || below(subject, issuer) || below(issuer, subject);
        if related || std::mem::take(&mut self.unrelated_subject_domain) {
            return Ok(());
        }
        Wrong::because(format!(
            "`subject_domain` {subject} is neither {issuer} nor above or below it; if the issuer may use it, set \
             `unrelated_subject_domain = true`"
        ))
    }
}

/// Both spellings, if there are two.
fn either(written: String, normal: String) -> Vec<String> {
    if written == normal { vec![normal] } else { vec![written, normal] }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn invalid(error: InvalidProvider) -> Wrong {
    Wrong::Reason(error.to_string())
}
