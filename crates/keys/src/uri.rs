//! Key URIs: they name a key, its place, and the place of the secret that opens it. They never hold the secret.
//!
//! ```text
//! file:/PATH[?password-file=PATH|password-env=NAME]
//! pkcs11:token=T;object=O[;id=%01]?module-path=PATH[&pin-source=file:PATH|x-pin-env=NAME]        RFC 7512
//! awskms://[ENDPOINT]/KEY-ID|alias/NAME|ARN[?region=R][&credentials=PATH]
//! gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N[?credentials=PATH]
//! azurekms://NAME.vault.azure.net/KEY[/VERSION][?tenant=T&client=C&secret-file=PATH|assertion-file=PATH]
//! hashivault://KEY?address=URL&token-file=PATH|token-env=NAME[&mount=M][&version=N][&namespace=N][&ca=PATH]
//! ```
//!
//! The forms before the question mark are those of Sigstore's programs. Settings that those read from the environment
//! are options here, so that the configuration alone shows what the process does. Anything unknown is an error.

mod options;
mod pkcs11;

pub use pkcs11::Pkcs11Key;

use crate::Secret;
use chancery_address::is_this_machine;
use options::Options;
use std::path::PathBuf;
use std::str::FromStr;
use url::Url;

/// Why a text is not a key URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// No scheme, or an unknown one.
    #[error("a key URI starts with file:, pkcs11:, awskms:, gcpkms:, azurekms: or hashivault:")]
    Scheme,
    /// The part before the question mark is wrong.
    #[error("write it as {0}")]
    Form(&'static str),
    /// A percent sign without two hexadecimal digits, or no UTF-8.
    #[error("the percent-encoding is wrong")]
    Encoding,
    /// An option that this scheme does not have.
    #[error("this kind of key has no option {name:?}")]
    UnknownOption {
        /// The option, as written.
        name: String,
    },
    /// An option given more than once.
    #[error("the option {name:?} is given twice")]
    Twice {
        /// The option, as written.
        name: String,
    },
    /// A required option is missing.
    #[error("it needs {0}")]
    Missing(&'static str),
    /// Options that contradict each other.
    #[error("give only one of {0}")]
    OneOf(&'static str),
    /// An option whose value cannot be used.
    #[error("the value of {name:?} must be {expected}")]
    Value {
        /// The option.
        name: &'static str,
        /// The values it takes.
        expected: &'static str,
    },
    /// A secret in the URI, visible to every reader of the configuration.
    #[error("a URI must not contain a secret: put it into a file and use {0}")]
    Secret(&'static str),
}

/// A key in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileKey {
    /// Absolute path.
    pub path: PathBuf,
    /// Password of an encrypted key.
    pub password: Option<Secret>,
}

/// A key in AWS KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKey {
    /// Key id, alias or ARN, as the service takes it.
    pub id: String,
    /// Region of the key.
    pub region: String,
    /// The service's URL, if it is not Amazon's public one.
    pub endpoint: Option<Url>,
    /// File with `aws_access_key_id = …` and `aws_secret_access_key = …`. Without it, the machine's role is used.
    pub credentials: Option<PathBuf>,
}

/// A key in Google Cloud KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleKey {
    /// Resource name of the key's version.
    pub name: String,
    /// The service's URL, if it is not Google's public one.
    pub endpoint: Option<Url>,
    /// A service account's JSON key. Without it, the machine's service account is used.
    pub credentials: Option<PathBuf>,
}

/// A key in Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureKey {
    /// The vault.
    pub vault: Url,
    /// The key's name in the vault.
    pub name: String,
    /// The version. Without it, the newest at the time of opening.
    pub version: Option<String>,
    /// How to authenticate.
    pub login: AzureLogin,
}

/// How to get a token of Microsoft Entra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AzureLogin {
    /// From the machine's managed identity.
    ManagedIdentity,
    /// As an application.
    Application {
        /// Directory.
        tenant: String,
        /// Application.
        client: String,
        /// The application's proof.
        proof: AzureProof,
        /// The authority that issues tokens.
        authority: Url,
    },
}

/// An application's proof of its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AzureProof {
    /// A client secret.
    Secret(Secret),
    /// A token of a federated issuer, such as a Kubernetes service account's.
    Assertion(Secret),
}

/// A key in a transit engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKey {
    /// Name of the key.
    pub name: String,
    /// The version. Without it, the one that has signed before; for a new key, the newest.
    pub version: Option<u32>,
    /// The server.
    pub address: Url,
    /// Path of the transit engine.
    pub mount: String,
    /// Namespace, if the server has namespaces.
    pub namespace: Option<String>,
    /// Sent with every request. Read again for each request, so that an agent can renew it.
    pub token: Secret,
    /// Certificates to trust in place of the system's authorities, in PEM.
    pub authorities: Option<PathBuf>,
}

/// The place of one key. Made only from its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyUri {
    /// `file:`
    File(FileKey),
    /// `pkcs11:`
    Pkcs11(Pkcs11Key),
    /// `awskms:`
    Aws(AwsKey),
    /// `gcpkms:`
    Google(GoogleKey),
    /// `azurekms:`
    Azure(AzureKey),
    /// `hashivault:`
    Vault(VaultKey),
}

impl KeyUri {
    /// Whether both texts name one key, as far as texts can tell: for a file, whatever the password.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one.path == other.path,
            (one, other) => one == other,
        }
    }
}

impl FromStr for KeyUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        if text.chars().any(|c| c.is_control() || c == ' ' || c == '#') {
            return Err(UriError::Encoding);
        }
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let mut options = Options::parse(query.unwrap_or_default(), '&')?;
        let uri = match scheme {
            "file" => Self::File(file(path, &mut options)?),
            "pkcs11" => Self::Pkcs11(pkcs11::parse(path, &mut options)?),
            "awskms" => Self::Aws(aws(path, &mut options)?),
            "gcpkms" => Self::Google(google(path, &mut options)?),
            "azurekms" => Self::Azure(azure(path, &mut options)?),
            "hashivault" => Self::Vault(vault(path, &mut options)?),
            _ => return Err(UriError::Scheme),
        };
        options.end()?;
        Ok(uri)
    }
}

fn file(path: &str, options: &mut Options) -> Result<FileKey, UriError> {
    const FORM: UriError = UriError::Form("file:/PATH with an absolute path");
    let path = path.strip_prefix("//").unwrap_or(path);
    if !path.starts_with('/') || path.ends_with('/') || path.starts_with("//") {
        return Err(FORM);
    }
    Ok(FileKey { path: options::decode(path)?.into(), password: options.secret("password-file", "password-env")? })
}

fn aws(path: &str, options: &mut Options) -> Result<AwsKey, UriError> {
    const FORM: UriError =
        UriError::Form("awskms:///KEY-ID, awskms:///alias/NAME, awskms:///ARN or awskms://ENDPOINT/…");
    let (host, id) = path.strip_prefix("//").and_then(|rest| rest.split_once('/')).ok_or(FORM)?;
    let printable = |c: char| c.is_ascii_alphanumeric() || "-_/:".contains(c);
    if id.is_empty() || !id.chars().all(printable) {
        return Err(FORM);
    }
    let endpoint = if host.is_empty() { None } else { Some(host_url(host).ok_or(FORM)?) };
    // arn:PARTITION:kms:REGION:ACCOUNT:key/ID
    let of_arn = id.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2)).map(str::to_owned);
    let region = match (of_arn, options.take("region")) {
        (Some(of_arn), Some(given)) if of_arn != given => return Err(UriError::OneOf("an ARN and another region")),
        (Some(region), _) | (None, Some(region)) => region,
        (None, None) => return Err(UriError::Missing("region=REGION, unless the key is named by its ARN")),
    };
    if region.is_empty() || !region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(UriError::Value { name: "region", expected: "a region such as eu-central-1" });
    }
    Ok(AwsKey { id: id.to_owned(), region, endpoint, credentials: options.path("credentials")? })
}

fn google(path: &str, options: &mut Options) -> Result<GoogleKey, UriError> {
    const FORM: UriError =
        UriError::Form("gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N, with the version");
    let name = path.strip_prefix("//").ok_or(FORM)?;
    let segments: Vec<&str> = name.split('/').collect();
    let names = segments.iter().step_by(2);
    let expected = ["projects", "locations", "keyRings", "cryptoKeys", "cryptoKeyVersions"];
    if segments.len() != 10 || !names.eq(expected.iter()) || !segments.iter().all(|name| is_segment(name)) {
        return Err(FORM);
    }
    Ok(GoogleKey {
        name: name.to_owned(),
        endpoint: options.url("endpoint")?,
        credentials: options.path("credentials")?,
    })
}

fn azure(path: &str, options: &mut Options) -> Result<AzureKey, UriError> {
    const FORM: UriError =
        UriError::Form("azurekms://NAME.vault.azure.net/KEY or azurekms://NAME.vault.azure.net/KEY/VERSION");
    let (host, key) = path.strip_prefix("//").and_then(|rest| rest.split_once('/')).ok_or(FORM)?;
    let (name, version) = key.split_once('/').map_or((key, None), |(name, version)| (name, Some(version)));
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !plain(name) || !version.is_none_or(plain) {
        return Err(FORM);
    }
    let vault = host_url(host).ok_or(FORM)?;
    let login = azure_login(options)?;
    Ok(AzureKey { vault, name: name.to_owned(), version: version.map(str::to_owned), login })
}

fn azure_login(options: &mut Options) -> Result<AzureLogin, UriError> {
    const AUTHORITY: &str = "https://login.microsoftonline.com";
    let (tenant, client) = (options.name("tenant")?, options.name("client")?);
    let authority = options.url("authority")?;
    let secret = options.secret("secret-file", "secret-env")?;
    let assertion = options.path("assertion-file")?.map(Secret::File);
    let proof = match (secret, assertion) {
        (Some(_), Some(_)) => return Err(UriError::OneOf("secret-file, secret-env and assertion-file")),
        (Some(secret), None) => Some(AzureProof::Secret(secret)),
        (None, assertion) => assertion.map(AzureProof::Assertion),
    };
    match (tenant, client, proof) {
        (None, None, None) if authority.is_none() => Ok(AzureLogin::ManagedIdentity),
        (Some(tenant), Some(client), Some(proof)) => {
            let default = || Url::parse(AUTHORITY).map_err(|_| UriError::Encoding);
            let authority = authority.map_or_else(default, Ok)?;
            Ok(AzureLogin::Application { tenant, client, proof, authority })
        }
        _ => Err(UriError::Missing(
            "tenant=, client= and one of secret-file=, secret-env=, assertion-file=, or none of them",
        )),
    }
}

fn vault(path: &str, options: &mut Options) -> Result<VaultKey, UriError> {
    const FORM: UriError = UriError::Form("hashivault://KEY?address=https://…&token-file=/PATH");
    const VERSION: UriError = UriError::Value { name: "version", expected: "a number from 1" };
    let name = path.strip_prefix("//").ok_or(FORM)?;
    if !is_segment(name) {
        return Err(FORM);
    }
    let mount = options.take("mount").unwrap_or_else(|| "transit".to_owned());
    if !mount.split('/').all(is_segment) {
        return Err(UriError::Value { name: "mount", expected: "the path of the transit engine" });
    }
    let version = match options.take("version") {
        None => None,
        Some(text) => Some(text.parse::<u32>().ok().filter(|version| *version > 0).ok_or(VERSION)?),
    };
    Ok(VaultKey {
        name: name.to_owned(),
        version,
        address: options.url("address")?.ok_or(UriError::Missing("address=URL"))?,
        mount,
        namespace: options.take("namespace"),
        token: options
            .secret("token-file", "token-env")?
            .ok_or(UriError::Missing("token-file=PATH or token-env=NAME"))?,
        authorities: options.path("ca")?,
    })
}

/// Returns whether a text is exactly one segment of a path.
fn is_segment(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    plain && !text.chars().all(|c| c == '.')
}

/// The URL of `HOST[:PORT]`: HTTPS, or HTTP on this machine.
fn host_url(host: &str) -> Option<Url> {
    let url = Url::parse(&format!("https://{host}/")).ok()?;
    if url.host_str().is_none_or(str::is_empty) || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    if is_this_machine(&url) { Url::parse(&format!("http://{host}/")).ok() } else { Some(url) }
}

#[cfg(test)]
mod tests;
