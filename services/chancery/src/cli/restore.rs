//! `chancery restore`: an instance from a backup, in a new place.
//!
//! 1. The whole file is read and compared with its manifest. Nothing is written before.
//! 2. The files are unpacked beside the data directory. The checkpoints that were given are compared with the keys in them.
//! 3. The database is put back: the file, or the tables in one transaction, whose commit is the last step of this.
//! 4. For each log it is written down where the guard of the next start finds it whether the log may go on ([`meaning`]).
//! 5. The directory gets its name: **the commit point**. Before, no server can be started over it.

mod evidence;
mod meaning;

use super::{
    backup::bytes_bar,
    place::{Place, database_file},
};
use crate::{
    backup::{AUDIT, Content, DATABASE_FILE, DatabaseFacts, Kind, Manifest, Passphrase, Reader},
    data_directory::private_directory,
    database_url,
    instance::marks,
    output,
};
use anyhow::{Context as _, bail, ensure};
use chancery_daemon::{database::snapshot::PostgresRestore, durable};
use chancery_log::store::Database;
use clap::Args;
use evidence::Evidence;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Restore an instance from a backup, into a new data directory and an empty database
///
/// A backup is older than its logs: entries that were acknowledged after it are not in it. A log that goes on from there signs a
/// second history, which clients and witnesses can prove. So a log goes on only if it extends the newest checkpoint of it that
/// exists anywhere: give it with --from, or the marks of the lost server with --marks. Any other log that still took entries is
/// QUARANTINED: it is read, and takes nothing. The command says for each log what that means and what to do.
///
/// Stop every server that may still write first: two servers with the same keys make two histories.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery restore monday.backup --data /var/lib/chancery --from newest-rekor.checkpoint
  chancery restore monday.backup --data ./restored --marks /mnt/old-disk/chancery/marks
  chancery restore monday.backup --data ./restored --database postgres://me@db.example.org/new
  chancery restore with-keys.backup --data ./restored --passphrase-file /safe/passphrase")]
pub(super) struct Arguments {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Restore into this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Restore the logs into this empty `PostgreSQL` database; connect as its owner
    #[arg(long, value_name = "URL", value_parser = database_url::parse)]
    database: Option<String>,
    /// The newest checkpoint of a log that exists anywhere: saved by you, a monitor, a witness or a bucket; repeatable
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// The directory `marks` of the server that is lost, as it was last
    #[arg(long, value_name = "DIR")]
    marks: Option<PathBuf>,
    /// The passphrase of the private keys in the backup, in a file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { file, data, database, .. } = arguments;
    verify_new(data)?;
    let reader = Reader::open(file)?;
    let manifest = reader.manifest().clone();
    verify_arguments(arguments, &manifest)?;
    let passphrase = arguments.passphrase_file.as_deref().map(Passphrase::read).transpose()?;
    // (1)
    let bar = bytes_bar("checked");
    reader.check(|bytes| bar.inc(bytes)).with_context(|| file.display().to_string())?;
    bar.finish_and_clear();
    let parent = durable::directory_of(data);
    let stage = tempfile::Builder::new().prefix(".restore-").tempdir_in(parent);
    let stage = stage.with_context(|| format!("cannot write into {}", parent.display()))?;
    // (2), (3)
    let evidence = unpack(arguments, passphrase.as_ref(), stage.path()).await?;
    // (4)
    let location = Place { data: stage.path().to_owned(), database: database.clone() }.database();
    let opened = Database::open(&location).await.with_context(|| format!("{location}"))?;
    let settled = meaning::settle(stage.path(), &*opened.store(), &evidence).await;
    opened.close().await;
    let settled = settled.with_context(|| retry(database.is_some()))?;
    // (5)
    sync(stage.path())?;
    let unmade = || format!("cannot make {}; {}", data.display(), retry(database.is_some()));
    fs::rename(stage.path(), data).with_context(unmade)?;
    File::open(parent)?.sync_all()?;
    // It has another name now.
    let _gone = stage.keep();
    output::print(&meaning::said(&settled, &manifest, data, database.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}

/// What to do before the command is run again.
fn retry(has_database: bool) -> &'static str {
    if has_database {
        "the database is filled already: drop it, and restore into a new one"
    } else {
        "nothing was restored"
    }
}

/// Refuses a directory with anything in it, and one that cannot be replaced at the end, when the database is filled.
fn verify_new(data: &Path) -> anyhow::Result<()> {
    match fs::read_dir(data) {
        Ok(mut entries) => {
            ensure!(
                entries.next().is_none(),
                "{} is not empty; restore into a new directory, and keep the old one: its marks/ are worth more than those in a backup",
                data.display()
            );
            let (own, above) = (fs::symlink_metadata(data)?, fs::metadata(durable::directory_of(data))?);
            ensure!(
                data.file_name().is_some() && own.is_dir() && own.dev() == above.dev(),
                "{} is a mount point, a symbolic link or the current directory, which cannot be replaced; name a new directory in it",
                data.display()
            );
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot use {}", data.display())),
    }
    Ok(())
}

fn verify_arguments(arguments: &Arguments, manifest: &Manifest) -> anyhow::Result<()> {
    match (manifest.database.kind, &arguments.database) {
        (Kind::Sqlite, Some(_)) => {
            bail!("the backup is of an SQLite database, which is a file in --data; leave out --database")
        }
        (Kind::Postgresql, None) => bail!("the backup is of a PostgreSQL database; name an empty one with --database"),
        _ => {}
    }
    let has_sealed = manifest.members.iter().any(|member| member.sealed);
    ensure!(
        !has_sealed || arguments.passphrase_file.is_some(),
        "the private keys in the backup are encrypted; name the passphrase with --passphrase-file"
    );
    Ok(())
}

/// Unpacks everything, and returns what is known of the logs from outside the backup.
async fn unpack(arguments: &Arguments, passphrase: Option<&Passphrase>, stage: &Path) -> anyhow::Result<Evidence> {
    let bar = bytes_bar("restored");
    let mut reader = Reader::open(&arguments.file)?;
    let manifest = reader.manifest().clone();
    // Files come before the database.
    let mut files = manifest.members.iter().filter(|member| member.path().is_some()).count();
    let (mut evidence, mut tables) = (None, None);
    while let Some(mut content) = reader.member()? {
        bar.inc(content.member().bytes);
        if let Some(path) = content.member().path().map(str::to_owned) {
            unpack_file(&mut content, &stage.join(&path), passphrase).with_context(|| path)?;
            files -= 1;
        } else if let Some(name) = content.member().name.strip_prefix(AUDIT).map(|name| stage.join(name)) {
            copy(&mut content, &name)?;
        } else {
            ensure!(files == 0, "the members of the backup are in another order than chancery writes");
            if evidence.is_none() {
                // Before anything is written into a database.
                private_directory(&marks(stage))?;
                evidence = Some(Evidence::read(arguments, &manifest, stage)?);
            }
            put_back(&mut content, &mut tables, arguments, manifest.database, stage).await?;
        }
        content.finish()?;
    }
    reader.end()?;
    if let Some(tables) = tables {
        tables.commit().await?;
    }
    bar.finish_and_clear();
    evidence.context("the backup has no database")
}

/// Puts back a database file, or a table.
async fn put_back(
    content: &mut Content<'_>,
    tables: &mut Option<PostgresRestore>,
    arguments: &Arguments,
    facts: DatabaseFacts,
    stage: &Path,
) -> anyhow::Result<()> {
    if content.member().name == DATABASE_FILE {
        return copy(content, &database_file(stage));
    }
    let url = arguments.database.as_deref().context("name a database with --database")?;
    if tables.is_none() {
        let begun = PostgresRestore::begin(url, facts.schema).await;
        *tables = Some(begun.context("the PostgreSQL database")?);
    }
    let (member, Some(tables)) = (content.member().clone(), tables) else { return Ok(()) };
    let table = member.table().with_context(|| format!("{} is no table", member.name))?;
    tables.fill(table, &member.columns, content).await.with_context(|| format!("table {table}"))
}

/// A file that only its owner can read.
fn private_file(path: &Path) -> anyhow::Result<File> {
    private_directory(durable::directory_of(path))?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

fn copy(content: &mut Content<'_>, path: &Path) -> anyhow::Result<()> {
    let mut file = private_file(path)?;
    io::copy(content, &mut file)?;
    Ok(file.sync_all()?)
}

fn unpack_file(content: &mut Content<'_>, path: &Path, passphrase: Option<&Passphrase>) -> anyhow::Result<()> {
    if !content.member().sealed {
        return copy(content, path);
    }
    let mut key = Vec::new();
    content.read_to_end(&mut key)?;
    let key = passphrase.context("name the passphrase with --passphrase-file")?.unseal(&key)?;
    let mut file = private_file(path)?;
    file.write_all(key.as_bytes())?;
    Ok(file.sync_all()?)
}

/// Has the names of the files in a directory, and in those below it, on the disk.
fn sync(directory: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sync(&path)?;
        }
    }
    Ok(File::open(directory)?.sync_all()?)
}
