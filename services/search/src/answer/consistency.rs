//! That one tree of a log extends another. Not verified here: this crate has the roots of the trees that it indexed, and no
//! other. The caller has two checkpoints.

use super::logs;
use super::{AskError, Asking};
use crate::query::{Query, Unusable};
use chancery_verify::{Hash, leaves};

/// The proof that in the log of this name the tree of `first` leaves is a prefix of the tree of `second` leaves.
pub(crate) async fn consistency(asking: &Asking, log: &str, first: u64, second: u64) -> Result<Vec<Hash>, AskError> {
    if first > second {
        return Err(Unusable::new("first", "it is larger than second").into());
    }
    let query = Query { logs: vec![log.to_owned()], ..Query::of(None) };
    let logs = logs::asked(asking.index(), &query).await?;
    let Some(log) = logs.first() else { return Err(Unusable::new("log", "there is no such log").into()) };
    let size = log.source.head().await?.size;
    if second > size {
        return Err(Unusable::new("second", format!("the log has {}", leaves(size))).into());
    }
    if first == 0 || first == second {
        return Ok(Vec::new());
    }
    Ok(log.source.consistency_proof(first, second).await?)
}
