//! The configuration of a server that monitors its own logs.

use crate::monitor::MonitorConfiguration;
use anyhow::{Context as _, ensure};
use chancery_log::{ct, rekor_v1, rekor_v2, series};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The monitor of the server's own logs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MonitorTable {
    /// File with watches and webhooks, in the form of `deploy/monitor.toml`, without logs and addresses: the server watches its own
    /// logs, and alarms go to its log, to webhooks and to metrics. Default: none.
    pub(super) config: Option<PathBuf>,
}

impl MonitorTable {
    /// Reads the file, and checks its watches and webhooks, of a server that keeps its own files in `data`.
    pub(crate) fn read(&self, data: &Path) -> anyhow::Result<Option<Arc<MonitorConfiguration>>> {
        let Some(path) = &self.config else { return Ok(None) };
        let configuration = MonitorConfiguration::load(path).context("[monitor] config")?;
        let is_plain = configuration.logs.is_empty() && configuration.listen.is_none();
        ensure!(
            is_plain,
            "[monitor] config: {} has [[log]] or [listen], and a server monitors its own logs alone; run chancery monitor for \
             others",
            path.display()
        );
        // Later shards are logs of the same series.
        let is_log = |name: &str| [rekor_v1::NAME, rekor_v2::NAME, ct::NAME].contains(&series::split(name).0);
        let checked = configuration.check_in(data, is_log);
        checked.with_context(|| format!("[monitor] config: {}", path.display()))?;
        Ok(Some(Arc::new(configuration)))
    }
}
