//! The development server's certificate authority: its chain, and whom it believes.

use super::data::DataDirectory;
use crate::issuer;
use anyhow::Context as _;
use axum::Router;
use chancery_ca::{
    CertificateAuthority, IssuerSettings, Rates, Records,
    chain::IssuingChain,
    identity::IssuerKind,
    issue::Pipeline,
    oidc::{Authenticator, HttpFetcher},
    transparency::Transparency,
};
use chancery_daemon::{clock::Clock, metrics::Metrics, random::Random, signer::Signer};
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

/// What the authority needs beside its certificates.
pub(super) struct Surroundings<'a> {
    /// The issuer it believes.
    pub(super) issuer_url: &'a str,
    pub(super) transparency: Transparency,
    pub(super) random: Arc<dyn Random>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rates: Rates,
    pub(super) records: Records,
    /// Where it is measured, if it is.
    pub(super) metrics: Option<&'a Metrics>,
}

/// The authority's routes. It believes the development issuer and nobody else, and fetches that issuer's keys over HTTP
/// like any other's: the path a production authority takes is the path tried here.
pub(super) fn router(chain: IssuingChain, signer: Arc<Signer>, around: Surroundings<'_>) -> anyhow::Result<Router> {
    let Surroundings { issuer_url, transparency, random, clock, rates, records, metrics } = around;
    let settings = IssuerSettings {
        url: issuer_url.to_owned(),
        audience: issuer::DEFAULT_AUDIENCE.to_owned(),
        kind: IssuerKind::Email,
        allow_loopback_http: true,
    };
    let authenticator = Authenticator::new(vec![settings], Arc::new(HttpFetcher::new()?))?;
    let pipeline = Pipeline::new(chain, signer, transparency, random)
        .context("the authority's certificates are for another key")?;
    let authority =
        Arc::new(CertificateAuthority::new(authenticator, pipeline, clock).limited(rates).recorded(records));
    Ok(match metrics {
        None => chancery_ca::router(authority),
        Some(metrics) => chancery_ca::measured_router(authority, metrics)?,
    })
}
