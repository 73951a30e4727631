//! Whether a data directory agrees with itself before a server uses it: the generations of each key with what clients were given
//! (TUF repository, trusted root), with what the server had done, and with the files of the keys.
//!
//! A generation that was retired does not come back because a file is lost or put back from an older copy. What cannot be read
//! is left out: the part that needs it says so.

use crate::rotation::{Contradiction, Published, RingFiles, Role};
use chancery_trust::{
    FileName,
    tuf::{Directory, Repository},
};
use std::path::Path;

/// Refuses a data directory in which one file contradicts another, with both named.
pub(super) fn verify(directory: &Path) -> anyhow::Result<()> {
    let files = RingFiles::of(directory);
    if !files.is_complete()? {
        return Ok(());
    }
    let tuf = directory.join("tuf");
    let repository = Repository::read(&Directory::new(tuf.clone())).ok().flatten();
    let text = repository.as_ref().and_then(|repository| repository.target(FileName::TrustedRoot.as_str()));
    let published = text.and_then(|text| Published::parse(text).ok());
    for role in Role::ALL {
        let ring = match files.ring(role) {
            Ok(ring) => ring,
            Err(error) if error.is::<Contradiction>() => return Err(error),
            Err(_) => continue,
        };
        published.as_ref().map_or(Ok(()), |published| files.verify_published(&ring, role, published, &tuf))?;
        files.verify_key_files(&ring, role)?;
    }
    Ok(())
}
