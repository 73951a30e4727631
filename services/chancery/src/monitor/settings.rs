//! Reads the files that a monitor's configuration names, and makes the monitor's settings of it.

use super::configuration::{AuthoritiesTable, MonitorConfiguration, WebhookTable};
use anyhow::{Context as _, bail};
use chancery_monitor::{
    Authorities, HttpClient, Output, Outputs, Peer, ProcessLog, Settings, Statuses, Watch, WatchTable, Watches,
    Webhook, is_named,
};
use chancery_verify::{certificate::Certificate, trust_root::TrustRoot};
use std::{
    collections::BTreeSet,
    fs,
    path::{self, Path},
    sync::Arc,
};

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
        let is_log = |watched: &str| logs.iter().any(|log| is_named(watched, log));
        let watches = self.watches(&authorities, is_log, || listed(logs))?;
        Ok(Settings {
            directory: self.data.clone(),
            watches: Arc::new(Watches::new(watches, authorities)),
            outputs: Outputs::new(self.outputs(first)?),
            peers: self.peers(peers)?,
            client: HttpClient::new(None, HttpClient::DEADLINE)?,
            statuses,
        })
    }

    /// Checks what the file of a server says, before there are logs: `is_log` knows the names that they may have. Certificates of
    /// authorities that the server keeps in `data` may be yet to be made.
    pub(crate) fn check_in(&self, data: &Path, is_log: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let is_unmade = self.authorities.is_unmade(data).context("[authorities]")?;
        let authorities = if is_unmade { Ok(Authorities::unread()) } else { self.authorities.read() };
        self.watches(&authorities.context("[authorities]")?, is_log, || "those of the server".to_owned())?;
        self.outputs(Arc::new(ProcessLog))?;
        self.peers(&[])?;
        Ok(())
    }

    /// The watches, each about logs that there are. `logs` names these for who named another.
    fn watches(
        &self,
        authorities: &Authorities,
        is_log: impl Fn(&str) -> bool,
        logs: impl Fn() -> String,
    ) -> anyhow::Result<Vec<Watch>> {
        let watch = |table: &WatchTable| {
            let place = || format!("[[watch]] {}", table.name);
            let watch = Watch::new(table.clone(), authorities).with_context(place)?;
            if let Some(unknown) = watch.logs().iter().find(|watched| !is_log(watched)) {
                bail!("{}: logs: {unknown:?} is not the name of a log; these are: {}", place(), logs());
            }
            Ok(watch)
        };
        self.watches.iter().map(watch).collect()
    }

    fn outputs(&self, first: Arc<dyn Output>) -> anyhow::Result<Vec<Arc<dyn Output>>> {
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
        Ok(outputs)
    }

    fn peers(&self, more: &[String]) -> anyhow::Result<Vec<Peer>> {
        let peers = self.gossip.iter().chain(more).map(|peer| Peer::parse(peer, Path::new("")));
        peers.collect::<Result<_, _>>().map_err(anyhow::Error::msg).context("gossip")
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl AuthoritiesTable {
    /// Whether one of the files is not there, and is one that a server will make in `data`.
    fn is_unmade(&self, data: &Path) -> anyhow::Result<bool> {
        let data = path::absolute(data)?;
        for file in self.certificates.iter().chain(&self.trusted_root) {
            if path::absolute(file)?.starts_with(&data) && !fs::exists(file)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

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
