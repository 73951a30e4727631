//! Trees of a Rekor v1 log that begin while it is followed.
//!
//! The URL of a Rekor v1 log lists its trees. A rotation begins one, which mostly has a key of its own. It is followed once a
//! trusted key has signed its checkpoint. If none has, what is trusted is read again: a rotation publishes its key before it
//! begins the tree. A tree that was there at the start without a trusted key stays out.

use super::{
    failure::Failure,
    logs::Logs,
    options::LogArguments,
    place::{self, Place, TrustedKey, untrusted},
    serve::Trusted,
};
use crate::output;
use chancery_log_client::Fetcher;
use std::{
    collections::BTreeSet,
    convert::Infallible,
    time::{Duration, Instant},
};
use url::Url;

/// What is trusted is read again no earlier than this after the last time.
const READ_AGAIN: Duration = Duration::from_mins(5);
/// Trees without a trusted key that are told of. A server can list others each time.
const MAX_TOLD: usize = 100;

/// Looks for new trees.
pub(super) struct Trees<'a> {
    pub(super) url: &'a Url,
    pub(super) arguments: &'a LogArguments,
    pub(super) logs: Logs,
    pub(super) trusted: Trusted,
    pub(super) keys: Vec<TrustedKey>,
    pub(super) fetcher: Fetcher,
    /// The numbers of trees that were there at the start, and are not followed.
    pub(super) left_out: BTreeSet<i64>,
    pub(super) interval: Duration,
}

impl Trees<'_> {
    /// Looks for them for as long as it is polled, once in each interval.
    pub(super) async fn look_out(mut self) -> Infallible {
        let (mut told, mut read) = (BTreeSet::new(), None);
        loop {
            tokio::time::sleep(self.interval).await;
            // A server that does not answer is told of where its entries are read.
            let Ok(mut found) = self.find().await else { continue };
            let is_due = read.is_none_or(|read: Instant| read.elapsed() >= READ_AGAIN);
            if is_due && found.untrusted.iter().any(|tree| !self.left_out.contains(tree)) {
                read = Some(Instant::now());
                self.read_trust().await;
                found = self.find().await.unwrap_or(found);
            }
            for log in found.logs {
                match self.logs.add(log, None) {
                    Ok(name) => output::note(&format!("note: the tree {name} has begun, and is followed")),
                    Err(error) => output::note(&format!("note: a tree that has begun is not followed: {error:#}")),
                }
            }
            for tree in found.untrusted {
                if !self.left_out.contains(&tree) && is_to_be_told(&mut told, tree) {
                    output::note(&untrusted(tree));
                }
            }
        }
    }

    /// The trees that are not followed.
    async fn find(&self) -> Result<Place, Failure> {
        let followed = self.logs.followed();
        let known = followed.iter().filter_map(|followed| followed.log.origin().map(str::to_owned)).collect();
        match followed.last() {
            Some(newest) => place::other_trees(&newest.log, known, &self.keys, &self.fetcher).await,
            None => Ok(Place::default()),
        }
    }

    /// Reads again what is trusted. What cannot be read changes nothing.
    async fn read_trust(&mut self) {
        let read = async {
            let root = self.arguments.trust.load_anew().await?;
            let keys = self.arguments.keys(self.url, &root)?;
            anyhow::Ok((root, keys))
        };
        match read.await {
            Ok((root, keys)) => {
                self.keys = keys;
                self.trusted.replace(root);
            }
            Err(error) => {
                output::note(&format!("note: a tree has begun, and its key cannot be looked for: {error:#}"));
            }
        }
    }
}

/// Notes that a tree is told of. Returns whether it is to be.
fn is_to_be_told(told: &mut BTreeSet<i64>, tree: i64) -> bool {
    told.len() < MAX_TOLD && told.insert(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tree_is_told_of_once_and_not_any_number_of_them() {
        let mut told = BTreeSet::new();
        assert_eq!([7, 7, 8].map(|tree| is_to_be_told(&mut told, tree)), [true, false, true]);
        assert_eq!((0..1000).filter(|tree| is_to_be_told(&mut told, *tree)).count(), MAX_TOLD - 2);
        assert_eq!(told.len(), MAX_TOLD);
    }
}
