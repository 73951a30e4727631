//! The signers that may write to the logs of an instance, the readers that may read their entries, and those that may read the
//! state of the instance.

use super::token_readers::{ENTRIES, STATUS, Subject, TokenReaders};
use crate::issuers::ConfiguredIssuers;
use chancery_daemon::{clock::Clock, metrics::Metrics};
use chancery_log::{
    Access as LogAccess,
    admission::{OwnAuthority, Rule, WriteRules},
    reader::{Reader, Readers},
};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// What the configuration says, read and checked. By default everybody may do everything with entries, and nobody may read the
/// state of the instance.
#[derive(Default)]
pub(crate) struct AccessSettings {
    /// Rules for entries of the logs of signatures; if there are none, everybody may write.
    pub(crate) rules: Vec<Rule>,
    /// The issuers whose tokens may read.
    pub(crate) readers: Option<ConfiguredIssuers>,
    /// The issuers whose tokens may read the state of the instance.
    pub(crate) status: Option<ConfiguredIssuers>,
}

/// The same, as the parts of this process ask for it.
pub(super) struct Access {
    pub(super) log: LogAccess,
    /// Who may read the state of the instance; `None` if nobody may.
    pub(super) status: Option<Readers>,
    /// By what they read, as the metric calls it.
    readers: Vec<(&'static str, Arc<TokenReaders>)>,
    following: Vec<JoinHandle<()>>,
}

impl Access {
    /// Begins to follow the files of the readers' issuers. `own` is the authority that rules may mean.
    pub(super) fn start(settings: AccessSettings, own: OwnAuthority, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let AccessSettings { rules, readers, status } = settings;
        let rules = if rules.is_empty() { WriteRules::default() } else { WriteRules::new(rules, own) };
        let log = LogAccess { rules, readers: Readers::default() };
        let mut access = Self { log, status: None, readers: Vec::new(), following: Vec::new() };
        if let Some(issuers) = readers {
            access.log.readers = access.readers("read", ENTRIES, issuers, clock)?;
        }
        if let Some(issuers) = status {
            access.status = Some(access.readers("status", STATUS, issuers, clock)?);
        }
        Ok(access)
    }

    /// Those with a token of these issuers, and of those that the file names later.
    fn readers(
        &mut self,
        operation: &'static str,
        subject: Subject,
        issuers: ConfiguredIssuers,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Readers> {
        let readers = Arc::new(TokenReaders::new(subject, issuers.all().to_vec(), Arc::clone(clock))?);
        let follower = Arc::clone(&readers);
        self.following.extend(issuers.follow(None, move |issuers| follower.believe(issuers))?);
        let reader: Arc<dyn Reader> = readers.clone();
        self.readers.push((operation, readers));
        Ok(Readers::only(reader))
    }

    /// Registers how many requests were refused.
    pub(super) fn measure(&self, metrics: &Metrics) -> anyhow::Result<()> {
        let refused = metrics.counters(
            "chancery_log_refused_total",
            "Entries that no rule allows (operation write), and reads without an accepted token (read, status), by reason",
            &["operation", "reason"],
        )?;
        let (rules, readers) = (self.log.rules.clone(), self.readers.clone());
        metrics.before_scrape(move || {
            for (reason, count) in rules.refused() {
                refused.advance_to(&["write", reason], count);
            }
            for (operation, readers) in &readers {
                for (reason, count) in readers.refused() {
                    refused.advance_to(&[*operation, reason], count);
                }
            }
        });
        Ok(())
    }

    /// What follows the files of the readers' issuers.
    pub(super) fn into_background(self) -> Vec<JoinHandle<()>> {
        self.following
    }
}
