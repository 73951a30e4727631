//! Trusted logs: Rekor logs and certificate transparency logs.

use super::Window;
use super::instance::{Instance, host_and_path, operator, window};
use super::limits::{MAX_DER_BYTES, MAX_TEXT_BYTES};
use crate::key::KeyKind;
use crate::note::{self, KeyId, KeyName};
use crate::protojson::strict::{Node, Object};
use crate::rekor::v2::KeyDetails;
use crate::{Hash, PublicKey, Refusal, Rejection, Step};
use serde_json::Value;

/// A log with its parsed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransparencyLog {
    pub(super) url: String,
    pub(super) host: String,
    /// Names under which its key may sign checkpoints: the host, host and port if the URL has a port, host and path if
    /// it has a path; an IPv6 address also without brackets.
    pub(super) names: Vec<String>,
    pub(super) key: PublicKey,
    pub(super) log_id: Hash,
    pub(super) checkpoint_key_id: KeyId,
    pub(super) window: Window,
    pub(super) operator: String,
}

impl TransparencyLog {
    /// The URL, as written. May lack a scheme.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL's host in lower case, without port. Empty for a certificate transparency log without a URL.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Names under which its key may sign checkpoints, the most likely first. The origin of Rekor v2 is one of these.
    /// The origin of Rekor v1 is one of these, then ` - ` and digits.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The id. It has been checked against the key.
    #[must_use]
    pub const fn log_id(&self) -> &Hash {
        &self.log_id
    }

    /// The key id at the start of its signature lines: from the file, or the first four bytes of the log id.
    #[must_use]
    pub const fn checkpoint_key_id(&self) -> KeyId {
        self.checkpoint_key_id
    }

    /// The window of trust.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The operator, which thresholds count. If the file names none, the host.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }
}

/// The key details of a log.
enum Details {
    /// A `SubjectPublicKeyInfo` of this kind.
    Spki(KeyKind),
    /// An RSA key in PKCS#1.
    Pkcs1,
    /// Unknown key details, or an algorithm that is not supported.
    Unusable(String),
}

impl Details {
    /// Parses a name or number. An unknown one makes the log unusable, because it may be a new algorithm. A missing one
    /// is an error.
    fn read(object: &mut Object) -> Result<Self, Refusal> {
        let missing = object.refuse("keyDetails", Rejection::RootKeyDetails);
        let node = object.take("keyDetails").ok_or_else(|| missing.clone().expected("the kind of key", "none"))?;
        let name = match node.value() {
            Value::Number(number) => {
                let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
                let number = number.ok_or_else(|| node.unlike("a kind of key"))?;
                KeyDetails::name_of(number).unwrap_or("unknown")
            }
            Value::String(name) if (1..=64).contains(&name.len()) => name,
            _ => return Err(node.unlike("a kind of key")),
        };
        Ok(match name {
            "PUBLIC_KEY_DETAILS_UNSPECIFIED" => return Err(missing.expected("the kind of key", name)),
            "PKCS1_RSA_PKCS1V5" => Self::Pkcs1,
            "PKIX_ECDSA_P256_SHA_256" => Self::Spki(KeyKind::P256),
            "PKIX_ECDSA_P384_SHA_384" => Self::Spki(KeyKind::P384),
            "PKIX_ECDSA_P521_SHA_512" => Self::Spki(KeyKind::P521),
            "PKIX_ED25519" => Self::Spki(KeyKind::Ed25519),
            "PKIX_RSA_PKCS1V15_2048_SHA256" => Self::Spki(KeyKind::Rsa(2048)),
            "PKIX_RSA_PKCS1V15_3072_SHA256" => Self::Spki(KeyKind::Rsa(3072)),
            "PKIX_RSA_PKCS1V15_4096_SHA256" => Self::Spki(KeyKind::Rsa(4096)),
            other => Self::Unusable(other.to_owned()),
        })
    }

    /// Parses the key. It must match the key details.
    fn key(&self, der: &[u8], path: &str) -> Result<PublicKey, Refusal> {
        let at = |rejection, member: &str| Refusal::new(rejection, Step::Formats).at(format!("{path}.{member}"));
        let parsed = match self {
            Self::Pkcs1 => PublicKey::from_pkcs1_der(der),
            Self::Spki(_) | Self::Unusable(_) => PublicKey::from_spki_der(der),
        };
        let key = parsed.map_err(|rejection| {
            at(Rejection::RootKey, "rawBytes").expected("a public key in DER", rejection.to_string())
        })?;
        match self {
            Self::Spki(kind) if *kind != key.kind() => {
                let refusal = at(Rejection::RootKeyDetails, "keyDetails");
                Err(refusal.expected(format!("those of {:?}", key.kind()), format!("those of {kind:?}")))
            }
            _ => Ok(key),
        }
    }
}

/// A log as written, with the right form.
pub(super) struct Description {
    path: String,
    url: String,
    key: Vec<u8>,
    details: Details,
    window: Window,
    log_id: Vec<u8>,
    checkpoint_key_id: Vec<u8>,
    operator: String,
    host: String,
    url_path: String,
}

impl Description {
    pub(super) fn read(node: Node) -> Result<Self, Refusal> {
        let path = node.path().to_owned();
        let mut object = node.object()?;
        let url = object.string("baseUrl", MAX_TEXT_BYTES)?;
        let (host, url_path) = match host_and_path(&url) {
            Some((host, path)) => (host, path.to_owned()),
            None if url.is_empty() => (String::new(), String::new()),
            None => return Err(object.refuse("baseUrl", Rejection::RootMalformed).expected("a URL", &url)),
        };
        hash_algorithm(&mut object)?;
        let mut public_key = object.require("publicKey")?.object()?;
        let window = window(&mut public_key)?;
        let details = Details::read(&mut public_key)?;
        let key = public_key.bytes("rawBytes", MAX_DER_BYTES)?;
        public_key.finish()?;
        let log_id = key_id(&mut object, "logId")?;
        let checkpoint_key_id = key_id(&mut object, "checkpointKeyId")?;
        let operator = operator(&mut object, &host)?;
        object.finish()?;
        Ok(Self { path, url, key, details, window, log_id, checkpoint_key_id, operator, host, url_path })
    }

    /// Makes a Rekor log. Its id must be that of its key, or of its key and a name from its URL.
    pub(super) fn rekor(self) -> Result<Instance<TransparencyLog>, Refusal> {
        let key = match self.parsed_key()? {
            Ok(key) => key,
            Err(unusable) => return Ok(unusable),
        };
        let mut names = self.names()?;
        if names.is_empty() {
            return Err(self.refuse(Rejection::RootMalformed, "baseUrl").expected("a URL", "none"));
        }
        if self.log_id != key.fingerprint() {
            names.retain(|name| note::key_hash(name, &key) == *self.log_id);
            if names.is_empty() {
                return Err(self.wrong_id("logId.keyId", "the hash of the key, or of key and host"));
            }
        }
        let mut ids = names.iter().map(|name| note::key_hash(name, &key)).collect::<Vec<_>>();
        ids.push(key.fingerprint());
        let known = ids.iter().map(|id| &id[..]).collect::<Vec<_>>();
        let checkpoint_key_id = self.checkpoint_key_id(&known)?;
        Ok(Instance::Usable(self.log(key, &names, checkpoint_key_id)?))
    }

    /// Makes a certificate transparency log. Its id must be that of its key (RFC 6962 §3.2).
    pub(super) fn certificate_transparency(self) -> Result<Instance<TransparencyLog>, Refusal> {
        let key = match self.parsed_key()? {
            Ok(key) => key,
            Err(unusable) => return Ok(unusable),
        };
        if self.log_id != key.fingerprint() {
            return Err(self.wrong_id("logId.keyId", "the hash of the key"));
        }
        let names = self.names()?;
        let ids = names.iter().map(|name| note::static_ct_key_id(name, &key)).collect::<Vec<_>>();
        let fingerprint = key.fingerprint();
        let known = ids.iter().map(|id| &id[..]).chain([&fingerprint[..]]).collect::<Vec<_>>();
        let checkpoint_key_id = self.checkpoint_key_id(&known)?;
        Ok(Instance::Usable(self.log(key, &names, checkpoint_key_id)?))
    }

    fn log(self, key: PublicKey, names: &[KeyName], checkpoint_key_id: KeyId) -> Result<TransparencyLog, Refusal> {
        let refusal = self.wrong_id("logId.keyId", "32 bytes");
        let log_id = Hash::try_from(self.log_id).map_err(|_| refusal)?;
        let names = names.iter().map(KeyName::to_string).collect();
        let Self { url, host, window, operator, .. } = self;
        Ok(TransparencyLog { url, host, names, key, log_id, checkpoint_key_id, window, operator })
    }

    fn parsed_key(&self) -> Result<Result<PublicKey, Instance<TransparencyLog>>, Refusal> {
        if let Details::Unusable(name) = &self.details {
            let reason = self.refuse(Rejection::RootKeyDetails, "publicKey.keyDetails");
            let reason = reason.expected("a supported kind of key", name);
            let log_id = Hash::try_from(self.log_id.as_slice()).ok();
            return Ok(Err(Instance::Unusable { url: self.url.clone(), log_id, reason }));
        }
        self.details.key(&self.key, &format!("{}.publicKey", self.path)).map(Ok)
    }

    /// The names from the URL: the host, host and port if the port is not the default, host and path if there is a
    /// path. An IPv6 address is also a name without its brackets, as Go's clients take it.
    fn names(&self) -> Result<Vec<KeyName>, Refusal> {
        let mut names = Vec::new();
        if !self.host.is_empty() {
            names.push(self.host.clone());
            names.extend(self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned));
            let (scheme, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
            let with_port = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
            let port = with_port.strip_prefix(&self.host).and_then(|port| port.strip_prefix(':'));
            let usual = matches!((scheme, port), (_, None | Some("")) | ("http", Some("80")) | ("https", Some("443")));
            if !usual {
                names.push(with_port);
            }
        }
        if !self.url_path.is_empty() {
            names.push(format!("{}{}", self.host, self.url_path));
        }
        let names = names.iter().map(|name| KeyName::new(name)).collect::<Result<_, _>>();
        names.map_err(|_| {
            self.refuse(Rejection::RootMalformed, "baseUrl").expected("a URL that can name a log", &self.url)
        })
    }

    /// The key id of checkpoints. The file has it in full or as its first four bytes. If it is missing, it is taken
    /// from the log id.
    fn checkpoint_key_id(&self, known: &[&[u8]]) -> Result<KeyId, Refusal> {
        let given = if self.checkpoint_key_id.is_empty() { &self.log_id } else { &self.checkpoint_key_id };
        let fits = |id: &&[u8]| {
            given.first_chunk::<4>() == id.first_chunk::<4>() && (given.len() == 4 || id.len() == 4 || given == id)
        };
        match given.first_chunk::<4>() {
            Some(first) if [4, 32].contains(&given.len()) && known.iter().any(fits) => Ok(*first),
            _ => {
                let refusal = self.refuse(Rejection::RootLogId, "checkpointKeyId.keyId");
                Err(refusal.expected("the id of key and host, or its first four bytes", hex::encode(given)))
            }
        }
    }

    fn wrong_id(&self, member: &str, expected: &str) -> Refusal {
        self.refuse(Rejection::RootLogId, member).expected(expected, hex::encode(&self.log_id))
    }

    fn refuse(&self, rejection: Rejection, member: &str) -> Refusal {
        Refusal::new(rejection, Step::Formats).at(format!("{}.{member}", self.path))
    }
}

/// Checks the hash algorithm. Sigstore's logs use only SHA-256.
fn hash_algorithm(object: &mut Object) -> Result<(), Refusal> {
    let missing = object.refuse("hashAlgorithm", Rejection::RootMalformed).expected("SHA2_256", "none");
    let node = object.take("hashAlgorithm").ok_or(missing)?;
    match node.value() {
        Value::String(name) if name == "SHA2_256" => Ok(()),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(()),
        _ => Err(node.unlike("SHA2_256")),
    }
}

/// Takes `{"keyId"}`. Absent is empty.
fn key_id(object: &mut Object, name: &str) -> Result<Vec<u8>, Refusal> {
    let Some(node) = object.take(name) else { return Ok(Vec::new()) };
    let mut id = node.object()?;
    let bytes = id.bytes("keyId", 64)?;
    id.finish().map(|()| bytes)
}
