//! The bundle for support: findings, versions and configuration in one archive. Never a key, a token, or a file that a setting
//! names; what may be a secret in the configuration is taken out.

use super::{redact, report::Report};
use crate::cli::archive::Archive;
use anyhow::Context as _;
use serde_json::json;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The directory in the archive.
const TOP: &str = "chancery-doctor";
/// Largest configuration that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Writes the archive whole or not at all, readable by its owner only. `files` are configurations, with their names in it.
pub(super) fn write(path: &Path, report: &Report, files: &[(&str, PathBuf)]) -> anyhow::Result<()> {
    pack(path, report, files).with_context(|| format!("cannot write {}", path.display()))
}

fn pack(path: &Path, report: &Report, files: &[(&str, PathBuf)]) -> anyhow::Result<()> {
    let mut archive = Archive::new(TOP);
    archive.add("findings.json", format!("{:#}\n", report.json()).as_bytes())?;
    archive.add("findings.txt", anstream::adapter::strip_str(&report.text()).to_string().as_bytes())?;
    archive.add("versions.json", format!("{:#}\n", versions()).as_bytes())?;
    for (name, file) in files {
        let text = match read(file) {
            Ok(text) => redact::configuration(&text),
            Err(error) => format!("# {} cannot be read: {error}\n", file.display()),
        };
        archive.add(name, text.as_bytes())?;
    }
    Ok(archive.write(path)?)
}

fn versions() -> serde_json::Value {
    let system = |file: &str| fs::read_to_string(file).map(|text| redact::text(&text)).unwrap_or_default();
    json!({
        "chancery": env!("CARGO_PKG_VERSION"),
        "kernel": system("/proc/sys/kernel/osrelease"),
        "system": system("/etc/os-release"),
        "architecture": std::env::consts::ARCH,
    })
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Finding;
    use chancery_verify::Timestamp;
    use flate2::read::GzDecoder;
    use std::{collections::BTreeMap, io::Read as _};

    #[test]
    fn the_bundle_has_what_support_needs_and_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let (file, out) = (directory.path().join("chancery.toml"), directory.path().join("doctor.tar.gz"));
        fs::write(&file, "# hunter2\ndata = \"d\"\npassword = \"hunter2\"\nproxy = \"http://a:hunter2@b\"\n").unwrap();
        let finding = Finding::error("database", "log", "postgres://a:hunter2@b/c is away", "start it");
        let report = Report::new(vec![finding], Timestamp::from_seconds(1_800_000_000));
        let missing = directory.path().join("issuers.toml");
        write(&out, &report, &[("chancery.toml", file), ("issuers.toml", missing)]).unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(GzDecoder::new(&*fs::read(&out).unwrap())).entries().unwrap() {
            let mut entry = entry.unwrap();
            let (name, mut text) = (entry.path().unwrap().display().to_string(), String::new());
            entry.read_to_string(&mut text).unwrap();
            files.insert(name, text);
        }
        let names = ["chancery.toml", "findings.json", "findings.txt", "issuers.toml", "versions.json"];
        assert!(files.keys().eq(names.map(|name| format!("{TOP}/{name}")).iter()), "{files:?}");
        assert!(files.values().all(|text| !text.contains("hunter2")), "{files:?}");
        let text = |name: &str| files[&format!("{TOP}/{name}")].as_str();
        assert!(text("findings.txt").starts_with("error   database  log: postgres://a:…@b/c is away\n"), "{files:?}");
        assert!(text("chancery.toml").contains("data = \"d\""), "{files:?}");
        assert!(text("versions.json").contains(env!("CARGO_PKG_VERSION")), "{files:?}");
    }
}
