//! The configuration of the search index.

use crate::instance::SearchArguments;
use schemars::JsonSchema;
use serde::Deserialize;

/// The search index of the logs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SearchTable {
    /// Whether the server indexes the logs, in their database, and answers searches. Entries that were logged while it did not
    /// are indexed when it does.
    pub(crate) enabled: bool,
}

impl Default for SearchTable {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl SearchTable {
    /// The same as options of `chancery dev`.
    pub(crate) const fn arguments(&self) -> SearchArguments {
        SearchArguments { disabled: !self.enabled }
    }
}
