//! Rekor v2: the personality of cosign 3's and sigstore-python's newer signing configurations.
//!
//! It admits signatures over digests and, by a switch, DSSE envelopes (`chancery-verify::rekor::v2` decides), and answers
//! every entry with its proof and checkpoint. There is no promise and no time in an answer: a timestamp authority says when.
//! Everything else is read from the log's files, which are at the root and below `/api/v2`. Upstream answers at the next
//! checkpoint interval; here every batch ends with a checkpoint.

mod http;

pub use http::describe;

use crate::personality::seed::{self, Seed};
use crate::read::tiles::Files;
use crate::{Access, Corrupt, Error, Log, Outcome, Pending, Receipt, admission};
use axum::Router;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::note::KeyName;
use chancery_verify::rekor::Body;
use chancery_verify::rekor::v2::{
    CreateEntry, HashedRekordRequest, KeyDetails, Kind, Signature, Verifier, VerifierKey,
};
use chancery_verify::{Hash, Rejection, hash};

/// The name of this role's log in a store.
pub const NAME: &str = "rekor2";

/// The name of its gRPC service, for health checks.
pub const GRPC_SERVICE: &str = "dev.sigstore.rekor.v2.Rekor";

/// Names and signs checkpoints of a Rekor v2 log, whose origin is its bare host name; its tree id is not part of it.
pub fn scheme(host: &str, _tree_id: i64) -> Result<Scheme, Rejection> {
    Ok(Scheme::RekorV2 { origin: KeyName::new(host)? })
}

/// A Rekor v2 log.
#[derive(Clone)]
pub struct RekorV2 {
    log: Log,
    log_id: Hash,
    accepts_dsse: bool,
    access: Access,
}

/// A logged entry with everything that proves it.
#[derive(Debug)]
pub(crate) struct ProvenEntry {
    pub(crate) kind: Kind,
    pub(crate) log_id: Hash,
    pub(crate) receipt: Receipt,
}

/// An entry that may be logged.
#[derive(Debug)]
pub(crate) struct Admitted {
    kind: Kind,
    body: Body,
}

/// Why a request was not answered with a new entry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmissionError {
    /// It asks for nothing, or for a kind of entry that this log does not take.
    #[error("invalid type, must be hashedrekord{}", if *.accepts_dsse { " or dsse" } else { "" })]
    Kind {
        /// What else it could have asked for.
        accepts_dsse: bool,
    },
    /// It is not a valid entry.
    #[error("invalid {} request: {rejection}", .kind.name())]
    Refused {
        /// What it is said to be.
        kind: Kind,
        /// Why it is not.
        rejection: Rejection,
    },
    /// It is a valid entry, and this log does not accept it.
    #[error(transparent)]
    NotAccepted(#[from] admission::Refused),
    /// It is logged already.
    #[error("an equivalent entry already exists in the transparency log with index {}", .0.receipt.index)]
    Exists(Box<ProvenEntry>),
    /// The log did not do it.
    #[error(transparent)]
    Log(#[from] Error),
}

impl RekorV2 {
    /// The personality over its log. It takes `hashedrekord`s only, from everybody.
    #[must_use]
    pub fn new(log: Log) -> Self {
        let log_id = log.scheme().log_id(log.signer().public_key());
        Self { log, log_id, accepts_dsse: false, access: Access::default() }
    }

    /// The same, taking DSSE envelopes, too, or not. Upstream has stopped to, and newer clients cannot verify such entries;
    /// sigstore-js and cosign 2.6 to 3.0 send nothing else for attestations.
    #[must_use]
    pub const fn accepting_dsse(mut self, accepts: bool) -> Self {
        self.accepts_dsse = accepts;
        self
    }

    /// The same, for whom `access` allows it.
    #[must_use]
    pub fn restricted(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// The next log of a series, which takes what this one takes, and is for the same people.
    #[must_use]
    pub fn beside(&self, log: Log) -> Self {
        Self::new(log).accepting_dsse(self.accepts_dsse).restricted(self.access.clone())
    }

    /// The log underneath.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// The routes of the API, over HTTP and gRPC, and the log as files at the root and below `/api/v2`.
    pub fn router(&self) -> Router {
        http::router(self)
    }

    /// The log as files, as tlog-tiles lays them out.
    #[must_use]
    pub fn files(&self) -> Files {
        Files::of_leaves(&self.log)
    }

    /// Logs `artifact` as the first entry where there is none.
    pub async fn seed(&self, artifact: &[u8]) -> Result<(), Error> {
        let Some(seed) = Seed::needed(&self.log, artifact).await? else { return Ok(()) };
        let verifier = Verifier {
            key: Some(VerifierKey::PublicKey(seed.key.spki_der().to_vec())),
            key_details: KeyDetails::number_of("PKIX_ECDSA_P256_SHA_256").unwrap_or_default(),
        };
        let request = CreateEntry::HashedRekord(HashedRekordRequest {
            digest: hash::sha256(artifact).to_vec(),
            signature: Some(Signature { content: seed.signature, verifier: Some(verifier) }),
        });
        let body = request.admit().map_err(seed::refused)?;
        self.log.append(pending(body).only_first()).await.map(|_| ())
    }

    /// Checks what a request asks for, every signature included; `None` is a request for nothing.
    pub(crate) fn admit(&self, request: Option<CreateEntry>) -> Result<Admitted, SubmissionError> {
        // First, as upstream: where nothing is taken, nothing is looked at.
        if self.log.is_frozen() {
            return Err(Error::Frozen.into());
        }
        let accepts_dsse = self.accepts_dsse;
        let request = request.filter(|request| accepts_dsse || request.kind() == Kind::HashedRekord);
        let request = request.ok_or(SubmissionError::Kind { accepts_dsse })?;
        let kind = request.kind();
        let body = request.admit().map_err(|rejection| SubmissionError::Refused { kind, rejection })?;
        self.access.rules.check(kind.name(), &body)?;
        Ok(Admitted { kind, body })
    }

    /// Logs an admitted entry.
    pub(crate) async fn submit(&self, Admitted { kind, body }: Admitted) -> Result<ProvenEntry, SubmissionError> {
        let log_id = self.log_id;
        let leaf_hash = body.leaf_hash();
        match self.log.append(pending(body)).await? {
            Outcome::Logged(receipt) => Ok(ProvenEntry { kind, log_id, receipt }),
            Outcome::AlreadyLogged { index } => {
                let logged = self.log.entry(index).await?.filter(|logged| logged.leaf_hash == leaf_hash);
                let missing = Corrupt::new("an entry found by its leaf hash has it");
                let receipt = self.log.judged(logged.ok_or(missing).map_err(Error::from))?;
                Err(SubmissionError::Exists(Box::new(ProvenEntry { kind, log_id, receipt })))
            }
        }
    }
}

fn pending(body: Body) -> Pending {
    let leaf_hash = body.leaf_hash();
    Pending::of_leaf(body.into_bytes(), leaf_hash)
}
