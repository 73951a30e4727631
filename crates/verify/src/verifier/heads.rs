//! Signed tree heads by themselves: which log of the trust root signed a checkpoint, and which tree it states.
//!
//! An auditor who keeps a checkpoint has no entry beside it. [`Verifier::verify_checkpoint`] opens checkpoints of every
//! kind of log. It proves nothing about the entries of the tree, nor that one tree extends another
//! ([`crate::merkle::verify_consistency`]).

use super::{Cosigner, Verifier};
use crate::checkpoint::{Checkpoint, KNOWN_LOG, Naming, Scheme, by_origin, open_trusted};
use crate::note::{KeyName, Note};
use crate::trust_root::{Section, TransparencyLog};
use crate::{Hash, Refusal, Rejection, Step, Timestamp};
use serde::Serialize;

/// A tree head that a log of the trust root signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifiedHead {
    /// The log's URL in the trust root; may be empty for a certificate transparency log.
    pub url: String,
    /// The log's operator.
    pub operator: String,
    /// The log's id.
    #[serde(serialize_with = "super::verified::hexadecimal")]
    pub log_id: Hash,
    /// The section of the trust root that has the log: the kind of its entries.
    #[serde(serialize_with = "section")]
    pub section: Section,
    /// The first line of the checkpoint.
    pub origin: String,
    /// Leaves of the tree.
    pub tree_size: u64,
    /// Root hash of the tree.
    #[serde(serialize_with = "super::verified::hexadecimal")]
    pub root_hash: Hash,
    /// Witnesses of the caller's policy that have cosigned the checkpoint, with the time of each.
    pub cosigners: Vec<Cosigner>,
}

/// A checkpoint that a log of signatures has signed, opened once for many entries of its tree ([`Verifier::open_head`]). It is worth
/// something to the verifier that opened it alone: any other verifies the signature itself.
#[derive(Debug, Clone)]
pub struct OpenedHead<'v> {
    /// The log, in the trust root of the verifier.
    log: &'v TransparencyLog,
    /// How its entries' proofs have it signed.
    naming: Naming,
    /// The signed note.
    text: String,
    note: Note,
    checkpoint: Checkpoint,
}

impl<'v> OpenedHead<'v> {
    /// The log that signed it.
    #[must_use]
    pub const fn log(&self) -> &'v TransparencyLog {
        self.log
    }

    /// Whether it is this note.
    pub(super) fn is(&self, checkpoint: &str) -> bool {
        self.text == checkpoint
    }

    /// The note and the checkpoint in it, if it is `checkpoint` as `log` signs it. The log is compared as the place in a trust root
    /// that it has, so that a head of another trust root is none.
    pub(super) fn of(&self, checkpoint: &str, log: &TransparencyLog, naming: Naming) -> Option<(&Note, &Checkpoint)> {
        let is_it = std::ptr::eq(self.log, log) && self.naming == naming && self.is(checkpoint);
        is_it.then_some((&self.note, &self.checkpoint))
    }
}

impl Verifier {
    /// Opens a checkpoint for many entries of its tree: its signature is verified here. `None` if no log of signatures of the trust
    /// root signed it under its own name.
    #[must_use]
    pub fn open_head(&self, checkpoint: &str) -> Option<OpenedHead<'_>> {
        let note = Note::parse(checkpoint).ok()?;
        let (log, naming, opened) = self.rekor_head(&note)?;
        Some(OpenedHead { log, naming, text: checkpoint.to_owned(), note, checkpoint: opened })
    }

    /// Checks that a log of the trust root signed `checkpoint`: a Rekor log under its own name, or a certificate
    /// transparency log (static-ct-api). Its signature does not cover the origin, so the key alone decides. The
    /// witnesses of [`Thresholds::witnesses`](super::Thresholds::witnesses) must have cosigned it.
    ///
    /// # Errors
    /// [`Rejection::LogUnknown`], [`Rejection::TimeFuture`], [`Rejection::CosignaturesTooFew`], or the fault of the
    /// note.
    pub fn verify_checkpoint(&self, checkpoint: &str, now: Timestamp) -> Result<VerifiedHead, Refusal> {
        let refuse = |rejection| Refusal::new(rejection, Step::LogEntry).at("checkpoint");
        let note = Note::parse(checkpoint).map_err(refuse)?;
        let (log, section, opened) = match self.rekor_head(&note) {
            Some((log, _, opened)) => (log, Section::TransparencyLogs, opened),
            None => match self.certificate_head(checkpoint, &note) {
                Some((log, opened, time)) if time <= now => (log, Section::CertificateTransparencyLogs, opened),
                Some((_, _, time)) => {
                    let latest = format!("a time not after {}", now.rfc3339_millis());
                    return Err(refuse(Rejection::TimeFuture).expected(latest, time.rfc3339_millis()));
                }
                None => {
                    let unknown = refuse(Rejection::LogUnknown);
                    return Err(unknown.expected(KNOWN_LOG, by_origin(&note.text)));
                }
            },
        };
        let policy = self.options().thresholds.witnesses.as_ref();
        policy.map_or(Ok(()), |policy| policy.verify(&note)).map_err(refuse)?;
        let cosigners = policy.map(|policy| policy.cosigners(&note)).unwrap_or_default().into_iter();
        Ok(VerifiedHead {
            url: log.url().to_owned(),
            operator: log.operator().to_owned(),
            log_id: *log.log_id(),
            section,
            origin: opened.origin,
            tree_size: opened.head.size,
            root_hash: opened.head.root,
            cosigners: cosigners.map(|(name, time)| Cosigner { name: name.to_string(), time }).collect(),
        })
    }

    /// The Rekor log of the trust root that signed a note under its own name, how it is named there, and the checkpoint.
    pub(super) fn rekor_head(&self, note: &Note) -> Option<(&TransparencyLog, Naming, Checkpoint)> {
        self.trusted.root.logs().iter().find_map(|log| {
            let (log, names) = self.trusted.log(log.log_id())?;
            let open = |naming| open_trusted(note, names, log.checkpoint_key_id(), log.key(), naming).ok();
            let opened = |naming| open(naming).map(|opened| (log, naming, opened));
            opened(Naming::NameAndTree).or_else(|| opened(Naming::Name))
        })
    }

    /// The certificate transparency log of the trust root that signed a note, the checkpoint, and its time.
    fn certificate_head(&self, text: &str, note: &Note) -> Option<(&TransparencyLog, Checkpoint, Timestamp)> {
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        let scheme = Scheme::StaticCt { origin: KeyName::new(&checkpoint.origin).ok()? };
        let open = |log: &TransparencyLog| scheme.open_signed(text, log.key()).ok()?.timestamp;
        let mut logs = self.trusted.root.ct_logs().iter();
        let (log, time) = logs.find_map(|log| Some((log, open(log)?)))?;
        Some((log, checkpoint, time))
    }
}

/// Serializes a section as its name in the trust root.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn section<S: serde::Serializer>(section: &Section, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(section.name())
}
