//! The timestamp authority of an instance: its key, its chain, and the clock it believes.

use super::{
    Setup,
    authority::{key_uri, watch_expiry},
    time_servers::TimeServers,
};
use crate::configuration::Role;
use anyhow::Context as _;
use axum::Router;
use chancery_daemon::{
    clock::{Clock, ClockGuard, SourceSettings, SystemUptime},
    metrics::Metrics,
    random::Random,
    signer::Use,
};
use chancery_log::Log;
use chancery_trust::{BaseUrl, CertificateAuthority, Validity};
use chancery_tsa::{DEFAULT_POLICY, Error, Policies, TimestampAuthority, chain, http};
use chancery_verify::{Timestamp, certificate::Certificate, key::KeyKind};
use clap::Args;
use const_oid::ObjectIdentifier;
use std::sync::Arc;
use tokio::task::JoinHandle;

const DAY_SECONDS: u64 = 86_400;
/// What the authority is called where people read it.
const ROLE: &str = "timestamp authority";
/// Every state it can be in.
const STATES: [&str; 4] = ["active", "clock", "expired", "stopped"];

/// The options of `chancery dev` about it.
#[derive(Debug, Args)]
pub(crate) struct TimestampArguments {
    /// Where the timestamp authority's key is; only before its first start in a data directory, which remembers it
    #[arg(long, value_name = "URI", value_parser = key_uri)]
    pub(crate) tsa_key: Option<String>,
    /// Policies timestamps may be made under; the first is for whoever asks for none
    #[arg(long, value_name = "OID,…", value_delimiter = ',', default_values_t = [DEFAULT_POLICY])]
    pub(crate) tsa_policies: Vec<ObjectIdentifier>,
    /// Who must agree with the clock; a development server asks nobody.
    #[arg(skip)]
    pub(crate) time_servers: Option<SourceSettings>,
}

impl TimestampArguments {
    fn policies(&self) -> Policies {
        match self.tsa_policies.as_slice() {
            [] => Policies::default(),
            [default, others @ ..] => Policies::new(*default, others.to_vec()),
        }
    }
}

/// A timestamp authority that answers.
pub(super) struct Timestamps {
    authority: Arc<TimestampAuthority>,
    clock: Arc<dyn Clock>,
    expiry: JoinHandle<()>,
    time_servers: Option<TimeServers>,
}

impl Timestamps {
    /// Opens key and chain in `data`, or makes them where it never had them. What `logs` have published is a time that
    /// has passed: nothing is dated before it.
    pub(super) async fn start(
        setup: &Setup<'_>,
        arguments: &TimestampArguments,
        logs: &[Log],
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> anyhow::Result<Self> {
        let data = setup.data;
        let signer = Arc::new(data.key_at(Use::Any, "tsa", KeyKind::P256, &*random).await?);
        let certificates = if let Some(text) = data.chain_of(Role::Tsa)? {
            chain::from_pem(text.as_bytes(), signer.public_key()).context("cannot use keys/tsa-chain.pem")?
        } else {
            let root = data.key("tsa-root", signer.public_key().kind())?;
            // A directory of an earlier version gets a chain that is as old as its first use.
            let start = if data.is_new() { data.created() } else { clock.now() };
            let made = chain::create(setup.organization, &root, &signer, &*random, start).await?;
            data.keep_chain_of(Role::Tsa, &chain::to_pem(&made))?;
            made
        };
        let published = logs.iter().filter_map(|log| log.published().ok()).map(|published| published.timestamp);
        let known = published.max().unwrap_or(Timestamp::from_seconds(0));
        let expires = certificates.expires();
        let expiry = watch_expiry(ROLE, move || expires, Arc::clone(&clock));
        let mut guard = ClockGuard::new(Arc::clone(&clock), Arc::new(SystemUptime), known);
        let time_servers = match &arguments.time_servers {
            None => None,
            Some(settings) => {
                let servers = TimeServers::start(settings.clone()).await;
                guard = guard.confirmed_by(servers.sources());
                Some(servers)
            }
        };
        let authority = TimestampAuthority::new(certificates, signer, arguments.policies(), guard, random)
            .context("cannot use keys/tsa-chain.pem")?;
        Ok(Self { authority: Arc::new(authority), clock, expiry, time_servers })
    }

    /// Its routes, measured if somebody asks for it.
    pub(super) fn router(&self, metrics: Option<&Metrics>) -> anyhow::Result<Router> {
        let authority = Arc::clone(&self.authority);
        let Some(metrics) = metrics else { return Ok(http::router(authority)) };
        let routes = http::measured_router(Arc::clone(&authority), metrics)?;
        if let Some(servers) = &self.time_servers {
            servers.measure(metrics)?;
        }
        let days = metrics.gauges(
            "timestamp_authority_certificate_valid_days_remaining",
            "Days until the first of the timestamp authority's certificates ends",
            &[],
        )?;
        let states = metrics.gauges("chancery_tsa_state", "1 for the state the authority is in", &["state"])?;
        let clock = Arc::clone(&self.clock);
        metrics.before_scrape(move || {
            let left = authority.authority().expires().seconds().saturating_sub(clock.now().seconds());
            days.set(&[], left / DAY_SECONDS);
            let current = state(&authority);
            for state in STATES {
                states.set(&[state], u64::from(state == current));
            }
        });
        Ok(routes)
    }

    /// Says why nobody gets a timestamp now, if that is so.
    pub(super) fn obstacle(&self) -> impl Fn() -> Option<String> + Send + Sync + use<> {
        let authority = Arc::clone(&self.authority);
        move || authority.obstacle().map(|error| format!("the {ROLE} signs nothing: {error}"))
    }

    /// What watches over it; aborted at the end.
    pub(super) fn into_background(self) -> impl Iterator<Item = JoinHandle<()>> {
        std::iter::once(self.expiry).chain(self.time_servers.map(TimeServers::into_background))
    }
}

/// What clients must know about the timestamp authority, whichever process it is in.
pub(super) fn trusted(setup: &Setup<'_>) -> anyhow::Result<CertificateAuthority> {
    let text = setup.data.chain_of(Role::Tsa)?.context("the timestamp authority has no certificates yet")?;
    let chain = Certificate::chain_from_pem(text.as_bytes()).context("keys/tsa-chain.pem is damaged")?;
    let leaf = chain.first().context("keys/tsa-chain.pem is damaged")?;
    Ok(CertificateAuthority {
        url: BaseUrl::parse(&format!("{}{}", setup.addresses.url(Role::Tsa)?.as_str(), http::PATH))?,
        organization: setup.organization.to_owned(),
        common_name: format!("{} timestamps", setup.organization),
        validity: Validity::since(leaf.not_before()),
        chain_der: chain.iter().map(|certificate| certificate.der().to_vec()).collect(),
    })
}

fn state(authority: &TimestampAuthority) -> &'static str {
    match authority.obstacle() {
        None => "active",
        Some(Error::Clock(_)) => "clock",
        Some(Error::Expired) => "expired",
        Some(_) => "stopped",
    }
}
