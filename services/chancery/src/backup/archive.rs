//! A backup as a tar (POSIX.1-1988, «ustar») that has exactly one form: plain files with the same owner, mode and time, each
//! where the manifest says, and nothing between or behind them.
//!
//! The manifest is the first member and has the digest of each one that follows, so its place is kept free until they are
//! written: it is filled with spaces, which JSON allows. Members are streamed in both directions. A size of eight GiB and more is
//! written in the way of GNU tar, which every tar in use reads.

use super::manifest::{Manifest, Member};
use anyhow::{Context as _, bail, ensure};
use chancery_verify::{HashAlgorithm, verifier::Hasher};
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, ErrorKind, Read, Seek as _, SeekFrom, Write},
    path::Path,
};
use tar::{EntryType, Header};

/// The first member.
const MANIFEST: &str = "manifest.json";
/// The last member: the SHA-256 of the first one.
const CHECKSUM: &str = "manifest.sha256";
/// Everything in a tar begins at a multiple of this.
const BLOCK: usize = 512;
/// Blocks of zeros that end a tar.
const END: usize = 2;
/// Largest manifest: that of some hundred thousand files.
const MAX_MANIFEST: u64 = 64 * 1024 * 1024;
/// Bytes that are read and written at once.
const BUFFER: usize = 256 * 1024;

fn header(name: &str, bytes: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(header)
}

/// Zeros from the end of a member to the next block.
fn padding(bytes: u64) -> usize {
    // Below a block.
    usize::try_from(bytes.next_multiple_of(BLOCK as u64) - bytes).unwrap_or_default()
}

fn digest(hasher: Hasher) -> String {
    hasher.finish().get(HashAlgorithm::Sha256).map(hex::encode).unwrap_or_default()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(chancery_verify::hash::sha256(bytes))
}

/// A backup that is being written.
pub(crate) struct Writer<'a> {
    file: BufWriter<&'a mut File>,
    /// Bytes of the manifest.
    reserved: usize,
    members: Vec<Member>,
}

impl<'a> Writer<'a> {
    /// Begins it in an empty file. The manifest will have at most so many bytes.
    pub(crate) fn begin(file: &'a mut File, reserved: usize) -> io::Result<Self> {
        let reserved = reserved.next_multiple_of(BLOCK);
        if reserved as u64 > MAX_MANIFEST {
            // What is written must be read again.
            return Err(io::Error::other("there are more files than a backup can have"));
        }
        let mut file = BufWriter::with_capacity(BUFFER, file);
        file.seek(SeekFrom::Start((BLOCK + reserved) as u64))?;
        Ok(Self { file, reserved, members: Vec::new() })
    }

    /// Begins a member, which is written piece by piece and must be [finished](Written::finish).
    pub(crate) fn member(&mut self, name: &str) -> io::Result<Written<'_, 'a>> {
        let start = self.file.stream_position()?;
        // Its header is written last, because it has the size.
        self.file.write_all(&[0; BLOCK])?;
        let (name, hasher) = (name.to_owned(), Hasher::new(&[HashAlgorithm::Sha256]));
        Ok(Written { writer: self, name, start, bytes: 0, hasher, columns: Vec::new(), sealed: false })
    }

    /// Adds a whole member.
    pub(crate) fn add(&mut self, name: &str, contents: &[u8], sealed: bool) -> io::Result<()> {
        let mut member = self.member(name)?;
        member.sealed = sealed;
        member.write_all(contents)?;
        member.finish()
    }

    /// Ends it with the manifest, which `made` completes with the members.
    pub(crate) fn finish(mut self, made: impl FnOnce(Vec<Member>) -> Manifest) -> anyhow::Result<()> {
        let manifest = made(std::mem::take(&mut self.members));
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        ensure!(text.len() <= self.reserved, "the manifest has {} bytes, more than were expected", text.len());
        text.resize(self.reserved, b' ');
        self.add(CHECKSUM, format!("{}\n", sha256(&text)).as_bytes(), false)?;
        self.file.write_all(&[0; END * BLOCK])?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(header(MANIFEST, text.len() as u64)?.as_bytes())?;
        self.file.write_all(&text)?;
        self.file.flush()?;
        Ok(())
    }
}

/// A member that is being written.
pub(crate) struct Written<'w, 'a> {
    writer: &'w mut Writer<'a>,
    name: String,
    start: u64,
    bytes: u64,
    hasher: Hasher,
    /// The columns of rows.
    pub(crate) columns: Vec<String>,
    sealed: bool,
}

impl Written<'_, '_> {
    /// Completes it.
    pub(crate) fn finish(self) -> io::Result<()> {
        let Self { writer, name, start, bytes, hasher, columns, sealed } = self;
        writer.file.write_all(&vec![0; padding(bytes)])?;
        let end = writer.file.stream_position()?;
        writer.file.seek(SeekFrom::Start(start))?;
        writer.file.write_all(header(&name, bytes)?.as_bytes())?;
        writer.file.seek(SeekFrom::Start(end))?;
        writer.members.push(Member { name, bytes, sha256: digest(hasher), columns, sealed });
        Ok(())
    }
}

impl Write for Written<'_, '_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.writer.file.write(piece)?;
        self.hasher.update(&piece[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.file.flush()
    }
}

/// A backup that is read from its begin to its end.
pub(crate) struct Reader {
    file: BufReader<File>,
    manifest: Manifest,
    checksum: String,
    /// The number of the next member.
    next: usize,
}

impl Reader {
    /// Opens a backup, and reads its manifest. That this is the one that was written is known at the [end](Self::end).
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let read = || -> anyhow::Result<Self> {
            let mut file = BufReader::with_capacity(BUFFER, file);
            let mut found = Header::new_old();
            read_exact(&mut file, found.as_mut_bytes(), MANIFEST)?;
            let bytes = found.entry_size().unwrap_or_default();
            ensure!(
                bytes <= MAX_MANIFEST && header(MANIFEST, bytes)?.as_bytes() == found.as_bytes(),
                "it is not a backup of chancery, or its first bytes were changed"
            );
            let mut text = vec![0; usize::try_from(bytes)?];
            read_exact(&mut file, &mut text, MANIFEST)?;
            let manifest: Manifest = serde_json::from_slice(&text).context("its manifest was changed")?;
            manifest.verify()?;
            Ok(Self { file, manifest, checksum: sha256(&text), next: 0 })
        };
        read().with_context(|| path.display().to_string())
    }

    /// Its manifest.
    pub(crate) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The next member; `None` after the last one. The one before must be [finished](Content::finish).
    pub(crate) fn member(&mut self) -> anyhow::Result<Option<Content<'_>>> {
        let Some(member) = self.manifest.members.get(self.next).cloned() else { return Ok(None) };
        self.next += 1;
        self.expect_header(&member.name, member.bytes)?;
        let left = member.bytes;
        Ok(Some(Content { file: &mut self.file, member, left, hasher: Hasher::new(&[HashAlgorithm::Sha256]) }))
    }

    fn expect_header(&mut self, name: &str, bytes: u64) -> anyhow::Result<()> {
        let mut found = [0; BLOCK];
        read_exact(&mut self.file, &mut found, name)?;
        ensure!(
            *header(name, bytes)?.as_bytes() == found,
            "{name} is missing from the backup, or its header was changed"
        );
        Ok(())
    }

    /// Reads what follows the last member, and verifies that the manifest is the one that was written.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        let expected = format!("{}\n", self.checksum);
        self.expect_header(CHECKSUM, expected.len() as u64)?;
        let mut found = vec![0; expected.len() + padding(expected.len() as u64)];
        read_exact(&mut self.file, &mut found, CHECKSUM)?;
        let (text, zeros) = found.split_at(expected.len());
        ensure!(text == expected.as_bytes(), "{MANIFEST} was changed: it has another SHA-256 than {CHECKSUM} says");
        let mut end = [0; END * BLOCK];
        read_exact(&mut self.file, &mut end, "its end")?;
        ensure!(zeros.iter().chain(&end).all(|byte| *byte == 0), "the end of the backup was changed");
        ensure!(self.file.read(&mut [0])? == 0, "something follows the end of the backup");
        Ok(())
    }

    /// Reads all that is left and keeps nothing of it. `seen` is told the bytes of each piece.
    pub(crate) fn check(mut self, mut seen: impl FnMut(u64)) -> anyhow::Result<()> {
        let mut piece = vec![0; BUFFER];
        while let Some(mut content) = self.member()? {
            loop {
                match content.read(&mut piece).context("cannot read the backup")? {
                    0 => break,
                    length => seen(length as u64),
                }
            }
            content.finish()?;
        }
        self.end()
    }
}

fn read_exact(file: &mut impl Read, bytes: &mut [u8], name: &str) -> anyhow::Result<()> {
    match file.read_exact(bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            bail!("the backup was cut off: it ends within {name}")
        }
        read => read.context("cannot read the backup"),
    }
}

/// The contents of a member.
pub(crate) struct Content<'a> {
    file: &'a mut BufReader<File>,
    member: Member,
    left: u64,
    hasher: Hasher,
}

impl Content<'_> {
    /// What the manifest says of it.
    pub(crate) const fn member(&self) -> &Member {
        &self.member
    }

    /// Reads what is left of it, and verifies that it is what was written.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        io::copy(&mut self, &mut io::sink()).context("cannot read the backup")?;
        let Self { file, member: Member { name, bytes, sha256, .. }, hasher, .. } = self;
        ensure!(digest(hasher) == sha256, "{name} was changed: it has another SHA-256 than the manifest says");
        let mut zeros = vec![0; padding(bytes)];
        read_exact(file, &mut zeros, &name)?;
        ensure!(zeros.iter().all(|byte| *byte == 0), "what follows {name} was changed");
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let wanted = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut bytes[..wanted])?;
        if read == 0 {
            let reason = format!("the backup was cut off: it ends within {}", self.member.name);
            return Err(io::Error::new(ErrorKind::UnexpectedEof, reason));
        }
        self.hasher.update(&bytes[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
