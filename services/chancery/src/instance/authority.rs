//! The certificate authority of an instance: its chain, and the issuers that it believes.

use super::{
    Setup,
    readiness::{self, Checked},
    trust::{Publisher, TrustSources},
};
use crate::{
    issuer,
    issuers::ConfiguredIssuers,
    role::Role,
    rotation::{self, RingFiles, follow::Subject, generations::Generations},
};
use anyhow::Context as _;
use axum::Router;
use chancery_ca::{
    Access, CertificateAuthority, ClientAlgorithm, ClientAlgorithms, IssuerSettings, Rates, Records,
    chain::IssuingChain,
    identity::IssuerKind,
    issue::Pipeline,
    oidc::{Authenticator, KeyState, http_fetcher},
    transparency::{CertificateLog, Transparency},
};
use chancery_daemon::{
    clock::{Clock, ClockGuard},
    expiry::ExpiryWatch,
    health::{Finding, Probe, State},
    metrics::Metrics,
    random::Random,
    signer::{Signer, Use},
};
use chancery_keys::{KeyUri, UriError};
use chancery_log::{admission::OwnAuthority, ct::Ct};
use chancery_verify::{Timestamp, certificate::Certificate, key::KeyKind};
use clap::Args;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinHandle;

/// Time between two checks of whether a warning is due.
const EXPIRY_LOOK: Duration = Duration::from_hours(1);

/// The options of `chancery dev` about the certificate authority.
#[derive(Debug, Args)]
pub(crate) struct AuthorityArguments {
    /// Use the issuing key at this URI; only for a new data directory, which records it
    ///
    /// To change the key later: chancery keys rotate ca.
    #[arg(long, value_name = "URI", help_heading = "Certificate authority", value_parser = key_uri)]
    pub(crate) ca_key: Option<String>,
    /// Keep the root's key at this URI; only for a new data directory
    ///
    /// By default the key is made in memory and destroyed once it has signed.
    #[arg(long, value_name = "URI", help_heading = "Certificate authority", value_parser = key_uri)]
    pub(crate) ca_root_key: Option<String>,
    /// Issue certificates for these kinds of client keys only, by Fulcio's names; default: all known kinds
    #[arg(long, help_heading = "Certificate authority", value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) client_signing_algorithms: Vec<ClientAlgorithm>,
}

impl AuthorityArguments {
    /// For whom it issues: tokens of `issuers`, and the kinds of keys that are permitted.
    pub(crate) fn settings(&self, issuers: ConfiguredIssuers) -> Settings {
        let client_algorithms = match self.client_signing_algorithms.as_slice() {
            [] => ClientAlgorithms::default(),
            some => some.iter().copied().collect(),
        };
        Settings { issuers, client_algorithms }
    }
}

/// For whom the authority issues.
pub(crate) struct Settings {
    /// Beside the development issuer.
    pub(crate) issuers: ConfiguredIssuers,
    client_algorithms: ClientAlgorithms,
}

/// A key URI as it was written, if it is one.
pub(crate) fn key_uri(text: &str) -> Result<String, UriError> {
    text.parse::<KeyUri>().map(|_| text.to_owned())
}

/// Opens the keys that are kept in `data`; makes the first one and its chain where `data` is new. The chain is as old as the
/// directory, so that trust in it starts when its validity does. A root of ours signs in here, and its key is dropped.
pub(super) async fn keys(
    setup: &Setup<'_>,
    random: &dyn Random,
    now: Timestamp,
) -> anyhow::Result<Generations<IssuingChain>> {
    let data = setup.data;
    if data.chain_of(Role::Ca)?.is_none() {
        let issuing = data.key_at(Use::Any, "ca", KeyKind::P256, random).await?;
        let chain = if let Some(given) = setup.chains.get(&Role::Ca) {
            IssuingChain::given(given, issuing.public_key(), now).context("cannot use [ca] chain")?
        } else {
            // Of one kind, as the profile advises: who verifies the one can verify the other.
            let root = data.root_key(Role::Ca, issuing.public_key().kind(), random).await?;
            IssuingChain::create(setup.organization, 1, &root, &issuing, random, data.created()).await?
        };
        data.keep_chain_of(Role::Ca, &chain.to_pem())?;
    }
    Generations::open(RingFiles::of(data.path()), rotation::Role::Ca, now).await
}

/// Where certificates are logged at this moment, and the authority that does: both its own key and the log's are rotated.
pub(super) struct Issuing {
    authority: Arc<CertificateAuthority>,
    random: Arc<dyn Random>,
    transparency: Mutex<Transparency>,
    /// Whether that is the instance's own log.
    uses_own_log: bool,
}

impl Issuing {
    pub(super) fn new(
        authority: Arc<CertificateAuthority>,
        random: Arc<dyn Random>,
        transparency: Transparency,
        uses_own_log: bool,
    ) -> Self {
        Self { authority, random, transparency: Mutex::new(transparency), uses_own_log }
    }

    fn transparency(&self) -> Transparency {
        self.transparency.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sign_with(&self, chain: Arc<IssuingChain>, signer: Arc<Signer>) -> anyhow::Result<()> {
        // Held until the pipeline is replaced: the log must not be another one meanwhile.
        let transparency = self.transparency.lock().unwrap_or_else(PoisonError::into_inner);
        let pipeline = Pipeline::new(chain, signer, transparency.clone(), Arc::clone(&self.random))?;
        Ok(self.authority.replace_pipeline(pipeline)?)
    }

    /// Logs in `log`, which is the own one, from the next request on, unless another one is used.
    pub(super) fn log_to(&self, log: Arc<dyn CertificateLog>) -> anyhow::Result<()> {
        if self.uses_own_log {
            let mut transparency = self.transparency.lock().unwrap_or_else(PoisonError::into_inner);
            *transparency = Transparency::Embedded(log);
            self.authority.replace_pipeline(self.authority.pipeline().logging_to(transparency.clone()))?;
        }
        Ok(())
    }
}

/// The certificate authority as a rotation changes it.
pub(super) struct RotatedAuthority {
    pub(super) issuing: Arc<Issuing>,
    /// The log of this process, if it has one, whether or not the authority uses it.
    pub(super) own_log: Option<Ct>,
    /// Whose certificates the logs of signatures may be told to accept.
    pub(super) own: OwnAuthority,
    /// `None` where another process publishes.
    pub(super) publisher: Option<Publisher>,
}

impl Subject for RotatedAuthority {
    type Credential = IssuingChain;

    /// Has the logs accept every root; what the authority's log does not accept must not issue.
    async fn prepare(&mut self, keys: &Generations<IssuingChain>) -> BTreeMap<u64, String> {
        let mut refused = BTreeMap::new();
        let chains: Vec<_> = keys.credentials().map(|(number, chain)| (number, Arc::clone(chain))).collect();
        for (number, chain) in chains {
            let root = chain.root().der();
            let own = self.own_log.as_ref().map_or(Ok(()), |log| log.accept_root(root));
            let own = own.map_err(|rejection| rejection.to_string());
            let used = match self.issuing.transparency() {
                Transparency::Embedded(log) | Transparency::Detached(log) if keys.is_coming(number) => {
                    log.accept_root(root.to_vec()).await.map_err(|error| error.to_string())
                }
                _ => Ok(()),
            };
            refused.extend(own.and(used).err().map(|reason| (number, reason)));
        }
        refused
    }

    fn publish(&self, keys: &Generations<IssuingChain>) -> anyhow::Result<()> {
        Publisher::name(self.publisher.as_ref(), keys, TrustSources::set_authorities)?;
        self.own.replace(issuing(keys));
        self.issuing.authority.publish_chains(keys.shown());
        Ok(())
    }

    async fn sign_with(&mut self, chain: Arc<IssuingChain>, signer: Arc<Signer>) -> anyhow::Result<()> {
        self.issuing.sign_with(chain, signer)
    }
}

/// What a process without the authority's keys does when they change: its certificate log accepts the roots, its logs of
/// signatures know `own` certificates, and the trust files name the chains.
pub(super) fn observe(
    own_log: Option<&Ct>,
    own: &OwnAuthority,
    publisher: Option<&Publisher>,
    keys: &Generations<IssuingChain>,
) -> anyhow::Result<()> {
    if let Some(log) = own_log {
        roots(keys).iter().try_for_each(|root| log.accept_root(root))?;
    }
    own.replace(issuing(keys));
    Publisher::name(publisher, keys, TrustSources::set_authorities)
}

/// The certificates with which the authority issues, lately did or soon will.
pub(super) fn issuing(keys: &Generations<IssuingChain>) -> Vec<Certificate> {
    keys.shown().iter().map(|chain| chain.issuing().clone()).collect()
}

/// Has `authority` believe what its list of issuers says, also when that changes.
pub(super) fn follow_issuers(
    issuers: ConfiguredIssuers,
    authority: Arc<CertificateAuthority>,
    own: Option<IssuerSettings>,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    issuers.follow(own, move |all| {
        authority.replace_authenticator(authority.authenticator().reconfigured(all, &http_fetcher)?);
        Ok(())
    })
}

/// The roots of all chains, in DER.
pub(super) fn roots(keys: &Generations<IssuingChain>) -> Vec<Vec<u8>> {
    keys.credentials().map(|(_, chain)| chain.root().der().to_vec()).collect()
}

/// Warns when the certificates of an authority, named in `role`, come to their end.
pub(super) fn watch_expiry(
    role: &'static str,
    expires: impl Fn() -> Timestamp + Send + 'static,
    clock: Arc<dyn Clock>,
) -> JoinHandle<()> {
    let mut watch = ExpiryWatch::new(expires());
    tokio::spawn(async move {
        let mut looks = tokio::time::interval(EXPIRY_LOOK);
        loop {
            looks.tick().await;
            watch.follow(expires());
            if let Some(days_left) = watch.warning(clock.now()) {
                tracing::warn!(
                    days_left,
                    "a certificate of the {role} expires soon, and nothing is signed after that; replace it: chancery keys rotate"
                );
            }
        }
    })
}

/// The authority. It believes whom `settings` names, and the development issuer if there is one (`own`), whose keys it
/// fetches over HTTP like any other's: the path a production authority takes is the path tried there.
pub(super) fn authority(
    own: Option<&IssuerSettings>,
    settings: &Settings,
    pipeline: Pipeline,
    clock: Arc<ClockGuard>,
    rates: Rates,
    records: Records,
) -> anyhow::Result<Arc<CertificateAuthority>> {
    let authenticator = Authenticator::new(settings.issuers.beside(own), &http_fetcher)?;
    let authority = CertificateAuthority::new(authenticator, pipeline, clock).limited(rates).recorded(records);
    Ok(Arc::new(authority.with_client_algorithms(settings.client_algorithms.clone())))
}

/// Whether clients get certificates, and will in the next weeks.
pub(super) fn checks(authority: &Arc<CertificateAuthority>, clock: Arc<dyn Clock>) -> Checked {
    let (known, probed) = (Arc::clone(authority), Arc::clone(authority));
    let checked = Checked::known(move || {
        let now = clock.now();
        let fault = known.obstacle();
        let obstacle =
            fault.map(|fault| format!("the certificate authority issues nothing ({}): {fault}", fault.code()));
        let certificates = readiness::certificates(Role::Ca, known.pipeline().chain().expires(), now);
        let authenticator = known.authenticator();
        let issuers = issuer_keys(&authenticator.key_states(), authenticator.issuers().count(), now);
        let named = |check: &str, state: State| Finding::new(Role::Ca.name(), check, state);
        let clock = named("clock", obstacle.map_or(State::Passed, State::Failed));
        vec![clock, certificates, named("issuers", issuers)]
    });
    checked.and_probes(move || {
        let pipeline = probed.pipeline();
        vec![readiness::key(Role::Ca, Arc::clone(pipeline.signer())), certificate_log(pipeline)]
    })
}

/// What keys of token issuers that cannot be fetched mean, where `count` issuers are configured. Issuers that match a pattern
/// do not count: anyone can write a token that names a new one.
fn issuer_keys(states: &[KeyState], count: usize, now: Timestamp) -> State {
    let exact = states.iter().filter(|state| state.configured == state.issuer);
    let failing: Vec<_> = exact.filter_map(|state| Some((state, state.failing?.1))).collect();
    if failing.is_empty() {
        return State::Passed;
    }
    let names: Vec<_> = failing.iter().map(|(state, code)| format!("{} ({code})", state.issuer)).collect();
    let said = format!("the keys of token issuers cannot be fetched: {}; see the server's log", names.join(", "));
    let unusable = failing.iter().filter(|(state, _)| !state.is_usable(now)).count();
    if unusable == count { State::Failed(said) } else { State::Warning(said) }
}

/// Asks the certificate log whether it works: without it nothing is issued.
fn certificate_log(pipeline: Arc<Pipeline>) -> Probe {
    let asking = async move {
        match pipeline.transparency() {
            Transparency::Embedded(log) | Transparency::Detached(log) => {
                log.verify_usable().await.map_err(|error| error.to_string())
            }
            Transparency::Unlogged => Ok(()),
        }
    };
    Probe {
        role: Role::Ca.name(),
        check: "certificate log".to_owned(),
        fault: "the certificate authority issues nothing".to_owned(),
        advice: "see that the certificate log runs and can be reached from here",
        asking: Box::pin(asking),
    }
}

/// Its routes, measured if metrics are enabled.
pub(super) fn router(authority: &Arc<CertificateAuthority>, metrics: Option<&Metrics>) -> anyhow::Result<Router> {
    let authority = Arc::clone(authority);
    Ok(match metrics {
        None => chancery_ca::router(authority),
        Some(metrics) => {
            chancery_ca::measure(Arc::clone(&authority), metrics)?;
            chancery_ca::measured_router(authority, metrics)?
        }
    })
}

/// The issuer of this server itself.
pub(crate) fn development_issuer(url: &str) -> IssuerSettings {
    let kind = IssuerKind::Email { address_claim: None, issuer_claim: None, accept_unverified: false };
    let access = Access { loopback_http: true, ..Access::default() };
    IssuerSettings { audiences: vec![issuer::DEFAULT_AUDIENCE.to_owned()], access, ..IssuerSettings::new(url, kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_that_cannot_be_reached_are_a_warning_unless_there_is_no_other() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let state = |configured: &str, fetched, failing: bool| KeyState {
            configured: configured.to_owned(),
            issuer: "https://a.example".to_owned(),
            fetched,
            failing: failing.then_some((now, "issuer.unreachable")),
        };
        let exact = |fetched, failing| state("https://a.example", fetched, failing);
        assert_eq!(issuer_keys(&[exact(None, false)], 1, now), State::Passed, "nothing is known yet");
        assert!(
            matches!(issuer_keys(&[exact(Some(now), true)], 1, now), State::Warning(_)),
            "the previous ones are used"
        );
        let State::Failed(said) = issuer_keys(&[exact(None, true)], 1, now) else {
            panic!("nobody gets a certificate")
        };
        assert!(said.contains("https://a.example (issuer.unreachable)"), "{said}");
        assert!(matches!(issuer_keys(&[exact(None, true)], 2, now), State::Warning(_)), "there is another one");
        let old = Timestamp::from_seconds(1_800_000_000 - 100_000);
        assert!(matches!(issuer_keys(&[exact(Some(old), true)], 1, now), State::Failed(_)), "they are too old");
        assert_eq!(issuer_keys(&[state("https://*.example", None, true)], 1, now), State::Passed, "a stranger's");
    }
}
