//! `chancery trust metadata`: root and targets metadata that is signed with offline keys.
//!
//! What is exported has a second file beside it, with which [`review`] says in words what changes, on machines that have nothing else.

mod review;

use super::{Data, RoleName};
use crate::{cli::place::InstanceArguments, durable, instance, output};
use anyhow::{Context as _, ensure};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_trust::tuf::{Metadata, Role, RoleKeys, Root, key, metadata::MAX_BYTES, offline};
use chancery_verify::PublicKey;
use clap::{Args, Subcommand};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Export TUF metadata, sign it with offline keys, and import it with its signatures
///
/// The exported file is TUF metadata without signatures; python-tuf and other tools can sign it too. The file beside it,
/// NAME.review.json, lets people see what changes, on machines without a network. To take root or targets keys offline: export a
/// root that names the new keys, sign it with them, import it. From then on the server renews only snapshot and timestamp.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust metadata export --role root --root-key a.pub --root-key b.pub --root-threshold 2 --out 2.root.json
  chancery trust metadata show 2.root.json
  chancery trust metadata sign 2.root.json --key 'pkcs11:token=alice;object=tuf?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'
  chancery trust metadata import alice/2.root.json bob/2.root.json --data ./chancery-dev
  chancery trust metadata export --role targets --out 5.targets.json")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Export(ExportArguments),
    Show(ShowArguments),
    Sign(SignArguments),
    Import(ImportArguments),
}

/// Write the next version of root or targets metadata, without signatures
///
/// Root: the present keys, or those given here, with a full lifetime. Targets: the trust files that wait for signatures, or the
/// present ones with a full lifetime. Prints what changes. Clients see no change until the import.
///
/// FILE.json has FILE.review.json beside it, which holds the version before and the contents of listed files. Hand over both: without
/// the second, nobody can see what is signed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust metadata export --role root --root-key a.pub --root-key b.pub --root-threshold 2 --out 2.root.json
  chancery trust metadata export --role targets --out 5.targets.json")]
struct ExportArguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Export this role: root or targets; the server signs the others
    #[arg(long, value_name = "ROLE")]
    role: RoleName,
    /// Public key of a root key, in PEM; repeat for every root key of the new version
    #[arg(long, value_name = "FILE")]
    root_key: Vec<PathBuf>,
    /// Require this many root keys to sign
    #[arg(long, value_name = "M", requires = "root_key", default_value_t = 1)]
    root_threshold: usize,
    /// Public key of a targets key, in PEM; repeat for every targets key of the new version
    #[arg(long, value_name = "FILE")]
    targets_key: Vec<PathBuf>,
    /// Require this many targets keys to sign
    #[arg(long, value_name = "M", requires = "targets_key", default_value_t = 1)]
    targets_threshold: usize,
    /// Write the metadata to this new file, and its review beside it; never overwrites a file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Say what exported metadata changes, in words; needs no key and no data directory
///
/// Keys that come and go, windows that are closed, URLs that change, and the new expiry. Everything is compared with the hashes in
/// the metadata.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery trust metadata show 5.targets.json")]
struct ShowArguments {
    #[command(flatten)]
    exported: Exported,
}

/// Exported metadata, and what came with it.
#[derive(Debug, Args)]
struct Exported {
    /// Exported metadata
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Compare with the version in this file. Default: FILE.review.json beside FILE.json
    #[arg(long, value_name = "FILE")]
    review: Option<PathBuf>,
}

/// Add the signature of a key to exported metadata; needs no data directory
///
/// Prints what changes and then signs it: `show` prints the same, and signs nothing. Read it before you hand the file on: enough root
/// keys together decide what every client trusts. Refuses to sign what nobody can see: bring FILE.review.json along.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust metadata sign 2.root.json --key file:/media/usb/root.pem?password-file=/media/usb/password
  chancery trust metadata sign 5.targets.json --key 'hashivault://tuf-targets?address=https://vault.example.org:8200&token-file=/run/vault-token'")]
struct SignArguments {
    #[command(flatten)]
    exported: Exported,
    /// Sign also if there is nothing with which the metadata can be compared
    #[arg(long, conflicts_with = "review")]
    unseen: bool,
    /// Sign with the P-256 key at this URI
    #[arg(long, value_name = "URI", value_parser = instance::key_uri)]
    key: String,
}

/// Import and publish metadata with enough signatures
///
/// Merges the signatures of several copies of the same metadata, and adds signatures of keys that are here. Refuses metadata,
/// and changes nothing, unless it is the next version, has not expired and has enough signatures. A new root needs signatures
/// of the old root keys and of its own. If offline targets keys are replaced, import root and targets together.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery trust metadata import alice/2.root.json bob/2.root.json --data ./chancery-dev")]
struct ImportArguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Signed copies of the metadata
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Export(arguments) => export(&arguments),
        Verb::Show(ShowArguments { exported }) => {
            let document = read(&exported.file)?;
            let review = review::read(&exported.file, exported.review.as_deref())?;
            review::print(&document, Some(&review))?;
            review::print_signers(&document)
        }
        Verb::Sign(arguments) => sign(&arguments).await,
        Verb::Import(arguments) => import(&arguments).await,
    }
}

fn export(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let (publisher, repository) = Data::of(&arguments.instance)?.repository()?;
    let now = SystemClock.now();
    let document = match arguments.role {
        RoleName::Root => {
            let mut root = repository.root().clone();
            for (role, files, threshold) in [
                (Role::Root, &arguments.root_key, arguments.root_threshold),
                (Role::Targets, &arguments.targets_key, arguments.targets_threshold),
            ] {
                if !files.is_empty() {
                    let keys = files.iter().map(|file| public_key(file)).collect::<anyhow::Result<Vec<_>>>()?;
                    ensure!(
                        keys.len() <= 1 || !has_twins(&keys),
                        "the same {role} key is given twice; give each key once"
                    );
                    root = root.with(role, RoleKeys::new(&keys, threshold)?);
                }
            }
            let version = repository.metadata(Role::Root).version + 1;
            root.to_metadata(version, publisher.lifetimes().expiry(Role::Root, now))?
        }
        RoleName::Targets => publisher.draft(&repository, Role::Targets, now)?,
        RoleName::Snapshot | RoleName::Timestamp => {
            anyhow::bail!("the server signs snapshot and timestamp; replace their keys with: chancery trust rotate")
        }
    };
    let review = publisher.review(&repository, &document)?;
    // It comes first: without it, the metadata is nothing that can be signed.
    let beside = review::path(&arguments.out);
    write_new(&beside, format!("{}\n", serde_json::to_string_pretty(&review)?).as_bytes())?;
    if let Err(error) = write_new(&arguments.out, &document.to_bytes()) {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    review::print(&document, Some(&review))?;
    output::note(&format!("note: hand over {} too; it says what changes", beside.display()));
    review::print_signers(&document)
}

fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("cannot write {}", path.display()))
}

async fn sign(arguments: &SignArguments) -> anyhow::Result<ExitCode> {
    let Exported { file, review } = &arguments.exported;
    let mut document = read(file)?;
    let review = if arguments.unseen { None } else { Some(review::read(file, review.as_deref())?) };
    // Before the signature: what cannot be shown is not signed.
    review::print(&document, review.as_ref())?;
    let signer = chancery_keys::open(&arguments.key.parse()?).await.context("cannot use the key")?;
    let key_id = key::id(signer.public_key())?;
    offline::sign(&mut document, &signer).await?;
    durable::write(file, &document.to_bytes())?;
    if Root::parse(&document).is_ok_and(|root| !root.root.keys.contains_key(&key_id)) {
        // A key of the root before may have to sign.
        output::note(&format!(
            "note: key {key_id} is not a root key of this root; only the key of the root before may sign too"
        ));
    }
    if review.is_some_and(|review| !review.is_vouched_for(signer.public_key())) {
        output::note(
            "note: this key has not signed the root with which the metadata was compared; if you do not know that root, compare the \
             keys above with your own list",
        );
    }
    review::print_signers(&document)
}

async fn import(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let publisher = Data::of(&arguments.instance)?.publisher()?;
    let copies = arguments.files.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let documents = offline::merge(copies);
    for role in [Role::Root, Role::Targets] {
        let different = documents.iter().filter(|document| document.role == role).count();
        ensure!(different <= 1, "the files are not copies of the same {role} metadata; import one version at a time");
    }
    let roles: Vec<Role> = documents.iter().map(|document| document.role).collect();
    let repository = publisher.import(documents, SystemClock.now()).await?;
    let mut out = output::data();
    for role in roles {
        let metadata = repository.metadata(role);
        writeln!(out, "{role}: version {}, expires {}", metadata.version, metadata.expires.rfc3339())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Metadata> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES)? + 1;
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(limit).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    Metadata::parse(&bytes).with_context(|| format!("{} is not TUF metadata", path.display()))
}

fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    PublicKey::from_pem(&text).with_context(|| format!("{} is not a public key in PEM", path.display()))
}

fn has_twins(keys: &[PublicKey]) -> bool {
    let mut fingerprints: Vec<_> = keys.iter().map(PublicKey::fingerprint).collect();
    fingerprints.sort_unstable();
    fingerprints.windows(2).any(|pair| pair.first() == pair.last())
}
