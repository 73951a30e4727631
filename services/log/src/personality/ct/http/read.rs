//! The reads of RFC 6962 §4.3–4.8.

use super::{Ct, Failure};
use crate::Corrupt;
use crate::Error;
use crate::read::tiles::http::IMMUTABLE;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::{Hash, merkle, sct};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;

/// Entries one request is answered with at most.
pub(super) const MAX_ENTRIES: u64 = 1000;

type Parameters = Query<HashMap<String, String>>;
/// A body with the lifetime a cache may give it.
type Cached<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

/// What is said about the past never changes.
fn immutable<T>(body: T) -> Cached<T> {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"))], Json(body))
}

/// A signed tree head (RFC 6962 §4.3).
#[derive(Serialize, JsonSchema)]
pub(super) struct GetSth {
    tree_size: u64,
    /// Milliseconds since 1970.
    timestamp: u64,
    /// In base64.
    sha256_root_hash: String,
    /// `DigitallySigned`, in base64.
    tree_head_signature: String,
}

pub(super) async fn get_sth(State(ct): State<Ct>) -> Result<Json<GetSth>, Failure> {
    let published = ct.log.latest().await?;
    Ok(Json(GetSth {
        tree_size: published.tree.size,
        timestamp: published.timestamp.millis(),
        sha256_root_hash: STANDARD.encode(published.tree.root),
        tree_head_signature: STANDARD.encode(sct::encode_digitally_signed(&published.signature)),
    }))
}

/// A consistency proof (RFC 6962 §4.4).
#[derive(Serialize, JsonSchema)]
pub(super) struct GetSthConsistency {
    /// Hashes in base64.
    consistency: Vec<String>,
}

pub(super) async fn get_sth_consistency(
    State(ct): State<Ct>,
    query: Parameters,
) -> Result<Cached<GetSthConsistency>, Failure> {
    let first = number(&query, "first")?;
    let second = number(&query, "second")?;
    let known = ct.log.covering(second).await?.tree.size;
    if second < first || second > known {
        return Err(Failure::Bad(format!(
            "'first' {first} and 'second' {second} must be in order and at most {known}"
        )));
    }
    let proof = ct.log.consistency_proof(first, second).await?;
    Ok(immutable(GetSthConsistency { consistency: encode_all(&proof) }))
}

/// An inclusion proof (RFC 6962 §4.5).
#[derive(Serialize, JsonSchema)]
pub(super) struct GetProofByHash {
    leaf_index: u64,
    /// Hashes in base64, leaf first.
    audit_path: Vec<String>,
}

pub(super) async fn get_proof_by_hash(
    State(ct): State<Ct>,
    query: Parameters,
) -> Result<Cached<GetProofByHash>, Failure> {
    let size = number(&query, "tree_size")?;
    let hash = query.get("hash").ok_or_else(|| Failure::Bad("parameter 'hash' is required".into()))?;
    // A '+' that a client forgot to escape arrives as a space. Line ends do not count, as in Go.
    let hash = hash.replace(' ', "+").replace(['\r', '\n'], "");
    let hash = STANDARD.decode(hash).ok().and_then(|hash| Hash::try_from(hash).ok());
    let hash = hash.ok_or_else(|| Failure::Bad("parameter 'hash' is not 32 bytes in base64".into()))?;
    if size == 0 {
        return Err(Failure::Bad("parameter 'tree_size' must be positive".into()));
    }
    if size > ct.log.covering(size).await?.tree.size {
        return Err(Failure::NotFound("the log has no tree of this size yet"));
    }
    let found = ct.log.inclusion_proof_by_hash(&hash, size).await?;
    let (leaf_index, proof) = found.ok_or(Failure::NotFound("no leaf of this tree has this hash"))?;
    Ok(immutable(GetProofByHash { leaf_index, audit_path: encode_all(&proof) }))
}

/// Entries (RFC 6962 §4.6).
#[derive(Serialize, JsonSchema)]
pub(super) struct GetEntries {
    entries: Vec<LeafEntry>,
}

/// An entry.
#[derive(Serialize, JsonSchema)]
struct LeafEntry {
    /// `MerkleTreeLeaf`, in base64.
    leaf_input: String,
    /// The chain, in base64.
    extra_data: String,
}

pub(super) async fn get_entries(State(ct): State<Ct>, query: Parameters) -> Result<Cached<GetEntries>, Failure> {
    let start = number(&query, "start")?;
    let end = number(&query, "end")?;
    let size = ct.log.readable(end.saturating_add(1)).await?;
    if start > end || start >= size {
        return Err(Failure::Bad(format!(
            "'start' {start} must be at most 'end' {end} and below the tree size {size}"
        )));
    }
    // A long request is cut at a multiple, so that clients reading on from there hit the same cached answers.
    let end =
        if end - start >= MAX_ENTRIES { start + MAX_ENTRIES - 1 - (start + MAX_ENTRIES) % MAX_ENTRIES } else { end };
    let wanted = end.max(start).min(size - 1) - start + 1;
    let entries = ct.log.entries(start, u32::try_from(wanted).unwrap_or(u32::MAX)).await?;
    let entries = entries
        .iter()
        .map(|entry| LeafEntry { leaf_input: STANDARD.encode(&entry.leaf), extra_data: STANDARD.encode(&entry.extra) });
    let mut response = immutable(GetEntries { entries: entries.collect() });
    if end >= size {
        // Fewer than were asked for: the rest may exist in a minute.
        response.0[0].1 = HeaderValue::from_static("public, max-age=60");
    }
    Ok(response)
}

/// An entry with an inclusion proof (RFC 6962 §4.8).
#[derive(Serialize, JsonSchema)]
pub(super) struct GetEntryAndProof {
    /// `MerkleTreeLeaf`, in base64.
    leaf_input: String,
    /// The chain, in base64.
    extra_data: String,
    /// Hashes in base64, leaf first.
    audit_path: Vec<String>,
}

pub(super) async fn get_entry_and_proof(
    State(ct): State<Ct>,
    query: Parameters,
) -> Result<Cached<GetEntryAndProof>, Failure> {
    let index = number(&query, "leaf_index")?;
    let size = number(&query, "tree_size")?;
    let known = ct.log.covering(size).await?.tree.size;
    if index >= size || size > known {
        return Err(Failure::Bad(format!(
            "'leaf_index' {index} must be below 'tree_size' {size}, which is at most {known}"
        )));
    }
    let entry = ct.log.entries(index, 1).await?.into_iter().next();
    let entry = entry.ok_or(Corrupt::new("every index below the head has an entry")).map_err(Error::from)?;
    let proof = ct.log.inclusion_proof_at(index, &merkle::leaf_hash(&entry.leaf), size).await?;
    Ok(immutable(GetEntryAndProof {
        leaf_input: STANDARD.encode(&entry.leaf),
        extra_data: STANDARD.encode(&entry.extra),
        audit_path: encode_all(&proof),
    }))
}

/// `GET /issuer/<SHA-256 in hexadecimal>` (static-ct-api): one certificate in DER.
pub(super) async fn issuer(State(ct): State<Ct>, Path(fingerprint): Path<String>) -> Result<Response, Failure> {
    let fingerprint = hex::decode(&fingerprint).ok().and_then(|hash| Hash::try_from(hash).ok());
    let fingerprint = fingerprint.ok_or_else(|| Failure::Bad("an issuer is named by 64 hexadecimal digits".into()))?;
    let certificate = ct.issuer(fingerprint).await?.ok_or(Failure::NotFound("no entry has this issuer"))?;
    let media_type = HeaderValue::from_static("application/pkix-cert");
    Ok(([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, IMMUTABLE)], certificate).into_response())
}

/// Accepted roots (RFC 6962 §4.7).
#[derive(Serialize, JsonSchema)]
pub(super) struct GetRoots {
    /// In DER and base64.
    certificates: Vec<String>,
}

pub(super) async fn get_roots(State(ct): State<Ct>) -> Json<GetRoots> {
    let roots = ct.chains.roots().current();
    Json(GetRoots { certificates: roots.iter().map(|root| STANDARD.encode(root.der())).collect() })
}

fn encode_all(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
}

fn number(query: &Parameters, name: &str) -> Result<u64, Failure> {
    let text = query.get(name).ok_or_else(|| Failure::Bad(format!("parameter '{name}' is required")))?;
    text.parse().map_err(|_| Failure::Bad(format!("parameter '{name}' is malformed")))
}
