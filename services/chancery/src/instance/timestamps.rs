//! The timestamp authority of an instance: its key and its chain.

use super::{
    Setup,
    authority::{key_uri, watch_expiry},
    readiness::{self, Checked},
    trust::{Publisher, TrustSources},
};
use crate::{
    role::Role,
    rotation::{
        self, RingFiles,
        follow::{Rotation, Shared, Subject},
        generations::Generations,
    },
};
use anyhow::Context as _;
use axum::Router;
use chancery_daemon::{
    clock::{Clock, ClockGuard},
    health::Finding,
    metrics::Metrics,
    random::Random,
    signer::{Signer, Use},
};
use chancery_tsa::{DEFAULT_POLICY, Error, Policies, Profile, TimestampAuthority, chain, http};
use chancery_verify::{key::KeyKind, timestamping::Authority};
use clap::Args;
use const_oid::ObjectIdentifier;
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinHandle;

const DAY_SECONDS: u64 = 86_400;
/// What the authority is called where people read it.
const ROLE: &str = "timestamp authority";
/// Every state it can be in.
const STATES: [&str; 4] = ["active", "clock", "expired", "stopped"];

/// The options of `chancery dev` about the timestamp authority.
#[expect(clippy::struct_field_names, reason = "the names of the options")]
#[derive(Debug, Args)]
pub(crate) struct TimestampArguments {
    /// Use the key at this URI; only for a new data directory, which records it
    #[arg(long, help_heading = "Timestamps", value_name = "URI", value_parser = key_uri)]
    pub(crate) tsa_key: Option<String>,
    /// Keep the root's key at this URI; only for a new data directory
    ///
    /// By default the key is made in memory and destroyed once it has signed.
    #[arg(long, help_heading = "Timestamps", value_name = "URI", value_parser = key_uri)]
    pub(crate) tsa_root_key: Option<String>,
    /// Accept these timestamp policies; a request that names none gets the first
    #[arg(long, help_heading = "Timestamps", value_name = "OID,…", value_delimiter = ',', default_values_t = [DEFAULT_POLICY])]
    pub(crate) tsa_policies: Vec<ObjectIdentifier>,
    /// Answer requests for certificates with the whole chain; by default with the signing certificate alone
    #[arg(long, help_heading = "Timestamps")]
    pub(crate) tsa_include_chain_in_response: bool,
    /// Copy extensions of a request into the timestamp, unless they are critical; by default the request is refused
    #[arg(long, help_heading = "Timestamps")]
    pub(crate) tsa_allow_custom_extensions: bool,
}

impl TimestampArguments {
    fn profile(&self) -> Profile {
        let policies = match self.tsa_policies.as_slice() {
            [] => Policies::default(),
            [default, others @ ..] => Policies::new(*default, others.to_vec()),
        };
        Profile {
            policies,
            includes_chain: self.tsa_include_chain_in_response,
            copies_extensions: self.tsa_allow_custom_extensions,
        }
    }
}

/// A timestamp authority that answers.
pub(super) struct Timestamps {
    authority: Arc<TimestampAuthority>,
    keys: Generations<Authority>,
    clock: Arc<dyn Clock>,
}

impl Timestamps {
    /// Opens key and chain in `data`, or makes them where it never had them.
    pub(super) async fn start(
        setup: &Setup<'_>,
        arguments: &TimestampArguments,
        clock: Arc<ClockGuard>,
        random: Arc<dyn Random>,
    ) -> anyhow::Result<Self> {
        let keys = keys(setup, &*random, &clock).await?;
        let (certificates, signer) = keys.signing()?;
        let (certificates, profile) = ((*certificates).clone(), arguments.profile());
        let authority = TimestampAuthority::new(certificates, signer, profile, Arc::clone(&clock), random)
            .context(
                "the certificates of the timestamp authority are for another key than the one that signs; restore keys/ from a backup",
            )?;
        Ok(Self { authority: Arc::new(authority), keys, clock })
    }

    /// Its keys, and what is to be trusted of them.
    pub(super) const fn keys(&self) -> &Generations<Authority> {
        &self.keys
    }

    /// Its routes, measured if metrics are enabled.
    pub(super) fn router(&self, metrics: Option<&Metrics>) -> anyhow::Result<Router> {
        let authority = Arc::clone(&self.authority);
        let Some(metrics) = metrics else { return Ok(http::router(authority)) };
        let routes = http::measured_router(Arc::clone(&authority), metrics)?;
        let days = metrics.gauges(
            "timestamp_authority_certificate_valid_days_remaining",
            "Days until the first certificate of the timestamp authority expires",
            &[],
        )?;
        let states = metrics.gauges(
            "chancery_tsa_state",
            "1 for the current state of the authority, 0 for the others",
            &["state"],
        )?;
        let clock = Arc::clone(&self.clock);
        metrics.before_scrape(move || {
            let left = authority.expires().seconds().saturating_sub(clock.now().seconds());
            days.set(&[], left / DAY_SECONDS);
            let current = state(&authority);
            for state in STATES {
                states.set(&[state], u64::from(state == current));
            }
        });
        Ok(routes)
    }

    /// Whether clients get timestamps, and will in the next weeks.
    pub(super) fn checks(&self) -> Checked {
        let (authority, clock) = (Arc::clone(&self.authority), Arc::clone(&self.clock));
        let signing = Arc::clone(&self.authority);
        let known = Checked::known(move || {
            let obstacle = authority.obstacle();
            let obstacle = obstacle.map(|error| format!("the {ROLE} signs nothing ({}): {error}", error.code()));
            let role = Role::Tsa;
            let signs = Finding::unless(role.name(), "timestamps", obstacle);
            vec![signs, readiness::certificates(role, authority.expires(), clock.now())]
        });
        known.and_probes(move || vec![readiness::key(Role::Tsa, signing.signer())])
    }

    /// What watches over it, and keeps up with the rotation of its key; aborted at the end.
    pub(super) fn into_background(
        self,
        publisher: Option<Publisher>,
        shared: Shared,
    ) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let Self { authority, keys, clock } = self;
        let watched = Arc::clone(&authority);
        let expiry = watch_expiry(ROLE, move || watched.expires(), Arc::clone(&clock));
        let subject = RotatedTimestamps { authority, publisher, clock };
        let rotation = Rotation::start(keys, subject, shared)?;
        Ok(vec![expiry, rotation])
    }
}

/// The timestamp authority as a rotation changes it.
struct RotatedTimestamps {
    authority: Arc<TimestampAuthority>,
    publisher: Option<Publisher>,
    clock: Arc<dyn Clock>,
}

impl Subject for RotatedTimestamps {
    type Credential = Authority;

    /// Nobody is asked. Certificates that could not be used now are in the way, while others can.
    async fn prepare(&mut self, keys: &Generations<Authority>) -> BTreeMap<u64, String> {
        let now = self.clock.now();
        let coming = keys.credentials().filter(|(number, _)| keys.is_coming(*number));
        let unusable = coming.filter(|(_, authority)| !authority.is_valid_at(now));
        unusable.map(|(number, _)| (number, "its certificates are not valid at this time".to_owned())).collect()
    }

    fn publish(&self, keys: &Generations<Authority>) -> anyhow::Result<()> {
        Publisher::name(self.publisher.as_ref(), keys, TrustSources::set_timestamp_authorities)
    }

    async fn sign_with(&mut self, credential: Arc<Authority>, signer: Arc<Signer>) -> anyhow::Result<()> {
        Ok(self.authority.replace((*credential).clone(), signer)?)
    }
}

/// Opens the keys that are kept in the data directory; makes the first one and its chain where the authority never had one.
async fn keys(setup: &Setup<'_>, random: &dyn Random, clock: &ClockGuard) -> anyhow::Result<Generations<Authority>> {
    let data = setup.data;
    if data.chain_of(Role::Tsa)?.is_none() {
        let signer = data.key_at(Use::Any, "tsa", KeyKind::P256, random).await?;
        let made = if let Some(given) = setup.chains.get(&Role::Tsa) {
            chain::given(given, signer.public_key(), clock.now()).context("cannot use [tsa] chain")?
        } else {
            let root = data.root_key(Role::Tsa, signer.public_key().kind(), random).await?;
            // A directory of an earlier version gets a chain that is as old as its first use.
            let start = if data.is_new() { data.created() } else { clock.signing_time()? };
            chain::create(setup.organization, 1, &root, &signer, random, start).await?
        };
        data.keep_chain_of(Role::Tsa, &chain::to_pem(&made))?;
    }
    Generations::open(RingFiles::of(data.path()), rotation::Role::Tsa, clock.now()).await
}

fn state(authority: &TimestampAuthority) -> &'static str {
    match authority.obstacle() {
        None => "active",
        Some(Error::Clock(_)) => "clock",
        Some(Error::Expired) => "expired",
        Some(_) => "stopped",
    }
}
