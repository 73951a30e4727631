//! `chancery keys request`: asks another authority to certify a key of ours.

use super::{AuthorityName, generate::Kind, rotate};
use crate::{
    cli::place::InstanceArguments,
    command::quoted,
    durable,
    instance::key_uri,
    output,
    rotation::{Place, RingFiles, Role},
};
use anyhow::{Context as _, bail, ensure};
use chancery_ca::chain::IssuingChain;
use chancery_daemon::{authority::AuthorityError, random::SystemRandom, signer::Signer};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Make a certificate request (PKCS#10) for a root that is not ours
///
/// Makes the next key of the certificate authority or of the timestamp authority, or takes the one at --key, and prints a
/// request for its certificate. The root's administrators issue it; `chancery keys import` takes what comes back. Until then
/// nothing changes for clients.
///
/// Before `chancery init`, there is no data directory: name the key and the organization, and set `key` and `chain` in `[ca]` or
/// `[tsa]`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys request ca --data /var/lib/chancery --out ca.csr
  chancery keys request tsa --key 'awskms:///alias/tsa-2?region=eu-central-1' --out tsa.csr
  chancery keys request ca --organization Example --key file:/srv/ca.pem?password-file=/srv/ca.pw

A certificate for ca needs CA:TRUE, path length 0, keyCertSign, codeSigning, both key identifiers.
A certificate for tsa needs CA:FALSE, digitalSignature, and timeStamping alone and critical.
Neither may have name constraints.")]
pub(super) struct Arguments {
    /// Authority whose key is to be certified
    #[arg(value_name = "ROLE")]
    role: AuthorityName,
    #[command(flatten)]
    instance: InstanceArguments,
    /// Use the key at this URI instead of a new key beside the old one
    #[arg(long, value_name = "URI", value_parser = key_uri)]
    key: Option<String>,
    /// Generate a key of this kind
    #[arg(long, value_name = "KIND", conflicts_with_all = ["key", "organization"])]
    kind: Option<Kind>,
    /// Organization in the certificate of an instance that does not exist yet
    #[arg(long, value_name = "NAME", requires = "key", conflicts_with_all = ["data", "config"])]
    organization: Option<String>,
    /// Write the request to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A request that was made: `keys/ROLE-request.json`, until its certificates are imported.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Requested {
    /// Where the key is.
    pub(super) key: Place,
    /// SHA-256 of its public half (SPKI), in hexadecimal.
    pub(super) fingerprint: String,
}

impl Requested {
    fn file(files: &RingFiles, role: Role) -> PathBuf {
        files.key_file(&format!("{role}-request.json"))
    }

    /// The last request of a role, if it was not answered.
    pub(super) fn read(files: &RingFiles, role: Role) -> anyhow::Result<Option<Self>> {
        let path = Self::file(files, role);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let read = serde_json::from_slice(&text);
        read.map(Some).with_context(|| format!("{} is damaged; make the request again", path.display()))
    }

    fn write(&self, files: &RingFiles, role: Role) -> anyhow::Result<()> {
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        durable::write(&Self::file(files, role), text.as_bytes())
    }

    /// Forgets the request.
    pub(super) fn remove(files: &RingFiles, role: Role) -> anyhow::Result<()> {
        let path = Self::file(files, role);
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { role, instance, key, kind, organization, out } = arguments;
    let role = Role::from(role);
    if let Some(out) = &out {
        ensure!(!out.exists(), "{} exists; name a new file with --out", out.display());
    }
    let (request, next) = match (organization, key) {
        (Some(organization), Some(uri)) => {
            let signer = chancery_keys::open(&uri.parse()?).await.context("the key cannot be used")?;
            (request(role, &organization, 1, &signer).await?, format!("set chain in [{role}], then run: chancery init"))
        }
        (_, key) => {
            let data = instance.data()?;
            let files = RingFiles::of(&data);
            let request = of_instance(&files, role, key, kind).await?;
            (request, format!("chancery keys import {role} CHAIN.pem --data {}", quoted(&data)))
        }
    };
    print(&request, out.as_deref())?;
    let place = out.map_or_else(String::new, |out| format!(" in {}", out.display()));
    output::note(&format!(
        "have the request{place} certified; with the certificates up to the root in one file: {next}"
    ));
    Ok(ExitCode::SUCCESS)
}

/// A request for the next key of an instance, which is made.
async fn of_instance(files: &RingFiles, role: Role, key: Option<String>, kind: Option<Kind>) -> anyhow::Result<String> {
    files.verify_complete()?;
    let _alone = files.lock()?;
    let ring = files.ring(role)?;
    let number = ring.next_number(role)?;
    let (key, signer) = rotate::Stage::requesting(key, kind).key(files, role, number, &ring).await?;
    let organization = rotate::organization(files, role, &ring)?;
    let text = request(role, &organization, number, &signer).await?;
    let fingerprint = hex::encode(signer.public_key().fingerprint());
    Requested { key, fingerprint }.write(files, role)?;
    Ok(text)
}

async fn request(role: Role, organization: &str, number: u64, signer: &Signer) -> anyhow::Result<String> {
    let made: Result<String, AuthorityError> = match role {
        Role::Ca => IssuingChain::request(organization, number, signer, &SystemRandom).await,
        Role::Tsa => chancery_tsa::chain::request(organization, number, signer, &SystemRandom).await,
        Role::Ct | Role::Rekor | Role::Rekor2 => bail!("the key of a log has no certificates"),
    };
    made.context("cannot make the request")
}

fn print(request: &str, out: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = out else {
        return Ok(output::print(request)?);
    };
    fs::write(path, request).with_context(|| format!("cannot write {}", path.display()))
}
