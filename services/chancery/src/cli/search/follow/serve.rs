//! The search API over an index of logs elsewhere: the same paths and answers as a server has for its own logs.

use crate::{instance::search_state, listening::Listening, loopback, output};
use anyhow::Context as _;
use chancery_daemon::{
    clock::SystemClock,
    health::{Checks, Finding},
    http::openapi::{self, Document, describe_shell},
    reload::Hangups,
};
use chancery_search::{Asking, Index, Sources, Status, Trust, store::Store};
use chancery_verify::{
    trust_root::TrustRoot,
    verifier::{Options, Verifier},
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// What is trusted now. Clones are the same.
#[derive(Clone)]
pub(super) struct Trusted(Arc<Mutex<Option<Arc<Verifier>>>>);

impl Trusted {
    /// A trust root. Without any log in it nothing is verified.
    pub(super) fn new(root: TrustRoot) -> Self {
        Self(Arc::new(Mutex::new(verifier(root))))
    }

    /// Trusts this from now on.
    pub(super) fn replace(&self, root: TrustRoot) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = verifier(root);
    }

    fn trust(&self) -> Trust {
        let trusted = self.clone();
        Arc::new(move || trusted.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn verifier(root: TrustRoot) -> Option<Arc<Verifier>> {
    let is_empty = root.logs().is_empty() && root.ct_logs().is_empty();
    (!is_empty).then(|| Arc::new(Verifier::new(root, Options::default())))
}

/// What questions are answered from.
pub(super) struct Answers {
    index: Index,
    trust: Trust,
}

impl Answers {
    /// From the index of these logs in `store`. What is found is verified with what is trusted at that moment.
    pub(super) fn new(store: Arc<dyn Store>, logs: Sources, trusted: &Trusted) -> Self {
        Self { index: Index::new(store, logs), trust: trusted.trust() }
    }

    /// Answers at `address` until SIGTERM or SIGINT. `following` is the index that knows how it goes.
    pub(super) async fn serve(self, address: SocketAddr, following: Index, is_json: bool) -> anyhow::Result<()> {
        let hangups = Hangups::catch().context("cannot wait for SIGHUP")?;
        let listening = Listening::on(address, None, hangups).await?;
        let address = listening.address()?;
        let Self { index, trust } = self;
        let asking = Asking::new(index, trust, Arc::new(SystemClock));
        let described = openapi::router(&description().into_json());
        let routes = chancery_search::http::router(asking).merge(described);
        let checks: Checks = Arc::new(move || {
            let finding = |status: Status| Finding::new("search", "index", search_state(&status));
            following.status().into_iter().map(finding).collect()
        });
        let ready = move || told(address, is_json);
        // A page in a browser of this machine is as far away as another machine.
        listening.serve(routes, None, checks, None, |routes| loopback::guarded(routes, address), ready).await
    }
}

fn description() -> Document {
    let mut document = Document::new("Chancery search", env!("CARGO_PKG_VERSION"));
    chancery_search::http::describe(&mut document);
    describe_shell(&mut document);
    document
}

/// Says where questions are answered. The port may be one that the system has chosen.
fn told(address: SocketAddr, is_json: bool) {
    let url = format!("http://{address}");
    let line = if is_json { json!({ "url": url }).to_string() } else { format!("answering at {url}") };
    // Nobody reads it: the server answers all the same.
    let _ = output::print(&format!("{line}\n"));
}
