//! `.PKGINFO`, as upstream's library reads it: lines of `key = value`, with comments.
//!
//! What that library reads and `abuild` never writes is refused: sections, names in quotation marks, values over several
//! lines.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use std::collections::BTreeMap;

/// The description of a package.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PackageInfo(BTreeMap<String, String>);

impl PackageInfo {
    /// Parses a file. Of lines with the same name the last one counts. `None` if it is malformed.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let lines = str::from_utf8(text).ok()?.lines().map(str::trim);
        let values = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])).map(|line| {
            let (name, value) = line.split_once(['=', ':'])?;
            let (name, value) = (name.trim_end(), value.trim_start());
            let is_usual = !["", "-"].contains(&name)
                && !name.starts_with(['[', '"', '`'])
                && !value.starts_with('`')
                && !value.starts_with("\"\"\"")
                && !line.ends_with('\\');
            is_usual.then(|| (name.to_owned(), without_quotes(without_comment(value)).to_owned()))
        });
        values.collect::<Option<_>>().map(Self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Canonical JSON orders names by their UTF-16 code units, not by their bytes.
impl Serialize for PackageInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members: Vec<_> = self.0.iter().collect();
        members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        let mut map = serializer.serialize_map(Some(members.len()))?;
        for (name, value) in members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn without_comment(value: &str) -> &str {
    value.split(['#', ';']).next().unwrap_or_default().trim_end()
}

/// Quotation marks around a value are not part of it, unless there are others in it.
fn without_quotes(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote).filter(|inner| !inner.contains(quote));
    inner('\'').or_else(|| inner('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_upstream_reads_them() {
        let text = "# a comment\n; another\n\npkgname = test\r\nurl = https://example.org/#x\nsize=1\nsize = 2\n\
                    colon: a = b\nempty =\nc = C# ; x\na = 'it'\nb = \"it's\"\nd = 'it' and 'that'\n\u{e000} = 1\n\u{10000} = 2";
        let info = PackageInfo::parse(text.as_bytes()).unwrap();
        for (name, value) in [
            ("pkgname", "test"),
            ("url", "https://example.org/"),
            ("size", "2"),
            ("colon", "a = b"),
            ("empty", ""),
            ("c", "C"),
            ("a", "it"),
            ("b", "it's"),
            ("d", "'it' and 'that'"),
        ] {
            assert_eq!(info.get(name), Some(value), "{name}");
        }
        let json = serde_json::to_string(&info).unwrap();
        assert_eq!(json, serde_json_canonicalizer::to_string(&info.0).unwrap());
    }

    #[test]
    fn what_is_unusual_is_refused() {
        for bad in ["name", "= value", "[section]\na = b", "\"a\" = b", "a = `b`", "a = \"\"\"b", "a = b\\", "- = b"] {
            assert_eq!(PackageInfo::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(PackageInfo::parse(b"a = \xff"), None);
    }
}
