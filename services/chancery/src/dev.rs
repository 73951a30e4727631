//! `chancery dev`: every role in one process, on one loopback address, over one directory.
//!
//! The composition is [`composition`]; where things are kept is [`data`]; what is printed is [`banner`]. A signal drains
//! the listener first and the logs after it, so that a request that was accepted is still answered.

mod authority;
mod banner;
mod certificate_log;
mod composition;
mod data;
mod keys;
mod operations;
mod tiles;
mod transparency;
mod tuf;

use crate::{issuers::ConfiguredIssuers, loopback};
use anyhow::Context as _;
use axum::middleware;
use banner::Facts;
use chancery_daemon::{
    clock::{Clock, SystemClock},
    http,
    random::SystemRandom,
    shutdown::{self, Signals},
};
use chancery_log::store::Location;
use composition::{Address, Choices, Instance};
use data::DataDirectory;
use std::{
    io::{ErrorKind, Write as _},
    net::SocketAddr,
    path::Path,
    sync::Arc,
};
use tokio::net::TcpListener;

pub(crate) use authority::{AuthorityArguments, development_issuer, key_uri};
pub(crate) use keys::{KeyRecord, keys};
pub(crate) use operations::OperationsArguments;
pub(crate) use tiles::TilesArguments;
pub(crate) use transparency::TransparencyArguments;
pub(crate) use tuf::{TufArguments, key_files, publisher, use_key};

/// Where it listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The same as a URL.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// What the command line says about each part.
pub(crate) struct Options<'a> {
    pub(crate) tiles: &'a TilesArguments,
    pub(crate) transparency: &'a TransparencyArguments,
    pub(crate) operations: &'a OperationsArguments,
    pub(crate) authority: &'a AuthorityArguments,
    pub(crate) tuf: &'a TufArguments,
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
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let Options { tiles, transparency, operations, authority, tuf } = *options;
    // (1)
    let settings = authority.settings(ConfiguredIssuers::load(issuers)?);
    let choices =
        Choices { tiles: tiles.destination()?, transparency: transparency.read()?, operations, settings, tuf };
    let mut data = DataDirectory::open(data, clock.now())?;
    if let Some(uri) = authority.ca_key() {
        data.use_ca_key(uri)?;
    }
    // (2)
    let listener = bind(listen).await?;
    let metrics_listener = match operations.metrics {
        None => None,
        Some(address) => Some(bind(address).await?),
    };
    let address = Address::new(listener.local_addr()?);
    // (3)
    let database =
        database_url.clone().map_or_else(|| data.database().map(Location::File), |url| Ok(Location::Server(url)))?;
    let executable = std::env::current_exe().context("cannot find out where this program is")?;
    let check = banner::check_command(&executable, data.path(), database_url.as_deref()).join(" ");
    let instance = Instance::start(&data, &address, clock, &database, choices, check).await?;
    // (4)
    instance.trust_files.write_to(&data.trust()).context("cannot write the trust files")?;
    // (5)
    data.complete()?;
    // (6)
    let mut signals = Signals::catch().context("cannot wait for signals")?;
    let (stop, stopping) = shutdown::channel();
    let mut routes = http::shell(instance.routes.clone(), Arc::clone(&instance.readiness));
    let mut metrics_server = None;
    if let (Some(metrics), Some(listener)) = (&instance.metrics, metrics_listener) {
        tracing::info!(address = %listener.local_addr()?, "metrics are under /metrics");
        let page = http::metrics_page(metrics.clone()).layer(middleware::from_fn(loopback::only_this_machine));
        metrics_server = Some(tokio::spawn(http::serve(listener, page, stopping.clone())));
        routes = http::measured(routes, metrics)?;
    }
    let routes = http::named(routes.layer(middleware::from_fn(loopback::only_this_machine)), Arc::new(SystemRandom));
    let server = tokio::spawn(http::serve(listener, routes, stopping));
    // (7)
    let (trust, url) = (data.trust(), &address.url);
    let (issuer, data, database) = (instance.issuer_url.as_str(), data.path(), database_url.as_deref());
    let root_checksum = &instance.tuf.root_checksum();
    let facts = Facts { url, issuer, data, database, trust: &trust, executable: &executable, root_checksum };
    if let Err(error) = say(&facts) {
        tracing::warn!(error = format!("{error:#}"), "cannot print the commands");
    }
    signals.received().await;
    tracing::info!("stopping: answering what was accepted");
    stop.stop();
    server.await.context("the listener failed")?;
    if let Some(server) = metrics_server {
        server.await.context("the listener for metrics failed")?;
    }
    instance.stop().await;
    Ok(())
}

async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow::anyhow!("{listen} is in use; take another port, for example --listen {}:0", listen.ip())
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {listen}")),
    })
}

fn say(facts: &Facts<'_>) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(banner::banner(facts).as_bytes())?;
    Ok(out.flush()?)
}
