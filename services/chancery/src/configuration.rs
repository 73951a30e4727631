//! The configuration file of `chancery init` and `chancery serve`: TOML, strict.
//!
//! An unknown key is an error, and so is everything that could only be found out later: an address nobody can listen on, a
//! URL clients would get wrong. Relative paths are relative to the file. Nothing here opens anything but the file; the
//! types give the JSON schema for editors.

mod console;
mod trust;
mod tsa;

use crate::{
    cli::database_url,
    instance::{CheckpointKey, RekorVersion, WitnessesTable},
};
use anyhow::{Context as _, bail, ensure};
use chancery_keys::KeyUri;
use chancery_trust::BaseUrl;
use console::ConsoleTable;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fmt, fs,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
};
use trust::TrustTable;
use tsa::TsaTable;
use url::Url;

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Clients behind one address translator, each with a few connections.
const CONNECTIONS_PER_ADDRESS: usize = 256;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Certificate authority (Fulcio)
    Ca,
    /// Signature logs (Rekor) and certificate log
    Log,
    /// Timestamp authority
    Tsa,
    /// Trust root: TUF repository and trust files
    Trust,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Ca, Self::Log, Self::Tsa, Self::Trust];

    const fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Log => "log",
            Self::Tsa => "tsa",
            Self::Trust => "trust",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A server's configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    /// What clients use, e.g. `https://sign.example.org`. Its host names the logs and can never change.
    pub(crate) url: String,
    /// Organisation in the certificates that are made at init.
    pub(crate) organization: String,
    /// Directory for keys that are nowhere else, certificates, trust files, and the logs if there is no `database`.
    pub(crate) data: PathBuf,
    /// Where the server listens.
    pub(crate) listen: Listen,
    /// Where the logs are, if not in a file in `data`.
    pub(crate) database: Option<DatabaseTable>,
    /// The certificate authority.
    pub(crate) ca: CaTable,
    /// The logs.
    #[serde(default)]
    pub(crate) log: LogTable,
    /// The timestamp authority.
    #[serde(default)]
    pub(crate) tsa: TsaTable,
    /// The trust root.
    #[serde(default)]
    pub(crate) trust: TrustTable,
    /// The pages for people.
    #[serde(default)]
    pub(crate) console: ConsoleTable,
}

/// Where the server listens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    /// Address and port for clients.
    #[schemars(with = "String")]
    pub(crate) address: SocketAddr,
    /// Address and port for Prometheus; nobody else should reach it.
    #[schemars(with = "Option<String>")]
    pub(crate) metrics: Option<SocketAddr>,
    /// TLS; without it a proxy in front must speak it.
    pub(crate) tls: Option<TlsFiles>,
    /// Connections that one address may have at a time, 0 for any number. 256 if nothing is said, where there is `tls`; any
    /// number where there is not, because a proxy's address is everybody's.
    connections_per_address: Option<usize>,
}

impl Listen {
    /// The most connections of one address, if there is a limit.
    pub(crate) fn connections_per_address(&self) -> Option<NonZeroUsize> {
        let usual = if self.tls.is_some() { CONNECTIONS_PER_ADDRESS } else { 0 };
        NonZeroUsize::new(self.connections_per_address.unwrap_or(usual))
    }
}

/// Certificate and key, in PEM; taken anew when they change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// Certificate chain, the server's own first.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// A `PostgreSQL` database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseTable {
    /// `postgres://user@host/database`; the password is in `PGPASSWORD` or the file of passwords.
    pub(crate) url: String,
}

/// The certificate authority.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaTable {
    /// Where clients reach it, if not at `url`.
    pub(crate) url: Option<String>,
    /// URI of the issuing key; `keys/ca.pem` in `data` if nothing is said.
    pub(crate) key: Option<String>,
    /// File of issuers whose tokens count; read again when it changes.
    pub(crate) issuers: PathBuf,
    /// Where people sign in: the issuer to which clients without a token send them. It must be one of `issuers`.
    pub(crate) oidc_issuer: Option<String>,
    /// Kinds of keys that clients may have certificates for, as Fulcio names them; all it knows if nothing is said.
    #[serde(default)]
    pub(crate) client_signing_algorithms: Vec<String>,
    /// File for a line about every request and every change of keys and TUF; `audit.jsonl` in `data` if nothing is said.
    pub(crate) audit: Option<PathBuf>,
    /// Certificates one identity may ask for in a minute.
    pub(crate) limit_identity: Option<NonZeroU32>,
    /// Certificates all identities of one issuer may ask for in a minute.
    pub(crate) limit_issuer: Option<NonZeroU32>,
}

/// The logs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogTable {
    /// Where clients reach them, if not at `url`.
    pub(crate) url: Option<String>,
    /// Another CT log to log certificates in: the URL before `/ct/v1`.
    #[schemars(with = "Option<String>")]
    pub(crate) ct_log_url: Option<Url>,
    /// Its public key, in PEM.
    pub(crate) ct_log_key: Option<PathBuf>,
    /// Files with roots whose certificates the own CT log takes, too.
    #[serde(default)]
    pub(crate) ct_log_accepts: Vec<PathBuf>,
    /// Issue certificates that no log knows of. Nobody can find out what was issued, and clients refuse them.
    #[serde(default)]
    pub(crate) insecure_without_certificate_log: bool,
    /// URI of the Rekor v1 log's key; `keys/rekor.pem` in `data` if nothing is said. So for the other two.
    pub(crate) rekor_key: Option<String>,
    /// URI of the Rekor v2 log's key.
    pub(crate) rekor2_key: Option<String>,
    /// URI of the certificate log's key.
    pub(crate) ct_key: Option<String>,
    /// Kind of key the Rekor v2 log is made with.
    pub(crate) rekor2_key_kind: Option<CheckpointKey>,
    /// Take DSSE envelopes into the Rekor v2 log, as sigstore-js and cosign 2.6 to 3.0 send them for attestations.
    #[serde(default)]
    pub(crate) rekor2_dsse: bool,
    /// Take no more entries into the Rekor v2 log, which can still be read.
    #[serde(default)]
    pub(crate) rekor2_frozen: bool,
    /// Which Rekor signers are told of unless they ask for another; v2 unless it is frozen.
    pub(crate) default_rekor: Option<RekorVersion>,
    /// Who cosigns the Rekor v2 log's checkpoints.
    pub(crate) rekor2_witnesses: Option<WitnessesTable>,
    /// Who cosigns the certificate log's checkpoints.
    pub(crate) ct_witnesses: Option<WitnessesTable>,
    /// Where the logs' files are copied to.
    pub(crate) tiles: Option<TilesTable>,
}

/// A directory or bucket.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TilesTable {
    /// `file:///dir` or `s3://bucket/prefix`.
    #[schemars(with = "String")]
    pub(crate) url: Url,
    /// S3-compatible server, if it is not Amazon's.
    #[schemars(with = "Option<String>")]
    pub(crate) endpoint: Option<Url>,
    /// Region of the bucket.
    #[serde(default = "default_region")]
    pub(crate) region: String,
    /// File with the credentials; without it, the machine's role is asked for.
    pub(crate) credentials: Option<PathBuf>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

impl Configuration {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            ensure!(fs::metadata(path)?.len() <= MAX_FILE_BYTES, "larger than 1 MiB");
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

    /// Where clients reach a role.
    pub(crate) fn url_of(&self, role: Role) -> &str {
        let own = match role {
            Role::Ca => &self.ca.url,
            Role::Log => &self.log.url,
            Role::Tsa => &self.tsa.url,
            Role::Trust => &self.trust.url,
        };
        own.as_ref().unwrap_or(&self.url)
    }

    /// Every path, resolved against where the file is.
    fn relative_to(mut self, directory: &Path) -> Self {
        let files = self.listen.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]);
        let files = files.chain([&mut self.data, &mut self.ca.issuers]).chain(&mut self.ca.audit);
        let files = files.chain(&mut self.log.ct_log_key).chain(&mut self.log.ct_log_accepts);
        let tiles = self.log.tiles.as_mut().and_then(|tiles| tiles.credentials.as_mut());
        for file in files.chain(tiles) {
            *file = directory.join(&*file);
        }
        self
    }

    fn check(&self) -> anyhow::Result<()> {
        for role in Role::ALL {
            let url = self.url_of(role);
            BaseUrl::parse(url).with_context(|| format!("url of {role}"))?;
        }
        let Self { ca, log, tsa, .. } = self;
        let logs =
            [("[log] rekor_key", &log.rekor_key), ("[log] rekor2_key", &log.rekor2_key), ("[log] ct_key", &log.ct_key)];
        for (place, key) in logs.into_iter().chain([("[ca] key", &ca.key), ("[tsa] key", &tsa.key)]) {
            if let Some(uri) = key {
                uri.parse::<KeyUri>().context(place)?;
            }
        }
        if let Some(database) = &self.database
            && let Err(refusal) = database_url(&database.url)
        {
            bail!("[database] url: {refusal}");
        }
        ensure!(
            self.log.ct_log_url.is_some() == self.log.ct_log_key.is_some(),
            "[log] ct_log_url and ct_log_key belong together"
        );
        self.tsa.time_servers()?;
        self.trust.tuf()?;
        self.console.check()?;
        for (place, witnesses) in
            [("[log.rekor2_witnesses]", &log.rekor2_witnesses), ("[log.ct_witnesses]", &log.ct_witnesses)]
        {
            witnesses.as_ref().map(WitnessesTable::witnesses).transpose().context(place)?;
        }
        if let Some(issuer) = &self.ca.oidc_issuer {
            BaseUrl::parse(issuer).context("[ca] oidc_issuer")?;
        }
        ensure!(!self.organization.trim().is_empty(), "organization is empty");
        Ok(())
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
        let split = load(&format!("{SMALLEST}[tsa]\nurl = \"https://time.example.org\"\n")).unwrap();
        assert_eq!(split.url_of(Role::Tsa), "https://time.example.org");
        assert_eq!(split.url_of(Role::Log), "https://sign.example.org");
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
            (SMALLEST.replace("example.org\"", "example.org/\""), "slash"),
            (SMALLEST.replace("127.0.0.1:8080", "here"), "address"),
            (SMALLEST.replace("\"Example\"", "\" \""), "organization"),
            (SMALLEST.replace("[ca]", "[ca]\nkey = \"ftp://x\""), "[ca] key"),
            (SMALLEST.replace("[ca]", "[database]\nurl = \"postgres://a:b@c/d\"\n[ca]"), "PGPASSWORD"),
            (format!("{SMALLEST}[log]\nct_log_url = \"https://ct.example.org\"\n"), "belong together"),
            (format!("{SMALLEST}[extra]\n"), "extra"),
            (format!("{SMALLEST}[console]\nsecurity_contact = \"a@example.org\"\n"), "mailto:a@example.org"),
        ] {
            let error = format!("{:#}", load(&text).unwrap_err());
            assert!(error.contains(why) && error.contains("chancery.toml"), "{why}: {error}");
        }
        assert!(format!("{:#}", Configuration::load(Path::new("/nowhere.toml")).unwrap_err()).contains("nowhere"));
    }
}
