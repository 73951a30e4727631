//! What the logs hold: the entry at an index follows from the index. Bodies have the shape and size of real ones, and are parsed as
//! real ones are.

use crate::certificate;
use crate::identity::{Identity, World};
use crate::kind::Kind;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_search::SourceEntry;
use chancery_verify::hash::sha256_parts;
use chancery_verify::sct::{ExtraData, MerkleTreeLeaf, leaf_index_extension};
use chancery_verify::{Hash, Timestamp, pem};

/// Time of the first entry of each log.
const START_MS: u64 = 1_790_000_000_000;
/// Time between entries.
const EVERY_MS: u64 = 100;
/// Of so many entries one is an attestation.
const ATTESTATION: u64 = 8;
/// Of so many entries one is signed with a key alone. Its place among them is the next one.
const BARE_KEY: u64 = 50;

/// The time of an entry, in ms since the epoch.
pub(crate) const fn time_ms(index: u64) -> u64 {
    START_MS + index * EVERY_MS
}

const fn is_attestation(index: u64) -> bool {
    index % ATTESTATION == ATTESTATION - 1
}

/// All entries of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entries {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    world: World,
    /// Number of the first entry's certificate.
    first: u64,
}

impl Entries {
    /// Those of one of the logs that have `entries` together.
    pub(crate) fn of(kind: Kind, entries: u64) -> Self {
        // Each signature has a certificate of its own.
        let first = if kind == Kind::V2 { Kind::V1.size(entries) } else { 0 };
        Self { kind, size: kind.size(entries), world: World::of(entries), first }
    }

    const fn has_bare_key(&self, index: u64) -> bool {
        !matches!(self.kind, Kind::Certificates) && index % BARE_KEY == 1
    }

    /// Who has signed the entry, or who the certificate is for; `None` where a key alone has signed.
    pub(crate) fn identity(&self, index: u64) -> Option<Identity> {
        (!self.has_bare_key(index)).then(|| self.world.identity(self.first + index))
    }

    /// The digest by which an entry is found: of the artifact, or of an attestation's payload.
    pub(crate) fn digest(&self, index: u64) -> Hash {
        sha256_parts(&[b"artifact", &self.kind.log_id().to_be_bytes(), &index.to_be_bytes()])
    }

    /// The entry.
    pub(crate) fn entry(&self, index: u64) -> anyhow::Result<SourceEntry> {
        let (leaf, extra) = match self.kind {
            Kind::V1 => (self.v1(index)?.into_bytes(), Vec::new()),
            Kind::V2 => (self.v2(index)?.into_bytes(), Vec::new()),
            Kind::Certificates => self.certificate(index)?,
        };
        let timestamp_ms = Some(i64::try_from(time_ms(index))?);
        Ok(SourceEntry { leaf: Bytes::from(leaf), extra: Bytes::from(extra), timestamp_ms })
    }

    /// The label and the DER of the key or certificate.
    fn signer(&self, index: u64) -> anyhow::Result<(&'static str, Vec<u8>)> {
        let number = self.first + index;
        Ok(match self.identity(index) {
            Some(identity) => (pem::CERTIFICATE, certificate::issued(number, &identity)?),
            None => (pem::PUBLIC_KEY, certificate::public_key(number)),
        })
    }

    fn signature(&self, index: u64) -> String {
        STANDARD.encode(certificate::noise::<71>(self.first + index, b"signature"))
    }

    fn v1(&self, index: u64) -> anyhow::Result<String> {
        let (label, der) = self.signer(index)?;
        let key = STANDARD.encode(pem::encode(label, &der));
        let (digest, signature) = (hex::encode(self.digest(index)), self.signature(index));
        Ok(if is_attestation(index) {
            let envelope = hex::encode(sha256_parts(&[b"envelope", &self.digest(index)]));
            format!(
                r#"{{"apiVersion":"0.0.1","kind":"dsse","spec":{{"envelopeHash":{{"algorithm":"sha256","value":"{envelope}"}},"payloadHash":{{"algorithm":"sha256","value":"{digest}"}},"signatures":[{{"signature":"{signature}","verifier":"{key}"}}]}}}}"#
            )
        } else {
            format!(
                r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{digest}"}}}},"signature":{{"content":"{signature}","publicKey":{{"content":"{key}"}}}}}}}}"#
            )
        })
    }

    fn v2(&self, index: u64) -> anyhow::Result<String> {
        let (label, der) = self.signer(index)?;
        let place = if label == pem::CERTIFICATE { "x509Certificate" } else { "publicKey" };
        let key = STANDARD.encode(der);
        let verifier = format!(r#"{{"keyDetails":"PKIX_ECDSA_P256_SHA_256","{place}":{{"rawBytes":"{key}"}}}}"#);
        let (digest, signature) = (STANDARD.encode(self.digest(index)), self.signature(index));
        Ok(if is_attestation(index) {
            format!(
                r#"{{"apiVersion":"0.0.2","kind":"dsse","spec":{{"dsseV002":{{"payloadHash":{{"algorithm":"SHA2_256","digest":"{digest}"}},"signatures":[{{"content":"{signature}","verifier":{verifier}}}]}}}}}}"#
            )
        } else {
            format!(
                r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{{"algorithm":"SHA2_256","digest":"{digest}"}},"signature":{{"content":"{signature}","verifier":{verifier}}}}}}}}}"#
            )
        })
    }

    /// The leaf, and what is kept beside it.
    fn certificate(&self, index: u64) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
        let number = self.first + index;
        let (entry, precertificate) = certificate::logged(number, &self.world.identity(number))?;
        let extensions = leaf_index_extension(index)?.to_vec();
        let leaf = MerkleTreeLeaf { timestamp: Timestamp::from_millis(time_ms(index)), entry, extensions };
        Ok((leaf.to_bytes()?, ExtraData::Precert { precertificate, chain: Vec::new() }.to_bytes()?))
    }
}
