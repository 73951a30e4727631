//! What the disk does in the time a commit waits for it.

use crate::load::quantile_of;
use anyhow::Context as _;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Instant;

/// Bytes written before each wait: a page of PostgreSQL, four of SQLite.
const PAGE: usize = 8192;
/// Pages of the file, rewritten in turn: a write-ahead log that is recycled.
const PAGES: u64 = 128;
/// Waits that are measured.
const WAITS: u64 = 500;

/// Median time of one `fdatasync` after one page was rewritten in a file in `directory`, in milliseconds.
pub fn fdatasync_ms(directory: &Path) -> anyhow::Result<f64> {
    let mut file =
        tempfile::tempfile_in(directory).with_context(|| format!("cannot write to {}", directory.display()))?;
    file.write_all(&vec![0; PAGE * usize::try_from(PAGES)?])?;
    file.sync_all()?;
    let mut waits = Vec::new();
    for number in 0..WAITS {
        file.seek(SeekFrom::Start(number % PAGES * PAGE as u64))?;
        file.write_all(&[1; PAGE])?;
        let start = Instant::now();
        file.sync_data()?;
        waits.push(start.elapsed());
    }
    waits.sort_unstable();
    let median = quantile_of(&waits, 0.5).context("there were waits")?;
    Ok(median.as_secs_f64() * 1e3)
}
