//! The configuration file of `chancery init` and `chancery serve`: TOML, strict.
//!
//! An unknown key is an error. So is every value that would fail later, for example a malformed address, or a URL that
//! clients would parse differently. Relative paths are relative to the file. Only the file itself is opened here;
//! `serve::Prepared` reads the files that it names. The types give the JSON schema for editors, so the comments of
//! their fields are the texts of the schema.

mod access;
mod arguments;
mod audit;
mod console;
mod events;
mod keys;
mod monitor;
mod search;
mod status;
mod trust;
mod tsa;

use crate::{
    database_url,
    instance::{CheckpointKey, RekorVersion, WitnessesTable, services},
    listening::TlsFiles,
    logging::TelemetryTable,
    role::Role,
    web_origin,
};
use access::{ReadTable, WriteTable};
use anyhow::{Context as _, bail, ensure};
use chancery_daemon::{
    authority::check_organization,
    budget::{self, Budget},
    http::ConnectionLimit,
};
use chancery_trust::Validity;
use chancery_verify::Timestamp;
use console::ConsoleTable;
use events::EventsTable;
use monitor::MonitorTable;
use schemars::JsonSchema;
use search::SearchTable;
use serde::Deserialize;
use status::StatusTable;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
};
use trust::TrustTable;
use tsa::TsaTable;
use url::Url;

/// Maximum bytes of a configuration file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Enough for the clients behind one NAT gateway, each with a few connections.
const CONNECTIONS_PER_ADDRESS: usize = 256;

/// Configuration of a server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    /// URL that clients use, e.g. `https://sign.example.org`. The logs are named after its host, which can never change and must
    /// not be an IPv6 address. It is published in lower case, an international name in punycode, without a slash at the end.
    pub(crate) url: String,
    /// Organisation in the certificates that `chancery init` makes.
    pub(crate) organization: String,
    /// Directory for keys that have no URI of their own, certificates, trust files, and the logs if there is no `database`.
    pub(crate) data: PathBuf,
    /// Addresses of the server.
    pub(crate) listen: Listen,
    /// Database of the logs. Without it, they are in a file in `data`.
    pub(crate) database: Option<DatabaseTable>,
    /// The certificate authority.
    pub(crate) ca: CaTable,
    /// The logs.
    #[serde(default)]
    pub(crate) log: LogTable,
    /// The search index of the logs.
    #[serde(default)]
    pub(crate) search: SearchTable,
    /// The receiver of events about new entries. Default: none.
    pub(crate) events: Option<EventsTable>,
    /// The monitor of the logs.
    #[serde(default)]
    pub(crate) monitor: MonitorTable,
    /// The timestamp authority.
    #[serde(default)]
    pub(crate) tsa: TsaTable,
    /// The trust root.
    #[serde(default)]
    pub(crate) trust: TrustTable,
    /// The pages for people.
    #[serde(default)]
    pub(crate) console: ConsoleTable,
    /// The state of the instance over HTTP.
    #[serde(default)]
    status: StatusTable,
    /// The log of the process.
    #[serde(default)]
    pub(crate) telemetry: TelemetryTable,
}

/// Addresses of the server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    /// Address and port for clients.
    #[schemars(with = "String")]
    pub(crate) address: SocketAddr,
    /// Address and port for Prometheus, without TLS. Let only Prometheus reach it. Without it nothing is measured.
    #[schemars(with = "Option<String>")]
    pub(crate) metrics: Option<SocketAddr>,
    /// TLS certificate and key. Leave it out only if a proxy in front terminates TLS.
    pub(crate) tls: Option<TlsFiles>,
    /// Most connections that may be open; one of HTTP/2 counts as four. Each takes up to 65536 bytes for what is not read yet,
    /// beside `request_budget_bytes`. The server closes further ones at once. Default: 1024.
    connections: Option<NonZeroUsize>,
    /// Most connections that one client address may have open; 0 means no limit. Default: 256 with `tls`, no limit without,
    /// because behind a proxy all clients have the address of the proxy.
    connections_per_address: Option<usize>,
    /// Most bytes of request bodies that are read or checked at once, at least 67108864. They take up to three times as much
    /// memory. A request that does not fit gets 503 with `Retry-After`. Default: 134217728.
    request_budget_bytes: Option<NonZeroUsize>,
    /// Origins of web pages that may do what any other client may, e.g. `https://search.example.org`. Pages of other origins may
    /// read checkpoints, tiles and what clients trust, and nothing else. Default: none.
    #[serde(default)]
    pub(crate) origins: Vec<String>,
}

impl Listen {
    /// The limit of open connections.
    pub(crate) fn limit(&self) -> ConnectionLimit {
        ConnectionLimit::new(self.connections, self.connections_per_address())
    }

    /// The maximum of connections from one address, if there is a limit.
    fn connections_per_address(&self) -> Option<NonZeroUsize> {
        let usual = if self.tls.is_some() { CONNECTIONS_PER_ADDRESS } else { 0 };
        NonZeroUsize::new(self.connections_per_address.unwrap_or(usual))
    }

    /// The budget for the bodies of requests.
    pub(crate) fn request_budget(&self) -> Budget {
        self.request_budget_bytes.map_or_else(Budget::default, |bytes| Budget::new(bytes.get()))
    }

    /// Refuses a budget in which not every request fits, and two sockets for one address and port, because the system would
    /// refuse the second.
    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.request_budget_bytes.is_none_or(|bytes| bytes.get() >= budget::MIN_BYTES),
            "[listen] request_budget_bytes is less than {}; set at least that, or remove it",
            budget::MIN_BYTES
        );
        let Some(metrics) = self.metrics else { return Ok(()) };
        let (one, other) = (self.address.ip(), metrics.ip());
        // `[::]` also accepts IPv4.
        let includes = |all: IpAddr, ip: IpAddr| all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4());
        let is_shared = one == other || includes(one, other) || includes(other, one);
        ensure!(
            !is_shared || self.address.port() != metrics.port() || metrics.port() == 0,
            "[listen] address and metrics have the same port, {}: choose another one for metrics",
            metrics.port()
        );
        Ok(())
    }
}

/// A `PostgreSQL` database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseTable {
    /// `postgres://user@host/database`. It may name several hosts. The password is read from `PGPASSWORD`, from the file that
    /// `PGPASSFILE` names, or from the one that the URL names with `passfile`.
    pub(crate) url: String,
}

/// The certificate authority.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaTable {
    /// URL of the certificate authority. Default: the `url` at the top.
    pub(crate) url: Option<String>,
    /// URI of the issuing key. Default: the file `keys/ca.pem` in `data`.
    pub(crate) key: Option<String>,
    /// URI of the root's key. Only `chancery init` reads it; later: `chancery keys rotate ca stage --root-key`. Default: none;
    /// `chancery init` makes the root's key in memory, signs once and destroys it.
    pub(crate) root_key: Option<String>,
    /// File with the certificates of `key` that another authority has issued, in PEM, up to its root. Only `chancery init` reads it.
    pub(crate) chain: Option<PathBuf>,
    /// File with the list of accepted issuers. The server reads it again when it changes.
    pub(crate) issuers: PathBuf,
    /// Issuer to which clients without a token send their user to sign in. It must be one of `issuers`.
    pub(crate) oidc_issuer: Option<String>,
    /// Kinds of client keys that get certificates, by Fulcio's names. Default: all known kinds.
    #[serde(default)]
    pub(crate) client_signing_algorithms: Vec<String>,
    /// File of the audit log: one line for every request for a certificate, every change of a key and new TUF metadata. Default:
    /// `audit.jsonl` in `data`.
    pub(crate) audit: Option<PathBuf>,
    /// Largest size of the file of the audit log, in bytes, at least 65536. The next line begins a new file; the full one gets
    /// the time in its name, and stays. Default: no limit.
    audit_rotate_bytes: Option<NonZeroU64>,
    /// Longest time since the first line of the file of the audit log, such as `24h`; as `audit_rotate_bytes`. Default: no limit.
    audit_rotate_age: Option<String>,
    /// Most certificates per minute for one identity; more requests get 429. Default: no limit.
    pub(crate) limit_identity: Option<NonZeroU32>,
    /// Most certificates per minute for all identities of one issuer together. Default: no limit.
    pub(crate) limit_issuer: Option<NonZeroU32>,
}

/// The logs.
#[expect(clippy::struct_excessive_bools, reason = "switches of a configuration file, each with its name")]
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogTable {
    /// URL of the logs. Default: the `url` at the top.
    pub(crate) url: Option<String>,
    /// URL of the (first) Rekor v2 log, with a host name of its own, by which it is named. Set it before `chancery init`: it can never
    /// change. Monitors that know one log at a URL find both logs then. The host leads to the same server. Default: the URL of the
    /// logs.
    pub(crate) rekor2_url: Option<String>,
    /// Log certificates in this CT log instead of the one of this instance: the URL without `/ct/v1`. Needs `ct_log_key`.
    #[schemars(with = "Option<String>")]
    pub(crate) ct_log_url: Option<Url>,
    /// File of the public key of the log at `ct_log_url`, in PEM.
    pub(crate) ct_log_key: Option<PathBuf>,
    /// File with the certificates, in PEM, that the certificate authority trusts for the server of the CT log: at `ct_log_url`, or
    /// of this instance if the log is in another process. Default: the system's authorities.
    pub(crate) ct_log_ca: Option<PathBuf>,
    /// Files with roots of other authorities whose certificates the CT log of this instance accepts too.
    #[serde(default)]
    pub(crate) ct_log_accepts: Vec<PathBuf>,
    /// Issue certificates without logging them. Misuse of the authority stays hidden, and clients refuse the certificates.
    #[serde(default)]
    pub(crate) insecure_without_certificate_log: bool,
    /// URI of the Rekor v1 log's key. Default: the file `keys/rekor.pem` in `data`.
    pub(crate) rekor_key: Option<String>,
    /// URI of the Rekor v2 log's key. Default: the file `keys/rekor2.pem` in `data`.
    pub(crate) rekor2_key: Option<String>,
    /// URI of the certificate log's key. Default: the file `keys/ct.pem` in `data`.
    pub(crate) ct_key: Option<String>,
    /// Kinds of entries that clients may add to the Rekor v1 log. Default: all known kinds but `jar`, `rpm` and `alpine`, whose
    /// archives the server would unpack.
    #[serde(default)]
    pub(crate) rekor_kinds: Vec<String>,
    /// Keep what entries of the Rekor v1 log have only a hash of, and show it with them: payloads of envelopes (`dsse`, `intoto`)
    /// and COSE messages. Every reader of the log can read them.
    #[serde(default)]
    pub(crate) rekor_attestations: bool,
    /// Most bytes of a payload or message that is kept. The entry of a larger one is logged without it. Default: 102400.
    pub(crate) rekor_attestation_max_bytes: Option<usize>,
    /// Kind of key with which `chancery init` makes the Rekor v2 log. Default: `p256`.
    pub(crate) rekor2_key_kind: Option<CheckpointKey>,
    /// Accept DSSE envelopes in the Rekor v2 log. sigstore-js and cosign 2.6 to 3.0 send attestations that way.
    #[serde(default)]
    pub(crate) rekor2_dsse: bool,
    /// Refuse new entries in the Rekor v2 log. It can still be read.
    #[serde(default)]
    pub(crate) rekor2_frozen: bool,
    /// Rekor version that `signing_config.json` names. Default: `v2`, or `v1` if the v2 log is frozen.
    pub(crate) default_rekor: Option<RekorVersion>,
    /// Witnesses that cosign the checkpoints of the Rekor v2 log.
    pub(crate) rekor2_witnesses: Option<WitnessesTable>,
    /// Witnesses that cosign the checkpoints of the certificate log.
    pub(crate) ct_witnesses: Option<WitnessesTable>,
    /// Directory or bucket to which tiles, entries and checkpoints of the logs are copied.
    pub(crate) tiles: Option<TilesTable>,
    /// The signers whose entries the Rekor logs accept. Default: everybody.
    pub(crate) write: Option<WriteTable>,
    /// The readers that may read the entries of all logs. Checkpoints, hashes, proofs and trust files stay public. Default: everybody.
    pub(crate) read: Option<ReadTable>,
}

/// A directory or bucket for copies of the logs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TilesTable {
    /// `file:///dir` or `s3://bucket/prefix`.
    #[schemars(with = "String")]
    pub(crate) url: Url,
    /// URL of an S3-compatible server. Default: Amazon's.
    #[schemars(with = "Option<String>")]
    pub(crate) endpoint: Option<Url>,
    /// Region of the bucket. Default: `us-east-1`.
    #[serde(default = "default_region")]
    pub(crate) region: String,
    /// File with the credentials, in the format of the AWS tools. Default: the role of the machine.
    pub(crate) credentials: Option<PathBuf>,
    /// File with the certificates, in PEM, that are trusted for the server. Default: the system's authorities.
    pub(crate) ca_file: Option<PathBuf>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

impl Configuration {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            ensure!(fs::metadata(path)?.len() <= MAX_FILE_BYTES, "the file is larger than 1 MiB");
            let configuration: Self = toml::from_str(&fs::read_to_string(path)?)?;
            let configuration = configuration.relative_to(path.parent().unwrap_or(Path::new("")));
            configuration.check()?;
            Ok(configuration)
        };
        read().with_context(|| format!("cannot use {}", path.display()))
    }

    /// The JSON schema of a file.
    pub(crate) fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// URL of a role.
    pub(crate) fn url_of(&self, role: Role) -> &str {
        let own = match role {
            Role::Ca => &self.ca.url,
            Role::Log => &self.log.url,
            Role::Tsa => &self.tsa.url,
            Role::Trust => &self.trust.url,
        };
        own.as_ref().unwrap_or(&self.url)
    }

    /// Resolves every path against the directory of the file.
    fn relative_to(mut self, directory: &Path) -> Self {
        let files = self.listen.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]);
        let files = files.chain([&mut self.data, &mut self.ca.issuers]).chain(&mut self.ca.audit);
        let files = files.chain(&mut self.ca.chain).chain(&mut self.tsa.chain).chain(&mut self.trust.internal_ca_file);
        let log = &mut self.log;
        let files = files.chain(&mut log.ct_log_key).chain(&mut log.ct_log_ca).chain(&mut log.ct_log_accepts);
        let tiles = log.tiles.iter_mut().flat_map(|tiles| tiles.credentials.iter_mut().chain(&mut tiles.ca_file));
        let witnesses = log.rekor2_witnesses.iter_mut().chain(&mut log.ct_witnesses).flat_map(WitnessesTable::files);
        let access = LogTable::files_of_access(log.write.as_mut(), log.read.as_mut());
        let events = self.events.iter_mut().flat_map(EventsTable::files).chain(self.status.files());
        for file in files.chain(tiles).chain(witnesses).chain(access).chain(events).chain(&mut self.monitor.config) {
            *file = directory.join(&*file);
        }
        self
    }

    fn check(&self) -> anyhow::Result<()> {
        let since_ever = Validity::since(Timestamp::from_seconds(0));
        services(&self.addresses()?, self.oidc_issuer()?, &self.rekor_v2(), since_ever)?.check()?;
        self.listen.check()?;
        self.check_keys()?;
        if let Some(database) = &self.database
            && let Err(refusal) = database_url::parse(&database.url)
        {
            bail!("[database] url: {refusal}");
        }
        ensure!(
            self.log.ct_log_url.is_some() == self.log.ct_log_key.is_some(),
            "[log] ct_log_url and ct_log_key belong together: set both or neither"
        );
        for origin in &self.listen.origins {
            web_origin::parse(origin).map_err(anyhow::Error::msg).context("[listen] origins")?;
        }
        self.operations()?;
        ensure!(
            self.log.ct_log_url.is_none() || !self.log.insecure_without_certificate_log,
            "[log] ct_log_url and insecure_without_certificate_log contradict each other: remove one"
        );
        self.authority()?;
        self.rekor_v1()?;
        self.timestamps()?;
        self.trust.tuf()?;
        self.console.check()?;
        self.log.check_access()?;
        self.check_events()?;
        check_organization(&self.organization).context("organization")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "url = \"https://sign.example.org\"\norganization = \"Example\"\ndata = \"data\"\n\
        [listen]\naddress = \"127.0.0.1:8080\"\n[ca]\nissuers = \"issuers.toml\"\n";

    fn load(text: &str) -> anyhow::Result<Configuration> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chancery.toml");
        fs::write(&file, text).unwrap();
        Configuration::load(&file)
    }

    #[test]
    fn paths_are_relative_to_the_file_and_roles_have_the_one_url() {
        let configuration = load(SMALLEST).unwrap();
        assert!(configuration.data.is_absolute() && configuration.data.ends_with("data"));
        assert!(configuration.ca.issuers.is_absolute());
        assert_eq!(configuration.url_of(Role::Tsa), "https://sign.example.org");
        assert!(configuration.addresses().unwrap().own_rekor2().is_none());
        let apart = load(&format!("{SMALLEST}[log]\nrekor2_url = \"https://Rekor2.example.org\"\n")).unwrap();
        let addresses = apart.addresses().unwrap();
        assert_eq!(addresses.own_rekor2().unwrap().as_str(), "https://rekor2.example.org");
        assert_eq!(addresses.url(Role::Log).unwrap().as_str(), "https://sign.example.org");
        let split = load(&format!("{SMALLEST}[tsa]\nurl = \"https://time.example.org\"\n")).unwrap();
        assert_eq!(split.url_of(Role::Tsa), "https://time.example.org");
        assert_eq!(split.url_of(Role::Log), "https://sign.example.org");
    }

    #[test]
    fn urls_have_their_normal_form_and_the_issuer_the_one_it_was_given() {
        let text = SMALLEST.replace("https://sign.example.org", "HTTPS://Sign.Example.org.:443/");
        let configuration =
            load(&text.replace("[ca]", "[ca]\noidc_issuer = \"https://Login.example.org:443/A\"")).unwrap();
        let addresses = configuration.addresses().unwrap();
        assert_eq!(addresses.base().as_str(), "https://sign.example.org");
        assert_eq!(addresses.url(Role::Log).unwrap().as_str(), "https://sign.example.org");
        assert_eq!(configuration.oidc_issuer().unwrap().unwrap().as_str(), "https://Login.example.org:443/A");
        // The host of a role without logs may be an IP address.
        let apart = format!("{SMALLEST}[tsa]\nurl = \"http://[2001:DB8::1]:80\"\n");
        let addresses = load(&apart).unwrap().addresses().unwrap();
        assert_eq!(addresses.url(Role::Tsa).unwrap().as_str(), "http://[2001:db8::1]");
    }

    #[test]
    fn two_sockets_may_have_one_port_on_two_addresses() {
        let with = |address: &str, metrics: &str| {
            let text = SMALLEST.replace("127.0.0.1:8080", address);
            load(&text.replace("[ca]", &format!("metrics = \"{metrics}\"\n[ca]"))).is_ok()
        };
        assert!(with("192.0.2.1:8080", "127.0.0.1:8080") && with("0.0.0.0:8080", "[::1]:8080"));
        assert!(with("127.0.0.1:8080", "127.0.0.1:9090") && with("127.0.0.1:0", "127.0.0.1:0"));
        assert!(!with("127.0.0.1:8080", "127.0.0.1:8080") && !with("[::]:8080", "127.0.0.1:8080"));
    }

    #[test]
    fn addresses_are_limited_where_they_are_the_clients_own() {
        let limit = |listen: &str| {
            let listen = format!("[listen]\n{listen}\n");
            load(&SMALLEST.replace("[listen]\n", &listen)).unwrap().listen.connections_per_address().map(usize::from)
        };
        let tls = "tls = { certificate = \"c\", key = \"k\" }";
        assert_eq!((limit(""), limit(tls)), (None, Some(256)));
        assert_eq!(limit("connections_per_address = 7"), Some(7));
        assert_eq!(limit(&format!("{tls}\nconnections_per_address = 0")), None);
    }

    #[test]
    fn what_would_fail_later_is_refused_with_its_place() {
        for (text, why) in [
            (SMALLEST.replace("organization", "organisation"), "organisation"),
            (SMALLEST.replace("https://sign", "https://me:secret@sign"), "`…@sign.example.org` is not a base URL"),
            (SMALLEST.replace("[ca]", "[ca]\noidc_issuer = \"https://login.example.org/\""), "slash"),
            (SMALLEST.replace("127.0.0.1:8080", "here"), "address"),
            (SMALLEST.replace("\"Example\"", "\" \""), "organization"),
            (SMALLEST.replace("[ca]", "[ca]\nkey = \"ftp://x\""), "[ca] key"),
            (SMALLEST.replace("[ca]", "[database]\nurl = \"postgres://a:b@c/d\"\n[ca]"), "PGPASSWORD"),
            (format!("{SMALLEST}[log]\nct_log_url = \"https://ct.example.org\"\n"), "belong together"),
            (SMALLEST.replace("[listen]\n", "[listen]\norigins = [\"*\"]\n"), "[listen] origins"),
            (SMALLEST.replace("[listen]\n", "[listen]\nrequest_budget_bytes = 67108863\n"), "at least that"),
            (format!("{SMALLEST}[extra]\n"), "extra"),
            (format!("{SMALLEST}[telemetry]\nlog_format = \"yaml\"\n"), "yaml"),
            (SMALLEST.replace("example.org\"", "example.org/sigstore\""), "has a path"),
            (SMALLEST.replace("sign.example.org", "[2001:db8::1]"), "IPv6 address"),
            (SMALLEST.replace("[ca]", "[ca]\nurl = \"https://ca.example.org/ca\""), "root of its host"),
            (SMALLEST.replace("[ca]", "metrics = \"0.0.0.0:8080\"\n[ca]"), "same port, 8080"),
            (SMALLEST.replace("Example", &"Example ".repeat(9)), "1 to 64 characters"),
            (SMALLEST.replace("[ca]", "[ca]\nclient_signing_algorithms = [\"rsa-sign\"]"), "client_signing_algorithms"),
            (SMALLEST.replace("[ca]", "[database]\nurl = \"postgres:///d?sslmode=some\"\n[ca]"), "ssl_mode"),
            (format!("{SMALLEST}[tsa]\npolicies = [\"timestamps\"]\n"), "object identifiers"),
            (
                format!(
                    "{SMALLEST}[log]\nct_log_url = \"https://ct.example.org\"\nct_log_key = \"ct.pub\"\n\
                     insecure_without_certificate_log = true\n"
                ),
                "contradict each other",
            ),
            (format!("{SMALLEST}[log]\nrekor_key = \"file:/a.pem\"\nrekor2_key = \"file:/a.pem\"\n"), "are one key"),
            (
                format!("{SMALLEST}[log]\nrekor2_url = \"https://SIGN.example.org:8443\"\n"),
                "[log] rekor2_url: sign.example.org is the name of the Rekor v1 log",
            ),
            (format!("{SMALLEST}[log]\nrekor2_url = \"https://rekor2.example.org/rekor\"\n"), "[log] rekor2_url"),
            (format!("{SMALLEST}[log]\nrekor_kinds = [\"Jar\"]\n"), "[log] rekor_kinds: \"Jar\" is no kind of entry"),
            (
                format!("{SMALLEST}[search]\nenabled = false\n[events]\nwebhook = \"https://hooks.example.org\"\n"),
                "[search] enabled is false",
            ),
            (format!("{SMALLEST}[events]\nwebhook = \"https://hooks.example.org/?key=1\"\n"), "[events]: webhook"),
            (format!("{SMALLEST}[console]\nsecurity_contact = \"a@example.org\"\n"), "mailto:a@example.org"),
        ] {
            let error = format!("{:#}", load(&text).unwrap_err());
            assert!(error.contains(why) && error.contains("chancery.toml"), "{why}: {error}");
        }
        assert!(format!("{:#}", Configuration::load(Path::new("/nowhere.toml")).unwrap_err()).contains("nowhere"));
    }
}
