//! The keys of the logs that have generations, opened with their logs where these are this process's.

use super::{
    logs::Logs,
    rekor_shards::{self, RekorShards, RotatedRekor},
    trust::{Publisher, TrustSources},
};
use crate::rotation::{RingFiles, Role, follow::Rotation, generations::Generations, observe, status::Statuses};
use anyhow::Context as _;
use chancery_daemon::clock::Clock;
use chancery_verify::{PublicKey, Timestamp};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The keys.
pub(super) struct LogKeys {
    pub(super) ct: Generations<PublicKey>,
    pub(super) rekor: Generations<PublicKey>,
}

impl LogKeys {
    /// Opens them, and the logs of every generation. A switch to another shard of the Rekor v1 log that the ring asks for, and
    /// that was not made or not finished before, is made now: before anybody is answered.
    pub(super) async fn start(ring: RingFiles, logs: Option<&Logs>, now: Timestamp) -> anyhow::Result<Self> {
        let Some(logs) = logs else {
            return Ok(Self {
                ct: Generations::read(ring.clone(), Role::Ct)?,
                rekor: Generations::read(ring, Role::Rekor)?,
            });
        };
        let ct = Generations::open(ring.clone(), Role::Ct, now).await?;
        let rekor = Generations::open(ring, Role::Rekor, now).await?;
        let (failed_ct, failed_rekor) = (logs.ct.open(&ct).await, rekor_shards::open(&logs.rekor, &rekor).await);
        for (generation, reason) in failed_ct.into_iter().chain(failed_rekor) {
            tracing::error!(generation, reason, "a log is not served");
        }
        let (generation, _) = rekor.signing_credential()?;
        let switched = rekor_shards::rekor(&logs.rekor).switch_to(generation, now).await;
        switched.with_context(|| format!("cannot write to the shard {generation} of the rekor log"))?;
        Ok(Self { ct, rekor })
    }
}

/// What follows the rotation of the Rekor v1 log's key in this process, which may have its `shards`.
pub(super) fn follow_rekor(
    (ring, keys): (RingFiles, Generations<PublicKey>),
    shards: Option<RekorShards>,
    publisher: Option<Publisher>,
    (clock, statuses): (Arc<dyn Clock>, Statuses),
) -> anyhow::Result<JoinHandle<()>> {
    let Some(shards) = shards else {
        let take = move |keys: &_| Publisher::name(publisher.as_ref(), keys, TrustSources::set_rekor_logs);
        return Ok(observe::start(ring, Role::Rekor, take));
    };
    Rotation::start(keys, RotatedRekor { shards, publisher }, clock, statuses)
}
