//! Names of entries. Pure.

use crate::source::LogKind;
use chancery_verify::Hash;

/// The number of a log's tree. Only Rekor v1 has one: it is in the first line of the checkpoint.
pub(crate) fn tree_id(kind: LogKind, checkpoint: &str) -> Option<i64> {
    let (_, number) = checkpoint.lines().next()?.rsplit_once(" - ")?;
    number.parse().ok().filter(|_| kind == LogKind::Rekor)
}

/// The name of an entry: in Rekor v1 the tree and the leaf hash (80 digits), else the leaf hash (64).
pub(crate) fn entry_id(tree_id: Option<i64>, leaf_hash: &Hash) -> String {
    let tree_id = tree_id.map(|tree_id| format!("{tree_id:016x}")).unwrap_or_default();
    format!("{tree_id}{}", hex::encode(leaf_hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_of_rekor_v1_are_named_after_their_tree() {
        let (v1, v2) = ("log.example.org - 300\n7\n", "log.example.org\n7\n");
        assert_eq!(tree_id(LogKind::Rekor, v1), Some(300));
        assert_eq!([tree_id(LogKind::Rekor, v2), tree_id(LogKind::Certificates, v1)], [None, None]);
        assert_eq!(entry_id(Some(300), &[0xab; 32]), format!("000000000000012c{}", "ab".repeat(32)));
        assert_eq!(entry_id(None, &[0xab; 32]), "ab".repeat(32));
    }
}
