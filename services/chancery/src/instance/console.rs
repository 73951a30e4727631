//! The console's contents for this instance: facts from the roles that run here, as texts for display.

use super::{ConsoleSettings, Setup, running::RunningLogs};
use crate::{
    clients::{self, Client},
    role::Role,
};
use chancery_console::{
    Console, Guide, Link, Log as ShownLog, Part, Server, Source, State, TrustRoot,
    facts::{Checkpoint, Metadata},
};
use chancery_daemon::{
    clock::Clock,
    health::{self, Checks},
};
use chancery_log::{Log, ct, rekor_v1, series};
use chancery_trust::{FileName, tuf::Service};
use chancery_verify::Timestamp;
use clap::ValueEnum as _;
use std::sync::Arc;

/// URL of the manual.
const MANUAL: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/tree/main/docs");

impl ConsoleSettings {
    /// The console of a process with these parts.
    pub(super) fn console(
        &self,
        setup: &Setup<'_>,
        checks: Checks,
        logs: Option<RunningLogs>,
        tuf: Option<Arc<Service>>,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Console> {
        let roles = Role::ALL.into_iter().filter(|role| setup.roles.contains(role));
        let parts = roles.map(|role| Ok(part(role, setup.addresses.url(role)?.as_str().to_owned())));
        let parts = parts.collect::<anyhow::Result<Vec<_>>>()?;
        let (url, trust) = (setup.addresses.base().to_string(), setup.addresses.url(Role::Trust)?.to_string());
        let steps = self.first_steps.iter();
        let server = Server {
            organization: setup.organization.to_owned(),
            url: url.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            is_development: self.is_development,
            first_steps: steps.map(|(title, text)| guide(title, text.clone())).collect(),
            links: links(setup),
            manual: MANUAL.to_owned(),
            security_contact: self.security_contact.clone(),
        };
        let clock = Arc::clone(clock);
        Ok(Console::new(server, Arc::new(Facts { parts, checks, logs, tuf, clock, url, trust })))
    }
}

fn guide(title: &str, text: String) -> Guide {
    Guide { title: title.to_owned(), text }
}

fn part(role: Role, url: String) -> Part {
    let (title, about) = match role {
        Role::Ca => {
            ("Certificate authority", "Turns a verified OIDC token into a certificate that is valid for ten minutes.")
        }
        Role::Log => ("Logs", "Append-only logs of every certificate and every signature: Rekor v1, Rekor v2, CT."),
        Role::Tsa => ("Timestamp authority", "Signs the time of a signature (RFC 3161)."),
        Role::Trust => {
            ("Trust root", "Tells clients which keys and certificates count: TUF repository and trust files.")
        }
    };
    Part { role: role.name(), title, about, url, obstacle: None }
}

fn links(setup: &Setup<'_>) -> Vec<Link> {
    let has = |role| setup.roles.contains(&role);
    let mut links = Vec::new();
    let mut add = |group, reference: &str, about| links.push(Link { group, reference: reference.to_owned(), about });
    if has(Role::Trust) {
        for name in FileName::ALL {
            add("Trust files", &format!("trust/{}", name.as_str()), name.about());
        }
        add("TUF repository", "tuf/root.json", "first root metadata, where clients start");
        add("TUF repository", "tuf/timestamp.json", "the first file that clients fetch");
    }
    if has(Role::Ca) {
        add("Certificate authority", "api/v2/trustBundle", "its certificates");
        add("Certificate authority", "api/v2/configuration", "accepted token issuers");
    }
    if has(Role::Log) {
        add("Logs", "api/v1/log", "Rekor v1: tree size, root hash, checkpoint");
        add("Logs", "api/v1/log/publicKey", "Rekor v1: its key");
    }
    if has(Role::Tsa) {
        add("Timestamp authority", "api/v1/timestamp/certchain", "its certificates");
    }
    add("Operations", "openapi.json", "every path of this server (OpenAPI)");
    add("Operations", "healthz", "whether the process answers");
    add("Operations", "readyz", "readiness of every role, with the reasons");
    links
}

/// What this process knows of itself.
struct Facts {
    parts: Vec<Part>,
    checks: Checks,
    logs: Option<RunningLogs>,
    tuf: Option<Arc<Service>>,
    clock: Arc<dyn Clock>,
    /// Of the server.
    url: String,
    /// Of the role that serves the repository.
    trust: String,
}

impl Source for Facts {
    fn state(&self) -> State {
        let findings = (self.checks)();
        let parts = self.parts.iter().map(|part| {
            let obstacle = health::obstacle(&findings, Some(part.role)).map(str::to_owned);
            Part { obstacle, ..part.clone() }
        });
        let logs = self.logs.as_ref().map(RunningLogs::logs).unwrap_or_default();
        State {
            at: self.now(),
            parts: parts.collect(),
            logs: logs.iter().map(|log| self.log(log)).collect(),
            trust: self.tuf.as_deref().and_then(|service| trust_root(service, &self.trust)),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Facts {
    fn log(&self, log: &Log) -> ShownLog {
        let record = log.record();
        let (title, reference) = match series::split(&record.name) {
            (ct::NAME, _) => {
                let (_, path) = record.origin.split_once('/').unwrap_or_default();
                ("Certificates (CT)", format!("{path}/checkpoint"))
            }
            (rekor_v1::NAME, _) => {
                let path = rekor_v1::files_path(&record.name);
                ("Signatures (Rekor v1)", format!("{}/checkpoint", path.trim_start_matches('/')))
            }
            (_, 1) => ("Signatures (Rekor v2)", "checkpoint".to_owned()),
            _ => {
                // At the root of a host of its own.
                let scheme = self.url.split_once("://").map_or("https", |(scheme, _)| scheme);
                ("Signatures (Rekor v2)", format!("{scheme}://{}/checkpoint", record.origin))
            }
        };
        let checkpoint = log.published().ok().map(|published| Checkpoint {
            size: published.tree.size,
            root_hash: published.tree.root,
            signed: published.timestamp,
        });
        ShownLog {
            title,
            origin: log.scheme().origin(),
            checkpoint,
            key_fingerprint: record.key_fingerprint,
            reference,
            is_frozen: log.is_frozen(),
            obstacle: log.obstacle().map(|obstacle| obstacle.to_string()),
        }
    }
}

fn trust_root(service: &Service, url: &str) -> Option<TrustRoot> {
    let facts = clients::Facts::of(&service.repository(), url)?;
    let metadata = service.status().into_iter().map(|status| Metadata {
        role: status.role.to_string(),
        version: status.version,
        expires: status.expires,
    });
    let clients = Client::value_variants().iter().map(|client| guide(client.title(), clients::text(*client, &facts)));
    Some(TrustRoot { checksum: facts.checksum(), metadata: metadata.collect(), clients: clients.collect() })
}
