//! Converts the settings of each part into the options of `chancery dev`. Nothing is opened here.

use super::Configuration;
#[cfg(feature = "s3")]
use crate::instance::BucketArguments;
use crate::instance::{
    Addresses, AuthorityArguments, OperationsArguments, RekorV1Arguments, RekorV2Arguments, TilesArguments,
    TimestampArguments, TransparencyArguments, WitnessChoices, WitnessesTable,
};
use crate::role::Role;
use anyhow::{Context as _, anyhow};
use chancery_log::rekor_v1::MAX_ATTESTATION_BYTES;
use chancery_trust::BaseUrl;
use const_oid::ObjectIdentifier;

impl Configuration {
    /// The URL of each role.
    pub(crate) fn addresses(&self) -> anyhow::Result<Addresses> {
        let urls = Role::ALL.map(|role| {
            let url = BaseUrl::parse(self.url_of(role)).with_context(|| format!("url of {role}"))?;
            Ok((role, url))
        });
        let urls = urls.into_iter().collect::<anyhow::Result<_>>()?;
        let rekor2 = self.log.rekor2_url.as_deref().map(BaseUrl::parse).transpose().context("[log] rekor2_url")?;
        let addresses = Addresses::configured(BaseUrl::parse(&self.url)?, urls, rekor2)?;
        let inside = self.trust.internal_url.as_deref().map(BaseUrl::parse).transpose();
        let inside = inside.context("[trust] internal_url")?;
        // Without a certificate log of others, it is for the servers of this instance.
        let own = self.log.ct_log_ca.clone().filter(|_| self.log.ct_log_url.is_none());
        let authorities = self.trust.internal_ca_file.clone().or(own);
        Ok(addresses.trusting(self.log.ct_log_ca.clone()).with_trust_inside(inside, authorities))
    }

    /// The issuer where users without a token sign in. Tokens must name it exactly, so its text is not changed.
    pub(crate) fn oidc_issuer(&self) -> anyhow::Result<Option<BaseUrl>> {
        self.ca.oidc_issuer.as_deref().map(BaseUrl::as_written).transpose().context("[ca] oidc_issuer")
    }

    pub(crate) fn operations(&self) -> anyhow::Result<OperationsArguments> {
        let Self { listen, ca, .. } = self;
        Ok(OperationsArguments {
            metrics: listen.metrics,
            origins: listen.origins.clone(),
            audit: ca.audit.clone(),
            audit_rotation: ca.audit_rotation()?,
            limit_identity: ca.limit_identity,
            limit_issuer: ca.limit_issuer,
        })
    }

    pub(crate) fn authority(&self) -> anyhow::Result<AuthorityArguments> {
        let algorithms = self.ca.client_signing_algorithms.iter().map(|name| name.parse()).collect::<Result<_, _>>();
        let client_signing_algorithms = algorithms.context("[ca] client_signing_algorithms")?;
        let (ca_key, ca_root_key) = (self.ca.key.clone(), self.ca.root_key.clone());
        Ok(AuthorityArguments { ca_key, ca_root_key, client_signing_algorithms })
    }

    pub(crate) fn transparency(&self) -> TransparencyArguments {
        TransparencyArguments {
            ct_log_url: self.log.ct_log_url.clone(),
            ct_log_key: self.log.ct_log_key.clone(),
            ct_log_ca: self.log.ct_log_ca.clone(),
            ct_log_accepts: self.log.ct_log_accepts.clone(),
            unlogged: self.log.insecure_without_certificate_log,
        }
    }

    pub(crate) fn rekor_v1(&self) -> anyhow::Result<RekorV1Arguments> {
        let kinds = self.log.rekor_kinds.iter().map(|name| name.parse()).collect::<Result<_, _>>();
        Ok(RekorV1Arguments {
            kinds: kinds.context("[log] rekor_kinds")?,
            attestations: self.log.rekor_attestations,
            attestation_max_bytes: self.log.rekor_attestation_max_bytes.unwrap_or(MAX_ATTESTATION_BYTES),
        })
    }

    pub(crate) const fn rekor_v2(&self) -> RekorV2Arguments {
        RekorV2Arguments {
            key: self.log.rekor2_key_kind,
            dsse: self.log.rekor2_dsse,
            frozen: self.log.rekor2_frozen,
            default: self.log.default_rekor,
        }
    }

    pub(crate) fn timestamps(&self) -> anyhow::Result<TimestampArguments> {
        let tsa = &self.tsa;
        let policies = tsa.policies.iter().map(|policy| policy.parse()).collect::<Result<Vec<ObjectIdentifier>, _>>();
        let tsa_policies = policies
            .map_err(|_| anyhow!("[tsa] policies: write object identifiers, for example 1.3.6.1.4.1.57264.2"))?;
        Ok(TimestampArguments {
            tsa_key: tsa.key.clone(),
            tsa_root_key: tsa.root_key.clone(),
            tsa_policies,
            tsa_include_chain_in_response: tsa.include_chain_in_response,
            tsa_allow_custom_extensions: tsa.allow_custom_extensions,
        })
    }

    pub(crate) fn tiles(&self) -> Option<TilesArguments> {
        self.log.tiles.as_ref().map(|tiles| TilesArguments {
            url: Some(tiles.url.clone()),
            #[cfg(feature = "s3")]
            bucket: BucketArguments {
                endpoint: tiles.endpoint.clone(),
                region: tiles.region.clone(),
                credentials: tiles.credentials.clone(),
                authorities: tiles.ca_file.clone(),
            },
        })
    }

    pub(crate) fn witnesses(&self) -> anyhow::Result<WitnessChoices> {
        let read = |table: &Option<WitnessesTable>| table.as_ref().map(WitnessesTable::witnesses).transpose();
        let rekor2 = read(&self.log.rekor2_witnesses).context("[log.rekor2_witnesses]")?;
        Ok(WitnessChoices { rekor2, ct: read(&self.log.ct_witnesses).context("[log.ct_witnesses]")? })
    }
}
