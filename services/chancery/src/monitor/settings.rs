//! Reads the files that a monitor's configuration names, and makes the monitor's settings of it.

use super::configuration::{AuthoritiesTable, MonitorConfiguration, WebhookTable};
use anyhow::{Context as _, bail};
use chancery_monitor::{
    Authorities, HttpClient, Output, Outputs, Peer, Settings, Statuses, Watch, Watches, Webhook, is_named,
};
use chancery_verify::{certificate::Certificate, trust_root::TrustRoot};
use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

impl MonitorConfiguration {
    /// The settings of a monitor that tells `first` before webhooks, and asks `peers`, too. `logs` are the names of what it follows.
    pub(crate) fn settings(
        &self,
        first: Arc<dyn Output>,
        peers: &[String],
        logs: &BTreeSet<String>,
        statuses: Statuses,
    ) -> anyhow::Result<Settings> {
        let authorities = self.authorities.read().context("[authorities]")?;
        let mut watches = Vec::new();
        for table in self.watches.clone() {
            let place = format!("[[watch]] {}", table.name);
            let watch = Watch::new(table, &authorities).with_context(|| place.clone())?;
            if let Some(unknown) = watch.logs().iter().find(|watched| !logs.iter().any(|log| is_named(watched, log))) {
                bail!("{place}: logs: {unknown:?} is not the name of a log; these are: {}", listed(logs));
            }
            watches.push(watch);
        }
        let mut outputs = vec![first];
        for webhook in &self.webhooks {
            let made = webhook.open().with_context(|| format!("[[webhook]] {}", webhook.name))?;
            if outputs.iter().any(|output| output.name() == made.name()) {
                bail!(
                    "[[webhook]] {}: two webhooks have this name; give each its own, because the monitor remembers by the \
                     name which alarms were delivered",
                    webhook.name
                );
            }
            outputs.push(Arc::new(made));
        }
        let peers = self.gossip.iter().chain(peers).map(|peer| Peer::parse(peer, Path::new("")));
        Ok(Settings {
            directory: self.data.clone(),
            watches: Arc::new(Watches::new(watches, authorities)),
            outputs: Outputs::new(outputs),
            peers: peers.collect::<Result<_, _>>().map_err(anyhow::Error::msg).context("gossip")?,
            client: HttpClient::new(None, HttpClient::DEADLINE)?,
            statuses,
        })
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl AuthoritiesTable {
    fn read(&self) -> anyhow::Result<Authorities> {
        let mut certificates = Vec::new();
        for path in &self.certificates {
            let read = || -> anyhow::Result<_> { Ok(Certificate::chain_from_pem(&fs::read(path)?)?) };
            certificates.extend(read().with_context(|| format!("certificates: {}", path.display()))?);
        }
        if let Some(path) = &self.trusted_root {
            let read = || -> anyhow::Result<_> { Ok(TrustRoot::parse(&fs::read(path)?)?) };
            let root = read().with_context(|| format!("trusted_root: {}", path.display()))?;
            for authority in root.certificate_authorities() {
                certificates.extend_from_slice(authority.chain());
            }
        }
        Ok(Authorities::new(certificates))
    }
}

impl WebhookTable {
    fn open(&self) -> anyhow::Result<Webhook> {
        let client = HttpClient::new(self.ca_file.as_deref(), HttpClient::DEADLINE).context("ca_file")?;
        let webhook = Webhook::new(&self.name, self.url.clone(), self.format, self.token_file.clone(), client);
        webhook.with_context(|| format!("url: {} is no http(s) URL with a host", self.url.scheme()))
    }
}
