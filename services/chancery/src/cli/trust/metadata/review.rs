//! What a person reads before signing: the metadata itself, and what it changes.

use crate::{cli::foreign::escaped, output};
use anyhow::{Context as _, ensure};
use chancery_trust::tuf::{InvalidMetadata, Metadata, Review, Role, RoleKeys, Root, metadata::listed_targets};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Largest review: the contents of two versions of all files.
const MAX_BYTES: u64 = 16 << 20;

/// Where the review of metadata in a file is, if nothing else is said.
pub(super) fn path(of: &Path) -> PathBuf {
    of.with_extension("review.json")
}

/// Reads the review of the metadata in the file `of`.
pub(super) fn read(of: &Path, named: Option<&Path>) -> anyhow::Result<Review> {
    let path = named.map_or_else(|| path(of), Path::to_owned);
    let name = path.display();
    let file = File::open(&path).with_context(|| {
        format!(
            "cannot open {name}, without which nobody can say what {} changes; `chancery trust metadata export` has written both: \
             bring this one along, or name it with --review",
            of.display()
        )
    })?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    ensure!(u64::try_from(bytes.len())? <= MAX_BYTES, "{name} is larger than 16 MiB");
    serde_json::from_slice(&bytes).with_context(|| format!("{name} is not the review of exported metadata"))
}

/// The version before a document, and what the document changes.
fn compared(document: &Metadata, review: &Review) -> Result<(Metadata, Vec<String>), InvalidMetadata> {
    Ok((review.version_before(document.role)?, review.changes(document)?))
}

/// Prints what a document says and what it changes.
pub(super) fn print(document: &Metadata, review: Option<&Review>) -> anyhow::Result<()> {
    let compared = review.map(|review| compared(document, review)).transpose();
    let compared = compared.context("the review is not that of this metadata")?;
    let mut out = output::data();
    writeln!(out, "{} version {}, expires {}", document.role, document.version, document.expires.rfc3339())?;
    if document.role == Role::Root {
        let root = Root::parse(document)?;
        for role in Role::ALL {
            let RoleKeys { keys, threshold } = root.role(role);
            writeln!(out, "  {role}: {threshold} of {}", keys.len())?;
            for key_id in keys.keys() {
                writeln!(out, "    {key_id}")?;
            }
        }
    } else {
        for (name, facts) in listed_targets(document)? {
            writeln!(out, "  {name} sha256:{} {} bytes", facts.sha256, facts.length)?;
        }
    }
    match compared {
        None => writeln!(out, "what changes is not known")?,
        Some((before, changes)) => {
            let Metadata { version, expires, .. } = &before;
            writeln!(out, "changes since version {version}, which expires {}:", expires.rfc3339())?;
            if changes.is_empty() {
                writeln!(out, "  nothing but version and expiry")?;
            }
            for change in changes {
                writeln!(out, "  {}", escaped(&change))?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// Prints whose signatures a document has.
pub(super) fn print_signers(document: &Metadata) -> anyhow::Result<ExitCode> {
    let signatures: Vec<&str> = document.signatures().map(|(key_id, _)| key_id.as_str()).collect();
    let signers = if signatures.is_empty() { "no key".to_owned() } else { signatures.join(", ") };
    output::print(&format!("signed by {}\n", escaped(&signers)))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_is_beside_its_metadata() {
        for (metadata, review) in [
            ("2.root.json", "2.root.review.json"),
            ("/a/5.targets.json", "/a/5.targets.review.json"),
            ("a", "a.review.json"),
        ] {
            assert_eq!(path(Path::new(metadata)), Path::new(review));
        }
        let directory = tempfile::tempdir().unwrap();
        let metadata = directory.path().join("2.root.json");
        let refused = || format!("{:#}", read(&metadata, None).unwrap_err());
        assert!(refused().contains("2.root.review.json") && refused().contains("--review"), "{}", refused());
        std::fs::write(path(&metadata), "{}").unwrap();
        assert!(refused().contains("is not the review"), "{}", refused());
    }
}
