//! `add-chain` and `add-pre-chain`.

use super::{Ct, Failure, MAX_CHAIN_BYTES};
use crate::personality::ct::{Submission, Submitter};
use axum::Json;
use axum::extract::{Request, State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::http::receive;
use chancery_verify::sct;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chain of certificates (RFC 6962 §4.1, §4.2).
#[derive(Deserialize, JsonSchema)]
pub(super) struct AddChain {
    /// In DER and base64, leaf first.
    chain: Vec<String>,
}

/// A signed certificate timestamp in its JSON form.
#[derive(Serialize, JsonSchema)]
pub(super) struct AddChainResponse {
    /// 0, which is version 1.
    sct_version: u8,
    /// SHA-256 of the log's key, in base64.
    id: String,
    /// Milliseconds since 1970.
    timestamp: u64,
    /// The index of the entry (`leaf_index` of static-ct-api), in base64.
    extensions: String,
    /// `DigitallySigned`, in base64.
    signature: String,
}

pub(super) async fn add_chain(State(ct): State<Ct>, request: Request) -> Result<Json<AddChainResponse>, Failure> {
    add(&ct, request, Submission::Certificate).await
}

pub(super) async fn add_pre_chain(State(ct): State<Ct>, request: Request) -> Result<Json<AddChainResponse>, Failure> {
    add(&ct, request, Submission::Precertificate).await
}

async fn add(ct: &Ct, request: Request, submission: Submission) -> Result<Json<AddChainResponse>, Failure> {
    let received = receive(request, MAX_CHAIN_BYTES).await?;
    let request: AddChain = serde_json::from_slice(&received.bytes)
        .map_err(|_| Failure::Bad("unmarshal of the request failed: expected {\"chain\": [\"<base64>\", …]}".into()))?;
    drop(received);
    if request.chain.is_empty() {
        return Err(Failure::Bad("cert chain was empty".into()));
    }
    // Line ends do not count, as in Go, in which other logs are written.
    let decode = |certificate: &String| STANDARD.decode(certificate.replace(['\r', '\n'], ""));
    let chain = request.chain.iter().map(decode).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| Failure::Bad("failed to verify add-chain contents: illegal base64 data".into()))?;
    let sct = ct.submit(&chain, submission, Submitter::Anyone).await?;
    Ok(Json(AddChainResponse {
        sct_version: 0,
        id: STANDARD.encode(sct.log_id),
        timestamp: sct.timestamp.millis(),
        extensions: STANDARD.encode(&sct.extensions),
        signature: STANDARD.encode(sct::encode_digitally_signed(&sct.signature)),
    }))
}
