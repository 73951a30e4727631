//! `chancery keys`: signing keys in files, tokens and key services.

mod forget_root;
mod generate;
mod import;
mod list;
mod request;
mod rotate;
mod test;

pub(super) use list::line;
pub(super) use rotate::Stage;

use crate::rotation::Role;
use clap::{Args, Subcommand, ValueEnum};
use std::process::ExitCode;

/// Generate, test, list and rotate signing keys; have another authority certify them
///
/// A URI names a key: file:, pkcs11: (RFC 7512), awskms:, gcpkms:, azurekms: or hashivault:. The URI never contains a
/// secret; it names the file or environment variable with the secret.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys generate --out ca.pem --password-file ca.password
  chancery keys test file:/etc/chancery/ca.pem?password-file=/etc/chancery/ca.password
  chancery keys test 'pkcs11:token=chancery;object=ca?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'
  chancery keys test 'awskms:///alias/ca?region=eu-central-1' --json
  chancery keys list --data ./chancery-dev
  chancery keys request ca --data ./chancery-dev --out ca.csr
  chancery keys import ca chain.pem --data ./chancery-dev
  chancery keys forget-root ca --data ./chancery-dev
  chancery keys rotate ca --data ./chancery-dev stage")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Generate(generate::Arguments),
    Request(request::Arguments),
    Import(import::Arguments),
    ForgetRoot(forget_root::Arguments),
    List(list::Arguments),
    Rotate(rotate::Arguments),
    Test(test::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Generate(arguments) => generate::run(&arguments),
        Verb::Request(arguments) => request::run(arguments).await,
        Verb::Import(arguments) => import::run(arguments).await,
        Verb::ForgetRoot(arguments) => forget_root::run(&arguments),
        Verb::List(arguments) => list::run(&arguments),
        Verb::Rotate(arguments) => rotate::run(arguments).await,
        Verb::Test(arguments) => test::run(&arguments).await,
    }
}

/// An authority, whose key has certificates.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum AuthorityName {
    Ca,
    Tsa,
}

impl From<AuthorityName> for Role {
    fn from(name: AuthorityName) -> Self {
        match name {
            AuthorityName::Ca => Self::Ca,
            AuthorityName::Tsa => Self::Tsa,
        }
    }
}
