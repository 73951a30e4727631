//! A page of a search, as it is answered.

use super::response::Entry;
use crate::answer::AskError;
use crate::answer::pages::{Page, Search};
use crate::answer::proof::proven;

/// The next entries of a search, at most `limit`, and the cursor after them.
pub(super) async fn page(
    search: &mut Search,
    limit: usize,
    with_proofs: bool,
) -> Result<(Vec<Entry>, Option<String>), AskError> {
    let Page { found, cursor } = search.page(limit).await?;
    let entries = if with_proofs {
        proven(found).await?.iter().map(Entry::proven).collect()
    } else {
        found.iter().map(Entry::of).collect()
    };
    Ok((entries, cursor.map(|cursor| cursor.encode())))
}
