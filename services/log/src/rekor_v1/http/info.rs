//! The log itself: its head, its key, and proofs that it only grows.

use super::error::Failure;
use super::response::{ConsistencyProof, LogInfo};
use crate::rekor_v1::RekorV1;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;

/// `GET /api/v1/log`.
pub(super) async fn log_info(State(rekor): State<RekorV1>) -> Result<Json<LogInfo>, Failure> {
    let published = rekor.log().latest().await?;
    Ok(Json(LogInfo {
        inactive_shards: None,
        root_hash: hex::encode(published.tree.root),
        signed_tree_head: published.note.clone(),
        tree_id: rekor.log().record().tree_id.to_string(),
        tree_size: published.tree.size,
    }))
}

/// `GET /api/v1/log/publicKey[?treeID=]`: PEM, or the same text as a JSON string for a client that asks for JSON only.
pub(super) async fn public_key(
    State(rekor): State<RekorV1>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Some(tree_id) = query.get("treeID")
        && tree_id.parse() != Ok(rekor.log().record().tree_id)
    {
        return Err(Failure::Bad("Bad Request".into()));
    }
    let pem = rekor.log().signer().public_key().to_pem();
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("*/*");
    let wants_json =
        accept.contains("application/json") && !accept.contains("application/x-pem-file") && !accept.contains("*/*");
    if wants_json {
        return Ok(Json(pem).into_response());
    }
    Ok(([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response())
}

/// `GET /api/v1/log/proof?lastSize=N[&firstSize=1][&treeID=]`.
pub(super) async fn proof(
    State(rekor): State<RekorV1>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<ConsistencyProof>, Failure> {
    let first = size(&query, "firstSize")?.unwrap_or(1);
    let last = size(&query, "lastSize")?.ok_or_else(|| Failure::required("lastSize", "query"))?;
    if let Some(tree_id) = query.get("treeID") {
        let number =
            tree_id.parse::<i64>().map_err(|_| Failure::Bad(format!("invalid tree ID specified: {tree_id}")))?;
        if number != rekor.log().record().tree_id {
            return Err(Failure::Bad(format!("no log range found for tree ID {number}")));
        }
    }
    if first > last {
        return Err(Failure::Bad(format!("firstSize({first}) must be less than lastSize({last})")));
    }
    let published = rekor.log().covering(last).await?;
    if last > published.tree.size {
        let known = published.tree.size;
        let message = format!("the tree size requested({last}) was greater than what is currently observable({known})");
        return Err(Failure::Bad(message));
    }
    let hashes = rekor.log().consistency_proof(first, last).await?;
    // Upstream answers the current root here, whatever `lastSize` is.
    Ok(Json(ConsistencyProof {
        hashes: hashes.iter().map(hex::encode).collect(),
        root_hash: hex::encode(published.tree.root),
    }))
}

fn size(query: &HashMap<String, String>, name: &str) -> Result<Option<u64>, Failure> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let number = text.parse::<i64>().map_err(|_| Failure::Schema {
        code: 601,
        message: format!("{name} in query must be of type int64: {text:?}"),
    })?;
    match u64::try_from(number) {
        Ok(number) if number >= 1 => Ok(Some(number)),
        _ => {
            Err(Failure::Schema { code: 609, message: format!("{name} in query should be greater than or equal to 1") })
        }
    }
}
