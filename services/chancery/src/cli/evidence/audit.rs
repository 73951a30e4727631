//! Lines of the CA's audit log that are about certificates of a case. They are the CA's word.

use anyhow::{Context as _, ensure};
use chancery_search::evidence::{Case, Draft, Member, Report};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

/// Longest line that an audit log has.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// What is looked for.
struct Wanted {
    /// SHA-256 of certificates of signatures.
    fingerprints: BTreeSet<String>,
    /// Id of a certificate log, and index in it.
    logged: BTreeSet<(String, u64)>,
}

/// Adds the lines of these files, in their order.
pub(super) fn add(draft: &mut Draft, case: &Case, report: &Report, files: &[PathBuf]) -> anyhow::Result<()> {
    let fingerprints = case.members().filter_map(|(member, ..)| match member {
        Member::Certificate(fingerprint) => Some(fingerprint.to_owned()),
        _ => None,
    });
    let logged = report.certificates.iter().filter_map(|issued| {
        let log = report.logs.iter().find(|log| log.log == issued.place.log)?;
        Some((hex::encode(log.head.log_id), issued.place.index))
    });
    let wanted = Wanted { fingerprints: fingerprints.collect(), logged: logged.collect() };
    let mut lines = Vec::new();
    for file in files {
        append(&mut lines, file, &wanted).with_context(|| format!("cannot read the audit log {}", file.display()))?;
    }
    draft.add(Member::Audit, lines);
    Ok(())
}

fn append(lines: &mut Vec<u8>, file: &Path, wanted: &Wanted) -> anyhow::Result<()> {
    let mut reader = BufReader::new(File::open(file)?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if !line.ends_with(b"\n") {
            ensure!((line.len() as u64) < MAX_LINE_BYTES, "line {number} has more than {MAX_LINE_BYTES} bytes");
            // The server is writing it.
            break;
        }
        let read: Value = serde_json::from_slice(&line).with_context(|| format!("line {number} is not JSON"))?;
        if wanted.has(&read) {
            lines.extend_from_slice(&line);
        }
    }
    Ok(())
}

impl Wanted {
    fn has(&self, line: &Value) -> bool {
        let fingerprint = line["fingerprint"].as_str();
        let logged = line["ct"]["log_id"].as_str().map(str::to_owned).zip(line["ct"]["index"].as_u64());
        fingerprint.is_some_and(|fingerprint| self.fingerprints.contains(fingerprint))
            || logged.is_some_and(|place| self.logged.contains(&place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_about_these_certificates_are_taken_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.jsonl");
        let wanted =
            Wanted { fingerprints: BTreeSet::from(["aa".to_owned()]), logged: BTreeSet::from([("bb".to_owned(), 7)]) };
        let used = json!({ "event": "issued", "fingerprint": "aa" });
        let unused = json!({ "event": "issued", "fingerprint": "cc", "ct": { "log_id": "bb", "index": 7 } });
        let other = json!({ "event": "issued", "fingerprint": "cc", "ct": { "log_id": "bb", "index": 8 } });
        let refused = json!({ "event": "refused", "code": "token.expired", "ct": null });
        std::fs::write(&file, format!("{other}\n{used}\n{refused}\n{unused}\n{{\"event\":")).unwrap();
        let mut lines = Vec::new();
        append(&mut lines, &file, &wanted).unwrap();
        assert_eq!(String::from_utf8(lines).unwrap(), format!("{used}\n{unused}\n"));
        std::fs::write(&file, "no JSON\n").unwrap();
        assert!(append(&mut Vec::new(), &file, &wanted).is_err());
        std::fs::write(&file, "x".repeat(1 << 17)).unwrap();
        assert!(append(&mut Vec::new(), &file, &wanted).is_err());
    }
}
