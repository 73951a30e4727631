//! Signed tree heads by themselves: which log of the trust root signed a checkpoint, and which tree it states.
//!
//! An auditor who keeps a checkpoint has no entry beside it. [`Verifier::verify_checkpoint`] opens checkpoints of every
//! kind of log. It proves nothing about the entries of the tree, nor that one tree extends another
//! ([`crate::merkle::verify_consistency`]).

use super::{Cosigner, Verifier};
use crate::checkpoint::{Checkpoint, Naming, Scheme, open_trusted};
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

impl Verifier {
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
            Some((log, opened)) => (log, Section::TransparencyLogs, opened),
            None => match self.certificate_head(checkpoint, &note) {
                Some((log, opened, time)) if time <= now => (log, Section::CertificateTransparencyLogs, opened),
                Some((_, _, time)) => {
                    let latest = format!("a time not after {}", now.rfc3339_millis());
                    return Err(refuse(Rejection::TimeFuture).expected(latest, time.rfc3339_millis()));
                }
                None => {
                    let unknown = refuse(Rejection::LogUnknown);
                    return Err(unknown.expected("a checkpoint by a log of the trust root", &note.text));
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

    /// The Rekor log of the trust root that signed a note under its own name, and the checkpoint.
    pub(super) fn rekor_head(&self, note: &Note) -> Option<(&TransparencyLog, Checkpoint)> {
        self.trusted.root.logs().iter().find_map(|log| {
            let (log, names) = self.trusted.log(log.log_id())?;
            let open = |naming| open_trusted(note, names, log.checkpoint_key_id(), log.key(), naming).ok();
            let opened = open(Naming::NameAndTree).or_else(|| open(Naming::Name))?;
            Some((log, opened))
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
