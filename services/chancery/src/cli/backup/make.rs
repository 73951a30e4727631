//! Writes a backup.
//!
//! 1. Keep other verbs from changing keys and TUF metadata, and copy the files of the data directory, marks first. Whatever they
//!    name is committed, so it is in the database that is copied next.
//! 2. Copy the database in one transaction.
//! 3. Write the manifest, sync the file, and give it its name: **the commit point**. Before, nothing of it can be seen.

use super::{Arguments, bytes_bar};
use crate::{
    backup::{
        AUDIT, Contents, DATA, DATABASE_FILE, DatabaseFacts, FORMAT, Kind, LogFacts, MAX_FILE, Manifest, Passphrase,
        Writer, audit_files, is_private_key, rows_of,
    },
    output,
    rotation::RingFiles,
};
use anyhow::{Context as _, ensure};
use chancery_daemon::{
    clock::{Clock as _, SystemClock},
    database::snapshot::{PostgresSnapshot, SqliteSnapshot, TABLES, copy_sqlite},
    durable::{self, Draft},
    random::SystemRandom,
};
use chancery_log::store::Location;
use chancery_trust::tuf::Directory;
use chancery_verify::{counted, entries};
use indicatif::ProgressBar;
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Write as _},
    path::Path,
    process::ExitCode,
};

/// Room for what the manifest says of one member.
const MEMBER_BYTES: usize = 768;
/// Room for all else in it: of a thousand logs.
const OTHER_BYTES: usize = 1024 * 1024;

/// What was copied of the data directory.
#[derive(Default)]
struct Copied {
    keys: usize,
    keys_left_out: Vec<String>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let out = arguments.out()?;
    ensure!(!out.exists(), "{} exists already; name another file with --out", out.display());
    let logs = arguments.instance.logs();
    let place = logs.place()?;
    let location = place.existing_database()?;
    let audit = logs.audit()?;
    let passphrase = arguments.passphrase_file.as_deref().map(Passphrase::read).transpose()?;
    let now = SystemClock.now();
    let mut draft = Draft::begin(out).with_context(|| format!("cannot write {}", out.display()))?;
    let bar = bytes_bar("backup");
    let made = {
        // (1)
        let contents = Contents::of(&place.data, &audit)?;
        let audits = if arguments.audit { audit_files(&audit)? } else { Vec::new() };
        let count = contents.files.len() + audits.len() + TABLES.len() + 1;
        let mut writer = Writer::begin(draft.file(), OTHER_BYTES + count * MEMBER_BYTES)?;
        let copied = copy_files(&place.data, &audit, passphrase.as_ref(), &mut writer).await?;
        for path in &audits {
            copy_file(path, AUDIT, &mut writer)?;
        }
        // (2)
        let (database, logs) = copy_database(&location, out, &mut writer, &bar).await?;
        // (3)
        let manifest = |members| Manifest {
            format: FORMAT,
            chancery: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: now.rfc3339(),
            database,
            keys_left_out: copied.keys_left_out.clone(),
            logs: logs.clone(),
            members,
        };
        writer.finish(manifest)?;
        (copied, logs, contents.strange)
    };
    draft.create().with_context(|| format!("cannot write {}", out.display()))?;
    bar.finish_and_clear();
    let (copied, logs, strange) = made;
    for name in strange {
        output::note(&format!(
            "not in the backup, because chancery did not make it: {}",
            place.data.join(name).display()
        ));
    }
    output::print(&said(out, &copied, &logs))?;
    Ok(ExitCode::SUCCESS)
}

/// What was made, for people. Writing to a String cannot fail.
fn said(out: &Path, copied: &Copied, logs: &[LogFacts]) -> String {
    let mut text = format!("{}\n", out.display());
    for log in logs {
        let _ = writeln!(text, "  {}: {}, root hash {}", log.origin, entries(log.size), log.root_hash);
    }
    let keys = |count: usize| counted(count as u64, "private key", "private keys");
    if copied.keys > 0 {
        let _ = writeln!(text, "  {}, encrypted", keys(copied.keys));
    }
    if !copied.keys_left_out.is_empty() {
        let left = keys(copied.keys_left_out.len());
        let _ = writeln!(text, "  without {left}: keep keys/ elsewhere, encrypted, or add --keys");
    }
    text
}

/// Copies the files of the data directory, while no other verb changes them.
async fn copy_files(
    data: &Path,
    audit: &Path,
    passphrase: Option<&Passphrase>,
    writer: &mut Writer<'_>,
) -> anyhow::Result<Copied> {
    let files = RingFiles::of(data);
    files.verify_complete()?;
    let _ring = files.lock()?;
    let repository = Directory::new(data.join("tuf"));
    let _tuf = if repository.path().exists() { Some(repository.lock().await?) } else { None };
    let mut copied = Copied::default();
    for name in Contents::of(data, audit)?.files {
        let Some(contents) = read(&data.join(&name))? else { continue };
        let member = format!("{DATA}{name}");
        if !is_private_key(&contents) {
            writer.add(&member, &contents, false)?;
            continue;
        }
        let Some(passphrase) = passphrase else {
            copied.keys_left_out.push(name);
            continue;
        };
        let sealed = passphrase.seal(&contents, &SystemRandom);
        match sealed.with_context(|| format!("cannot encrypt {}", data.join(&name).display()))? {
            Some(sealed) => writer.add(&member, sealed.as_bytes(), true)?,
            None => writer.add(&member, &contents, false)?,
        }
        copied.keys += 1;
    }
    Ok(copied)
}

/// A small file; `None` where it was removed meanwhile.
fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let bounded = || -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        let length = File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut contents)?;
        if length as u64 > MAX_FILE { Err(ErrorKind::FileTooLarge.into()) } else { Ok(contents) }
    };
    match bounded() {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Copies a file of any size, as long as it is now.
fn copy_file(path: &Path, above: &str, writer: &mut Writer<'_>) -> anyhow::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("the name of {} is not text", path.display()))?;
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let length = file.metadata()?.len();
    let mut member = writer.member(&format!("{above}{name}"))?;
    io::copy(&mut file.take(length), &mut member)?;
    Ok(member.finish()?)
}

/// Copies the database, and says what it is and which logs are in the copy.
async fn copy_database(
    location: &Location,
    out: &Path,
    writer: &mut Writer<'_>,
    bar: &ProgressBar,
) -> anyhow::Result<(DatabaseFacts, Vec<LogFacts>)> {
    match location {
        Location::File(path) => {
            let scratch = tempfile::Builder::new().prefix(".backup-").tempdir_in(durable::directory_of(out))?;
            let copy = scratch.path().join("chancery.db");
            let copied = copy_sqlite(path, &copy).await;
            let SqliteSnapshot { schema, logs } = copied.with_context(|| format!("{}", path.display()))?;
            let mut member = writer.member(DATABASE_FILE)?;
            io::copy(&mut bar.wrap_read(File::open(&copy)?), &mut member)?;
            member.finish()?;
            fs::remove_file(&copy)?;
            Ok((DatabaseFacts { kind: Kind::Sqlite, schema }, logs.into_iter().map(LogFacts::from).collect()))
        }
        Location::Server(url) => {
            let mut snapshot = PostgresSnapshot::open(url).await.with_context(|| format!("{location}"))?;
            let logs = snapshot.logs().await?;
            for table in TABLES {
                let mut member = writer.member(&rows_of(table.name))?;
                member.columns = table.columns().map(str::to_owned).collect();
                let copied = snapshot.copy(table, |piece| {
                    bar.inc(piece.len() as u64);
                    member.write_all(piece)
                });
                copied.await.with_context(|| format!("table {}", table.name))?;
                member.finish()?;
            }
            let facts = DatabaseFacts { kind: Kind::Postgresql, schema: snapshot.schema() };
            snapshot.close().await?;
            Ok((facts, logs.into_iter().map(LogFacts::from).collect()))
        }
    }
}
