//! A wall clock that a test sets while the server runs, as an operator or a broken time daemon does (`skewed_clock.c`).

use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

/// The clock of one server.
pub struct SkewedClock {
    directory: TempDir,
}

impl SkewedClock {
    /// One that shows the machine's time.
    pub fn new() -> Self {
        let clock = Self { directory: tempfile::tempdir().unwrap() };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/skewed_clock.c");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.library()).arg(source).status();
        assert!(compiled.unwrap().success(), "cc compiles {source}");
        clock.set(0);
        clock
    }

    /// From now on it is this many seconds ahead of the machine's.
    pub fn set(&self, seconds: i64) {
        // Whole or not at all: the server reads it at any moment.
        let next = self.directory.path().join("next");
        fs::write(&next, seconds.to_string()).unwrap();
        fs::rename(next, self.offset()).unwrap();
    }

    /// What a server runs with to be told this time.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        [("LD_PRELOAD", path(self.library())), ("CLOCK_OFFSET", path(self.offset()))]
    }

    fn library(&self) -> PathBuf {
        self.directory.path().join("skewed_clock.so")
    }

    fn offset(&self) -> PathBuf {
        self.directory.path().join("offset")
    }
}

impl Default for SkewedClock {
    fn default() -> Self {
        Self::new()
    }
}
