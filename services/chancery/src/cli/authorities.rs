//! `--ca-file`: the certificates of an organisation's own servers, for every command that asks one.
//!
//! It is the rule of all settings that name certificates ([`chancery_outbound::trusting_file`]): those in the file count, and the
//! system's authorities do not.

use clap::Args;
use std::path::{Path, PathBuf};

/// Whom TLS trusts.
#[derive(Debug, Args)]
pub(super) struct AuthorityArguments {
    /// Trust these certificates (PEM) for the servers that are asked, in place of the system's authorities
    ///
    /// One of them may be a server's own, self-signed or not.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl AuthorityArguments {
    /// The file. `None` for the system's authorities.
    pub(super) fn file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }
}
