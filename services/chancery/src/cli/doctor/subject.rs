//! What is examined: the parts of an instance that the checks are about, as the configuration file of a server names them, or as a
//! development server has them.
//!
//! The checks take what they need from here, one by one, and know nothing of a configuration.

use super::{files::SecretFile, finding::Finding, web::Place};
use crate::{
    cli::{config::is_server, place},
    command::quoted,
    configuration::Configuration,
    dev,
    instance::{TilesPlace, WitnessesTable, development_issuer, trust_url},
    issuers::ConfiguredIssuers,
    listening::TlsFiles,
    role::Role,
    serve::{Prepared, check_chains},
};
use anyhow::{Context as _, ensure};
use chancery_address::BaseUrl;
use chancery_ca::IssuerSettings;
use chancery_daemon::clock::SourceSettings;
use chancery_keys::{KeyUri, Secret};
use chancery_log::store::Location;
use chancery_verify::Timestamp;
use std::path::{Path, PathBuf};

const CHECK: &str = "configuration";

/// An instance.
pub(super) struct Subject {
    /// The configuration, if there is one: its server listens on this machine.
    pub(super) configuration: Option<Configuration>,
    pub(super) data: PathBuf,
    pub(super) database: Location,
    /// Each public URL once.
    pub(super) places: Vec<Place>,
    /// Of the certificate authority, which gets tokens.
    pub(super) ca: BaseUrl,
    /// Of the TUF repository, without `/tuf`.
    pub(super) trust: BaseUrl,
    pub(super) time_servers: Option<SourceSettings>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) secrets: Vec<SecretFile>,
    pub(super) issuers: Vec<IssuerSettings>,
    /// The witnesses of each log, with the setting that names them and the log's origin.
    pub(super) witnesses: Vec<(&'static str, WitnessesTable, String)>,
    pub(super) tiles: Option<TilesPlace>,
    /// The command that starts the server.
    pub(super) start: String,
    /// Files for a bundle, with their names in it.
    pub(super) files: Vec<(&'static str, PathBuf)>,
    /// What was found while all this was read.
    pub(super) findings: Vec<Finding>,
}

impl Subject {
    /// The instance of `chancery dev` in a data directory, which answers at `url`, or where its last start has recorded.
    pub(super) fn of_data(data: &Path, url: Option<&str>) -> anyhow::Result<Self> {
        let recorded = trust_url(data).unwrap_or_else(|_| dev::DEFAULT_URL.to_owned());
        let url = BaseUrl::parse(url.unwrap_or(&recorded))?;
        let issuers = vec![development_issuer(&format!("{url}/oidc"))];
        Ok(Self {
            configuration: None,
            data: data.to_owned(),
            database: place::database(data, None),
            places: vec![Place { url: url.clone(), has_logs: true }],
            ca: url.clone(),
            trust: url,
            time_servers: None,
            tls: None,
            secrets: Vec::new(),
            issuers,
            witnesses: Vec::new(),
            tiles: None,
            start: format!("chancery dev --data {}", quoted(data)),
            files: Vec::new(),
            findings: Vec::new(),
        })
    }

    /// The instance of a server with this configuration. With `url`, every role is asked there instead of at its own URL.
    pub(super) fn of_file(file: &Path, url: Option<&str>, now: Timestamp) -> anyhow::Result<Self> {
        ensure!(is_server(file)?, "{} is a list of issuers, and not the configuration of a server", file.display());
        let configuration = Configuration::load(file)?;
        let addresses = configuration.addresses()?;
        let override_url = url.map(BaseUrl::parse).transpose().context("--url")?;
        let at = |role| match &override_url {
            Some(url) => Ok(url.clone()),
            None => addresses.url(role).cloned(),
        };
        let (ca, log, trust) = (at(Role::Ca)?, at(Role::Log)?, at(Role::Trust)?);
        let rekor2 = addresses.own_rekor2().filter(|_| override_url.is_none()).cloned();
        let mut urls = vec![ca.clone(), log.clone(), at(Role::Tsa)?, trust.clone()];
        urls.extend(rekor2.clone());
        let (issuers, findings) = prepare(&configuration, file, now);
        let (tiles, unusable) = tiles(&configuration);
        let issuer_files = [("issuers.toml", configuration.ca.issuers.clone())];
        Ok(Self {
            data: configuration.data.clone(),
            database: place::database(
                &configuration.data,
                configuration.database.as_ref().map(|database| database.url.as_str()),
            ),
            places: distinct(urls, &log),
            ca,
            trust,
            time_servers: configuration.tsa.time_servers()?,
            tls: configuration.listen.tls.clone(),
            secrets: secrets(&configuration),
            issuers,
            witnesses: witnesses(&configuration, rekor2.as_ref().unwrap_or(&log)),
            tiles,
            start: format!("chancery serve --config {}", quoted(file)),
            files: [("chancery.toml", file.to_owned())].into_iter().chain(issuer_files).collect(),
            findings: findings.into_iter().chain(unusable).collect(),
            configuration: Some(configuration),
        })
    }
}

/// Each URL once, in the order of the roles.
fn distinct(urls: Vec<BaseUrl>, log: &BaseUrl) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for url in urls {
        if places.iter().all(|place| place.url != url) {
            places.push(Place { has_logs: url == *log, url });
        }
    }
    places
}

/// Everything that `chancery config check` reads. The issuers are those of signers, and then of readers.
fn prepare(configuration: &Configuration, file: &Path, now: Timestamp) -> (Vec<IssuerSettings>, Vec<Finding>) {
    let shown = file.display().to_string();
    let prepared = Prepared::of(configuration, file, &Role::ALL.into())
        .and_then(|prepared| check_chains(configuration, file, now).map(|()| prepared));
    match prepared {
        Ok(prepared) => {
            let readers = prepared.access.readers.as_ref().map(ConfiguredIssuers::all).unwrap_or_default();
            let mut issuers = prepared.authority.issuers.all().to_vec();
            for reader in readers {
                if issuers.iter().all(|known| known.name != reader.name) {
                    issuers.push(reader.clone());
                }
            }
            (issuers, vec![Finding::ok(CHECK, &shown, "a server can use the file")])
        }
        Err(error) => {
            let message = format!("a server cannot use the file, or a file that it names: {error:#}");
            let action = format!("correct it, and check it: chancery config check {}", quoted(file));
            (Vec::new(), vec![Finding::error(CHECK, &shown, &message, &action)])
        }
    }
}

fn witnesses(configuration: &Configuration, rekor2: &BaseUrl) -> Vec<(&'static str, WitnessesTable, String)> {
    let log = &configuration.log;
    let tables = [("[log] rekor2_witnesses", &log.rekor2_witnesses), ("[log] ct_witnesses", &log.ct_witnesses)];
    let named = tables.into_iter().filter_map(|(setting, table)| Some((setting, table.clone()?)));
    named.map(|(setting, table)| (setting, table, rekor2.host().to_owned())).collect()
}

fn tiles(configuration: &Configuration) -> (Option<TilesPlace>, Option<Finding>) {
    match configuration.tiles().map(|tiles| tiles.place()).transpose() {
        Ok(place) => (place.flatten(), None),
        Err(error) => {
            let message = format!("the place of the logs' copies cannot be used: {error:#}");
            (None, Some(Finding::error("mirror", "[log] tiles", &message, "correct [log] tiles")))
        }
    }
}

/// The files with secrets that the configuration names: keys, and what opens keys elsewhere.
fn secrets(configuration: &Configuration) -> Vec<SecretFile> {
    let mut found = Vec::new();
    let mut add = |setting: &str, path: PathBuf| found.push(SecretFile { setting: setting.to_owned(), path });
    for key in configuration.keys() {
        // The key of a root may be taken away once it has signed.
        let is_root = key.name.ends_with("-root");
        let Ok(uri) = key.uri.parse::<KeyUri>() else { continue };
        let (file, secret) = match uri {
            KeyUri::File(file) => (Some(file.path).filter(|_| !is_root), file.password),
            KeyUri::Vault(vault) => (None, Some(vault.token)),
            KeyUri::Aws(aws) => (aws.credentials, None),
            KeyUri::Google(google) => (google.credentials, None),
            KeyUri::Azure(_) | KeyUri::Pkcs11(_) => (None, None),
        };
        let secret = secret.and_then(|secret| if let Secret::File(path) = secret { Some(path) } else { None });
        file.into_iter().chain(secret).for_each(|path| add(&key.setting, path));
    }
    if let Some(tls) = &configuration.listen.tls {
        add("[listen] tls", tls.key.clone());
    }
    if let Some(credentials) = configuration.log.tiles.as_ref().and_then(|tiles| tiles.credentials.clone()) {
        add("[log] tiles", credentials);
    }
    found
}

/// A configuration that cannot be read: nothing else is known.
pub(super) fn unread(file: &Path, error: &anyhow::Error) -> Finding {
    let action = format!("correct it, and check it: chancery config check {}", quoted(file));
    let message = format!("the configuration cannot be used, so nothing else was checked: {error:#}");
    Finding::error(CHECK, &file.display().to_string(), &message, &action)
}
