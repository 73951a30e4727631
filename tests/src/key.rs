//! P-256 keys of the tests' own, and checks with an implementation the server does not use.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use p256::{
    ecdsa::{
        DerSignature, Signature, SigningKey, VerifyingKey,
        signature::{Signer as _, Verifier as _},
    },
    pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::Read as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// A key pair.
pub struct Key(SigningKey);

impl Key {
    /// A new key.
    pub fn generate() -> Self {
        loop {
            let mut scalar = [0; 32];
            File::open("/dev/urandom").unwrap().read_exact(&mut scalar).unwrap();
            // Fails for one scalar in 2³².
            if let Ok(key) = SigningKey::from_slice(&scalar) {
                return Self(key);
            }
        }
    }

    /// The public key as PEM with 64 columns and a newline at its end.
    pub fn public_pem(&self) -> String {
        self.0.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()
    }

    /// The `SubjectPublicKeyInfo`.
    pub fn public_der(&self) -> Vec<u8> {
        self.0.verifying_key().to_public_key_der().unwrap().into_vec()
    }

    /// An ECDSA signature over the SHA-256 of `message`, in DER.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }

    /// The same signature as two numbers of 32 bytes, as JSON Web Signatures have it.
    pub fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().to_vec()
    }

    /// The public key as a JSON Web Key.
    pub fn jwk(&self, id: &str) -> Value {
        let point = self.public_der();
        let (x, y) = point[point.len() - 64..].split_at(32);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": id})
    }

    /// [`Self::sign`] in base64.
    pub fn sign_base64(&self, message: &[u8]) -> String {
        STANDARD.encode(self.sign(message))
    }
}

/// `n - s` in place of `s`: the other signature that everybody can make of an ECDSA signature.
pub fn twin(signature: &[u8]) -> Vec<u8> {
    let (r, s) = Signature::from_der(signature).unwrap().split_scalars();
    Signature::from_scalars(r, -s).unwrap().to_der().as_bytes().to_vec()
}

/// A public key out of a PEM text.
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    pub fn from_pem(pem: &str) -> Self {
        Self(VerifyingKey::from_public_key_pem(pem).expect("a P-256 public key in PEM"))
    }

    pub fn from_der(der: &[u8]) -> Self {
        Self(VerifyingKey::from_public_key_der(der).expect("a P-256 public key in DER"))
    }

    /// Whether `signature` (DER) is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        DerSignature::try_from(signature).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`: what logs call their id.
    pub fn id(&self) -> [u8; 32] {
        sha256(self.0.to_public_key_der().unwrap().as_bytes())
    }
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A text that no other call returns.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{name} {} {}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
