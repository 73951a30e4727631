//! The log itself: its head, its key, and proofs that it only grows.

use super::error::Failure;
use super::response::{ConsistencyProof, InactiveShard, LogInfo};
use crate::Error;
use crate::personality::rekor_v1::RekorV1;
use crate::personality::rekor_v1::shards::Span;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;

/// `GET /api/v1/log`.
pub(super) async fn log_info(State(rekor): State<RekorV1>) -> Result<Json<LogInfo>, Failure> {
    let (span, shard) = rekor.shards.current_now().await?;
    let published = shard.log.latest().await?;
    Ok(Json(LogInfo {
        inactive_shards: inactive_shards(&rekor, span).await?,
        root_hash: hex::encode(published.tree.root),
        signed_tree_head: published.note.clone(),
        tree_id: shard.log.record().tree_id.to_string(),
        tree_size: published.tree.size,
    }))
}

/// The shards before `current`, oldest first, that have entries and are open here.
async fn inactive_shards(rekor: &RekorV1, current: Span) -> Result<Option<Vec<InactiveShard>>, Error> {
    let mut inactive = Vec::new();
    for span in rekor.shards.spans().iter().filter(|span| span.first < current.first) {
        let (Some(size @ 1..), Ok(shard)) = (span.size, rekor.shards.shard(span)) else { continue };
        let published = shard.log.covering(size).await?;
        inactive.push(InactiveShard {
            root_hash: hex::encode(published.tree.root),
            signed_tree_head: published.note.clone(),
            tree_id: shard.log.record().tree_id.to_string(),
            tree_size: published.tree.size,
        });
    }
    Ok((!inactive.is_empty()).then_some(inactive))
}

/// `GET /api/v1/log/publicKey[?treeID=]`: PEM, or the same text as a JSON string for a client that asks for JSON only.
pub(super) async fn public_key(
    State(rekor): State<RekorV1>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let shard = match query.get("treeID").map(|tree_id| tree_id.parse()) {
        None => rekor.shards.current_now().await?.1,
        Some(tree_id) => {
            let bad = || Failure::Bad("Bad Request".into());
            rekor.shards.with_tree(tree_id.map_err(|_| bad())?).await?.ok_or_else(bad)?
        }
    };
    let pem = shard.log.signer().public_key().to_pem();
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
    let shard = match query.get("treeID") {
        None => rekor.shards.current_now().await?.1,
        Some(tree_id) => {
            let number =
                tree_id.parse::<i64>().map_err(|_| Failure::Bad(format!("invalid tree ID specified: {tree_id}")))?;
            let unknown = || Failure::Bad(format!("no log range found for tree ID {number}"));
            rekor.shards.with_tree(number).await?.ok_or_else(unknown)?
        }
    };
    if first > last {
        return Err(Failure::Bad(format!("firstSize({first}) must be less than lastSize({last})")));
    }
    let published = shard.log.covering(last).await?;
    if last > published.tree.size {
        let known = published.tree.size;
        let message = format!("the tree size requested({last}) was greater than what is currently observable({known})");
        return Err(Failure::Bad(message));
    }
    let hashes = shard.log.consistency_proof(first, last).await?;
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
