//! Members in one file: a tar (POSIX.1-1988, «ustar») that has exactly one form.
//!
//! Plain files only, sorted by name, each once, with the same owner, mode and time. [`unpack`] makes the archive again and
//! compares, so that nothing can hide in headers, in padding or behind the end. Nothing is ever written to a file system, and
//! nothing is compressed, so an archive is as large as what is in it.

use super::fault::Fault;
use super::member::Member;
use chancery_verify::shown;
use std::collections::BTreeMap;
use std::io::Read as _;
use tar::{Archive, Builder, Entry, EntryType, Header};

/// Largest archive. A signature needs some 20 KiB, so this is the evidence of about ten thousand.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;
/// Largest member: an entry with an attestation, in base64.
pub const MAX_MEMBER_BYTES: usize = 16 * 1024 * 1024;
/// Most members.
pub const MAX_MEMBERS: usize = 65_536;

/// Contents by name.
pub type Members = BTreeMap<String, Vec<u8>>;

/// The archive of these members.
///
/// # Errors
/// A member without a known name, or more than the limits allow.
pub fn pack(members: &Members) -> Result<Vec<u8>, Fault> {
    if members.len() > MAX_MEMBERS {
        return Err(Fault::archive(format!("would have more than {MAX_MEMBERS} members; ask for a shorter period")));
    }
    let mut builder = Builder::new(Vec::new());
    for (name, contents) in members {
        if Member::of(name).is_none() {
            return Err(unknown(name));
        }
        if contents.len() > MAX_MEMBER_BYTES {
            return Err(too_large(name));
        }
        if builder.get_ref().len().saturating_add(contents.len()) > MAX_BYTES {
            return Err(Fault::archive(format!("would have more than {MAX_BYTES} bytes; ask for a shorter period")));
        }
        header(name, contents)
            .and_then(|header| builder.append(&header, contents.as_slice()))
            .map_err(|error| Fault::of(name, error.to_string()))?;
    }
    builder.into_inner().map_err(|error| Fault::archive(format!("cannot be written: {error}")))
}

fn header(name: &str, contents: &[u8]) -> std::io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(u64::try_from(contents.len()).map_err(std::io::Error::other)?);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(header)
}

/// The members of an archive.
///
/// # Errors
/// The first member that is not allowed, or a difference from what [`pack`] makes of the members.
pub fn unpack(archive: &[u8]) -> Result<Members, Fault> {
    if archive.len() > MAX_BYTES {
        return Err(Fault::archive(format!("has more than {MAX_BYTES} bytes")));
    }
    let damaged =
        |error: std::io::Error| Fault::archive(format!("is damaged or not a tar: {}", shown(&error.to_string())));
    let mut members = Members::new();
    let mut reader = Archive::new(archive);
    // Raw: headers that would change the next one are members of their own, and are refused.
    for entry in reader.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let name = allowed(&entry, &members)?;
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).map_err(damaged)?;
        members.insert(name, contents);
    }
    if pack(&members)? != archive {
        return Err(Fault::archive(
            "is not in the form that chancery evidence writes: something was added to a header, or behind the last member, or \
             it was cut",
        ));
    }
    Ok(members)
}

/// The name of a member that may be read.
fn allowed(entry: &Entry<'_, &[u8]>, before: &Members) -> Result<String, Fault> {
    let path = entry.path_bytes();
    let name = String::from_utf8_lossy(&path).into_owned();
    if entry.header().entry_type() != EntryType::Regular {
        return Err(Fault::of(name, "it is not a plain file; a case has no links, directories or special files"));
    }
    if Member::of(&name).is_none() {
        return Err(unknown(&name));
    }
    if before.len() >= MAX_MEMBERS {
        return Err(Fault::archive(format!("has more than {MAX_MEMBERS} members")));
    }
    if entry.size() > MAX_MEMBER_BYTES as u64 {
        return Err(too_large(&name));
    }
    match before.keys().next_back() {
        Some(last) if *last == name => Err(Fault::of(name, "it is there twice")),
        Some(last) if *last > name => Err(Fault::of(name, "it is not in its place; members are sorted by name")),
        _ => Ok(name),
    }
}

fn unknown(name: &str) -> Fault {
    Fault::of(name, "no member of a case has this name")
}

fn too_large(name: &str) -> Fault {
    Fault::of(name, format!("it has more than {MAX_MEMBER_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Members {
        let members = [("answers/0.json", "{}"), ("logs/rekor/checkpoint", "note\n"), ("manifest.json", "")];
        members.map(|(name, contents)| (name.to_owned(), contents.as_bytes().to_vec())).into()
    }

    /// An archive of what it is given, without any check.
    fn tar(members: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, kind, contents) in members {
            let mut made = header("manifest.json", contents).unwrap();
            let field = &mut made.as_mut_bytes()[..100];
            field.fill(0);
            field[..name.len()].copy_from_slice(name.as_bytes());
            made.set_entry_type(*kind);
            if kind.is_symlink() {
                made.set_link_name("/etc/passwd").unwrap();
            }
            made.set_cksum();
            builder.append(&made, *contents).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn fault(archive: &[u8]) -> String {
        unpack(archive).unwrap_err().to_string()
    }

    #[test]
    fn the_same_members_make_the_same_bytes_which_are_read_back() {
        let packed = pack(&members()).unwrap();
        assert_eq!(unpack(&packed).unwrap(), members());
        assert_eq!(pack(&members()).unwrap(), packed);
        let one = tar(&[("manifest.json", EntryType::Regular, b"x")]);
        assert_eq!(unpack(&one).unwrap(), Members::from([("manifest.json".to_owned(), b"x".to_vec())]));
    }

    #[test]
    fn only_plain_files_with_known_names_in_order_are_read() {
        let file = EntryType::Regular;
        for (archive, expected) in [
            (tar(&[("../manifest.json", file, b"")]), "no member of a case has this name"),
            (tar(&[("/etc/passwd", file, b"")]), "no member of a case has this name"),
            (tar(&[("logs/../../x", file, b"")]), "no member of a case has this name"),
            (tar(&[("audit.jsonl", EntryType::Symlink, b"")]), "not a plain file"),
            (tar(&[("audit.jsonl", EntryType::Link, b"")]), "not a plain file"),
            (tar(&[("audit.jsonl", EntryType::Directory, b"")]), "not a plain file"),
            (tar(&[("audit.jsonl", EntryType::Fifo, b"")]), "not a plain file"),
            (tar(&[("audit.jsonl", EntryType::GNUSparse, b"")]), "not a plain file"),
            (tar(&[("audit.jsonl", EntryType::XHeader, b"11 size=99\n")]), "not a plain file"),
            (tar(&[("audit.jsonl", EntryType::GNULongName, b"manifest.json")]), "not a plain file"),
            (tar(&[("audit.jsonl", file, b"1"), ("audit.jsonl", file, b"2")]), "there twice"),
            (tar(&[("manifest.json", file, b""), ("audit.jsonl", file, b"")]), "not in its place"),
            (b"no archive".to_vec(), "the archive"),
            (Vec::new(), "the archive"),
        ] {
            let told = fault(&archive);
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }

    #[test]
    fn a_size_is_believed_only_if_the_bytes_are_there_and_bounded() {
        let mut header = header("audit.jsonl", b"").unwrap();
        for size in [1, 1 << 20, 1 << 33, u64::MAX >> 1] {
            header.set_size(size);
            header.set_cksum();
            let archive = [header.as_bytes().as_slice(), &[0; 1024]].concat();
            let told = fault(&archive);
            assert!(told.contains("the archive") || told.contains("more than"), "{size}: {told}");
        }
    }

    #[test]
    fn no_byte_of_an_archive_can_be_changed_unseen() {
        let packed = pack(&members()).unwrap();
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 1;
            // A changed content is another archive: the manifest has its hash.
            assert_ne!(unpack(&changed).ok(), Some(members()), "byte {at}");
        }
        for length in 0..packed.len() {
            assert!(unpack(&packed[..length]).is_err(), "cut at {length}");
        }
        for more in [&[0_u8][..], &[0; 512], b"more", &packed] {
            assert!(unpack(&[packed.as_slice(), more].concat()).is_err(), "{} bytes behind it", more.len());
        }
    }

    #[test]
    fn what_is_too_much_is_not_packed() {
        let large = Members::from([("audit.jsonl".to_owned(), vec![0; MAX_MEMBER_BYTES + 1])]);
        assert!(pack(&large).unwrap_err().to_string().contains("audit.jsonl: it has more than"));
        let many = (0..=MAX_MEMBERS).map(|number| (format!("answers/{number}.json"), Vec::new())).collect();
        assert!(pack(&many).unwrap_err().to_string().contains("members"));
        assert!(pack(&Members::from([("../x".to_owned(), Vec::new())])).is_err());
    }
}
