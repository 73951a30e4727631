//! A server on loopback with one key in it.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::Listener as _;
use axum::serve::ListenerExt as _;
use chancery_verify::PublicKey;
use chancery_verify::key::KeyKind;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A key pair that signs digests.
pub(crate) enum Key {
    Ecdsa(&'static digest::Algorithm, EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    fn new(kind: KeyKind) -> Self {
        match kind {
            KeyKind::P256 => {
                Self::Ecdsa(&digest::SHA256, EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
            }
            KeyKind::P384 => {
                Self::Ecdsa(&digest::SHA384, EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap())
            }
            _ => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        let spki: PublicKeyX509Der<'_> = match self {
            Self::Ecdsa(_, key) => key.public_key().as_der().unwrap(),
            Self::Rsa(key) => key.public_key().as_der().unwrap(),
        };
        PublicKey::from_spki_der(spki.as_ref()).unwrap()
    }

    /// ASN.1 or PKCS#1 v1.5, over a digest of the kind's own hash.
    pub(crate) fn sign(&self, digest: &[u8]) -> Vec<u8> {
        match self {
            Self::Ecdsa(hash, key) => {
                key.sign_digest(&Digest::import_less_safe(digest, hash).unwrap()).unwrap().as_ref().to_vec()
            }
            Self::Rsa(key) => {
                let digest = Digest::import_less_safe(digest, &digest::SHA256).unwrap();
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// What the service does with a request for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Honest,
    SignsSomethingElse,
    Throttles,
    Declines,
}

/// A running service.
pub(crate) struct Server {
    pub(crate) key: Arc<Key>,
    pub(crate) address: String,
    pub(crate) directory: TempDir,
    mood: Arc<Mutex<Mood>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

/// What a handler has of it.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) key: Arc<Key>,
    mood: Arc<Mutex<Mood>>,
}

impl Service {
    /// The signature, or the refusal that the mood demands; `throttled` is how this service says so.
    pub(crate) fn sign(&self, digest: &[u8], throttled: &(StatusCode, Value)) -> Result<Vec<u8>, Box<Response>> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Honest => Ok(self.key.sign(digest)),
            Mood::SignsSomethingElse => Ok(self.key.sign(&vec![7; digest.len()])),
            Mood::Throttles => Err(Box::new((throttled.0, throttled.1.to_string()).into_response())),
            Mood::Declines => Err(Box::new(refuse("you may not"))),
        }
    }
}

impl Server {
    /// Starts a service with a new key; `routes` makes its API.
    pub(crate) async fn start(kind: KeyKind, routes: impl FnOnce(Service) -> Router) -> Self {
        let (key, mood) = (Arc::new(Key::new(kind)), Arc::new(Mutex::new(Mood::Honest)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let listener = listener.tap_io(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let routes = routes(Service { key: Arc::clone(&key), mood: Arc::clone(&mood) });
        let task = tokio::spawn(async move {
            assert!(listener.local_addr().is_ok());
            axum::serve(listener, routes).await.unwrap();
        });
        Self { key, address, directory: tempfile::tempdir().unwrap(), mood, connections, task }
    }

    pub(crate) fn behave(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Nothing listens any more.
    pub(crate) fn stop(&self) {
        self.behave(Mood::Throttles);
        self.task.abort();
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// A refusal as no service writes it, but all mean it.
pub(crate) fn refuse(why: &str) -> Response {
    (StatusCode::FORBIDDEN, why.to_owned()).into_response()
}

/// A header's value.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}
