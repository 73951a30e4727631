//! No byte of a backup can be changed unseen.

use super::super::manifest::Kind;
use super::*;
use std::fs;
use tempfile::TempDir;

const MEMBERS: [(&str, &[u8]); 4] = [
    ("data/marks/rekor.mark", b"a mark"),
    ("data/keys/ct.pub", &[7; 512]),
    ("data/empty", b""),
    ("database/chancery.db", &[9; 1000]),
];

fn written(directory: &TempDir) -> Vec<u8> {
    let path = directory.path().join("backup");
    let mut file = File::create(&path).unwrap();
    let mut writer = Writer::begin(&mut file, 3000).unwrap();
    for (name, contents) in MEMBERS {
        writer.add(name, contents, false).unwrap();
    }
    writer.finish(|members| Manifest::example(Kind::Sqlite, members)).unwrap();
    fs::read(path).unwrap()
}

fn read(directory: &TempDir, bytes: &[u8]) -> anyhow::Result<()> {
    let path = directory.path().join("changed");
    fs::write(&path, bytes).unwrap();
    Reader::open(&path)?.check(|_| {})
}

#[test]
fn members_are_read_as_they_were_written_also_by_others() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = written(&directory);
    let mut reader = Reader::open(&directory.path().join("backup")).unwrap();
    for (name, contents) in MEMBERS {
        let mut content = reader.member().unwrap().unwrap();
        assert_eq!((content.member().name.as_str(), content.member().bytes), (name, contents.len() as u64));
        let mut found = Vec::new();
        content.read_to_end(&mut found).unwrap();
        assert_eq!(found, contents);
        content.finish().unwrap();
    }
    assert!(reader.member().unwrap().is_none());
    reader.end().unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    let names: Vec<String> = names.collect();
    assert_eq!((names.first().map(String::as_str), names.last().map(String::as_str)), (Some(MANIFEST), Some(CHECKSUM)));
    assert_eq!(names.len(), MEMBERS.len() + 2);
}

#[test]
fn no_byte_can_be_changed_unseen() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = written(&directory);
    read(&directory, &bytes).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(read(&directory, &changed).is_err(), "byte {at}");
    }
    for length in (0..bytes.len()).step_by(64) {
        assert!(read(&directory, &bytes[..length]).is_err(), "cut at {length}");
    }
    assert!(read(&directory, &[&bytes[..], &[0]].concat()).is_err(), "a byte behind it");
}

#[test]
fn a_missing_member_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = written(&directory);
    // The header and the block of the second member.
    let start = BLOCK + 3072 + 2 * BLOCK;
    let without = [&bytes[..start], &bytes[start + 2 * BLOCK..]].concat();
    let told = read(&directory, &without).unwrap_err().to_string();
    assert!(told.contains("data/keys/ct.pub is missing"), "{told}");
}

#[test]
fn a_large_size_is_written_as_gnu_tar_does() {
    for bytes in [0, 1, 8 << 30, 1 << 40] {
        assert_eq!(header("data/x", bytes).unwrap().entry_size().unwrap(), bytes);
    }
}
