//! Statements that a version before the tenth of the schema kept, without what they are about: they are read for it in the
//! background, a few at a time.
//!
//! Each is done in one transaction. A process that stops goes on with the next one at its next start, and several may do it at
//! the same time: the second to come to a statement changes nothing.

use crate::store::{Store, StoreError};
use crate::subjects::subjects;
use chancery_verify::hash;

/// Statements that are read at once, each of up to megabytes.
const AT_ONCE: u32 = 16;

/// Reads all of them, and returns how many there were. It may be stopped at any moment.
///
/// # Errors
/// The store cannot be used. What was done until then stays.
pub async fn read_attestations(store: &dyn Store) -> Result<u64, StoreError> {
    let mut count = 0;
    loop {
        let unread = store.unread_attestations(AT_ONCE).await?;
        if unread.is_empty() {
            return Ok(count);
        }
        for (digest, data) in unread {
            // Other contents than those of the hash are about nothing, as everywhere; the check reports them.
            let about = if hash::sha256(&data) == digest { subjects(&data) } else { Vec::new() };
            store.put_subjects(digest, about).await?;
            count += 1;
        }
    }
}
