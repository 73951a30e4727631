//! The signers that may write to the logs of an instance, and the readers that may read their entries.

use super::token_readers::TokenReaders;
use crate::issuers::ConfiguredIssuers;
use chancery_daemon::{clock::Clock, metrics::Metrics};
use chancery_log::{
    Access as LogAccess,
    admission::{OwnAuthority, Rule, WriteRules},
    reader::{Reader, Readers},
};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// What the configuration says, read and checked. By default everybody may do everything.
#[derive(Default)]
pub(crate) struct AccessSettings {
    /// Rules for entries of the logs of signatures; if there are none, everybody may write.
    pub(crate) rules: Vec<Rule>,
    /// The issuers whose tokens may read.
    pub(crate) readers: Option<ConfiguredIssuers>,
}

/// The same, as the logs of this process ask for it.
pub(super) struct Access {
    pub(super) log: LogAccess,
    readers: Option<Arc<TokenReaders>>,
    following: Option<JoinHandle<()>>,
}

impl Access {
    /// Begins to follow the file of the readers' issuers. `own` is the authority that rules may mean.
    pub(super) fn start(settings: AccessSettings, own: OwnAuthority, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let AccessSettings { rules, readers: issuers } = settings;
        let rules = if rules.is_empty() { WriteRules::default() } else { WriteRules::new(rules, own) };
        let Some(issuers) = issuers else {
            return Ok(Self { log: LogAccess { rules, readers: Readers::default() }, readers: None, following: None });
        };
        let readers = Arc::new(TokenReaders::new(issuers.all().to_vec(), clock)?);
        let follower = Arc::clone(&readers);
        let following = issuers.follow(None, move |issuers| follower.believe(issuers))?;
        let reader: Arc<dyn Reader> = readers.clone();
        Ok(Self { log: LogAccess { rules, readers: Readers::only(reader) }, readers: Some(readers), following })
    }

    /// Registers how many requests were refused.
    pub(super) fn measure(&self, metrics: &Metrics) -> anyhow::Result<()> {
        let refused = metrics.counters(
            "chancery_log_refused_total",
            "Entries that no rule allows (operation write), and reads without an accepted token (read), by reason",
            &["operation", "reason"],
        )?;
        let (rules, readers) = (self.log.rules.clone(), self.readers.clone());
        metrics.before_scrape(move || {
            for (reason, count) in rules.refused() {
                refused.advance_to(&["write", reason], count);
            }
            for (reason, count) in readers.iter().flat_map(|readers| readers.refused()) {
                refused.advance_to(&["read", reason], count);
            }
        });
        Ok(())
    }

    /// What follows the file of the readers' issuers.
    pub(super) fn into_background(self) -> Option<JoinHandle<()>> {
        self.following
    }
}
