//! Checkpoints: a tree head as the text of a signed note (C2SP tlog-checkpoint).
//!
//! Three kinds of log sign them differently. Rekor v1: the origin is `host - tree id`, the key name is the bare host,
//! and the signature is over the text. Rekor v2: origin and key name are both the bare host, as in C2SP, and the
//! signature is over the text. Static CT: the key name is the origin, and the signature is RFC 6962's over the tree
//! head with its time.
//!
//! A Rekor v2 log that is frozen says so in an extension line of its checkpoint, as rekor-tiles' `freeze-checkpoint` does.

use crate::merkle::{self, TreeHead};
use crate::note::{self, KeyName, Note, NoteSignature};
use crate::{Hash, PublicKey, Rejection, Timestamp, sct};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;

/// Begins the extension line of the checkpoint of a frozen log. The date follows.
const FROZEN: &str = "Log frozen — ";

/// What a checkpoint that no known log signed should be.
pub(crate) const KNOWN_LOG: &str = "a checkpoint by a log of the trust root";

/// A checkpoint in a refusal, by its first line: the others are hashes and signatures.
pub(crate) fn by_origin(checkpoint: &str) -> String {
    format!("one of the log {}", checkpoint.lines().next().unwrap_or_default())
}

/// A tree head with its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The origin of the log: the first line.
    pub origin: String,
    /// Size and root hash.
    pub head: TreeHead,
}

impl Checkpoint {
    /// Parses the text of a note. Extension lines after the third are ignored: Rekor wrote one until 2025.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let mut lines = text.strip_suffix('\n').ok_or(Rejection::CheckpointMalformed)?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(Rejection::CheckpointMalformed);
        let (origin, size, root) = (line()?, line()?, line()?);
        let canonical = size == "0" || !size.starts_with('0');
        let size = size.parse().ok().filter(|_| canonical && size.bytes().all(|digit| digit.is_ascii_digit()));
        let root = STANDARD.decode(root).ok().and_then(|root| Hash::try_from(root).ok());
        let (Some(size), Some(root)) = (size, root) else { return Err(Rejection::CheckpointMalformed) };
        if size == 0 && root != merkle::empty_root() {
            return Err(Rejection::RootMismatch);
        }
        Ok(Self { origin: origin.to_owned(), head: TreeHead { size, root } })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.head.size, STANDARD.encode(self.head.root))
    }
}

/// The names and the form of signature of a log's checkpoints. A verifier must know them in addition to the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// Rekor v1.
    RekorV1 {
        /// Host name of the log, e.g. `rekor.example.com`.
        host: KeyName,
        /// The tree's number, positive.
        tree_id: i64,
    },
    /// Rekor v2.
    RekorV2 {
        /// Host name of the log. Clients expect the host of its URL.
        origin: KeyName,
    },
    /// Certificate transparency, static-ct-api.
    StaticCt {
        /// Submission prefix without scheme and trailing slash, e.g. `ct.example.com/2026`.
        origin: KeyName,
    },
}

impl Scheme {
    /// The scheme of a Rekor v1 log whose checkpoints begin with `origin`: its name, then ` - ` and the number of its tree.
    ///
    /// # Errors
    /// [`Rejection::CheckpointOrigin`] if there is no number, [`Rejection::NoteMalformed`] if the name cannot be one.
    pub fn rekor_v1(origin: &str) -> Result<Self, Rejection> {
        let (host, tree_id) = origin.rsplit_once(" - ").ok_or(Rejection::CheckpointOrigin)?;
        let tree_id = tree_id.parse::<i64>().map_err(|_| Rejection::CheckpointOrigin)?;
        Ok(Self::RekorV1 { host: KeyName::new(host)?, tree_id })
    }

    /// The first line of this log's checkpoints.
    #[must_use]
    pub fn origin(&self) -> String {
        match self {
            Self::RekorV1 { host, tree_id } => format!("{host} - {tree_id}"),
            Self::RekorV2 { origin } | Self::StaticCt { origin } => origin.to_string(),
        }
    }

    /// The name under which its key signs.
    const fn key_name(&self) -> &KeyName {
        match self {
            Self::RekorV1 { host: name, .. } | Self::RekorV2 { origin: name } | Self::StaticCt { origin: name } => name,
        }
    }

    /// The log's id in its entries, its timestamps and in trusted roots.
    #[must_use]
    pub fn log_id(&self, key: &PublicKey) -> Hash {
        match self {
            Self::RekorV1 { .. } | Self::StaticCt { .. } => key.fingerprint(),
            Self::RekorV2 { origin } => note::key_hash(origin, key),
        }
    }

    fn key_id(&self, key: &PublicKey) -> note::KeyId {
        match self {
            Self::RekorV1 { .. } => note::rekor_v1_key_id(key),
            Self::RekorV2 { origin } => note::rekor_v2_key_id(origin, key),
            Self::StaticCt { origin } => note::static_ct_key_id(origin, key),
        }
    }

    /// The bytes that the log's key signs for `head`. They include `now` only in CT.
    #[must_use]
    pub fn signed_bytes(&self, head: &TreeHead, now: Timestamp) -> Vec<u8> {
        match self {
            Self::RekorV1 { .. } | Self::RekorV2 { .. } => self.text(head).into_bytes(),
            Self::StaticCt { .. } => sct::tree_head_signed_bytes(now, head.size, &head.root),
        }
    }

    /// Makes the signed note from a signature over [`Self::signed_bytes`] of the same arguments.
    #[must_use]
    pub fn note(&self, head: &TreeHead, now: Timestamp, key: &PublicKey, signature: &[u8]) -> String {
        let bytes = match self {
            Self::RekorV1 { .. } | Self::RekorV2 { .. } => signature.to_vec(),
            Self::StaticCt { .. } => {
                [now.millis().to_be_bytes().as_slice(), &sct::encode_digitally_signed(signature)].concat()
            }
        };
        self.signed(self.text(head), bytes, key)
    }

    /// The text of the checkpoint of a log that has been frozen since `since`, for a log whose checkpoint says so: Rekor
    /// v2. Its key signs the bytes of the text.
    #[must_use]
    pub fn frozen_text(&self, head: &TreeHead, since: Timestamp) -> Option<String> {
        match self {
            Self::RekorV2 { .. } => Some(format!("{}{FROZEN}{}\n", self.text(head), since.unix_date())),
            Self::RekorV1 { .. } | Self::StaticCt { .. } => None,
        }
    }

    /// Makes the signed note from a signature over a text of [`Self::frozen_text`].
    #[must_use]
    pub fn frozen_note(&self, text: String, key: &PublicKey, signature: &[u8]) -> String {
        self.signed(text, signature.to_vec(), key)
    }

    fn text(&self, head: &TreeHead) -> String {
        Checkpoint { origin: self.origin(), head: *head }.to_string()
    }

    fn signed(&self, text: String, bytes: Vec<u8>, key: &PublicKey) -> String {
        let line = NoteSignature { name: self.key_name().clone(), key_id: self.key_id(key), bytes };
        Note { text, signatures: vec![line] }.to_string()
    }

    /// Parses a note, checks its signature by `key` and its origin, and returns the tree head.
    pub fn open(&self, note: &str, key: &PublicKey) -> Result<TreeHead, Rejection> {
        self.open_signed(note, key).map(|signed| signed.head)
    }

    /// As [`Self::open`], and returns the checked signature, too.
    pub fn open_signed(&self, note: &str, key: &PublicKey) -> Result<SignedHead, Rejection> {
        self.open_signed_as(&self.origin(), note, key)
    }

    /// As [`Self::open_signed`], for a log whose checkpoints have another first line.
    pub(crate) fn open_signed_as(&self, origin: &str, note: &str, key: &PublicKey) -> Result<SignedHead, Rejection> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        if checkpoint.origin != origin {
            return Err(Rejection::CheckpointOrigin);
        }
        let head = checkpoint.head;
        let mut signed = SignedHead { head, timestamp: None, signature: Vec::new() };
        note.verify(self.key_name(), self.key_id(key), |text, bytes| {
            match self {
                Self::RekorV1 { .. } | Self::RekorV2 { .. } => {
                    key.verify(text.as_bytes(), bytes)?;
                    signed.signature = bytes.to_vec();
                }
                Self::StaticCt { .. } => {
                    let (millis, encoded) = bytes.split_first_chunk::<8>().ok_or(Rejection::NoteSignature)?;
                    let time = Timestamp::from_millis(u64::from_be_bytes(*millis));
                    let signature = sct::decode_digitally_signed(encoded)?;
                    key.verify(&self.signed_bytes(&head, time), &signature)?;
                    (signed.timestamp, signed.signature) = (Some(time), signature);
                }
            }
            Ok(())
        })?;
        Ok(signed)
    }
}

/// The relation between a log's name and the first line of its checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The name, a space, a hyphen, a space and the tree's number: Rekor v1. Trust roots do not have the number.
    NameAndTree,
    /// The name: Rekor v2.
    Name,
}

impl Naming {
    fn allows(self, name: &KeyName, origin: &str) -> bool {
        let rest = origin.strip_prefix(name.as_str());
        match self {
            Self::Name => rest == Some(""),
            Self::NameAndTree => rest.and_then(|rest| rest.strip_prefix(" - ")).is_some_and(|tree| {
                // A positive `i64` without sign or leading zeros.
                !tree.starts_with('0')
                    && tree.bytes().all(|digit| digit.is_ascii_digit())
                    && tree.parse::<i64>().is_ok()
            }),
        }
    }
}

/// Checks that a log of a trust root signed `note`, under one of `names`, with the key `key_id`, and that the
/// checkpoint is of this log. Other signature lines are ignored.
///
/// # Errors
/// [`Rejection::CheckpointMalformed`], [`Rejection::NoteUnsigned`], [`Rejection::NoteSignature`] or
/// [`Rejection::CheckpointOrigin`].
pub fn open_trusted(
    note: &Note,
    names: &[KeyName],
    key_id: note::KeyId,
    key: &PublicKey,
    naming: Naming,
) -> Result<Checkpoint, Rejection> {
    let checkpoint = Checkpoint::parse(&note.text)?;
    let signs = |name: &&KeyName| note.signatures.iter().any(|line| line.key_id == key_id && line.name == **name);
    let name = names.iter().find(signs).ok_or(Rejection::NoteUnsigned)?;
    note.verify(name, key_id, |text, bytes| key.verify(text.as_bytes(), bytes))?;
    if naming.allows(name, &checkpoint.origin) { Ok(checkpoint) } else { Err(Rejection::CheckpointOrigin) }
}

/// A tree head that a log's key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// Size and root hash.
    pub head: TreeHead,
    /// The signed time. Only in CT.
    pub timestamp: Option<Timestamp>,
    /// The key's signature over [`Scheme::signed_bytes`].
    pub signature: Vec<u8>,
}
