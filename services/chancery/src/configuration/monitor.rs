//! The configuration of a server that monitors its own logs.

use crate::monitor::MonitorConfiguration;
use anyhow::{Context as _, ensure};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc};

/// The monitor of the server's own logs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MonitorTable {
    /// File with watches and webhooks, in the form of `deploy/monitor.toml`, without logs and addresses: the server watches its own
    /// logs, and alarms go to its log, to webhooks and to metrics. Default: none.
    pub(super) config: Option<PathBuf>,
}

impl MonitorTable {
    /// Reads the file.
    pub(crate) fn read(&self) -> anyhow::Result<Option<Arc<MonitorConfiguration>>> {
        let Some(path) = &self.config else { return Ok(None) };
        let configuration = MonitorConfiguration::load(path).context("[monitor] config")?;
        let is_plain = configuration.logs.is_empty() && configuration.listen.is_none();
        ensure!(
            is_plain,
            "[monitor] config: {} has [[log]] or [listen], and a server monitors its own logs alone; run chancery monitor for \
             others",
            path.display()
        );
        Ok(Some(Arc::new(configuration)))
    }
}
