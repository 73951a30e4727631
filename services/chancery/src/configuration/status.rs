//! `[status]`: who may read the state of the instance over HTTP.

use super::access::ReadTable;
use crate::issuers::ConfiguredIssuers;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// The state of the instance over HTTP.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StatusTable {
    /// The readers that may read `/api/status`. Default: nobody.
    read: Option<ReadTable>,
}

impl StatusTable {
    /// The files that it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.read.iter_mut().map(ReadTable::file)
    }

    /// Reads them.
    pub(super) fn readers(&self) -> anyhow::Result<Option<ConfiguredIssuers>> {
        self.read.as_ref().map(|read| read.read("status.read")).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn nobody_reads_the_state_unless_issuers_are_named() {
        assert!(StatusTable::default().readers().unwrap().is_none());
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("operators.toml"), "[[issuer]]\npreset = \"google\"\n").unwrap();
        let mut table: StatusTable = toml::from_str("read = { issuers = \"operators.toml\" }").unwrap();
        for file in table.files() {
            *file = directory.path().join(&*file);
        }
        assert_eq!(table.readers().unwrap().unwrap().all().len(), 1);
        fs::remove_file(directory.path().join("operators.toml")).unwrap();
        let refused = format!("{:#}", table.readers().err().unwrap());
        assert!(refused.starts_with("[status.read] issuers"), "{refused}");
    }
}
