//! `chancery keys generate`: a new key in a file.

use crate::output;
use anyhow::{Context as _, ensure};
use chancery_daemon::random::SystemRandom;
use chancery_daemon::signer::{self, Signer};
use chancery_verify::key::KeyKind;
use clap::{Args, ValueEnum};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Shortest password that is accepted: a shorter file is probably a mistake.
const MIN_PASSWORD: usize = 8;

/// Generate a key in a new file: PKCS#8 in PEM, encrypted with a password (PBES2, AES-256)
///
/// Prints the URI of the key. Never overwrites a file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys generate --out ca.pem --password-file ca.password
  chancery keys generate --kind rsa-4096 --out ca.pem --password-file ca.password --public-key ca.pub")]
pub(super) struct Arguments {
    /// Write the key to this new file, readable by its owner only
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Kind of key
    #[arg(long, value_name = "KIND", default_value = "p256")]
    kind: Kind,
    /// Encrypt the key with the password in this file
    #[arg(long, value_name = "FILE", required_unless_present = "unencrypted")]
    password_file: Option<PathBuf>,
    /// Do not encrypt the key: every reader of the file can sign with it
    #[arg(long, conflicts_with = "password_file")]
    unencrypted: bool,
    /// Also write the public key, in PEM, to this file
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    P256,
    P384,
    #[value(name = "rsa-2048")]
    Rsa2048,
    #[value(name = "rsa-3072")]
    Rsa3072,
    #[value(name = "rsa-4096")]
    Rsa4096,
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::P256 => Self::P256,
            Kind::P384 => Self::P384,
            Kind::Rsa2048 => Self::Rsa(2048),
            Kind::Rsa3072 => Self::Rsa(3072),
            Kind::Rsa4096 => Self::Rsa(4096),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Before the key is made, so that a mistake leaves nothing behind.
    let password = arguments.password_file.as_deref().map(password).transpose()?;
    if let Some(path) = &arguments.public_key {
        ensure!(
            !path.exists() && path != &arguments.out,
            "{} exists, or is the file of the key; name a new file with --public-key",
            path.display()
        );
    }
    let (key, text) = Signer::generate(arguments.kind.into())?;
    let text = match &password {
        Some(password) => signer::encrypt(&text, password, &SystemRandom)?,
        None => text,
    };
    Signer::save(&arguments.out, &text)?;
    if let Some(path) = &arguments.public_key {
        fs::write(path, key.public_key().to_pem()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut uri = format!("file:{}", absolute(&arguments.out)?);
    if let Some(path) = &arguments.password_file {
        uri = format!("{uri}?password-file={}", absolute(path)?);
    }
    output::print(&format!("{uri}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The file's contents without its last line break, as a key URI's `password-file` is read.
fn password(path: &Path) -> anyhow::Result<Vec<u8>> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    ensure!(
        text.len() >= MIN_PASSWORD,
        "the password in {} is shorter than {MIN_PASSWORD} characters; choose a longer one",
        path.display()
    );
    Ok(text.to_vec())
}

/// A path as a URI has it.
fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()))?;
    let url =
        url::Url::from_file_path(&path).ok().context("the path cannot be written as a URI; choose another path")?;
    // `Url` leaves the delimiters of options alone, which are part of a path here.
    Ok(url.path().replace('&', "%26").replace('=', "%3D"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_overwritten_and_the_public_half_does_not_replace_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let make = |out: &str, public_key: &str| {
            run(&Arguments {
                out: path(out),
                kind: Kind::P256,
                password_file: None,
                unencrypted: true,
                public_key: Some(path(public_key)),
            })
        };
        assert!(make("ca.pem", "ca.pem").is_err() && !path("ca.pem").exists());
        make("ca.pem", "ca.pub").unwrap();
        let made = fs::read(path("ca.pub")).unwrap();
        let refused = make("other.pem", "ca.pub").unwrap_err();
        assert!(refused.to_string().contains("--public-key"), "{refused}");
        assert!(!path("other.pem").exists() && fs::read(path("ca.pub")).unwrap() == made);
    }
}
