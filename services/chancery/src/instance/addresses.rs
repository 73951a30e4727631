//! Where an instance is reached: the URL of each role, and the names its logs have because of it.

use crate::configuration::{Configuration, Role};
use anyhow::{Context as _, ensure};
use chancery_trust::BaseUrl;
use std::{collections::BTreeMap, net::SocketAddr};
use url::Url;

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
}

/// The host name of a log's URL, which has nothing else.
pub(crate) fn log_host(url: &str) -> anyhow::Result<String> {
    BaseUrl::parse(url)?;
    let parsed = Url::parse(url)?;
    ensure!(parsed.path() == "/", "{url} has a path: clients look for a Rekor v2 log at the root of its host");
    parsed.host_str().map(str::to_owned).with_context(|| format!("{url} has no host"))
}

impl Addresses {
    /// Every role on the one address of a development server.
    pub(crate) fn loopback(listening: SocketAddr) -> anyhow::Result<Self> {
        let url = BaseUrl::parse(&format!("http://{listening}"))?;
        let urls = Role::ALL.into_iter().map(|role| (role, url.clone())).collect();
        Ok(Self { host: listening.ip().to_string(), ct_path: "/ct/dev", base: url, urls })
    }

    /// As the file says.
    pub(crate) fn configured(configuration: &Configuration) -> anyhow::Result<Self> {
        let urls = Role::ALL.into_iter().map(|role| Ok((role, BaseUrl::parse(configuration.url_of(role))?)));
        let urls = urls.collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        let logs = Url::parse(configuration.url_of(Role::Log))?;
        let host = logs.host_str().context("the URL of the logs has no host")?.to_owned();
        Ok(Self { host, ct_path: "/ct/main", base: BaseUrl::parse(&configuration.url)?, urls })
    }

    /// The URL of the instance.
    pub(super) const fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Where clients reach a role.
    pub(crate) fn url(&self, role: Role) -> anyhow::Result<&BaseUrl> {
        self.urls.get(&role).with_context(|| format!("{role} has no URL"))
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
