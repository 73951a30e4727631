//! CI providers: a job's claims become its name and the certificate's extensions about the build.
//!
//! A provider is data. [`Known`] has the mappings of the common services, with Fulcio's values claim by claim. The
//! operator configures any other.

mod known;

pub use known::Known;

use super::template::{InvalidTemplate, Template};
use super::uri;
use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;
use chancery_verify::certificate::Identity;
use chancery_verify::extension::Claim;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Extensions with a free text for people, which no rule about a signer should depend on. Their authors may write what they
/// like, for example a tab in the name of a workflow.
const DECORATIVE: [Claim; 2] = [Claim::GithubWorkflowName, Claim::DeploymentEnvironment];

/// Why templates do not describe a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProvider {
    /// A text is not a template.
    #[error("the template of `{field}` is wrong: {source}")]
    Template {
        /// The field.
        field: String,
        /// The fault.
        source: InvalidTemplate,
    },
    /// The name has no fixed beginning, so a claim could choose the name's owner.
    #[error(
        "the template of `subject` must begin with a scheme and a host that no claim can change, such as \
         `https://ci.example/`, or with a scheme alone"
    )]
    SubjectPrefix,
    /// The extension is unknown, or does not come from claims.
    #[error("`{name}` is not an extension that a template can fill")]
    Extension {
        /// The name.
        name: String,
    },
}

/// The mapping of one service's claims to a certificate's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    kind_name: &'static str,
    subject: Template,
    extensions: BTreeMap<Claim, Template>,
}

impl Provider {
    /// Makes a provider that the operator describes: the template of the name, and those of the extensions by
    /// [`Claim::name`].
    pub fn new<'a>(
        subject: &str,
        extensions: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, InvalidProvider> {
        let provider = Self::build("ci-provider", subject, extensions)?;
        let (scheme, rest) = provider.subject.prefix().split_once("://").ok_or(InvalidProvider::SubjectPrefix)?;
        // A claim directly after the host could extend the host: `https://ci.example` and `.evil.test/`.
        if scheme.is_empty() || !(rest.is_empty() || rest.contains('/')) {
            return Err(InvalidProvider::SubjectPrefix);
        }
        Ok(provider)
    }

    fn build<'a>(
        kind_name: &'static str,
        subject: &str,
        extensions: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, InvalidProvider> {
        let template = |field: &str, text: &str| {
            Template::parse(text).map_err(|source| InvalidProvider::Template { field: field.to_owned(), source })
        };
        let subject = template("subject", subject)?;
        let mut filled = BTreeMap::new();
        for (name, text) in extensions {
            let claim = Self::claim(name).ok_or_else(|| InvalidProvider::Extension { name: name.to_owned() })?;
            filled.insert(claim, template(name, text)?);
        }
        Ok(Self { kind_name, subject, extensions: filled })
    }

    /// Returns the extension of this name, unless no template may fill it: issuer and subject come from the token.
    #[must_use]
    pub fn claim(name: &str) -> Option<Claim> {
        let ours = |claim: &&Claim| !matches!(claim, Claim::IssuerV1 | Claim::Issuer | Claim::TokenSubject);
        Claim::ALL.iter().filter(ours).find(|claim| claim.name() == name).copied()
    }

    /// Fulcio's name of the kind of issuer.
    pub(super) const fn kind_name(&self) -> &'static str {
        self.kind_name
    }

    /// The job's name.
    pub(super) fn identity(&self, claims: &VerifiedClaims) -> Result<Identity, TokenRefusal> {
        uri::name(&self.subject.render(claims, uri::encode)?)
    }

    /// Returns the other contents of the certificate. A template with an empty result adds nothing, and neither does a
    /// decorative text that does not fit: Fulcio takes such a token, whatever the text is.
    pub(super) fn extensions(&self, claims: &VerifiedClaims) -> Result<BTreeMap<Claim, String>, TokenRefusal> {
        let mut values = BTreeMap::new();
        for (claim, template) in &self.extensions {
            let value = match template.render(claims, |value| Cow::Borrowed(value)) {
                Err(TokenRefusal::ClaimUnfit { claim: unfit })
                    if DECORATIVE.contains(claim) && claims.is_text(&unfit) =>
                {
                    continue;
                }
                value => value?,
            };
            if !value.is_empty() {
                values.insert(*claim, value);
            }
        }
        Ok(values)
    }
}
