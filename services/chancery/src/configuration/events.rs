//! `[events]`: the receiver that is told of new entries.

use super::{Configuration, access::check_kinds};
use crate::instance::{EVENT_LOGS, EventSettings, Webhook};
use anyhow::{Context as _, ensure};
use chancery_search::events::{Announcing, MAX_BATCH};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// A receiver that is told of new entries in the Rekor logs, as soon as they are indexed. Needs `[search]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsTable {
    /// URL to which events are sent, as `CloudEvents` of the type `dev.sigstore.rekor.events.v1.NewEntry`. A new receiver is told of
    /// what is logged from then on, and another URL is another receiver.
    #[schemars(with = "String")]
    webhook: Url,
    /// File with a bearer token for the receiver. It is read again for every request.
    token_file: Option<PathBuf>,
    /// File with the certificates, in PEM, that are trusted for the receiver's server. Default: the system's authorities.
    ca_file: Option<PathBuf>,
    /// Logs, of `rekor` and `rekor2`, with all their shards. Default: both.
    #[serde(default)]
    logs: Vec<String>,
    /// Kinds of entries, such as `hashedrekord` or `dsse`. Default: all.
    #[serde(default)]
    kinds: Vec<String>,
    /// Most events of a request, up to 100. One is sent alone, and more are always sent as a list
    /// (`application/cloudevents-batch+json`). Default: 1.
    batch: Option<usize>,
}

impl EventsTable {
    /// The files that the table names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.token_file.iter_mut().chain(&mut self.ca_file)
    }

    fn check(&self) -> anyhow::Result<()> {
        Webhook::check(&self.webhook, self.token_file.is_some()).context("webhook")?;
        for log in &self.logs {
            ensure!(
                EVENT_LOGS.contains(&log.as_str()),
                "logs: there are no events of {log:?}; write {}",
                EVENT_LOGS.join(" or ")
            );
        }
        check_kinds(&self.kinds).context("kinds")?;
        ensure!(
            self.batch.is_none_or(|batch| (1..=MAX_BATCH).contains(&batch)),
            "batch is not a number from 1 to {MAX_BATCH}"
        );
        Ok(())
    }

    fn settings(&self) -> anyhow::Result<EventSettings> {
        let logs = if self.logs.is_empty() { EVENT_LOGS.map(str::to_owned).to_vec() } else { self.logs.clone() };
        Ok(EventSettings {
            receiver: Webhook::new(&self.webhook, self.token_file.clone(), self.ca_file.as_deref())?,
            logs,
            announcing: Announcing { kinds: self.kinds.clone(), batch: self.batch.unwrap_or(1) },
        })
    }
}

impl Configuration {
    /// Refuses a receiver that could never be told.
    pub(super) fn check_events(&self) -> anyhow::Result<()> {
        let Some(events) = &self.events else { return Ok(()) };
        events.check().context("[events]")?;
        ensure!(
            self.search.enabled,
            "[events] tells of entries that are indexed, and [search] enabled is false: remove that, or [events]"
        );
        Ok(())
    }

    /// Reads the files that `[events]` names.
    pub(crate) fn events(&self) -> anyhow::Result<Option<EventSettings>> {
        self.events.as_ref().map(EventsTable::settings).transpose().context("[events]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &str) -> Result<EventsTable, String> {
        let table: EventsTable = toml::from_str(settings).map_err(|error| error.to_string())?;
        table.check().map_err(|error| format!("{error:#}"))?;
        Ok(table)
    }

    #[test]
    fn a_receiver_that_can_be_told_is_taken_and_others_are_explained() {
        let smallest = read("webhook = \"https://hooks.example.org/rekor\"").unwrap().settings().unwrap();
        assert_eq!(smallest.logs, ["rekor", "rekor2"]);
        assert_eq!(smallest.announcing, Announcing { kinds: Vec::new(), batch: 1 });
        let all =
            "webhook = \"https://h.test\"\nlogs = [\"rekor2\"]\nkinds = [\"dsse\"]\nbatch = 100\ntoken_file = \"t\"";
        let all = read(all).unwrap().settings().unwrap();
        assert_eq!((all.logs, all.announcing.batch), (vec!["rekor2".to_owned()], 100));
        for (more, why) in [
            ("logs = [\"ct\"]", "no events of \"ct\"; write rekor or rekor2"),
            ("kinds = [\"DSSE\"]", "kinds: no entry is of the kind \"DSSE\""),
            ("batch = 0", "from 1 to 100"),
            ("batch = 101", "from 1 to 100"),
            ("retries = 3", "retries"),
        ] {
            let refusal = read(&format!("webhook = \"https://h.test\"\n{more}")).unwrap_err();
            assert!(refusal.contains(why), "{more}: {refusal}");
        }
        let refusal = read("webhook = \"http://h.test\"\ntoken_file = \"t\"").unwrap_err();
        assert!(refusal.contains("webhook: over http"), "{refusal}");
        assert!(read("logs = []").unwrap_err().contains("webhook"));
    }
}
