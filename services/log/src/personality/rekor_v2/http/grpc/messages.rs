//! The messages of `dev.sigstore.rekor.v2.Rekor`, as far as they are used.
//!
//! Field numbers are facts of rekor-tiles' protobuf files and of `sigstore_rekor.proto`. They are written by hand because
//! they are few and never change; a test speaks to them with upstream's own client.

use crate::personality::rekor_v2::ProvenEntry;
use chancery_verify::rekor::v2::{self, CreateEntry, HashedRekordRequest, VERSION};
use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct CreateEntryRequest {
    #[prost(oneof = "Spec", tags = "1, 2")]
    spec: Option<Spec>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Spec {
    #[prost(message, tag = "1")]
    HashedRekord(HashedRekordRequestV002),
    #[prost(message, tag = "2")]
    Dsse(DsseRequestV002),
}

#[derive(Clone, PartialEq, Message)]
struct HashedRekordRequestV002 {
    #[prost(bytes = "vec", tag = "1")]
    digest: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    signature: Option<Signature>,
}

#[derive(Clone, PartialEq, Message)]
struct Signature {
    #[prost(bytes = "vec", tag = "1")]
    content: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    verifier: Option<Verifier>,
}

#[derive(Clone, PartialEq, Message)]
struct Verifier {
    #[prost(oneof = "VerifierKey", tags = "1, 2")]
    key: Option<VerifierKey>,
    /// `PublicKeyDetails`
    #[prost(int32, tag = "3")]
    key_details: i32,
}

#[derive(Clone, PartialEq, Oneof)]
enum VerifierKey {
    #[prost(message, tag = "1")]
    PublicKey(RawBytes),
    #[prost(message, tag = "2")]
    Certificate(RawBytes),
}

/// `PublicKey`, `X509Certificate`
#[derive(Clone, PartialEq, Message)]
struct RawBytes {
    #[prost(bytes = "vec", tag = "1")]
    raw_bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct DsseRequestV002 {
    #[prost(message, optional, tag = "1")]
    envelope: Option<Envelope>,
    #[prost(message, repeated, tag = "2")]
    verifiers: Vec<Verifier>,
}

/// `io.intoto.Envelope`
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(bytes = "vec", tag = "1")]
    payload: Vec<u8>,
    #[prost(string, tag = "2")]
    payload_type: String,
    #[prost(message, repeated, tag = "3")]
    signatures: Vec<EnvelopeSignature>,
}

/// `io.intoto.Signature`, without the name of its key.
#[derive(Clone, PartialEq, Message)]
struct EnvelopeSignature {
    #[prost(bytes = "vec", tag = "1")]
    sig: Vec<u8>,
}

impl CreateEntryRequest {
    /// What it asks for.
    pub(super) fn into_request(self) -> Option<CreateEntry> {
        self.spec.map(|spec| match spec {
            Spec::HashedRekord(request) => CreateEntry::HashedRekord(HashedRekordRequest {
                digest: request.digest,
                signature: request.signature.map(|signature| v2::Signature {
                    content: signature.content,
                    verifier: signature.verifier.map(Into::into),
                }),
            }),
            Spec::Dsse(request) => CreateEntry::Dsse(v2::DsseRequest {
                envelope: request.envelope.map(|envelope| v2::Envelope {
                    payload: envelope.payload,
                    payload_type: envelope.payload_type,
                    signatures: envelope.signatures.into_iter().map(|signature| signature.sig).collect(),
                }),
                verifiers: request.verifiers.into_iter().map(Into::into).collect(),
            }),
        })
    }
}

impl From<Verifier> for v2::Verifier {
    fn from(verifier: Verifier) -> Self {
        let key = verifier.key.map(|key| match key {
            VerifierKey::PublicKey(key) => v2::VerifierKey::PublicKey(key.raw_bytes),
            VerifierKey::Certificate(certificate) => v2::VerifierKey::Certificate(certificate.raw_bytes),
        });
        Self { key, key_details: verifier.key_details }
    }
}

/// Without fields 4 and 5, time and promise: there are none.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TransparencyLogEntry {
    #[prost(int64, tag = "1")]
    log_index: i64,
    #[prost(message, optional, tag = "2")]
    log_id: Option<LogId>,
    #[prost(message, optional, tag = "3")]
    kind_version: Option<KindVersion>,
    #[prost(message, optional, tag = "6")]
    inclusion_proof: Option<InclusionProof>,
    #[prost(bytes = "vec", tag = "7")]
    canonicalized_body: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct LogId {
    #[prost(bytes = "vec", tag = "1")]
    key_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct KindVersion {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct InclusionProof {
    #[prost(int64, tag = "1")]
    log_index: i64,
    #[prost(bytes = "vec", tag = "2")]
    root_hash: Vec<u8>,
    #[prost(int64, tag = "3")]
    tree_size: i64,
    #[prost(bytes = "vec", repeated, tag = "4")]
    hashes: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    checkpoint: Option<Checkpoint>,
}

#[derive(Clone, PartialEq, Message)]
struct Checkpoint {
    #[prost(string, tag = "1")]
    envelope: String,
}

impl From<&ProvenEntry> for TransparencyLogEntry {
    fn from(entry: &ProvenEntry) -> Self {
        let receipt = &entry.receipt;
        let published = &receipt.published;
        // The store counts leaves in the same 63 bits.
        let log_index = i64::try_from(receipt.index).unwrap_or(i64::MAX);
        Self {
            log_index,
            log_id: Some(LogId { key_id: entry.log_id.to_vec() }),
            kind_version: Some(KindVersion { kind: entry.kind.name().to_owned(), version: VERSION.to_owned() }),
            inclusion_proof: Some(InclusionProof {
                log_index,
                root_hash: published.tree.root.to_vec(),
                tree_size: i64::try_from(published.tree.size).unwrap_or(i64::MAX),
                hashes: receipt.proof.iter().map(|hash| hash.to_vec()).collect(),
                checkpoint: Some(Checkpoint { envelope: published.note.clone() }),
            }),
            canonicalized_body: receipt.leaf.to_vec(),
        }
    }
}
