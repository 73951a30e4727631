//! The development server's certificate authority: its chain, and whom it believes.

use super::data::DataDirectory;
use crate::{issuer, issuers::ConfiguredIssuers};
use anyhow::Context as _;
use chancery_ca::{
    Access, CertificateAuthority, IssuerSettings,
    chain::IssuingChain,
    identity::IssuerKind,
    issue::Pipeline,
    oidc::{Authenticator, http_fetcher},
};
use chancery_daemon::{clock::Clock, random::Random, signer::Signer};
use chancery_verify::{Timestamp, key::KeyKind};
use std::sync::Arc;

/// Organisation in the authority's certificates.
pub(super) const ORGANIZATION: &str = "Chancery development";

/// The chain that is kept in `data`, or a new one for `issuing` where `data` is new. A new one is as old as the directory,
/// so that trust in it starts when its validity does.
pub(super) async fn issuing_chain(
    data: &DataDirectory,
    issuing: &Signer,
    random: &dyn Random,
    now: Timestamp,
) -> anyhow::Result<IssuingChain> {
    if let Some(text) = data.ca_chain()? {
        return IssuingChain::from_pem(text.as_bytes(), issuing.public_key(), now)
            .context("cannot use keys/ca-chain.pem");
    }
    let root = data.key("ca-root", KeyKind::P256)?;
    let chain = IssuingChain::create(ORGANIZATION, &root, issuing, random, data.created()).await?;
    data.keep_ca_chain(&chain.to_pem())?;
    Ok(chain)
}

/// The authority. It believes the development issuer and whom `issuers` names, and fetches the development issuer's keys
/// over HTTP like any other's: the path a production authority takes is the path tried here.
pub(super) fn authority(
    issuer_url: &str,
    issuers: &ConfiguredIssuers,
    pipeline: Pipeline,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<CertificateAuthority>> {
    let authenticator = Authenticator::new(issuers.beside(development_issuer(issuer_url)), &http_fetcher)?;
    Ok(Arc::new(CertificateAuthority::new(authenticator, pipeline, clock)))
}

/// The issuer of this server itself.
pub(crate) fn development_issuer(url: &str) -> IssuerSettings {
    let kind = IssuerKind::Email { issuer_claim: None, accept_unverified: false };
    let access = Access { loopback_http: true, ..Access::default() };
    IssuerSettings { audiences: vec![issuer::DEFAULT_AUDIENCE.to_owned()], access, ..IssuerSettings::new(url, kind) }
}
