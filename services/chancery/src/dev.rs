//! `chancery dev`: every role in one process, on one loopback address, over one directory.
//!
//! What there is and where it is kept is [`crate::instance`]; what is printed is [`banner`] and [`commands`].

mod banner;
mod commands;
mod demo;

use crate::{
    command,
    data_directory::DataDirectory,
    instance::{
        self, AccessSettings, Addresses, AuthorityArguments, Choices, ConsoleSettings, EventArguments, GuardedClock,
        Instance, OperationsArguments, RekorV1Arguments, RekorV2Arguments, SearchArguments, Setup, SignIn,
        TilesArguments, TimestampArguments, TransparencyArguments, TufArguments, WitnessArguments,
    },
    issuer,
    issuers::ConfiguredIssuers,
    listening::Listening,
    loopback,
    one_role::{self, NamedKey},
    output,
    role::Role,
};
use anyhow::{Context as _, ensure};
use axum::middleware;
use chancery_daemon::reload::Hangups;
use chancery_log::store::Location;
use chancery_trust::FileName;
use chancery_verify::hash;
use commands::Facts;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Organisation in the authority's certificates.
const ORGANIZATION: &str = "Chancery development";

/// Where it listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The same as a URL.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// What the command line says about each part.
pub(crate) struct Options<'a> {
    /// Whether to sign a few things after the start; see [`demo`].
    pub(crate) demo: bool,
    pub(crate) tiles: &'a TilesArguments,
    pub(crate) transparency: &'a TransparencyArguments,
    pub(crate) operations: &'a OperationsArguments,
    pub(crate) rekor_v1: &'a RekorV1Arguments,
    pub(crate) rekor_v2: &'a RekorV2Arguments,
    pub(crate) search: &'a SearchArguments,
    pub(crate) events: &'a EventArguments,
    pub(crate) authority: &'a AuthorityArguments,
    pub(crate) timestamps: &'a TimestampArguments,
    pub(crate) tuf: &'a TufArguments,
    pub(crate) witnesses: &'a WitnessArguments,
}

impl<'a> Options<'a> {
    /// Reads what the options name.
    fn read(&self, issuers: Option<&Path>) -> anyhow::Result<Choices<'a>> {
        let Self { operations, rekor_v1, rekor_v2, search, timestamps, tuf, .. } = *self;
        Ok(Choices {
            access: AccessSettings::default(),
            events: self.events.settings()?,
            settings: self.authority.settings(ConfiguredIssuers::load(issuers)?),
            tiles: self.tiles.destination()?,
            transparency: self.transparency.read()?,
            witnesses: self.witnesses.read()?,
            monitor: None,
            operations,
            rekor_v1,
            rekor_v2,
            search,
            timestamps,
            tuf,
        })
    }
}

/// Runs until SIGTERM or SIGINT. `listen` is a loopback address; `database_url` is that of a `PostgreSQL` database that
/// keeps the logs instead of a file in `data`.
///
/// 1. Read what the options name, lock the data directory.
/// 2. Listen, so that the URL is known. 3. Open keys, logs and authority, or create them. 4. Write the trust files.
/// 5. Nothing more may be created in this directory. 6. Answer. 7. Say how to use it.
pub(crate) async fn run(
    listen: SocketAddr,
    data: &Path,
    database_url: Option<String>,
    issuers: Option<&Path>,
    options: &Options<'_>,
) -> anyhow::Result<()> {
    let hangups = Hangups::catch().context("cannot wait for SIGHUP")?;
    // A development server asks no time server.
    let clock = GuardedClock::start(None).await;
    let Options { demo, operations, authority, timestamps, .. } = *options;
    // (1)
    let choices = options.read(issuers)?;
    let roles: BTreeSet<Role> = Role::ALL.into();
    let mut data = DataDirectory::open(data, &roles, clock.now())?;
    let keys = keys(authority, timestamps);
    one_role::of_settings(&keys).await?;
    data.use_keys(keys.iter().map(|key| (key.name.as_str(), key.uri)))?;
    one_role::of_directory(data.path())?;
    instance::warn_of_roots(data.path(), &roles);
    // (2)
    let listening = Listening::on(listen, operations.metrics, hangups).await?.with_origins(&operations.origins);
    let addresses = Addresses::loopback(listening.address()?)?;
    // (3)
    let database =
        database_url.clone().map_or_else(|| data.database().map(Location::File), |url| Ok(Location::Server(url)))?;
    let executable = executable()?;
    let check_command = command::check_logs(&executable, data.path(), database_url.as_deref()).join(" ");
    let url = addresses.url(Role::Ca)?.as_str();
    let (path, trust, issuer) = (data.path().to_owned(), data.trust(), format!("{url}{}", issuer::BASE_PATH));
    let (path, trust, executable) = (path.as_path(), trust.as_path(), executable.as_path());
    let (issuer, database_url) = (issuer.as_str(), database_url.as_deref());
    // The checksum is not known yet, and not in the first steps.
    let facts = Facts { url, issuer, data: path, database: database_url, trust, executable, root_checksum: "" };
    let first_steps = commands::first_steps(&facts);
    let console = Some(ConsoleSettings { is_development: true, first_steps, security_contact: None });
    let setup = Setup {
        data: &data,
        addresses: &addresses,
        organization: ORGANIZATION,
        roles: &roles,
        issuer: SignIn::Here,
        database: &database,
        check_command: check_command.clone(),
        chains: BTreeMap::new(),
        tls: None,
        console,
    };
    let instance = Box::pin(Instance::start(&setup, clock, choices)).await?;
    // (4)
    instance.write_trust_files(&data.trust())?;
    // (5)
    data.complete()?;
    // (6), (7)
    let quarantined = instance.quarantined(&check_command);
    let facts = Facts { root_checksum: &instance.root_checksum(), ..facts };
    let only_here = |routes: axum::Router| routes.layer(middleware::from_fn(loopback::only_this_machine));
    let say = || {
        let text = if quarantined.is_empty() { banner::banner(&facts) } else { banner::in_doubt(&facts, &quarantined) };
        if let Err(error) = print(&text) {
            tracing::warn!(error = format!("{error:#}"), "cannot print the banner");
        }
        if demo && quarantined.is_empty() {
            tokio::spawn(show(url.to_owned(), path.to_owned()));
        }
    };
    instance.serve(listening, only_here, say).await
}

/// The keys that the options name.
fn keys<'a>(authority: &'a AuthorityArguments, timestamps: &'a TimestampArguments) -> Vec<NamedKey<'a>> {
    let keys = [
        ("ca", &authority.ca_key),
        ("ca-root", &authority.ca_root_key),
        ("tsa", &timestamps.tsa_key),
        ("tsa-root", &timestamps.tsa_root_key),
    ];
    let keys = keys.into_iter().filter_map(|(name, uri)| Some((name, uri.as_deref()?)));
    keys.map(|(name, uri)| NamedKey { setting: format!("--{name}-key"), name: name.to_owned(), uri }).collect()
}

/// Signs what `--demo` promises and prints one line. The server runs on where that fails.
async fn show(url: String, data: PathBuf) {
    let shown = demo::run(url, data).await.and_then(|line| print(&line));
    if let Err(error) = shown {
        tracing::warn!(
            error = format!("{error:#}"),
            "the demo is not complete; start again with --demo to complete it"
        );
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = output::text();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints commands for every client of the server that was last started on `data`, whether or not it runs.
pub(crate) fn print_commands(data: &Path, database: Option<&str>) -> anyhow::Result<()> {
    let unstarted =
        || format!("{} has no trust files; start the server first: chancery dev --data DIR", data.display());
    let data = data.canonicalize().with_context(unstarted)?;
    let trust = data.join("trust");
    let config = fs::read(trust.join(FileName::SigningConfig.as_str())).with_context(unstarted)?;
    let config: Value = serde_json::from_slice(&config).context("signing_config.json is damaged")?;
    let text_at = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (url, issuer) = (text_at("/caUrls/0/url"), text_at("/oidcUrls/0/url"));
    // The commands take tokens from `chancery token`, which only a development server answers.
    ensure!(
        issuer == format!("{url}{}", issuer::BASE_PATH),
        "{} is not a development server's; for its clients: chancery trust export --for CLIENT --data DIR",
        data.display()
    );
    let first_root = fs::read(data.join("tuf/1.root.json")).with_context(unstarted)?;
    let root_checksum = &hex::encode(hash::sha256(&first_root));
    let executable = &executable()?;
    print(&commands::all(&Facts { url, issuer, data: &data, database, trust: &trust, executable, root_checksum }))
}

fn executable() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find the path of this program")
}
