//! Finds the credentials for a registry: in Docker's and Podman's files, and in the credential helpers that they name.
//!
//! The first source with a credential for the registry is used: `DOCKER_AUTH_CONFIG`, Docker's `config.json`, then the
//! files of `containers-auth.json(5)`. In each file, the helper of the host has priority over the general helper, and this
//! one over the entries of the file. Sources are read only after a registry has required a credential. Values of
//! environment variables are passed in [`Locations`].

mod program;

use crate::{Error, ErrorKind, Repository};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{ErrorKind as IoErrorKind, Read as _},
    path::{Path, PathBuf},
};

/// Maximum bytes of a file.
const MAX_FILE: u64 = 1024 * 1024;
/// Docker's key for credentials of Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Sources of credentials: from the environment of a command, or set by a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations {
    /// The value of `DOCKER_AUTH_CONFIG`: JSON with `auths`.
    pub docker_auth_config: Option<String>,
    /// `DOCKER_CONFIG`: the directory of `config.json`.
    pub docker_config: Option<PathBuf>,
    /// `REGISTRY_AUTH_FILE`: a file that replaces Podman's.
    pub registry_auth_file: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_directory: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub configuration_directory: Option<PathBuf>,
    /// The user's home.
    pub home: Option<PathBuf>,
}

impl Locations {
    /// The files, in the order in which they are read.
    fn files(&self) -> Vec<PathBuf> {
        let home = |path: &str| self.home.as_ref().map(|home| home.join(path));
        let docker = self.docker_config.clone().or_else(|| home(".docker")).map(|at| at.join("config.json"));
        let mut files: Vec<PathBuf> = docker.into_iter().collect();
        if let Some(file) = &self.registry_auth_file {
            files.push(file.clone());
            return files;
        }
        let below = |directory: PathBuf| directory.join("containers/auth.json");
        files.extend(self.runtime_directory.clone().map(below));
        files.extend(self.configuration_directory.clone().or_else(|| home(".config")).map(below));
        files
    }
}

/// A credential for a registry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A name and its password.
    Basic { name: String, secret: String },
    /// A refresh token of OAuth 2.0.
    IdentityToken(String),
    /// An access token, used as it is.
    RegistryToken(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic",
            Self::IdentityToken(_) => "IdentityToken",
            Self::RegistryToken(_) => "RegistryToken",
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    auths: HashMap<String, Entry>,
    creds_store: String,
    cred_helpers: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// Finds the credential for `repository`. `None` means anonymous access.
pub(crate) async fn find(locations: &Locations, repository: &Repository) -> Result<Option<Credential>, Error> {
    if let Some(text) = &locations.docker_auth_config {
        let configuration = read(text.as_bytes(), "DOCKER_AUTH_CONFIG")?;
        // As in Docker, only entries are used here: a variable must not choose a program.
        if let Some(credential) = configuration.entry(repository, "DOCKER_AUTH_CONFIG")? {
            return Ok(Some(credential));
        }
    }
    for path in locations.files() {
        let Some(bytes) = contents(&path)? else { continue };
        let configuration = read(&bytes, &path.display().to_string())?;
        if let Some(credential) = configuration.find(repository, &path).await? {
            return Ok(Some(credential));
        }
    }
    Ok(None)
}

/// Reads the file at `path`. `None` if there is no such file.
fn contents(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let refuse = |reason: String| Error::new(ErrorKind::Credentials, path.display(), reason);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), IoErrorKind::NotFound | IoErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(refuse(format!("cannot be read: {error}"))),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(refuse("has more than 1 MiB".to_owned()));
    }
    Ok(Some(bytes))
}

fn read(bytes: &[u8], name: &str) -> Result<Configuration, Error> {
    // Only the position, because the text of the parser could quote a secret.
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("is not Docker's configuration: line {}, column {}", error.line(), error.column());
        Error::new(ErrorKind::Credentials, name, place)
    })
}

impl Configuration {
    async fn find(&self, repository: &Repository, path: &Path) -> Result<Option<Credential>, Error> {
        let registry = repository.registry();
        let hosts = [registry, server(registry)];
        let own = hosts.iter().find_map(|host| self.cred_helpers.get(*host));
        let helper = own.or(Some(&self.creds_store)).filter(|name| !name.is_empty());
        if let Some(name) = helper
            && let Some(credential) = program::get(name, server(registry)).await?
        {
            return Ok(Some(credential));
        }
        self.entry(repository, &path.display().to_string())
    }

    fn entry(&self, repository: &Repository, source: &str) -> Result<Option<Credential>, Error> {
        let entry = keys(repository).into_iter().find_map(|key| self.auths.get(&key));
        entry
            .map_or(Ok(None), |entry| entry.read().map_err(|reason| Error::new(ErrorKind::Credentials, source, reason)))
    }
}

/// The name of a registry in a credential store.
fn server(registry: &str) -> &str {
    if registry == "index.docker.io" { DOCKER_HUB_KEY } else { registry }
}

/// The keys of entries that apply to `repository`, the most specific first.
fn keys(repository: &Repository) -> Vec<String> {
    let registry = repository.registry();
    let mut found = Vec::new();
    let mut path = format!("{registry}/{}", repository.name());
    loop {
        found.push(path.clone());
        match path.rfind('/') {
            Some(slash) => path.truncate(slash),
            None => break,
        }
    }
    if registry == "index.docker.io" {
        found.extend([DOCKER_HUB_KEY.to_owned(), "docker.io".to_owned()]);
    }
    for scheme in ["https://", "http://", ""] {
        found.extend(["", "/", "/v1/", "/v2/"].map(|end| format!("{scheme}{registry}{end}")));
    }
    found
}

impl Entry {
    fn read(&self) -> Result<Option<Credential>, &'static str> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::RegistryToken(self.registrytoken.clone())));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::IdentityToken(self.identitytoken.clone())));
        }
        if self.auth.is_empty() {
            let Self { username, password, .. } = self;
            let given = !username.is_empty() && !password.is_empty();
            return Ok(given.then(|| Credential::Basic { name: username.clone(), secret: password.clone() }));
        }
        let malformed = "has an auth that is not base64 of NAME:PASSWORD";
        let bytes = STANDARD.decode(self.auth.trim()).map_err(|_| malformed)?;
        let text = String::from_utf8(bytes).map_err(|_| malformed)?;
        let (name, secret) = text.trim_end_matches('\0').split_once(':').ok_or(malformed)?;
        Ok(Some(Credential::Basic { name: name.to_owned(), secret: secret.to_owned() }))
    }
}

#[cfg(test)]
mod tests;
