//! The current issuing key, and the published chains of the authority.
//!
//! Both change while requests run. A request keeps the pipeline it began with, so that precertificate and certificate
//! have the same issuer and no request waits. The next request uses the new pipeline. A chain is published before
//! anything is issued under it.

use crate::CertificateAuthority;
use crate::chain::IssuingChain;
use crate::issue::Pipeline;
use std::sync::{Arc, PoisonError, RwLockReadGuard};

/// The state that is replaced.
pub(crate) struct Issuing {
    pipeline: Arc<Pipeline>,
    chains: Arc<[Arc<IssuingChain>]>,
}

impl Issuing {
    /// Publishes only the chain that it issues under.
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        let chains = [Arc::clone(pipeline.chain())].into();
        Self { pipeline: Arc::new(pipeline), chains }
    }
}

/// The chain of the new pipeline has not been published to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chain is not among those that are published")]
pub struct NotPublished;

impl CertificateAuthority {
    fn issuing(&self) -> RwLockReadGuard<'_, Issuing> {
        self.issuing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the pipeline that issues now.
    #[must_use]
    pub fn pipeline(&self) -> Arc<Pipeline> {
        Arc::clone(&self.issuing().pipeline)
    }

    /// Returns the published chains, the issuing one first.
    #[must_use]
    pub fn chains(&self) -> Arc<[Arc<IssuingChain>]> {
        Arc::clone(&self.issuing().chains)
    }

    /// Publishes `others` beside the issuing chain, in this order.
    pub fn publish_chains(&self, others: impl IntoIterator<Item = Arc<IssuingChain>>) {
        let mut issuing = self.issuing.write().unwrap_or_else(PoisonError::into_inner);
        issuing.chains = current_first(Arc::clone(issuing.pipeline.chain()), others);
    }

    /// Issues with `pipeline` from the next request on. Requests in flight finish with the old one.
    ///
    /// # Errors
    /// [`NotPublished`] if its chain is not published.
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
