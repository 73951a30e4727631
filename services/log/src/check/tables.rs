//! Checks the tables beside the entries: the rows that lead to entries, rows without an entry, and the issuers of a CT
//! log.
//!
//! The tree does not depend on them, but answers do. An entry without a row would be logged a second time. A wrong row
//! hides the entry from searches by hash.

use super::{Finding, Personality};
use crate::store::{Census, Indexed, Lookup, Store, StoredEntry};
use chancery_verify::{Hash, hash};
use std::collections::HashSet;

/// The hashes with which the tables must lead to these entries.
pub(super) fn indexed(entries: &[StoredEntry]) -> Vec<Indexed> {
    let indexed = |entry: &StoredEntry| {
        let StoredEntry { index, identity_hash, leaf_hash, .. } = *entry;
        Indexed { identity_hash, leaf_hash, index }
    };
    entries.iter().map(indexed).collect()
}

/// Returns the reason why the tables do not lead to an entry. `None` if they do.
pub(super) fn misled(entry: &StoredEntry, lookup: Lookup) -> Option<Finding> {
    let index = entry.index;
    let wrong = |what| Some(Finding::Entry { index, what });
    match lookup.identity {
        None => wrong("no row of `identities` leads to it"),
        Some(other) if other != index => wrong("its row of `identities` leads to another entry"),
        Some(_) if lookup.leaf != (entry.identity_hash != entry.leaf_hash) => {
            wrong("no row of `leaf_indices` leads to it, or one that it should not have")
        }
        Some(_) => None,
    }
}

/// Compares numbers of rows, counted in one statement, with the tree.
pub(super) fn compare(personality: Personality, census: Census) -> Result<(), Finding> {
    let Census { tree_size, identities, leaf_indices, beyond } = census;
    let leaves = if personality == Personality::Ct { tree_size } else { 0 };
    if identities != tree_size {
        return Err(Finding::Log("`identities` has rows of no entry"));
    }
    if leaf_indices != leaves {
        return Err(Finding::Log("`leaf_indices` has rows of no entry"));
    }
    if beyond != 0 { Err(Finding::Log("there are entries or tiles beyond the head")) } else { Ok(()) }
}

/// Checks the issuer certificates of a CT log: each matches its fingerprint, and none that an entry names is missing.
pub(super) async fn issuers(store: &dyn Store, log_id: i64, named: &HashSet<Hash>) -> Result<(), Finding> {
    let mut stored = HashSet::new();
    for (fingerprint, certificate) in store.issuers(log_id).await? {
        if hash::sha256(&certificate) != fingerprint {
            return Err(Finding::Log("a certificate of `issuers` is not the one it is named by"));
        }
        stored.insert(fingerprint);
    }
    if named.is_subset(&stored) {
        Ok(())
    } else {
        Err(Finding::Log("a certificate that an entry names is not in `issuers`"))
    }
}
