//! The guard: the conditions that a stored log must meet before anything is signed. Every start passes it.
//!
//! 1. The checkpoint in the object store, where the log's files are copied to one, and that in the high-water mark were read
//!    before the guard is asked. The log's key has signed both: a note that it did not sign says nothing about the log.
//! 2. The newest stored checkpoint is one the log's key signed.
//! 3. The head is not behind it, nor behind those of 1.
//! 4. The tiles of the right edge hash to the head's root.
//! 5. The head's tree extends that of the stored checkpoint, that of the one in the object store, and that of the mark.
//!
//! Then the log's witnesses are asked, where it has some; see [`crate::trust::witnessing`].
//!
//! If 1 does not hold, it is unknown what was published, and the log does not open. If any other
//! check fails, the stored data is in doubt, and the log opens quarantined: over the newest stored checkpoint that
//! verifies and that the stored tiles lead to.

use crate::head::Published;
use crate::quarantine::Reason;
use crate::store::{CommittedHead, LogRecord, Store, StoreError};
use crate::tree::{checked_edge, planned_tiles};
use crate::{Corrupt, Error};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{self, Plan, TreeHead};
use chancery_verify::tile::{Edge, Tiles, Trees};
use chancery_verify::{Hash, PublicKey, Rejection};

/// Stored checkpoints that are tried, newest first, until one can be proven. A log has up to ten for each second that it
/// was written to: where more than these were changed, nothing that is stored is worth showing as a checkpoint.
const TRIED_CHECKPOINTS: usize = 1024;

/// A log as it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Guard<'a> {
    pub(crate) record: &'a LogRecord,
    pub(crate) scheme: &'a Scheme,
    pub(crate) key: &'a PublicKey,
    pub(crate) store: &'a dyn Store,
}

/// A stored state that may be signed.
pub(crate) struct Sound {
    pub(crate) head: CommittedHead,
    pub(crate) edge: Edge,
}

/// What is known of the log outside its database (1). It MUST have been read before the guard reads heads: whatever is
/// published was committed before.
#[derive(Clone, Copy)]
pub(crate) struct Remembered {
    /// The tree in the object store.
    pub(crate) copied: Option<TreeHead>,
    /// The tree in the high-water mark.
    pub(crate) marked: Option<TreeHead>,
}

/// What the guard found.
pub(crate) enum Verdict {
    Sound(Sound),
    Doubtful {
        reason: Reason,
        /// Leaves of the committed head; 0 where there is none.
        size: u64,
    },
}

/// Why there is no sound state.
enum Miss {
    Doubt(Reason),
    /// The database failed, which says nothing about what is in it.
    Unreadable(StoreError),
}

impl From<Reason> for Miss {
    fn from(reason: Reason) -> Self {
        Self::Doubt(reason)
    }
}

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(corrupt) => Self::Doubt(corrupt.into()),
            error => Self::Unreadable(error),
        }
    }
}

impl Guard<'_> {
    /// Looks at everything; the numbers are those of the module.
    pub(crate) async fn inspect(self, remembered: Remembered) -> Result<Verdict, Error> {
        let mut size = 0;
        match self.judge(remembered, &mut size).await {
            Ok(sound) => Ok(Verdict::Sound(sound)),
            Err(Miss::Doubt(reason)) => Ok(Verdict::Doubtful { reason, size }),
            Err(Miss::Unreadable(error)) => Err(error.into()),
        }
    }

    /// Notes the size of the head as soon as it is known.
    async fn judge(self, Remembered { copied, marked }: Remembered, size: &mut u64) -> Result<Sound, Miss> {
        let newest = self.store.newest_checkpoint(self.record.log_id).await?;
        let head = self.store.head(self.record.log_id).await?;
        *size = head.tree.size;
        let size = head.tree.size;
        // (2)
        let open = |(size, note): (u64, String)| {
            self.open(size, &note).map_err(|rejection| Reason::Checkpoint { size, rejection })
        };
        let stored = newest.map(open).transpose()?;
        // (3)
        let behind = |tree: Option<TreeHead>| tree.map(|tree| tree.size).filter(|published| *published > size);
        if let Some(published) = behind(stored) {
            return Err(Reason::Shrunk { head: size, published }.into());
        }
        if let Some(published) = behind(copied) {
            return Err(Reason::StoreNewer { head: size, published }.into());
        }
        if let Some(published) = behind(marked) {
            return Err(Reason::MarkNewer { head: size, published }.into());
        }
        // (4)
        let tiles = self.store.tiles(self.record.log_id, Edge::tile_ids(size)).await?;
        let edge = checked_edge(&head, &tiles).map_err(|_| Reason::Edge { size })?;
        // (5)
        if let Some(tree) = stored {
            self.verify_extends(&tree, &head.tree, Reason::Forked { head: size, published: tree.size }).await?;
        }
        if let Some(tree) = copied {
            self.verify_extends(&tree, &head.tree, Reason::StoreForked { head: size, published: tree.size }).await?;
        }
        if let Some(tree) = marked {
            self.verify_extends(&tree, &head.tree, Reason::MarkForked { head: size, published: tree.size }).await?;
        }
        Ok(Sound { head, edge })
    }

    async fn verify_extends(self, old: &TreeHead, new: &TreeHead, otherwise: Reason) -> Result<(), Miss> {
        match verify_extension(self.store, self.record.log_id, old, new).await? {
            Ok(()) => Ok(()),
            Err(_) => Err(otherwise.into()),
        }
    }

    /// The tree head of a stored checkpoint, which must be of the size it is stored for.
    fn open(self, size: u64, note: &str) -> Result<TreeHead, Rejection> {
        let tree = self.scheme.open(note, self.key)?;
        if tree.size == size { Ok(tree) } else { Err(Rejection::CheckpointMismatch) }
    }

    /// The newest stored checkpoint that verifies and that the stored tiles lead to: what can be shown without signing.
    pub(crate) async fn last_published(self) -> Result<Option<Published>, Error> {
        self.newest_proven(self.store.newest_checkpoint(self.record.log_id).await?).await
    }

    /// The same of trees that have at most `size` leaves.
    pub(crate) async fn last_published_within(self, size: u64) -> Result<Option<Published>, Error> {
        let below = size.saturating_add(1);
        self.newest_proven(self.store.checkpoint_below(self.record.log_id, below).await?).await
    }

    /// `stored`, or the newest before it, that verifies and that the stored tiles lead to.
    async fn newest_proven(self, mut stored: Option<(u64, String)>) -> Result<Option<Published>, Error> {
        for _ in 0..TRIED_CHECKPOINTS {
            let Some((size, note)) = stored else { return Ok(None) };
            if let Some(published) = self.republish(size, note).await? {
                return Ok(Some(published));
            }
            stored = self.store.checkpoint_below(self.record.log_id, size).await?;
        }
        Ok(None)
    }

    /// A stored checkpoint as it was published; `None` where it does not verify or the tiles do not lead to it.
    async fn republish(self, size: u64, note: String) -> Result<Option<Published>, Error> {
        let Ok(signed) = self.scheme.open_signed(&note, self.key) else { return Ok(None) };
        let root = match self.root(size).await {
            Ok(root) => root,
            Err(StoreError::Corrupt(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if signed.head.size != size || root != Some(signed.head.root) {
            return Ok(None);
        }
        let timestamp = match signed.timestamp {
            Some(timestamp) => timestamp,
            // It states no time; that of its newest entry is what it was dated with.
            None => self.timestamp_of_last_entry(size).await?,
        };
        let signature = signed.signature;
        Ok(Some(Published { tree: signed.head, timestamp, note, signature, edge: Trees::default() }))
    }

    async fn timestamp_of_last_entry(self, size: u64) -> Result<chancery_verify::Timestamp, Error> {
        let Some(index) = size.checked_sub(1) else { return Ok(self.record.created) };
        let entries = self.store.entries(self.record.log_id, index, 1).await?;
        Ok(entries.first().map_or(self.record.created, |entry| entry.timestamp))
    }

    /// Whether the stored tiles lead to this tree.
    pub(crate) async fn leads_to(self, tree: &TreeHead) -> Result<bool, StoreError> {
        match self.root(tree.size).await {
            Ok(root) => Ok(root == Some(tree.root)),
            Err(StoreError::Corrupt(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The root hash of the first `size` leaves, as the stored tiles give it; `None` where some are missing.
    async fn root(self, size: u64) -> Result<Option<Hash>, StoreError> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::root_hash(size, &mut plan);
        let tiles = tiles_of(self.store, self.record.log_id, &plan).await?;
        Ok(merkle::root_hash(size, &mut &tiles).ok())
    }
}

/// Verifies that the tree of `new` extends that of `old`, with what the store has of both.
pub(crate) async fn verify_extension(
    store: &dyn Store,
    log_id: i64,
    old: &TreeHead,
    new: &TreeHead,
) -> Result<Result<(), Corrupt>, StoreError> {
    let mut plan = Plan::default();
    let Ok(_) = merkle::consistency_proof(old.size, new.size, &mut plan);
    let tiles = tiles_of(store, log_id, &plan).await?;
    let Ok(proof) = merkle::consistency_proof(old.size, new.size, &mut &tiles) else {
        return Ok(Err(Corrupt::new("tiles below the head are stored")));
    };
    let extends = merkle::verify_consistency(old, new, &proof);
    Ok(extends.map_err(|rejection| Corrupt::refused("a committed head extends the one published before it", rejection)))
}

/// The stored tiles a plan needs.
pub(crate) async fn tiles_of(store: &dyn Store, log_id: i64, plan: &Plan) -> Result<Tiles, StoreError> {
    store.tiles(log_id, planned_tiles(plan).into_iter().collect()).await
}
