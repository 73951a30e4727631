//! `chancery log checkpoint`: fetches the checkpoint of a log, verifies it, and keeps it.
//!
//! A saved checkpoint may be the only proof of a fork. So a new one takes its place only where the log proves that it extends
//! it, unless the caller asks for more.

use super::{
    remote::{self, Remote},
    trust::{self, TrustedLog},
    undecided::wrong_usage,
};
use crate::{cli::authorities::AuthorityArguments, durable, output};
use anyhow::{Context as _, bail};
use chancery_log::{
    check::{Opened, Published, open_checkpoint},
    rekor_v1,
};
use chancery_verify::entries;
use clap::Args;
use serde_json::json;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Fetch and verify the checkpoint of a log, to save it for `chancery log check --from`
///
/// A file that exists is replaced if the log proves that the new checkpoint extends the one in the file. Exits with 2 if the
/// arguments, or the files that they name, cannot be used, and with 3 if the server gives no answer. Both say nothing about the
/// log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery log checkpoint --url https://sign.example.org --trust ./trust --out today.checkpoint
  chancery log checkpoint --url https://sign.example.org --trust ./trust --log ct --json")]
pub(super) struct Arguments {
    /// Fetch from this server, or from a copy of its files
    #[arg(long, value_name = "URL")]
    url: String,
    /// Trust the keys in this `trusted_root.json`, or in this directory of trust files or data directory
    ///
    /// A directory of trust files has `trusted_root.json`, or `rekor.pub` and `ctfe.pub`.
    #[arg(long, value_name = "FILE|DIR")]
    trust: PathBuf,
    /// Fetch the checkpoint of this log: rekor, which is the default, rekor2 or ct; a later one is rekor-2 or ct-2
    ///
    /// Of several Rekor v2 logs, the one with the host name of the URL is read.
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// Find a log at this path below the URL, for example in copies made with --tiles
    ///
    /// For such copies: --path rekor=/rekor rekor2=/rekor2 ct=/ct.
    #[arg(long, value_name = "LOG=PATH", num_args = 1.., value_parser = trust::place)]
    path: Vec<(String, String)>,
    #[command(flatten)]
    authorities: AuthorityArguments,
    /// Write the checkpoint to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file also if it has a checkpoint that the new one does not extend, or something else
    #[arg(long, requires = "out")]
    overwrite: bool,
    /// Print the checkpoint as JSON, with the verifier key of the log, which witnesses need
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { url, trust: source, .. } = arguments;
    let logs = trust::read(source, &arguments.path).map_err(|error| wrong_usage(&error))?;
    let log = arguments.log.as_deref().unwrap_or(rekor_v1::NAME);
    let trusted = trust::choose(&logs, log, source).map_err(|error| wrong_usage(&error))?;
    let remote = Remote::new(url, arguments.authorities.file()).map_err(|error| wrong_usage(&error))?;
    let (note, opened) = remote::checkpoint(remote, &trusted).await.with_context(|| format!("log {log}"))?;
    if let Some(file) = &arguments.out {
        if !arguments.overwrite {
            verify_replaceable(file, remote, &trusted, &opened).await?;
        }
        durable::write(file, note.as_bytes())?;
    }
    let Opened { origin, head, verifier_key } = opened;
    // On standard error: a checkpoint on standard output is read by programs.
    output::note(&format!("log {log} ({origin}): a checkpoint of {}, signed by its key", entries(head.size)));
    let others = trust::others(&logs, &trusted);
    if arguments.log.is_none() && !others.is_empty() {
        let others = others.join(", ");
        output::note(&format!("{} has keys of other logs, too; choose one with --log: {others}", source.display()));
    }
    if arguments.json {
        let (root_hash, key) = (hex::encode(head.root), verifier_key.map(|key| key.to_string()));
        let printed = json!({ "log": log, "origin": origin, "tree_size": head.size, "root_hash": root_hash,
            "verifier_key": key, "note": note });
        output::print_json(&printed)?;
    } else if arguments.out.is_none() {
        output::print(&note)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the new checkpoint may take the place of what is in the file.
async fn verify_replaceable(file: &Path, remote: Remote<'_>, trusted: &TrustedLog, new: &Opened) -> anyhow::Result<()> {
    let name = file.display();
    let saved = match fs::read(file) {
        Ok(saved) => saved,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
    };
    let Published { keys, personality, .. } = &trusted.published;
    let saved = open_checkpoint(&saved, keys, *personality).ok().filter(|saved| saved.origin == new.origin);
    let Some(saved) = saved else {
        bail!(
            "{name} is kept, because it is not a checkpoint of {}: name another file with --out, or add --overwrite",
            new.origin
        );
    };
    remote::verify_extends(remote, trusted, &saved.head, new.head).await.with_context(|| {
        format!(
            "{name} is kept, because the log does not prove that it extends the checkpoint in it, which may be the proof of a \
             fork: name another file with --out, or add --overwrite"
        )
    })
}
