//! Keys in PKCS#11 tokens, through the vendor's library (PKCS #11 v2.40 and later).
//!
//! The library is loaded once and never unloaded. Its calls block, so they run on threads of their own, each with one
//! of a few sessions. A session that failed is closed and the next call opens a new one, so a token that returns is
//! used again. A refused PIN is never tried a second time, because tokens lock after a few attempts.

use crate::uri::Pkcs11Key;
use crate::{Opened, encoding, refused, unavailable};
use chancery_daemon::signer::{RemoteKey, RemoteSignature, SignerError};
use chancery_verify::key::KeyKind;
use chancery_verify::{HashAlgorithm, PublicKey};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Concurrent sessions: small tokens allow few, and more do not make a token sign faster.
const SESSIONS: usize = 8;
/// Prefix of a SHA-256 digest in a PKCS#1 v1.5 signature (RFC 8017 §9.2).
const SHA256_INFO: [u8; 19] = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];

/// `CKA_EC_PARAMS` of the curves: their object identifiers, encoded.
const SECP256R1: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const SECP384R1: [u8; 7] = [6, 5, 0x2b, 0x81, 4, 0, 0x22];

/// The loaded libraries, by path: PKCS#11 forbids a second initialisation.
static LIBRARIES: LazyLock<Mutex<HashMap<PathBuf, Pkcs11>>> = LazyLock::new(Mutex::default);

/// A token, and the attributes of the key in it.
struct Token {
    library: Pkcs11,
    uri: Pkcs11Key,
    pin_refused: AtomicBool,
}

/// A session with the key's handle.
type Found = (Session, ObjectHandle);

/// The key and its idle sessions.
struct SigningKey {
    token: Token,
    public_key: PublicKey,
    idle: Mutex<Vec<Found>>,
}

/// The key as the signer uses it.
struct Handle {
    key: Arc<SigningKey>,
    sessions: Arc<Semaphore>,
}

/// Loads the library, finds the key and reads its public key.
pub(crate) async fn open(uri: Pkcs11Key) -> Result<Opened, SignerError> {
    let opened = spawn_blocking(move || {
        let token = Token { library: library(&uri.module)?, uri, pin_refused: AtomicBool::new(false) };
        let found = token.find()?;
        let public_key = token.public_key(&found)?;
        Ok::<_, SignerError>((public_key.clone(), SigningKey { token, public_key, idle: Mutex::new(vec![found]) }))
    });
    let (public_key, key) = opened.await.map_err(|_| SignerError::Failed)??;
    Ok((public_key, Arc::new(Handle { key: Arc::new(key), sessions: Arc::new(Semaphore::new(SESSIONS)) })))
}

fn library(path: &Path) -> Result<Pkcs11, SignerError> {
    let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = libraries.get(path) {
        return Ok(library.clone());
    }
    let named = |error: Error| refused(format_args!("{}: {error}", path.display()));
    let library = Pkcs11::new(path).map_err(named)?;
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(named)?;
    libraries.insert(path.to_owned(), library.clone());
    Ok(library)
}

/// Decides from the library's error whether it is temporary or an operator must fix it.
fn fault(error: Error) -> SignerError {
    use RvError::{KeyFunctionNotPermitted, KeyHandleInvalid, KeyTypeInconsistent, MechanismInvalid};
    match error {
        Error::Pkcs11(KeyFunctionNotPermitted | KeyHandleInvalid | KeyTypeInconsistent | MechanismInvalid, _) => {
            refused(format_args!("the token: {error}"))
        }
        error => unavailable(format_args!("the token: {error}")),
    }
}

impl Token {
    /// Returns the slot with the token that the URI names.
    fn slot(&self) -> Result<Slot, SignerError> {
        let same = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is.trim_end());
        let mut found = Vec::new();
        for slot in self.library.get_slots_with_token().map_err(fault)? {
            // A slot that does not answer is skipped.
            let Ok(token) = self.library.get_token_info(slot) else { continue };
            let matches = same(&self.uri.token, token.label())
                && same(&self.uri.serial, token.serial_number())
                && same(&self.uri.manufacturer, token.manufacturer_id())
                && same(&self.uri.model, token.model())
                && self.uri.slot.is_none_or(|id| id == slot.id());
            if matches {
                found.push(slot);
            }
        }
        match found.as_slice() {
            [slot] => Ok(*slot),
            [] => Err(unavailable("no token matches the URI")),
            _ => Err(refused("more than one token matches the URI; add serial= or slot-id=")),
        }
    }

    /// Opens a session and finds the private key in it.
    fn find(&self) -> Result<Found, SignerError> {
        let session = self.library.open_ro_session(self.slot()?).map_err(fault)?;
        self.login(&session)?;
        let key = self.one(&session, ObjectClass::PRIVATE_KEY, self.uri.id.as_ref())?;
        Ok((session, key))
    }

    fn login(&self, session: &Session) -> Result<(), SignerError> {
        let Some(pin) = &self.uri.pin else { return Ok(()) };
        if self.pin_refused.load(Ordering::SeqCst) {
            return Err(refused("the token has refused the PIN before; it is not tried again"));
        }
        let pin = AuthPin::from(pin.read_text()?);
        match session.login(UserType::User, Some(&pin)) {
            // A login applies to all sessions of a process.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(error @ Error::Pkcs11(RvError::PinIncorrect | RvError::PinLocked | RvError::PinExpired, _)) => {
                self.pin_refused.store(true, Ordering::SeqCst);
                Err(refused(format_args!("the token: {error}")))
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Returns the one object of `class` that the URI names.
    fn one(&self, session: &Session, class: ObjectClass, id: Option<&Vec<u8>>) -> Result<ObjectHandle, SignerError> {
        let mut template = vec![Attribute::Class(class)];
        template.extend(self.uri.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes())));
        template.extend(id.map(|id| Attribute::Id(id.clone())));
        match session.find_objects(&template).map_err(fault)?.as_slice() {
            [key] => Ok(*key),
            [] => Err(refused(format_args!("the token has no {class} that the URI names; is a PIN needed?"))),
            _ => Err(refused(format_args!("the token has more than one {class} that the URI names; add id="))),
        }
    }

    /// Returns the public key.
    fn public_key(&self, (session, private): &Found) -> Result<PublicKey, SignerError> {
        let mut id = self.uri.id.clone();
        let mut kind = None;
        for attribute in
            session.get_attributes(*private, &[AttributeType::KeyType, AttributeType::Id]).map_err(fault)?
        {
            match attribute {
                Attribute::KeyType(found) => kind = Some(found),
                Attribute::Id(found) if !found.is_empty() => id = Some(found),
                _ => {}
            }
        }
        // The private object may not show the public key. The public object has the same id.
        let public = self.one(session, ObjectClass::PUBLIC_KEY, id.as_ref())?;
        let read = |kind| session.get_attributes(public, &[kind]).map_err(fault);
        let bytes = |kind| match read(kind)?.pop() {
            Some(
                Attribute::Modulus(value)
                | Attribute::PublicExponent(value)
                | Attribute::EcParams(value)
                | Attribute::EcPoint(value),
            ) => Ok(value),
            _ => Err(refused("the token does not show the public key")),
        };
        match kind {
            Some(KeyType::RSA) => {
                let (modulus, exponent) = (bytes(AttributeType::Modulus)?, bytes(AttributeType::PublicExponent)?);
                Ok(PublicKey::from_rsa(&modulus, &exponent)?)
            }
            Some(KeyType::EC) => ec_key(&bytes(AttributeType::EcParams)?, &bytes(AttributeType::EcPoint)?),
            _ => Err(refused("the token's key is neither EC nor RSA")),
        }
    }
}

/// Returns the key with this `CKA_EC_POINT`: an uncompressed point in an OCTET STRING. Some tokens leave the OCTET
/// STRING out.
fn ec_key(parameters: &[u8], point: &[u8]) -> Result<PublicKey, SignerError> {
    let (kind, field_bytes) = match parameters {
        parameters if parameters == SECP256R1 => (KeyKind::P256, 32),
        parameters if parameters == SECP384R1 => (KeyKind::P384, 48),
        _ => return Err(refused("the token's key is on another curve than P-256 and P-384")),
    };
    // Both forms start with a 4 (the OCTET STRING's tag, and the mark of an uncompressed point). Their lengths tell
    // them apart.
    let wrapped = point.len() == 2 * field_bytes + 3;
    let coordinates = if wrapped { point.get(3..) } else { point.get(1..) };
    let halves = coordinates.and_then(|coordinates| coordinates.split_at_checked(field_bytes));
    let (x, y) = halves.ok_or_else(|| encoding::malformed("public key"))?;
    Ok(PublicKey::from_ec(kind, x, y)?)
}

impl SigningKey {
    fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, SignerError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let found = idle.map_or_else(|| self.token.find(), Ok)?;
        let (session, key) = &found;
        let is_rsa = matches!(self.public_key.kind(), KeyKind::Rsa(_));
        let signature = if is_rsa {
            session.sign(&Mechanism::RsaPkcs, *key, &[&SHA256_INFO, digest].concat())
        } else {
            session.sign(&Mechanism::Ecdsa, *key, digest)
        };
        let Ok(signature) = signature else {
            // The other sessions are as old and belong to the same token, so drop them too.
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
            return signature.map_err(fault);
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(found);
        if is_rsa { Ok(signature) } else { encoding::ecdsa_der(&self.public_key, &signature) }
    }
}

impl Handle {
    async fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, SignerError> {
        let session = Arc::clone(&self.sessions).acquire_owned().await.map_err(|_| SignerError::Failed)?;
        let (key, digest) = (Arc::clone(&self.key), digest.to_vec());
        let signed = spawn_blocking(move || {
            // Waits until the library has returned, even if the caller has gone.
            let _session = session;
            key.sign(&digest)
        });
        signed.await.map_err(|_| SignerError::Failed)?
    }
}

impl RemoteKey for Handle {
    fn sign_digest<'a>(&'a self, _hash: HashAlgorithm, digest: &'a [u8]) -> RemoteSignature<'a> {
        Box::pin(self.sign(digest))
    }
}
