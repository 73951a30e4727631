//! Where an instance is reached: the URL of each role, and the names its logs have because of it.

use crate::role::Role;
use anyhow::{Context as _, ensure};
use chancery_trust::{BaseUrl, log_name};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// URLs and names. The names must stay the same for one data directory.
#[derive(Clone)]
pub(crate) struct Addresses {
    /// Names the logs, without port.
    pub(super) host: String,
    /// Where the first certificate log is below the base URL; part of its name.
    ct_path: &'static str,
    /// That of the instance.
    base: BaseUrl,
    /// Without trailing slash.
    urls: BTreeMap<Role, BaseUrl>,
    /// That of the first Rekor v2 log, where it has a host of its own.
    rekor2: Option<BaseUrl>,
    /// A file with the certificates of the logs' server, for the processes of other roles. `None`: the system's authorities.
    log_authorities: Option<PathBuf>,
    /// The same for the server of the TUF repository.
    trust_authorities: Option<PathBuf>,
    /// Where the processes of other roles reach the TUF repository, if not at its URL.
    trust_inside: Option<BaseUrl>,
}

impl Addresses {
    /// Every role on the one address of a development server.
    pub(crate) fn loopback(listening: SocketAddr) -> anyhow::Result<Self> {
        let url = BaseUrl::parse(&format!("http://{listening}"))?;
        let urls = Role::ALL.into_iter().map(|role| (role, url.clone())).collect();
        Ok(Self {
            host: listening.ip().to_string(),
            ct_path: "/ct/dev",
            base: url,
            urls,
            rekor2: None,
            log_authorities: None,
            trust_authorities: None,
            trust_inside: None,
        })
    }

    /// As a configuration says. The logs are named after the host of their URL; `rekor2` is that of the Rekor v2 log, where it has
    /// one of its own.
    pub(crate) fn configured(
        base: BaseUrl,
        urls: BTreeMap<Role, BaseUrl>,
        rekor2: Option<BaseUrl>,
    ) -> anyhow::Result<Self> {
        let logs = urls.get(&Role::Log).context("the logs have no URL")?;
        let host = log_name(logs).context("url of log")?.to_string();
        if let Some(url) = &rekor2 {
            let name = log_name(url).context("[log] rekor2_url")?.to_string();
            ensure!(
                name != host,
                "[log] rekor2_url: {name} is the name of the Rekor v1 log, from which the Rekor v2 log is to be told apart; choose \
                 another host name, or remove rekor2_url"
            );
        }
        let (log_authorities, trust_authorities, trust_inside) = (None, None, None);
        Ok(Self { host, ct_path: "/ct/main", base, urls, rekor2, log_authorities, trust_authorities, trust_inside })
    }

    /// The same, with a file with the certificates that are trusted for the logs' server.
    pub(crate) fn trusting(self, log_authorities: Option<PathBuf>) -> Self {
        Self { log_authorities, ..self }
    }

    /// The same, with where the processes of other roles reach the TUF repository, if not at its URL, and a file with the
    /// certificates that are trusted for its server.
    pub(crate) fn with_trust_inside(self, url: Option<BaseUrl>, authorities: Option<PathBuf>) -> Self {
        Self { trust_inside: url, trust_authorities: authorities, ..self }
    }

    /// Where the processes of other roles reach the TUF repository, and the file with the certificates that are trusted for its
    /// server, if it is not the system's authorities.
    pub(super) fn trust_inside(&self) -> anyhow::Result<(&BaseUrl, Option<&Path>)> {
        let url = self.trust_inside.as_ref().map_or_else(|| self.url(Role::Trust), Ok)?;
        Ok((url, self.trust_authorities.as_deref()))
    }

    /// The URL of the instance.
    pub(crate) const fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Where clients reach a role.
    pub(crate) fn url(&self, role: Role) -> anyhow::Result<&BaseUrl> {
        self.urls.get(&role).with_context(|| format!("{role} has no URL"))
    }

    /// The file with the certificates that are trusted for the logs' server, if it is not the system's authorities.
    pub(super) fn log_authorities(&self) -> Option<&Path> {
        self.log_authorities.as_deref()
    }

    /// The URL of the first Rekor v2 log, where it has a host of its own.
    pub(crate) const fn own_rekor2(&self) -> Option<&BaseUrl> {
        self.rekor2.as_ref()
    }

    /// Where clients reach the first Rekor v2 log.
    pub(super) fn rekor2_url(&self) -> anyhow::Result<&BaseUrl> {
        self.rekor2.as_ref().map_or_else(|| self.url(Role::Log), Ok)
    }

    /// Its name: the host of that URL.
    pub(super) fn rekor2_host(&self) -> anyhow::Result<String> {
        match &self.rekor2 {
            Some(url) => Ok(log_name(url)?.to_string()),
            None => Ok(self.host.clone()),
        }
    }

    /// Where clients post requests for timestamps, whichever process answers them.
    pub(super) fn timestamp_url(&self) -> anyhow::Result<BaseUrl> {
        Ok(BaseUrl::parse(&format!("{}{}", self.url(Role::Tsa)?.as_str(), chancery_tsa::http::PATH))?)
    }

    /// Where the certificate log of a generation of its key is below the base URL; part of its name.
    pub(super) fn ct_path(&self, generation: u64) -> String {
        if generation > 1 { format!("{}-{generation}", self.ct_path) } else { self.ct_path.to_owned() }
    }

    /// Where that log is reached.
    pub(super) fn ct_url(&self, generation: u64) -> anyhow::Result<BaseUrl> {
        Ok(BaseUrl::parse(&format!("{}{}", self.url(Role::Log)?.as_str(), self.ct_path(generation)))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_processes_reach_the_tuf_repository_inside_or_at_its_url() {
        let url = |text: &str| BaseUrl::parse(text).unwrap();
        let urls = Role::ALL.into_iter().map(|role| (role, url(&format!("https://{role}.example.org")))).collect();
        let outside = Addresses::configured(url("https://sign.example.org"), urls, None).unwrap();
        let reached = |addresses: &Addresses| {
            let (url, authorities) = addresses.trust_inside().unwrap();
            (url.as_str().to_owned(), authorities.map(Path::to_owned))
        };
        assert_eq!(reached(&outside), ("https://trust.example.org".to_owned(), None));
        let file = Some(PathBuf::from("ca.pem"));
        let inside = outside.with_trust_inside(Some(url("http://trust:8080")), file.clone());
        assert_eq!(reached(&inside), ("http://trust:8080".to_owned(), file));
        assert_eq!(inside.url(Role::Trust).unwrap().as_str(), "https://trust.example.org", "clients stay outside");
    }
}
