//! The trust files for clients, made anew whenever a key is rotated: written to the data directory and served.

use super::{Addresses, RekorV2Arguments, Setup, SignIn, transparency};
use crate::{
    issuer::Issuer,
    role::Role,
    rotation::{
        credential::{Chain, Credential},
        generations::{Generations, Trusted},
    },
};
use anyhow::Context as _;
use chancery_ca::chain::IssuingChain;
use chancery_trust::{
    BaseUrl, CertificateAuthority, CurrentFiles, Log, Material, Services, SignatureLog, TrustFiles, Validity, log_name,
};
use chancery_verify::{PublicKey, certificate::Certificate, note::KeyName, timestamping::Authority};
use std::{
    cmp::Reverse,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// Everything the files are made of.
#[derive(Clone)]
pub(super) struct TrustSources {
    material: Material,
    services: Services,
    /// The certificate log that is used, where that is not the own one.
    elsewhere: Option<Log>,
    /// The own ones, each at a URL of its own.
    ct_logs: Vec<Trusted<PublicKey>>,
    addresses: Addresses,
    rekor_url: BaseUrl,
    /// The Rekor v2 logs, each at a host of its own.
    rekor2_logs: Vec<Trusted<PublicKey>>,
    /// The generation of the one signers are sent to.
    rekor2_signing: u64,
}

impl TrustSources {
    fn build(&self) -> anyhow::Result<TrustFiles> {
        let mut material = self.material.clone();
        // The log that is used comes first; an own one keeps counting for what was issued under it.
        material.ct_logs.extend(self.elsewhere.iter().cloned());
        for own in &self.ct_logs {
            material.ct_logs.push(log(&self.addresses.ct_url(own.number)?, own));
        }
        let mut services = self.services.clone();
        for own in &self.rekor2_logs {
            let log = self.rekor2_log(own)?;
            services.signature_logs.extend(self.signature_log(&log.base_url, own));
            material.rekor_logs.push(log);
        }
        // Signers that take the first one take the newest.
        services.signature_logs.sort_by_key(|log| (Reverse(log.major_api_version), log.validity.end));
        TrustFiles::build(&material, &services).context("cannot make the trust files")
    }

    /// A Rekor v2 log as its verifiers know it.
    fn rekor2_log(&self, own: &Trusted<PublicKey>) -> anyhow::Result<Log> {
        let (base_url, name) = match &own.url {
            None => (self.addresses.rekor2_url()?.clone(), KeyName::new(&self.addresses.rekor2_host()?)?),
            Some(url) => {
                let url = BaseUrl::parse(url)?;
                (url.clone(), log_name(&url)?)
            }
        };
        Ok(Log { origin: Some(name), ..log(&base_url, own) })
    }

    /// The same as signers know it: the one they are sent to, and one that those may use who have heard of no other.
    fn signature_log(&self, url: &BaseUrl, own: &Trusted<PublicKey>) -> Option<SignatureLog> {
        let signing = self.rekor2_logs.iter().find(|log| log.number == self.rekor2_signing)?;
        let is_used = own.number == self.rekor2_signing || own.activated < signing.activated;
        let start = own.activated.filter(|_| is_used && own.validity.end.is_none())?;
        let end = signing.activated.filter(|_| own.number != self.rekor2_signing);
        Some(SignatureLog { url: url.clone(), major_api_version: 2, validity: Validity { start, end } })
    }

    /// Names these chains as those of the certificate authority.
    pub(super) fn set_authorities(&mut self, keys: &Generations<IssuingChain>) {
        let url = &self.services.certificate_authority;
        self.material.certificate_authorities = keys.trusted().iter().map(|chain| authority(url, chain)).collect();
    }

    /// Names these chains as those of the timestamp authority.
    pub(super) fn set_timestamp_authorities(&mut self, keys: &Generations<Authority>) {
        let url = &self.services.timestamp_authority;
        self.material.timestamp_authorities = keys.trusted().iter().map(|chain| authority(url, chain)).collect();
    }

    /// Names these keys as those of the own certificate logs.
    pub(super) fn set_ct_logs(&mut self, keys: &Generations<PublicKey>) {
        self.ct_logs = keys.trusted();
    }

    /// Names these keys as those of the Rekor v1 log's shards, which are all at one URL.
    pub(super) fn set_rekor_logs(&mut self, keys: &Generations<PublicKey>) {
        self.material.rekor_logs = keys.trusted().iter().map(|shard| log(&self.rekor_url, shard)).collect();
    }

    /// Names these keys as those of the Rekor v2 logs, and sends signers to the one that signs.
    pub(super) fn set_rekor2_logs(&mut self, keys: &Generations<PublicKey>) {
        self.rekor2_logs = keys.trusted();
        let signing = keys.signing_credential().map_or(1, |(generation, _)| generation);
        let has_ended = self.rekor2_logs.iter().any(|log| log.number == signing && log.validity.end.is_some());
        // The successor of a log that was ended has nobody to wait for.
        let open = self.rekor2_logs.iter().filter(|log| log.activated.is_some() && log.validity.end.is_none());
        let newest = open.map(|log| log.number).max().filter(|_| has_ended);
        self.send_signers_to(newest.unwrap_or(signing));
    }

    /// Has signing configurations name this generation's Rekor v2 log.
    pub(super) fn send_signers_to(&mut self, generation: u64) {
        self.rekor2_signing = generation;
    }
}

/// A log without a name of its own, as its verifiers know it.
fn log(base_url: &BaseUrl, Trusted { credential, validity, .. }: &Trusted<PublicKey>) -> Log {
    Log { base_url: base_url.clone(), key: (**credential).clone(), origin: None, validity: *validity }
}

/// Clients know an authority by its chain, and how it is called by the certificate that signs.
fn authority<C: Chain>(url: &BaseUrl, Trusted { credential, validity, .. }: &Trusted<C>) -> CertificateAuthority {
    let certificates = credential.certificates();
    let (organization, common_name) = certificates.first().map(Certificate::subject_names).unwrap_or_default();
    CertificateAuthority {
        url: url.clone(),
        organization,
        common_name,
        chain_der: certificates.iter().map(|certificate| certificate.der().to_vec()).collect(),
        validity: *validity,
    }
}

/// What the files of an instance are made of, but for what generations of keys say: authorities' chains and logs. `issuer` is the development issuer.
pub(super) fn sources(
    setup: &Setup<'_>,
    issuer: Option<&Issuer>,
    transparency: &transparency::Settings,
    rekor_v2: &RekorV2Arguments,
) -> anyhow::Result<TrustSources> {
    let Setup { data, addresses, .. } = *setup;
    let validity = Validity::since(data.created());
    let elsewhere = transparency.elsewhere.as_ref().map(|elsewhere| {
        let (base_url, key) = (elsewhere.url.clone(), elsewhere.key.clone());
        Log { base_url, key, origin: None, validity }
    });
    let material = Material {
        certificate_authorities: Vec::new(),
        ct_logs: Vec::new(),
        rekor_logs: Vec::new(),
        timestamp_authorities: Vec::new(),
    };
    let oidc_issuer = match &setup.issuer {
        SignIn::Here => issuer.map(|issuer| BaseUrl::as_written(issuer.url())).transpose()?,
        SignIn::At(url) => Some(url.clone()),
        SignIn::Nowhere => None,
    };
    let services = services(addresses, oidc_issuer, rekor_v2, validity)?;
    let (rekor_url, addresses) = (addresses.url(Role::Log)?.clone(), addresses.clone());
    let (ct_logs, rekor2_logs) = (Vec::new(), Vec::new());
    Ok(TrustSources { material, services, elsewhere, ct_logs, addresses, rekor_url, rekor2_logs, rekor2_signing: 1 })
}

/// What signers call at these addresses, without the Rekor v2 logs, of which there are generations.
pub(crate) fn services(
    addresses: &Addresses,
    oidc_issuer: Option<BaseUrl>,
    rekor_v2: &RekorV2Arguments,
    validity: Validity,
) -> anyhow::Result<Services> {
    let rekor = SignatureLog { url: addresses.url(Role::Log)?.clone(), major_api_version: 1, validity };
    Ok(Services {
        operator: addresses.host.clone(),
        certificate_authority: addresses.url(Role::Ca)?.clone(),
        oidc_issuer,
        signature_logs: vec![rekor],
        default_major_api_version: rekor_v2.default_major_api_version(),
        timestamp_authority: addresses.timestamp_url()?,
        validity,
    })
}

/// Keeps the files of a running server. Clones are the same.
#[derive(Clone)]
pub(super) struct Publisher(Arc<Kept>);

struct Kept {
    /// Of what is served.
    sources: Mutex<TrustSources>,
    directory: PathBuf,
    files: watch::Sender<Arc<TrustFiles>>,
}

impl Publisher {
    /// The files of `sources`, which are not written yet.
    pub(super) fn new(sources: TrustSources, directory: PathBuf) -> anyhow::Result<(Self, CurrentFiles)> {
        let (files, current) = watch::channel(Arc::new(sources.build()?));
        Ok((Self(Arc::new(Kept { sources: Mutex::new(sources), directory, files })), current))
    }

    /// Has `publisher`, if it is in this process, name what of `keys` is to be trusted, in the place that `set` fills.
    pub(super) fn name<C: Credential>(
        publisher: Option<&Self>,
        keys: &Generations<C>,
        set: fn(&mut TrustSources, &Generations<C>),
    ) -> anyhow::Result<()> {
        publisher.map_or(Ok(()), |publisher| publisher.publish(|sources| set(sources, keys)))
    }

    /// Writes and serves the files of what `change` makes of their sources; what cannot be published changes nothing.
    pub(super) fn publish(&self, change: impl FnOnce(&mut TrustSources)) -> anyhow::Result<()> {
        let mut sources = self.0.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = sources.clone();
        change(&mut changed);
        let files = changed.build()?;
        // Also where nothing has changed: what could not be written before is still to be written.
        files.write_to(&self.0.directory).context("cannot write the trust files")?;
        *sources = changed;
        self.0.files.send_if_modified(|served| {
            let is_other = **served != files;
            if is_other {
                *served = Arc::new(files);
            }
            is_other
        });
        Ok(())
    }
}
