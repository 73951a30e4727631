//! Artifacts and bundles in files: bounded where they are kept in memory, streamed where they are only hashed.

use super::outcome::PassedOver;
use chancery_verify::{
    HashAlgorithm,
    bundle::{Bundle, limits::MAX_BUNDLE_BYTES},
    verifier::{Artifact, Digests, Hasher},
};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Artifacts up to this size are kept whole, for the signatures that need them so.
const MAX_WHOLE: u64 = 64 * 1024 * 1024;
/// Bundles of one file.
const MAX_BUNDLES: usize = 64;
/// So much is hashed at a time.
const PIECE: usize = 128 * 1024;
/// What is appended to the name of a file for that of its bundles, in the order in which they are looked for.
pub(super) const BESIDE: [&str; 3] = [".sigstore.json", ".sigstore.jsonl", ".sigstore"];

/// An artifact that was read.
pub(in crate::cli) enum OwnedArtifact {
    Bytes(Vec<u8>),
    Digests(Digests),
}

impl OwnedArtifact {
    pub(in crate::cli) fn as_artifact(&self) -> Artifact<'_> {
        match self {
            Self::Bytes(bytes) => Artifact::Bytes(bytes),
            Self::Digests(digests) => Artifact::Digests(digests.clone()),
        }
    }
}

/// Reads the artifact `name`: a file, or, where there is no such file, a digest such as `sha256:…`.
pub(in crate::cli) fn artifact(name: &Path) -> io::Result<OwnedArtifact> {
    if !name.exists()
        && let Some(digests) = name.to_str().and_then(digest)
    {
        return Ok(OwnedArtifact::Digests(digests));
    }
    let mut file = open(name)?;
    let length = file.metadata()?.len();
    if length <= MAX_WHOLE {
        let mut bytes = Vec::new();
        file.by_ref().take(MAX_WHOLE).read_to_end(&mut bytes)?;
        // It may have grown, or be a pipe.
        let mut rest = [0];
        if file.read(&mut rest)? == 0 {
            return Ok(OwnedArtifact::Bytes(bytes));
        }
        let mut hasher = Hasher::all();
        hasher.update(&bytes);
        hasher.update(&rest);
        return hash(file, hasher);
    }
    hash(file, Hasher::all())
}

/// Whether the artifact `name` could be read: its file, or a digest where there is no such file.
pub(super) fn readable(name: &Path) -> io::Result<()> {
    if !name.exists() && name.to_str().and_then(digest).is_some() {
        return Ok(());
    }
    open(name).map(drop)
}

/// Opens a file. One that is not there may have been meant as a digest. A directory can be opened, and not read.
fn open(name: &Path) -> io::Result<File> {
    if name.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    File::open(name).map_err(|error| {
        let text = name.to_str().unwrap_or_default();
        match text.split_once(':').and_then(|(algorithm, _)| HashAlgorithm::from_name(algorithm)) {
            Some(algorithm) if error.kind() == io::ErrorKind::NotFound => {
                let (name, digits) = (algorithm.name(), algorithm.size_bytes() * 2);
                let reason = format!(
                    "it is not a digest, which is {name}: and {digits} hexadecimal digits, and no file has this name"
                );
                io::Error::new(io::ErrorKind::NotFound, reason)
            }
            _ => error,
        }
    })
}

fn hash(mut file: File, mut hasher: Hasher) -> io::Result<OwnedArtifact> {
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(OwnedArtifact::Digests(hasher.finish())),
            read => hasher.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

fn digest(text: &str) -> Option<Digests> {
    let (name, digits) = text.split_once(':')?;
    let algorithm = HashAlgorithm::from_name(name)?;
    Digests::default().with(algorithm, &hex::decode(digits).ok()?).ok()
}

/// The bundles that lie beside an artifact, where none is named.
pub(super) fn beside(artifact: &Path) -> Option<PathBuf> {
    let with = |suffix: &str| {
        let mut name = artifact.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    BESIDE.into_iter().map(with).find(|path| path.is_file())
}

/// Why no bundle could be read.
#[derive(Debug)]
pub(in crate::cli) enum BundleFileError {
    /// The file could not be read: nothing is known.
    Unreadable(io::Error),
    /// It is there, and is none.
    Malformed(PassedOver),
}

/// Bundles with their places, or the faults of those that cannot be parsed.
pub(in crate::cli) type Bundles = Vec<(String, Result<Bundle, PassedOver>)>;

/// Reads the bundles of a file: one, or one a line where its name ends with `.jsonl`. `legacy` takes cosign's older form instead.
pub(in crate::cli) fn read_bundles(path: &Path, legacy: bool) -> Result<Bundles, BundleFileError> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(BundleFileError::Unreadable)?;
    file.take(MAX_BUNDLE_BYTES as u64 + 1).read_to_end(&mut text).map_err(BundleFileError::Unreadable)?;
    let shown = path.display().to_string();
    let lines: Vec<&[u8]> = if path.extension() == Some(OsStr::new("jsonl")) {
        text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect()
    } else {
        vec![&text]
    };
    if lines.len() > MAX_BUNDLES {
        let reason = format!("the file has {} bundles, at most {MAX_BUNDLES} are read", lines.len());
        return Err(BundleFileError::Malformed(PassedOver::new(shown, "bundle.too_many", reason)));
    }
    let many = lines.len() > 1;
    let read = |(number, line): (usize, &[u8])| {
        let place = if many { format!("{shown}, line {}", number + 1) } else { shown.clone() };
        let parsed = if legacy { Bundle::parse_legacy(line) } else { Bundle::parse(line) };
        let bundle =
            parsed.map_err(|refusal| PassedOver::of_refusal(place.clone(), &refusal).with_hint(hint(line, legacy)));
        (place, bundle)
    };
    Ok(lines.into_iter().enumerate().map(read).collect())
}

/// What to do where a file has the other form: one is never tried as the other.
fn hint(line: &[u8], legacy: bool) -> Option<&'static str> {
    let has = |name: &str| line.windows(name.len()).any(|window| window == name.as_bytes());
    match legacy {
        false if has("\"base64Signature\"") => Some("this looks like a bundle of cosign 2: add --legacy"),
        true if has("\"mediaType\"") => Some("this looks like a Sigstore bundle: leave --legacy out"),
        _ => None,
    }
}
