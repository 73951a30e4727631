//! Key services as they are over HTTP: fakes that check how a request is authorized, and that really sign.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot build its world has failed")]

mod aws;
mod azure;
mod google;
mod server;
mod vault;

use chancery_daemon::signer::{Signer, SignerError};
use chancery_verify::key::KeyKind;
use server::Server;

/// Opens a key that must be usable.
async fn open(uri: &str) -> Signer {
    try_open(uri).await.unwrap_or_else(|error| panic!("{uri}: {error}"))
}

async fn try_open(uri: &str) -> Result<Signer, SignerError> {
    chancery_keys::open(&uri.parse().unwrap_or_else(|error| panic!("{uri}: {error}"))).await
}

/// What must hold of every service: keys of each kind sign, the connection is kept, and faults are told apart.
async fn holds(server: &Server, kind: KeyKind, uri: &str) {
    let signer = open(uri).await;
    assert_eq!(signer.public_key(), &server.key.public_key(), "{uri}");
    assert_eq!(signer.public_key().kind(), kind);
    for message in [b"one".as_slice(), b"two", &[0; 5000]] {
        let signature = signer.sign(message).await.unwrap_or_else(|error| panic!("{uri}: {error}"));
        assert_eq!(signer.public_key().verify(message, &signature), Ok(()));
    }
    assert_eq!(server.connections(), 1, "{uri}: one connection serves all requests");

    server.behave(server::Mood::SignsSomethingElse);
    assert!(matches!(signer.sign(b"message").await, Err(SignerError::Mismatch)), "{uri}");
    server.behave(server::Mood::Throttles);
    let throttled = signer.sign(b"message").await;
    assert!(matches!(throttled, Err(SignerError::Unavailable { .. })), "{uri}: {throttled:?}");
    server.behave(server::Mood::Declines);
    let declined = signer.sign(b"message").await;
    assert!(matches!(declined, Err(SignerError::Refused { .. })), "{uri}: {declined:?}");
    server.behave(server::Mood::Honest);
    assert!(signer.sign(b"message").await.is_ok(), "{uri}: it works again");

    server.stop();
    let gone = signer.sign(b"message").await;
    assert!(matches!(gone, Err(SignerError::Unavailable { .. })), "{uri}: {gone:?}");
    let never_there = try_open(uri).await;
    assert!(matches!(never_there, Err(SignerError::Unavailable { .. })), "{uri}: {never_there:?}");
}

const KINDS: [KeyKind; 3] = [KeyKind::P256, KeyKind::P384, KeyKind::Rsa(2048)];
