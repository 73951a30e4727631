//! The claims of a certificate about its signer: the identity and every Fulcio claim by name.
//!
//! Names and encodings are those of [`crate::extension`]. Five claims have two extensions, an old and a new one. A
//! certificate in which the two differ is refused, because two verifiers could see different signers. The certificate
//! itself is not verified here.
//!
//! Specification: Fulcio's `docs/oid-info.md`.

use crate::certificate::{Certificate, Identity};
use crate::extension::Claim;
use crate::{Refusal, Rejection, Step};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use std::collections::BTreeMap;

/// Claims with two extensions, the new and the old.
const PAIRS: [(Claim, Claim); 4] = [
    (Claim::BuildTrigger, Claim::GithubWorkflowTrigger),
    (Claim::SourceRepositoryDigest, Claim::GithubWorkflowSha),
    (Claim::SourceRepositoryRef, Claim::GithubWorkflowRef),
    (Claim::SourceRepositoryUri, Claim::GithubWorkflowRepository),
];

/// The identity and the claims of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    identity: Identity,
    values: BTreeMap<Claim, String>,
}

impl Claims {
    /// Decodes every claim of a certificate. An empty claim counts as absent.
    ///
    /// # Errors
    /// [`Rejection::Profile`] without exactly one identity, without an issuer, or for a wrongly encoded claim.
    /// [`Rejection::CertificateIssuerConflict`] and [`Rejection::CertificateClaimConflict`] if the old and the new
    /// extension of a claim differ.
    pub fn of(certificate: &Certificate) -> Result<Self, Refusal> {
        let refuse = |rejection| Refusal::new(rejection, Step::Identity).at("certificate");
        let identity = certificate.identity().map_err(refuse)?;
        let mut values = BTreeMap::new();
        for claim in Claim::ALL {
            let value = certificate.claim(*claim).map_err(refuse)?;
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                values.insert(*claim, value);
            }
        }
        Self { identity, values }.checked()
    }

    fn checked(mut self) -> Result<Self, Refusal> {
        match (self.get(Claim::Issuer), self.get(Claim::IssuerV1)) {
            (Some(new), Some(old)) if new != old => {
                return Err(Refusal::new(Rejection::CertificateIssuerConflict, Step::Identity)
                    .at("certificate")
                    .expected(format!("the issuer {}, as in the new extension", crate::shown(new)), old));
            }
            (None, None) => {
                let absent = Rejection::Profile { field: Claim::Issuer.name() };
                return Err(Refusal::new(absent, Step::Identity).at("certificate"));
            }
            (None, Some(old)) => {
                let old = old.to_owned();
                self.values.insert(Claim::Issuer, old);
            }
            (Some(_), _) => {}
        }
        for (new, old) in PAIRS {
            let (Some(new_value), Some(old_value)) = (self.get(new), self.get(old)) else { continue };
            // The new claim is the repository's URL, the old one only its path on that host.
            let path = || new_value.strip_suffix(old_value).is_some_and(|host| host.ends_with('/'));
            if new_value != old_value && !(new == Claim::SourceRepositoryUri && path()) {
                return Err(Refusal::new(Rejection::CertificateClaimConflict { name: new.name() }, Step::Identity)
                    .at("certificate")
                    .expected(
                        format!("{} as {} says: {}", old.name(), new.name(), crate::shown(new_value)),
                        old_value,
                    ));
            }
        }
        Ok(self)
    }

    /// The identity in the certificate.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The OIDC issuer of the identity, from either of its two extensions.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.get(Claim::Issuer).unwrap_or_default()
    }

    /// The value of a claim. `None` if the certificate does not have it.
    #[must_use]
    pub fn get(&self, claim: Claim) -> Option<&str> {
        self.values.get(&claim).map(String::as_str)
    }

    /// Every claim of the certificate, in the order of certificates.
    pub fn iter(&self) -> impl Iterator<Item = (Claim, &str)> {
        self.values.iter().map(|(claim, value)| (*claim, value.as_str()))
    }

    /// Makes claims from values, with the checks of [`Self::of`]. For tests and tools.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn new(identity: Identity, values: impl IntoIterator<Item = (Claim, String)>) -> Result<Self, Refusal> {
        let values = values.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Self { identity, values }.checked()
    }
}

/// The name of an identity's kind in reports: `email`, `uri` or `username`.
#[must_use]
pub const fn identity_kind(identity: &Identity) -> &'static str {
    match identity {
        Identity::Email(_) => "email",
        Identity::Uri(_) => "uri",
        Identity::Username(_) => "username",
    }
}

struct Values<'a>(&'a Claims);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(claim, value)| (claim.name(), value)))
    }
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(Some(4))?;
        json.serialize_entry("identity", self.identity.as_str())?;
        json.serialize_entry("kind", identity_kind(&self.identity))?;
        json.serialize_entry("issuer", self.issuer())?;
        json.serialize_entry("claims", &Values(self))?;
        json.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://token.actions.githubusercontent.com";

    fn claims(values: &[(Claim, &str)]) -> Result<Claims, Refusal> {
        let values = values.iter().map(|(claim, value)| (*claim, (*value).to_owned()));
        Claims::new(Identity::Uri("https://github.com/a/b".to_owned()), values)
    }

    #[test]
    fn either_issuer_is_the_issuer_and_two_must_agree() {
        for claim in [Claim::Issuer, Claim::IssuerV1] {
            assert_eq!(claims(&[(claim, ISSUER)]).unwrap().issuer(), ISSUER);
        }
        assert!(claims(&[(Claim::Issuer, ISSUER), (Claim::IssuerV1, ISSUER)]).is_ok());
        let slash = format!("{ISSUER}/");
        let conflict = claims(&[(Claim::Issuer, ISSUER), (Claim::IssuerV1, &slash)]).unwrap_err();
        assert_eq!(conflict.code(), "certificate.issuer_conflict");
        assert_eq!(conflict.comparison().1, slash);
        for none in [&[][..], &[(Claim::Issuer, "")]] {
            assert_eq!(claims(none).unwrap_err().rejection(), Rejection::Profile { field: "issuer" });
        }
    }

    #[test]
    fn old_and_new_form_of_a_claim_must_agree() {
        let repository = (Claim::SourceRepositoryUri, "https://github.com/acme/app");
        for (new, old, agree) in [
            ((Claim::BuildTrigger, "push"), (Claim::GithubWorkflowTrigger, "push"), true),
            ((Claim::BuildTrigger, "push"), (Claim::GithubWorkflowTrigger, "pull_request"), false),
            ((Claim::SourceRepositoryDigest, "aa"), (Claim::GithubWorkflowSha, "ab"), false),
            ((Claim::SourceRepositoryRef, "refs/heads/main"), (Claim::GithubWorkflowRef, "refs/heads/dev"), false),
            ((Claim::SourceRepositoryRef, "refs/heads/main"), (Claim::GithubWorkflowRef, "main"), false),
            (repository, (Claim::GithubWorkflowRepository, "acme/app"), true),
            (repository, (Claim::GithubWorkflowRepository, "cme/app"), false),
            (repository, (Claim::GithubWorkflowRepository, "acme/other"), false),
        ] {
            let verdict = claims(&[(Claim::Issuer, ISSUER), new, old]);
            let expected = if agree { None } else { Some(Rejection::CertificateClaimConflict { name: new.0.name() }) };
            assert_eq!(verdict.err().map(|refusal| refusal.rejection()), expected, "{new:?} {old:?}");
        }
    }

    #[test]
    fn claims_are_written_under_their_names() {
        let claims = claims(&[(Claim::Issuer, ISSUER), (Claim::TokenSubject, "repo:a/b")]).unwrap();
        assert_eq!(
            serde_json::to_value(claims).unwrap(),
            serde_json::json!({
                "identity": "https://github.com/a/b", "kind": "uri", "issuer": ISSUER,
                "claims": { "issuer": ISSUER, "token-subject": "repo:a/b" },
            })
        );
    }
}
