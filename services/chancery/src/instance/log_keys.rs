//! The keys of the logs, each with its generations, opened with their logs where these are this process's.

use super::{
    logs::Logs,
    rekor_shards::{self, RotatedRekor},
    rekor2_shards::{self, RotatedRekor2},
    trust::{Publisher, TrustSources},
};
use crate::rotation::{
    RingFiles, Role,
    follow::{Rotation, Shared},
    generations::Generations,
    observe,
};
use chancery_verify::{PublicKey, Timestamp};
use tokio::task::JoinHandle;

/// The keys.
pub(super) struct LogKeys {
    pub(super) ct: Generations<PublicKey>,
    pub(super) rekor: Generations<PublicKey>,
    pub(super) rekor2: Generations<PublicKey>,
}

/// Those of the logs of signatures.
pub(super) struct RekorKeys {
    rekor: Generations<PublicKey>,
    rekor2: Generations<PublicKey>,
}

impl LogKeys {
    /// Opens them, and the logs of every generation. A switch to another shard of the Rekor v1 log that the ring asks for, and
    /// that was not made or not finished before, is made now: before anybody is answered. What fails is tried again later.
    pub(super) async fn start(ring: RingFiles, logs: Option<&Logs>, now: Timestamp) -> anyhow::Result<Self> {
        let Some(logs) = logs else {
            let read = |role| Generations::read(ring.clone(), role);
            return Ok(Self { ct: read(Role::Ct)?, rekor: read(Role::Rekor)?, rekor2: read(Role::Rekor2)? });
        };
        let ct = Generations::open(ring.clone(), Role::Ct, now).await?;
        let rekor = Generations::open(ring.clone(), Role::Rekor, now).await?;
        let rekor2 = Generations::open(ring, Role::Rekor2, now).await?;
        let (failed_ct, failed_rekor) = (logs.ct.open(&ct).await, rekor_shards::open(&logs.rekor, &rekor).await);
        let failed_rekor2 = rekor2_shards::open(&logs.rekor2, &rekor2).await;
        let unswitched = rekor_shards::switch(&logs.rekor, &rekor).await;
        for (generation, reason) in failed_ct.into_iter().chain(failed_rekor).chain(unswitched).chain(failed_rekor2) {
            tracing::error!(generation, reason, "a log is not served");
        }
        Ok(Self { ct, rekor, rekor2 })
    }

    /// Those of the certificate logs, and the others.
    pub(super) fn apart(self) -> (Generations<PublicKey>, RekorKeys) {
        (self.ct, RekorKeys { rekor: self.rekor, rekor2: self.rekor2 })
    }
}

impl RekorKeys {
    /// What follows their rotation in this process, which may have their logs.
    pub(super) fn follow(
        self,
        ring: RingFiles,
        logs: Option<&Logs>,
        publisher: Option<&Publisher>,
        shared: &Shared,
    ) -> anyhow::Result<[JoinHandle<()>; 2]> {
        let (of_v1, of_v2) = (publisher.cloned(), publisher.cloned());
        let Some(logs) = logs else {
            let take_v1 = move |keys: &_| Publisher::name(of_v1.as_ref(), keys, TrustSources::set_rekor_logs);
            let take_v2 = move |keys: &_| Publisher::name(of_v2.as_ref(), keys, TrustSources::set_rekor2_logs);
            let observed = observe::start(ring.clone(), Role::Rekor, take_v1);
            return Ok([observed, observe::start(ring, Role::Rekor2, take_v2)]);
        };
        let rekor = RotatedRekor { shards: logs.rekor.clone(), publisher: of_v1 };
        let rekor2 = RotatedRekor2 { shards: logs.rekor2.clone(), publisher: of_v2 };
        Ok([Rotation::start(self.rekor, rekor, shared.clone())?, Rotation::start(self.rekor2, rekor2, shared.clone())?])
    }
}
