//! What clients are given, made anew whenever the authority's chains change: written to the data directory and served.

use super::{RekorV2Arguments, Setup, SignIn, timestamps, transparency};
use crate::{
    configuration::Role,
    issuer::Issuer,
    rotation::{follow::Publish, generations::TrustedChain},
};
use anyhow::Context as _;
use chancery_log::{ct, rekor_v1, rekor_v2};
use chancery_trust::{
    BaseUrl, CertificateAuthority, CurrentFiles, Log, Material, Services, SignatureLog, TrustFiles, Validity,
};
use chancery_verify::note::KeyName;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::watch;

/// Everything the files are made of but the authority's chains.
pub(super) struct TrustSources {
    /// Its authorities are replaced.
    pub(super) material: Material,
    pub(super) services: Services,
}

impl TrustSources {
    /// The files for these chains.
    fn build(&self, chains: &[TrustedChain]) -> anyhow::Result<TrustFiles> {
        let url = &self.services.certificate_authority;
        let certificate_authorities = chains.iter().map(|trusted| authority(url, trusted)).collect();
        let material = Material { certificate_authorities, ..self.material.clone() };
        TrustFiles::build(&material, &self.services).context("the trust files cannot be made")
    }
}

fn authority(url: &BaseUrl, TrustedChain { chain, validity }: &TrustedChain) -> CertificateAuthority {
    let (organization, common_name) = chain.subject();
    CertificateAuthority {
        url: url.clone(),
        organization,
        common_name,
        chain_der: chain.certificates().iter().map(|certificate| certificate.der().to_vec()).collect(),
        validity: *validity,
    }
}

/// What the files of an instance are made of, but for the authority's chains; `issuer` is the development issuer.
pub(super) fn sources(
    setup: &Setup<'_>,
    issuer: Option<&Issuer>,
    transparency: &transparency::Settings,
    rekor_v2: &RekorV2Arguments,
) -> anyhow::Result<TrustSources> {
    let Setup { data, addresses, .. } = setup;
    let validity = Validity::since(data.created());
    let log = |base_url, name| anyhow::Ok(Log { base_url, key: data.public_key(name)?, origin: None, validity });
    // The one that is used comes first; the own one keeps counting for what was issued under it.
    let elsewhere = transparency.elsewhere.as_ref().map(|elsewhere| {
        let (base_url, key) = (elsewhere.url.clone(), elsewhere.key.clone());
        Log { base_url, key, origin: None, validity }
    });
    let own = log(addresses.ct_url()?, ct::NAME)?;
    let (ca, rekor) = (addresses.url(Role::Ca)?, addresses.url(Role::Log)?);
    let origin = Some(KeyName::new(&addresses.host)?);
    let rekor2 = Log { origin, ..log(rekor.clone(), rekor_v2::NAME)? };
    let timestamps = timestamps::trusted(setup)?;
    let timestamp_authority = timestamps.url.clone();
    let material = Material {
        certificate_authorities: Vec::new(),
        ct_logs: elsewhere.into_iter().chain([own]).collect(),
        rekor_logs: vec![log(rekor.clone(), rekor_v1::NAME)?, rekor2],
        timestamp_authorities: vec![timestamps],
    };
    let services = Services {
        operator: addresses.host.clone(),
        certificate_authority: ca.clone(),
        oidc_issuer: match &setup.issuer {
            SignIn::Here => issuer.map(|issuer| BaseUrl::parse(issuer.url())).transpose()?,
            SignIn::At(url) => Some(url.clone()),
            SignIn::Nowhere => None,
        },
        signature_logs: [2, 1].map(|version| SignatureLog { url: rekor.clone(), major_api_version: version }).into(),
        default_major_api_version: rekor_v2.default_major_api_version(),
        timestamp_authority,
        validity,
    };
    Ok(TrustSources { material, services })
}

/// Keeps the files of a running server.
pub(super) struct Publisher {
    sources: TrustSources,
    directory: PathBuf,
    files: watch::Sender<Arc<TrustFiles>>,
}

impl Publisher {
    /// The files for `chains`, which are not written yet.
    pub(super) fn new(
        sources: TrustSources,
        directory: PathBuf,
        chains: &[TrustedChain],
    ) -> anyhow::Result<(Self, CurrentFiles)> {
        let first = sources.build(chains)?;
        let (files, current) = watch::channel(Arc::new(first));
        Ok((Self { sources, directory, files }, current))
    }

    /// What a rotation calls.
    pub(super) fn publish(self) -> Publish {
        Box::new(move |chains| self.replace(chains))
    }

    /// Writes and serves the files for `chains`. Nothing happens where they are what they were.
    fn replace(&self, chains: &[TrustedChain]) -> anyhow::Result<()> {
        let files = self.sources.build(chains)?;
        // Also where nothing has changed: what could not be written before is still to be written.
        files.write_to(&self.directory).context("cannot write the trust files")?;
        self.files.send_if_modified(|served| {
            let changed = **served != files;
            if changed {
                *served = Arc::new(files);
            }
            changed
        });
        Ok(())
    }
}
