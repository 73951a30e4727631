//! A directory with the configuration of a server, `chancery.toml`, and the commands that work there.

use crate::{
    program::{Program, Running},
    stack::chancery_binary,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The directory. It goes with its owner.
pub struct Configured(TempDir);

impl Configured {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn chancery(&self, line: &str) -> Program {
        Program::new(chancery_binary(), self.root()).args(line)
    }

    /// Serves, and waits until it says that it does. `line` begins with the configuration file.
    pub fn serve(&self, line: &str) -> Running {
        let mut server = self.chancery("serve --config").args(line).start();
        server.wait_for(" ready ");
        server
    }

    /// Makes the instance of `chancery.toml`, and serves it.
    pub fn start(&self) -> Running {
        self.chancery("config check chancery.toml").run().succeeds();
        self.chancery("init --config chancery.toml").run().succeeds();
        self.serve("chancery.toml")
    }
}
