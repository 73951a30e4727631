//! `chancery evidence check`: whether a case is sound.

use super::{Failure, Judging, Outcome, sound, undecided};
use anyhow::{Context as _, ensure};
use chancery_search::evidence::archive::MAX_BYTES;
use clap::Args;
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Check a case without a network: everything in it is proven again with the trust root
///
/// Reads nothing but the case and the trust root. Compares every member with the manifest, and verifies every checkpoint with its
/// cosignatures, every inclusion and consistency proof, every certificate, SCT, promise and signature. Prints what is proven,
/// and what is not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery evidence check case.tar --trusted-root trusted_root.json
  chancery evidence check case.tar --trust ./trust --json")]
pub(super) struct Arguments {
    /// The case
    #[arg(value_name = "FILE")]
    case: PathBuf,
    #[command(flatten)]
    judging: Judging,
}

pub(super) async fn run(Arguments { case, judging }: &Arguments) -> anyhow::Result<ExitCode> {
    let verifier = judging.verifier().await?;
    let archive = read(case).map_err(|error| undecided(&error));
    let checked: Result<_, Failure> = archive.and_then(|archive| sound(archive, &verifier));
    Outcome::of("SOUND", case, checked).print(judging.json)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut archive = Vec::new();
    // A file that grows while it is read ends at the limit, too.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut archive).with_context(|| format!("cannot read {name}"))?;
    ensure!(archive.len() <= MAX_BYTES, "{name} has more than {MAX_BYTES} bytes, which no case has");
    Ok(archive)
}
