//! Which key issues at this moment, and which of the authority's chains are shown.
//!
//! Both change while requests run. A request works with the pipeline it began with, so that precertificate and certificate
//! have one issuer and nobody waits; the next request has the next one. A chain is shown before anything is issued under it.

use crate::CertificateAuthority;
use crate::chain::IssuingChain;
use crate::issue::Pipeline;
use std::sync::{Arc, PoisonError, RwLockReadGuard};

/// What is replaced.
pub(crate) struct Issuing {
    pipeline: Arc<Pipeline>,
    chains: Arc<[Arc<IssuingChain>]>,
}

impl Issuing {
    /// Shows the one chain it issues under.
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        let chains = [Arc::clone(pipeline.chain())].into();
        Self { pipeline: Arc::new(pipeline), chains }
    }
}

/// Clients have not been shown the chain under which they would get certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chain is not among those that are published")]
pub struct NotPublished;

impl CertificateAuthority {
    fn issuing(&self) -> RwLockReadGuard<'_, Issuing> {
        self.issuing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What issues at this moment.
    #[must_use]
    pub fn pipeline(&self) -> Arc<Pipeline> {
        Arc::clone(&self.issuing().pipeline)
    }

    /// The chains that are shown, the one that issues first.
    #[must_use]
    pub fn chains(&self) -> Arc<[Arc<IssuingChain>]> {
        Arc::clone(&self.issuing().chains)
    }

    /// Shows `others` beside the chain that issues, in this order.
    pub fn publish_chains(&self, others: impl IntoIterator<Item = Arc<IssuingChain>>) {
        let mut issuing = self.issuing.write().unwrap_or_else(PoisonError::into_inner);
        issuing.chains = current_first(Arc::clone(issuing.pipeline.chain()), others);
    }

    /// Issues with `pipeline` from the next request on; requests that have begun end as they began.
    ///
    /// # Errors
    /// [`NotPublished`] where its chain is not shown.
    pub fn replace_pipeline(&self, pipeline: Pipeline) -> Result<(), NotPublished> {
        let mut issuing = self.issuing.write().unwrap_or_else(PoisonError::into_inner);
        if !issuing.chains.iter().any(|chain| chain.issuing().der() == pipeline.chain().issuing().der()) {
            return Err(NotPublished);
        }
        issuing.chains = current_first(Arc::clone(pipeline.chain()), issuing.chains.iter().cloned());
        issuing.pipeline = Arc::new(pipeline);
        Ok(())
    }
}

fn current_first(
    current: Arc<IssuingChain>,
    others: impl IntoIterator<Item = Arc<IssuingChain>>,
) -> Arc<[Arc<IssuingChain>]> {
    let first = current.issuing().der().to_vec();
    let others = others.into_iter().filter(|chain| chain.issuing().der() != first);
    std::iter::once(current).chain(others).collect()
}
