//! The sockets of a process, and its life between ready and stopped.
//!
//! A signal drains the listener first and the logs after it, so that a request that was accepted is still answered.

use anyhow::Context as _;
use axum::Router;
use chancery_daemon::{
    budget::Budget,
    health::Checks,
    http::{self, ConnectionLimit, Listener, Origins, Shell, Tls, UnknownPath},
    metrics::Metrics,
    random::SystemRandom,
    reload::Hangups,
    shutdown::{self, Signals},
    telemetry,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{io::ErrorKind, net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::net::TcpListener;

/// TLS certificate and key, in PEM. The server loads them again when they change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// File of the certificate chain, the server's certificate first.
    pub(crate) certificate: PathBuf,
    /// File of the private key.
    pub(crate) key: PathBuf,
}

/// Bound sockets. Clients that connect wait until there is a server.
pub(crate) struct Listening {
    clients: TcpListener,
    metrics: Option<TcpListener>,
    tls: Option<Arc<Tls>>,
    limit: Arc<ConnectionLimit>,
    budget: Budget,
    origins: Origins,
    hangups: Hangups,
}

impl Listening {
    /// Binds the address for clients, and that for Prometheus. `hangups` is what a server makes first: from then on no
    /// SIGHUP ends it.
    pub(crate) async fn on(clients: SocketAddr, metrics: Option<SocketAddr>, hangups: Hangups) -> anyhow::Result<Self> {
        let clients = bind(clients).await?;
        let metrics = match metrics {
            None => None,
            Some(address) => Some(bind(address).await?),
        };
        let (budget, origins) = (Budget::default(), Origins::default());
        Ok(Self { clients, metrics, tls: None, limit: Arc::default(), budget, origins, hangups })
    }

    /// The same, with TLS for clients, if there are files for it.
    pub(crate) fn with_tls(self, files: Option<&TlsFiles>) -> anyhow::Result<Self> {
        let tls = files.map(|files| Tls::open(&files.certificate, &files.key)).transpose();
        Ok(Self { tls: tls.context("cannot use [listen] tls")?, ..self })
    }

    /// The same, with this limit of connections.
    pub(crate) fn with_limit(self, limit: ConnectionLimit) -> Self {
        Self { limit: Arc::new(limit), ..self }
    }

    /// The same, with this budget for the bodies of requests.
    pub(crate) fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// The same, for web pages of these origins too.
    pub(crate) fn with_origins(self, origins: &[String]) -> Self {
        Self { origins: Origins::new(origins), ..self }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.clients.local_addr()?)
    }

    /// Answers until SIGTERM or SIGINT: `routes`, and with `pages` a browser that asks for an unknown path. `guard` is put around the routes of both sockets; `ready` is called once, when
    /// requests are answered. Returns when what was accepted is answered.
    pub(crate) async fn serve(
        mut self,
        routes: Router,
        pages: Option<UnknownPath>,
        checks: Checks,
        metrics: Option<&Metrics>,
        guard: impl Fn(Router) -> Router,
        ready: impl FnOnce(),
    ) -> anyhow::Result<()> {
        let mut signals = Signals::catch().context("cannot wait for signals")?;
        let (stop, stopping) = shutdown::channel();
        let mut routes = Shell { checks, pages, origins: self.origins }.around(routes);
        let mut servers = Vec::new();
        if let (Some(metrics), Some(listener)) = (metrics, self.metrics) {
            tracing::info!(address = %listener.local_addr()?, "serving metrics under /metrics");
            let page = guard(http::metrics_page(metrics.clone()));
            servers.push(tokio::spawn(http::serve(listener, page, stopping.clone())));
            routes = http::measured(routes, metrics)?;
            let dropped = metrics.counters(
                "chancery_log_lines_dropped_total",
                "Lines of the process's log that were dropped because standard error was not read",
                &[],
            )?;
            metrics.before_scrape(move || dropped.advance_to(&[], telemetry::dropped_lines()));
            self.budget.measure(metrics)?;
            let refused = metrics.counters(
                "chancery_http_connections_refused_total",
                "Connections closed because too many were open, of their address or in all",
                &[],
            )?;
            let limit = Arc::clone(&self.limit);
            metrics.before_scrape(move || refused.advance_to(&[], limit.refused()));
        }
        let routes = http::named(guard(routes), Arc::new(SystemRandom));
        let renewal = match self.tls.clone() {
            None => None,
            Some(tls) => Some(tokio::spawn(tls.follow(Hangups::catch().context("cannot wait for SIGHUP")?))),
        };
        let listener = match self.tls {
            None => Listener::from(self.clients),
            Some(tls) => Listener::tls(self.clients, tls),
        };
        let listener = listener.limited(self.limit).within(self.budget);
        servers.push(tokio::spawn(http::serve(listener, routes, stopping)));
        ready();
        loop {
            tokio::select! {
                () = signals.received() => break,
                () = self.hangups.received() => tracing::info!("SIGHUP: reading the files again"),
            }
        }
        tracing::info!("stopping: answering the requests that were accepted");
        stop.stop();
        for server in servers {
            server.await.context("a listener failed")?;
        }
        if let Some(renewal) = renewal {
            renewal.abort();
        }
        Ok(())
    }
}

async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            let any = SocketAddr::new(listen.ip(), 0);
            anyhow::anyhow!(
                "{listen} is in use by another program; stop it, or choose another address with --listen, or with [listen] in the \
                 configuration file, for example {any} for any free port. A second server needs another directory, too: --data"
            )
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {listen}")),
    })
}
