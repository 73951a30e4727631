//! Evidence: two signed notes that a log cannot both have signed honestly, in a file of its own. A reader who has the log's
//! key can verify it, without the monitor.

use crate::alarm::AlarmKind;
use crate::state::{self, StateError};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Two checkpoints of one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Evidence<'a> {
    /// What they prove.
    pub(crate) kind: AlarmKind,
    /// The log, as the monitor's configuration names it.
    pub(crate) log: &'a str,
    /// When it was found (RFC 3339).
    pub(crate) found_at: String,
    /// Who showed the other one: `log`, or a URL or file.
    pub(crate) shown_by: &'a str,
    /// The one that the monitor has followed.
    pub(crate) remembered: &'a str,
    /// The other one.
    pub(crate) shown: &'a str,
    /// The proof that the log gave, and that does not verify: hashes in hexadecimal. Empty where none is needed.
    pub(crate) proof: Vec<String>,
}

impl Evidence<'_> {
    /// Writes it into `directory`, named by the alarm's id. The same evidence replaces itself.
    pub(crate) async fn write(&self, directory: &Path, id: &str) -> Result<PathBuf, StateError> {
        let path = directory.join(format!("evidence-{id}.json"));
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other);
        let text = text.map_err(|source| StateError::File { path: path.clone(), source })?;
        state::write(&path, text).await?;
        Ok(path)
    }
}
