//! Proves a backup without a server.
//!
//! 1. Every member is what the manifest says, and nothing else is in the file.
//! 2. What is needed is unpacked into a scratch directory: no private key, and the tables of `PostgreSQL` as an `SQLite` file.
//! 3. Its logs are checked as `chancery log check` does: everything follows from the entries, up to the signed checkpoints. The
//!    checkpoints and heads in the manifest are those of these logs.
//! 4. Its TUF repository is one that a client follows from the first root, and not older than its mark.

use super::bytes_bar;
use crate::{
    backup::{Content, DATABASE_FILE, Kind, LogFacts, Reader, is_private_key},
    cli::{
        log,
        place::{Place, database_file},
    },
    data_directory::private_directory,
    instance::marks,
    output,
};
use anyhow::{Context as _, bail, ensure};
use chancery_daemon::{database::snapshot::SqliteImport, durable};
use chancery_log::{
    check::Report,
    store::{Database, Location},
};
use chancery_trust::{
    FileName,
    tuf::{Directory, Mark, Repository},
};
use chancery_verify::{counted, entries};
use clap::Args;
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Prove a backup without a server: that it is whole, and every log in it
///
/// Every entry is hashed again, up to the signed checkpoints, as chancery log check does. The logs' keys are those in the trust
/// files of the backup, unless --trust names yours: a backup that was forged has keys of its own.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery backup verify monday.backup
  chancery backup verify monday.backup --trust trusted_root.json --scratch /var/tmp")]
pub(super) struct Arguments {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Trust the logs' keys in this `trusted_root.json` instead of those in the backup
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Unpack into this directory, which needs room for the database; by default that for temporary files
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { file, trust, scratch } = arguments;
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("chancery-backup-");
    let scratch = scratch.as_ref().map_or_else(|| builder.tempdir(), |parent| builder.tempdir_in(parent));
    let scratch = scratch.context("cannot make a scratch directory; name one with --scratch")?;
    let data = scratch.path();
    let reader = Reader::open(file)?;
    let (logs, kind, made_at) =
        (reader.manifest().logs.clone(), reader.manifest().database.kind, reader.manifest().made_at.clone());
    let members = reader.manifest().members.len();
    // (1), (2)
    unpack(reader, data).await.with_context(|| file.display().to_string())?;
    if let Some(trust) = trust {
        trust_only(data, trust)?;
    }
    // (3)
    let reports = check(data, kind, &logs).await.with_context(|| file.display().to_string())?;
    // (4)
    let repository = verify_tuf(data).with_context(|| format!("{}: the TUF repository", file.display()))?;
    let mut text = format!("{}: made {made_at}, {}\n", file.display(), counted(members as u64, "member", "members"));
    for Report { origin, tree_size, checkpoints, root_hash, .. } in &reports {
        let checkpoints = counted(*checkpoints, "checkpoint", "checkpoints");
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {origin}: {} re-derived, {checkpoints} verified, root hash {root_hash}",
            entries(*tree_size)
        );
    }
    if repository {
        text.push_str("  the TUF repository verifies from its first root\n");
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Unpacks what is checked.
async fn unpack(mut reader: Reader, data: &Path) -> anyhow::Result<()> {
    let bar = bytes_bar("unpacked");
    let (database, facts) = (database_file(data), reader.manifest().database);
    let mut tables = match facts.kind {
        Kind::Sqlite => None,
        Kind::Postgresql => {
            let begun = SqliteImport::begin(&database, facts.schema).await;
            Some(begun.context("tables of another version can be checked only where they are restored")?)
        }
    };
    while let Some(mut content) = reader.member()? {
        bar.inc(content.member().bytes);
        let table = content.member().table().map(str::to_owned);
        if let (Some(table), Some(tables)) = (table, tables.as_mut()) {
            tables.fill(&table, &mut content).await?;
        } else if content.member().name == DATABASE_FILE {
            io::copy(&mut content, &mut File::create_new(&database)?)?;
        } else if let Some(path) = content.member().path().map(|path| data.join(path)) {
            unpack_file(&mut content, &path)?;
        }
        content.finish()?;
    }
    reader.end()?;
    if let Some(tables) = tables {
        tables.commit().await?;
    }
    bar.finish_and_clear();
    // An older schema is brought up to date, as the server that is started over it does.
    let location = Location::File(database);
    Database::open(&location).await?.close().await;
    Ok(())
}

fn unpack_file(content: &mut Content<'_>, path: &Path) -> anyhow::Result<()> {
    let mut contents = Vec::new();
    content.read_to_end(&mut contents)?;
    if !is_private_key(&contents) {
        private_directory(durable::directory_of(path))?;
        fs::write(path, contents)?;
    }
    Ok(())
}

/// Has the logs checked by the keys in this file alone.
fn trust_only(data: &Path, trust: &Path) -> anyhow::Result<()> {
    let text = fs::read(trust).with_context(|| format!("cannot read {}", trust.display()))?;
    private_directory(&data.join("trust"))?;
    fs::write(data.join("trust").join(FileName::TrustedRoot.as_str()), text)?;
    // The public halves of keys that are in no trusted root yet.
    match fs::remove_dir_all(data.join("keys")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

async fn check(data: &Path, kind: Kind, logs: &[LogFacts]) -> anyhow::Result<Vec<Report>> {
    let place = Place { data: data.to_owned(), database: None };
    let told = |log: &LogFacts| {
        let note = log.checkpoint.clone()?;
        Some((PathBuf::from(format!("the checkpoint of {} in the manifest", log.name)), note))
    };
    let checkpoints = logs.iter().filter_map(told).collect();
    // The index is derived, and not among the tables that were unpacked.
    let (reports, doubts) = log::check_unpacked(&place, kind == Kind::Sqlite, checkpoints).await?;
    for log in logs {
        let Some(report) = reports.iter().find(|report| report.log == log.name) else {
            bail!("the database in it has no log {}, which the manifest names", log.name)
        };
        let is_same = report.tree_size == log.size && report.root_hash == log.root_hash;
        // One that was ended is shown at its end.
        ensure!(
            report.origin == log.origin && (is_same || report.lost.is_some()),
            "the log {} in the database is not as the manifest says",
            log.name
        );
    }
    ensure!(reports.len() == logs.len(), "the database in it has a log that the manifest does not name");
    ensure!(doubts.is_empty(), "the backup is whole, but was made of a log in doubt: {}", doubts.join("; "));
    Ok(reports)
}

/// Whether there is a repository. One that is there must verify.
fn verify_tuf(data: &Path) -> anyhow::Result<bool> {
    let directory = data.join("tuf");
    let repository = Repository::read(&Directory::new(directory.clone()))?;
    Mark::new(marks(data).join("tuf.json")).verify(&directory, repository.as_ref())?;
    Ok(repository.is_some())
}
