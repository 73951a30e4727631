//! Archives that commands write for people: tar and gzip, with everything in one directory. The same files give the same bytes.
//!
//! Not here: cases of evidence, which have exactly one form.

use chancery_daemon::durable;
use flate2::{Compression, write::GzEncoder};
use std::{io, path::Path};
use tar::{Builder, Header};

/// An archive that is being made, in memory.
pub(super) struct Archive {
    top: &'static str,
    builder: Builder<GzEncoder<Vec<u8>>>,
}

impl Archive {
    /// An empty one, whose files are to be in the directory `top`.
    pub(super) fn new(top: &'static str) -> Self {
        Self { top, builder: Builder::new(GzEncoder::new(Vec::new(), Compression::best())) }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &str, contents: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_size(u64::try_from(contents.len()).map_err(io::Error::other)?);
        header.set_mode(0o644);
        header.set_mtime(0);
        self.builder.append_data(&mut header, format!("{}/{name}", self.top), contents)
    }

    /// Writes the archive whole or not at all.
    pub(super) fn write(self, path: &Path) -> io::Result<()> {
        durable::write(path, &self.builder.into_inner()?.finish()?)
    }
}
