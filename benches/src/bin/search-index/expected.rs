//! What must be found, from what the logs hold.

use crate::entry::{Entries, time_ms};
use crate::identity::Identity;
use crate::log::SyntheticLog;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::cmp::Reverse;
use std::sync::Arc;

/// Entries of each log that are looked at to know what must be found. What would be further back is not compared.
const LOOKED_AT: u64 = 20_000;

/// Where an entry is: log and index.
pub(crate) type Place = (String, u64);

/// What entries are asked for.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    /// Their identity is this.
    Identity(String),
    /// They are of someone of a company, by its domain.
    Company(u64),
    /// They are of a build of an organisation, by what its repositories begin with.
    Organisation(u64),
    /// They are of a build of this repository, and of a token of the builds' issuer.
    Repository(String),
}

impl Filter {
    /// The parameters of a search.
    pub(crate) fn parameters(&self) -> String {
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        match self {
            Self::Identity(name) => parameters.append_pair("identity", name),
            Self::Company(number) => parameters.append_pair("domain", &Identity::company(*number)),
            Self::Organisation(number) => parameters.append_pair("repository-prefix", &Identity::organisation(*number)),
            Self::Repository(url) => parameters
                .append_pair("repository", url)
                .append_pair("issuer", "https://token.actions.githubusercontent.com"),
        };
        parameters.finish()
    }

    fn holds(&self, identity: &Identity) -> bool {
        match self {
            Self::Identity(name) => identity.name() == *name,
            Self::Company(number) => identity.is_of_company(*number),
            Self::Organisation(number) => identity.is_of_organisation(*number),
            Self::Repository(url) => identity.repository().as_ref() == Some(url),
        }
    }

    fn is_met(&self, entries: &Entries, index: u64) -> bool {
        entries.identity(index).is_some_and(|identity| self.holds(&identity))
    }

    /// Demands that a page of the newest entries has what it must have, and nothing else.
    pub(crate) fn verify(&self, logs: &[Arc<SyntheticLog>], limit: usize, page: &Value) -> anyhow::Result<()> {
        let found = places(&page["entries"])?;
        for (log_name, index) in &found {
            let log = logs.iter().find(|log| log.entries.kind.name() == log_name).context("a known log")?;
            ensure!(self.is_met(&log.entries, *index), "{index} of {log_name} is no answer to {self:?}");
        }
        let mut expected: Vec<(u64, i64, &str, u64)> = Vec::new();
        let mut is_known = true;
        for log in logs {
            let Entries { kind, size, .. } = log.entries;
            let looked_at = size.saturating_sub(LOOKED_AT)..size;
            let met = looked_at.clone().rev().filter(|index| self.is_met(&log.entries, *index)).take(limit);
            let newest: Vec<_> = met.map(|index| (time_ms(index), kind.log_id(), kind.name(), index)).collect();
            is_known &= newest.len() == limit || looked_at.start == 0;
            expected.extend(newest);
        }
        expected.sort_by_key(|(time, log_id, ..)| Reverse((*time, *log_id)));
        let expected: Vec<_> =
            expected.into_iter().take(limit).map(|(_, _, name, index)| (name.to_owned(), index)).collect();
        ensure!(!is_known || found == expected, "{self:?}: {found:?} instead of {expected:?}");
        Ok(())
    }
}

/// Where the entries of an answer are.
pub(crate) fn places(entries: &Value) -> anyhow::Result<Vec<Place>> {
    let place = |entry: &Value| Some((entry["log"].as_str()?.to_owned(), entry["index"].as_u64()?));
    entries.as_array().context("entries are a list")?.iter().map(|entry| place(entry).context("an entry")).collect()
}
