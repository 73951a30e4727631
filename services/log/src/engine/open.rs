//! Opening a log: found or made, compared with what it was made with, guarded, and only then started.

use super::begin::{self, Begun, Ends, Shared};
use super::doubt::Ended;
use super::settings::{OpenError, Settings};
use super::{Log, Parts};
use crate::activity::Activity;
use crate::append::pool;
use crate::cache::TileCache;
use crate::head::follower;
use crate::quarantine::{Quarantine, Reason};
use crate::shared_read::SharedRead;
use crate::store::{LogRecord, NewLog, Store, Timed};
use crate::{Corrupt, Error};
use chancery_daemon::clock::ClockGuard;
use chancery_daemon::shutdown::Shutdown;
use chancery_verify::checkpoint::Scheme;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use tokio::task::JoinHandle;

impl Log {
    /// Opens the log, or makes it where the store has none of this name, and starts its sequencer. The head that is
    /// committed is signed and published before this returns, unless
    ///
    /// - the log was ended: then the checkpoint at which it was is what is published;
    /// - what is stored is in doubt: then the log is quarantined, see [`Self::quarantine`];
    /// - the clock cannot be trusted: then the last checkpoint is what is published until it is right.
    ///
    /// A log whose key or origin is not the one it was made with is refused: signing with another key would fork it.
    pub async fn open(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Arc<ClockGuard>,
        shutdown: Shutdown,
    ) -> Result<(Self, JoinHandle<()>), OpenError> {
        let activity = Arc::<Activity>::default();
        let store: Arc<dyn Store> = Arc::new(Timed::new(store, Arc::clone(&activity)));
        let (record, is_new) = find_or_make(&settings, store.as_ref(), &clock).await?;
        let record = Arc::new(record);
        let scheme = Arc::new(verified_scheme(&settings, &record)?);
        let frozen_since = store.frozen(record.log_id).await.map_err(Error::from)?;
        let is_frozen = settings.frozen || frozen_since.is_some();
        let (signer, frozen) = (Arc::clone(&settings.signer), Arc::new(AtomicBool::new(is_frozen)));
        let (quarantine, ended) = (Quarantine::default(), Ended::default());
        let shared =
            Shared { record, scheme, signer, store, clock, frozen, frozen_since, quarantine, ended, activity, is_new };
        let ((pool, waiting), (follower, readers)) = (pool::pool(), follower());
        let ends = Ends { waiting, readers, follower: follower.clone(), shutdown };
        let Begun { published, stored_size, witnessed, marking, task } = begin::begin(&shared, settings, ends).await?;
        let Shared { record, scheme, signer, store, clock, frozen, quarantine, ended, activity, .. } = shared;
        let log = Self(Arc::new(Parts {
            record,
            scheme,
            signer,
            store,
            clock,
            pool,
            follower,
            published,
            stored_size,
            witnessed,
            marking,
            frozen,
            quarantine,
            ended,
            cache: TileCache::new(),
            committed: SharedRead::default(),
            appended: AtomicU64::default(),
            activity,
        }));
        let task = tokio::spawn(task);
        log.first_round().await;
        Ok((log, task))
    }

    /// Waits until its witnesses have cosigned what is published first, or have had the time to.
    async fn first_round(&self) {
        if let (Some(witnessed), Some(published)) = (&self.0.witnessed, &self.0.published) {
            witnessed.first_round(published.clone()).await;
        }
    }

    /// Why the log is quarantined; `None` where it is not, and where it was ended since.
    #[must_use]
    pub fn quarantine(&self) -> Option<&Reason> {
        self.0.quarantine.reason().filter(|_| !self.is_ended())
    }
}

/// The log of this name in the store, and whether it is new.
async fn find_or_make(
    settings: &Settings,
    store: &dyn Store,
    clock: &ClockGuard,
) -> Result<(LogRecord, bool), OpenError> {
    if let Some(record) = store.open(&settings.name).await.map_err(Error::from)? {
        return Ok((record, false));
    }
    let tree_id = settings.new_tree_id.ok_or(OpenError::Missing)?;
    let log = NewLog {
        name: settings.name.clone(),
        origin: scheme(settings, tree_id)?.origin(),
        tree_id,
        key_fingerprint: settings.signer.public_key().fingerprint(),
        created: clock.signing_time().map_err(Error::from)?,
    };
    match store.create(log).await {
        Ok(record) => Ok((record, true)),
        // Another replica may have made it at the same moment.
        Err(error) => {
            let made = store.open(&settings.name).await.map_err(Error::from)?;
            Ok((made.ok_or(error).map_err(Error::from)?, false))
        }
    }
}

fn scheme(settings: &Settings, tree_id: i64) -> Result<Scheme, Corrupt> {
    (settings.scheme)(&settings.host, tree_id)
        .map_err(|rejection| Corrupt::refused("a log's host is a valid key name", rejection))
}

/// How the log's checkpoints are named, if key and origin are those it was made with.
fn verified_scheme(settings: &Settings, record: &LogRecord) -> Result<Scheme, OpenError> {
    let found = settings.signer.public_key().fingerprint();
    if record.key_fingerprint != found {
        let made_with = hex::encode(record.key_fingerprint);
        return Err(OpenError::OtherKey { made_with, found: hex::encode(found) });
    }
    let scheme = scheme(settings, record.tree_id)?;
    if record.origin != scheme.origin() {
        return Err(OpenError::OtherOrigin { made_with: record.origin.clone(), found: scheme.origin() });
    }
    Ok(scheme)
}
