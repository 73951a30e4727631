//! Heads that clients may see: the published one, the sequencer's answers with it, how a head is signed, and how a newer one is
//! asked for.
//!
//! A committed head is the store's ([`CommittedHead`]); nothing here decides whether it may be signed. The
//! guard and the sequencer do.

mod follower;

pub(crate) use follower::{Follower, Reader, follower};

use crate::store::CommittedHead;
use crate::{Corrupt, Error};
use bytes::Bytes;
use chancery_daemon::samples::Samples;
use chancery_daemon::signer::Signer;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::{Edge, Trees};
use chancery_verify::{Hash, Timestamp};
use std::sync::Arc;

/// A tree head with its signed checkpoint: what clients may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Size and root hash.
    pub tree: TreeHead,
    /// The time it states.
    pub timestamp: Timestamp,
    /// The signed note.
    pub note: String,
    /// The key's signature over it, as the scheme defines it.
    pub signature: Vec<u8>,
    /// The tiles of the right edge, which every proof in this tree needs and no cache holds, because they still grow. Empty
    /// where they are to be read from the store.
    pub(crate) edge: Trees,
}

impl Published {
    /// Whether the two checkpoints have the same text, so that a cosignature of one is valid for the other. Two of one tree
    /// differ where the log was frozen in between.
    pub(crate) fn has_text_of(&self, other: &Self) -> bool {
        fn text(note: &str) -> &str {
            note.split_once("\n\n").map_or(note, |(text, _)| text)
        }
        text(&self.note) == text(&other.note)
    }
}

/// What the sequencer answers for one entry.
#[derive(Debug, Clone)]
pub(crate) enum Sequenced {
    /// It is in the tree.
    Integrated {
        index: u64,
        timestamp: Timestamp,
        leaf_hash: Hash,
        leaf: Bytes,
        published: Arc<Published>,
        /// The tiles of the batch and the right edge: every proof of the batch can be made from them.
        trees: Arc<Trees>,
    },
    /// An equal entry was there before.
    AlreadyLogged { index: u64 },
}

/// What signs the heads of one log.
#[derive(Clone, Copy)]
pub(crate) struct HeadSigner<'a> {
    pub(crate) scheme: &'a Scheme,
    pub(crate) signer: &'a Signer,
    /// Of the checkpoints.
    pub(crate) samples: &'a Samples,
    /// Since when the log has been frozen, if it is. The checkpoints of some logs say so.
    pub(crate) frozen: Option<Timestamp>,
}

impl HeadSigner<'_> {
    /// Signs a committed head, verifies the checkpoint that comes of it if it is one of the samples, and returns it for
    /// publication.
    pub(crate) async fn sign(self, head: &CommittedHead, edge: &Edge, now: Timestamp) -> Result<Published, Error> {
        let Self { scheme, signer, samples, frozen } = self;
        let frozen = frozen.and_then(|since| scheme.frozen_text(&head.tree, since));
        let signed = frozen.clone().map_or_else(|| scheme.signed_bytes(&head.tree, now), String::into_bytes);
        let unavailable = |_| Error::Unavailable { reason: "the log's key cannot sign" };
        let (key, signature) = (signer.public_key(), signer.sign(&signed).await.map_err(unavailable)?);
        let note = match frozen {
            Some(text) => scheme.frozen_note(text, key, &signature),
            None => scheme.note(&head.tree, now, key, &signature),
        };
        samples.check(now, || match scheme.open(&note, signer.public_key()) {
            Ok(stated) if stated == head.tree => Ok(()),
            Ok(_) => Err(Corrupt::new("a checkpoint states the head it was made for")),
            Err(rejection) => Err(Corrupt::refused("a checkpoint verifies", rejection)),
        })?;
        Ok(Published { tree: head.tree, timestamp: now, note, signature, edge: edge.trees() })
    }
}
