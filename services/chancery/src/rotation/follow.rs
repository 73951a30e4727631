//! A running server keeps up with `keys/ring.json`: it is looked at every second, and at once on SIGHUP.
//!
//! 1. Open the new generations, and see that each signs.
//! 2. Tell a new key to every party that must know it before it signs.
//! 3. Publish everything that counts: trust files, and the role's own answers.
//! 4. Have the active key sign.
//! 5. Record it in the audit log.
//! 6. Say how far this is.
//!
//! Then the TUF repository is asked, every second until it serves what was published: this may need another process, or signatures
//! of offline keys. A generation is published from that moment on.
//!
//! A failure is an obstacle to the generation it belongs to: it is logged once, told by `chancery keys list` and the metrics,
//! and tried again every ten seconds. Meanwhile the key that signs goes on signing. A role's
//! [`Subject`] says what the steps mean for it.

use super::{Progress, Published, Serving, credential::Credential, generations::Generations, status::Statuses};
use anyhow::Context as _;
use chancery_daemon::{clock::Clock, reload::Hangups, signer::Signer};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// How long a change may go unnoticed.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
/// Looks after which something that failed is tried again.
const RETRY_LOOKS: u32 = 10;

/// What a role does with its keys.
pub(crate) trait Subject: Send + 'static {
    /// What clients know its generations by.
    type Credential: Credential;

    /// Announces each generation to every party that must know it before it signs. Returns the generations that a party
    /// does not accept, and why.
    fn prepare(&mut self, keys: &Generations<Self::Credential>) -> impl Future<Output = BTreeMap<u64, String>> + Send;

    /// Publishes what counts. Nothing happens the second time.
    fn publish(&self, keys: &Generations<Self::Credential>) -> anyhow::Result<()>;

    /// Signs with this key from now on; what has begun ends as it began.
    fn sign_with(
        &mut self,
        credential: Arc<Self::Credential>,
        signer: Arc<Signer>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What the ring says; `None` where no key was ever rotated; or why it cannot be read.
type RingText = Result<Option<Vec<u8>>, String>;

/// What all rotations of a process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) statuses: Statuses,
    /// What clients are given.
    pub(crate) serving: Arc<dyn Serving>,
}

/// The rotation of a role in a running server.
pub(crate) struct Rotation<S: Subject> {
    keys: Generations<S::Credential>,
    subject: S,
    shared: Shared,
    /// The ring's text when it was last taken.
    taken: Option<RingText>,
    written: Option<Progress>,
    complaint: Option<String>,
}

impl<S: Subject> Rotation<S> {
    /// Keeps up until it is aborted, and says in the statuses how far it is.
    pub(crate) fn start(
        keys: Generations<S::Credential>,
        subject: S,
        shared: Shared,
    ) -> anyhow::Result<JoinHandle<()>> {
        shared.statuses.set(keys.role(), &keys.progress, false);
        Self { keys, subject, shared, taken: None, written: None, complaint: None }.follow()
    }

    fn follow(mut self) -> anyhow::Result<JoinHandle<()>> {
        let mut hangups = Hangups::catch().context("cannot wait for SIGHUP")?;
        Ok(tokio::spawn(async move {
            let mut looks = interval(PERIOD);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut count: u32 = 0;
            loop {
                let asked = tokio::select! {
                    () = hangups.received() => true,
                    _ = looks.tick() => false,
                };
                count = count.wrapping_add(1);
                self.look(asked || count.is_multiple_of(RETRY_LOOKS)).await;
            }
        }))
    }

    /// Does what there is to do; what failed before is tried again only if `again`, or if the ring is another one.
    async fn look(&mut self, again: bool) {
        let text = self.keys.files().ring_text().map_err(|error| format!("{error:#}"));
        let failed = self.complaint.is_some() || !self.keys.progress.obstacles.is_empty();
        let applied = if self.taken.as_ref() != Some(&text) || failed && again {
            self.taken = Some(text.clone());
            self.apply(text).await
        } else if self.complaint.is_none() && self.keys.awaits_publication() {
            self.look_at_served().await;
            self.tell()
        } else {
            return;
        };
        let complaint = applied.err().map(|error| format!("{error:#}"));
        let role = self.keys.role();
        if let Some(error) = complaint.as_ref().filter(|complaint| self.complaint.as_ref() != Some(complaint)) {
            tracing::error!(%role, error, "a rotation of a key is stuck; the old key still signs");
        }
        self.complaint = complaint;
        self.shared.statuses.set(role, &self.keys.progress, self.complaint.is_some());
    }

    async fn apply(&mut self, text: RingText) -> anyhow::Result<()> {
        let role = self.keys.role();
        text.map_err(anyhow::Error::msg)?;
        // Read again, because only what is newer than what was published can be compared with it.
        let ring = self.keys.files().ring(role)?;
        let before = self.keys.progress.obstacles.clone();
        // (1)
        self.keys.take(ring, self.shared.clock.now()).await;
        // (2)
        for (number, reason) in self.subject.prepare(&self.keys).await {
            self.keys.obstruct(number, reason);
        }
        // (3)
        self.subject.publish(&self.keys)?;
        self.keys.note_offered();
        // (4)
        if let Some((number, credential, signer)) = self.keys.next() {
            self.subject.sign_with(credential, signer).await?;
            self.keys.signs(number, self.shared.clock.now());
            tracing::info!(%role, generation = number, "a new generation of the key signs from now on");
        }
        let now = &self.keys.progress;
        for (number, reason) in now.obstacles.iter().filter(|(number, reason)| before.get(number) != Some(reason)) {
            tracing::error!(%role, generation = number, reason, "a generation of the key cannot be used");
        }
        self.tell()
    }

    /// Sees what clients are given by now.
    async fn look_at_served(&mut self) {
        let answer = self.shared.serving.served().await;
        let read = answer.and_then(|served| match Published::parse(&served.trusted_root) {
            Ok(published) => Ok((published, served.behind)),
            Err(refusal) => Err(format!("the trusted root that is served cannot be read: {refusal}")),
        });
        let read = read.as_ref().map(|(published, behind)| (published, behind.as_deref())).map_err(String::as_str);
        self.keys.note_published(read, self.shared.clock.now());
    }

    /// Says in the audit log and in the data directory how far this is.
    fn tell(&mut self) -> anyhow::Result<()> {
        // (5)
        self.record()?;
        // (6)
        let now = &self.keys.progress;
        if self.written.as_ref() != Some(now) {
            self.keys.write_progress()?;
            self.written = Some(now.clone());
        }
        Ok(())
    }

    /// Has the audit log say what became of each generation. What there is when it is looked at for the first time is no change.
    fn record(&mut self) -> anyhow::Result<()> {
        let is_first = self.keys.progress.recorded.is_empty();
        for generation in self.keys.unrecorded() {
            if !is_first {
                let Shared { statuses, clock, .. } = &self.shared;
                statuses.record(self.keys.role(), &generation, clock.now()).context("cannot write the audit log")?;
            }
            self.keys.progress.recorded.insert(generation.number, generation.state);
        }
        Ok(())
    }
}
