//! The log itself: its head, its key, proofs that it only grows, and what its server runs.

use super::JSON;
use super::error::Failure;
use super::negotiate::accepted;
use super::parameters::{self, Parameters};
use super::response::{ConsistencyProof, InactiveShard, Json, LogInfo, RekorVersion};
use crate::Error;
use crate::personality::rekor_v1::RekorV1;
use crate::personality::rekor_v1::shards::Span;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

/// Media type of the key.
pub(super) const PEM: &str = "application/x-pem-file";

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

/// `GET /api/v1/log/publicKey[?treeID=]`: PEM, or the same text as a JSON string for a client that prefers JSON.
pub(super) async fn public_key(
    State(rekor): State<RekorV1>,
    Query(query): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    const OFFERS: &[&str] = &[PEM, JSON];
    let kind = accepted(&headers, OFFERS).ok_or(Failure::NotAcceptable(OFFERS))?;
    let shard = match parameters::tree_id(&query)? {
        None => rekor.shards.current_now().await?.1,
        Some(tree_id) => {
            let bad = || Failure::Bad("Bad Request".into());
            let number = tree_id.parse::<i64>().map_err(|_| bad())?;
            rekor.shards.with_tree(number).await?.ok_or_else(bad)?
        }
    };
    let pem = shard.log.signer().public_key().to_pem();
    if kind == JSON {
        return Ok(Json(pem).into_response());
    }
    Ok(([(header::CONTENT_TYPE, PEM)], pem).into_response())
}

/// `GET /api/v1/version`. Upstream has removed it in 0.12, to tell nobody what a server runs. Scripts that wait for a server
/// still ask it, and ours says the same at `/openapi.json`. What a build does not record is `unknown`, as it was upstream.
pub(super) async fn version() -> Json<RekorVersion> {
    let unknown = "unknown";
    Json(RekorVersion { version: env!("CARGO_PKG_VERSION"), commit: unknown, treestate: unknown, builddate: unknown })
}

/// `GET /api/v1/log/proof?lastSize=N[&firstSize=1][&treeID=]`.
pub(super) async fn proof(
    State(rekor): State<RekorV1>,
    Query(query): Query<Parameters>,
) -> Result<Json<ConsistencyProof>, Failure> {
    let first = parameters::number(&query, "firstSize", 1)?.unwrap_or(1);
    let last = parameters::required_number(&query, "lastSize", 1)?;
    let tree_id = parameters::tree_id(&query)?;
    if first > last {
        return Err(Failure::Bad(format!("firstSize({first}) must be less than lastSize({last})")));
    }
    let shard = match tree_id {
        None => rekor.shards.current_now().await?.1,
        Some(tree_id) => {
            let number =
                tree_id.parse::<i64>().map_err(|_| Failure::Bad(format!("invalid tree ID specified: {tree_id}")))?;
            let unknown = || Failure::Bad(format!("no log range found for tree ID {number}"));
            rekor.shards.with_tree(number).await?.ok_or_else(unknown)?
        }
    };
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
