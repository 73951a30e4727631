//! Manifests and signature files of JAR archives: sections of attributes, which upstream's library reads like this.
//!
//! A section ends in an empty line. Names of attributes are not case-sensitive, and the last one of several counts.

use super::Archive;
use crate::HashAlgorithm;
use crate::hash::{Function, Streaming};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::collections::BTreeMap;

/// Names of attributes, after that of a hash function.
const OF_FILE: &str = "-digest";
const OF_MANIFEST: &str = "-digest-manifest";
const OF_MAIN_ATTRIBUTES: &str = "-digest-manifest-main-attributes";

/// A manifest, or a signature file.
pub(super) struct Manifest<'a> {
    text: &'a [u8],
    main: Section<'a>,
    /// Sections of files by the names of these.
    files: BTreeMap<String, Section<'a>>,
}

struct Section<'a> {
    text: &'a [u8],
    attributes: BTreeMap<String, String>,
}

impl<'a> Manifest<'a> {
    /// Parses a manifest. `None` if it is malformed, or describes a file twice.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let mut sections = split(text)?.into_iter().map(Section::parse);
        let main = sections.next()??;
        let mut files = BTreeMap::new();
        for section in sections {
            let section = section?;
            let name = section.attributes.get("name").filter(|name| !name.is_empty())?.clone();
            if files.insert(name, section).is_some() {
                return None;
            }
        }
        Some(Self { text, main, files })
    }

    /// Whether this signature file has digests of the manifest: of the whole, or of the main section and each that it
    /// names.
    pub(super) fn signs(&self, manifest: &Manifest<'_>) -> bool {
        match self.main.digests(OF_MANIFEST) {
            None => false,
            Some(digests) if !digests.0.is_empty() => digests.are_of(manifest.text),
            Some(_) => {
                let is_signed = |section: &Section<'_>, suffix, text: &[u8]| {
                    section.digests(suffix).is_some_and(|digests| !digests.0.is_empty() && digests.are_of(text))
                };
                is_signed(&self.main, OF_MAIN_ATTRIBUTES, manifest.main.text)
                    && self.files.iter().all(|(name, section)| {
                        manifest.files.get(name).is_some_and(|signed| is_signed(section, OF_FILE, signed.text))
                    })
            }
        }
    }

    /// Whether the archive has each file of this manifest, with its digests. Those that need something else to be checked
    /// are passed over.
    pub(super) fn describes(&self, archive: &mut Archive<'_>) -> bool {
        let mut files =
            self.files.iter().filter(|(_, section)| section.attributes.get("magic").is_none_or(String::is_empty));
        files.all(|(name, section)| {
            let Some(digests) = section.digests(OF_FILE).filter(|digests| !digests.0.is_empty()) else { return false };
            let mut computed = digests.start();
            let read = archive.read(name, |piece| {
                for (_, hash) in &mut computed {
                    hash.update(piece);
                }
            });
            read.is_some() && digests.hold(computed)
        })
    }
}

/// Splits a manifest into its sections, each with the empty line at its end.
fn split(text: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut sections, mut rest, mut may_have_crlf) = (Vec::new(), text, true);
    while !rest.is_empty() {
        let end = |line_end: &[u8]| {
            rest.windows(line_end.len()).position(|window| window == line_end).map(|start| start + line_end.len())
        };
        // A section that ends like this is found first, wherever it is.
        let with_crlf = if may_have_crlf { end(b"\r\n\r\n") } else { None };
        may_have_crlf = with_crlf.is_some();
        let (section, after) = rest.split_at_checked(with_crlf.or_else(|| end(b"\n\n"))?)?;
        if section.trim_ascii().is_empty() {
            return None;
        }
        sections.push(section);
        rest = after;
    }
    Some(sections)
}

impl<'a> Section<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        // Lines are joined before they are decoded: one may end within a letter.
        let joined = replaced(&replaced(text, b"\r\n", b"\n"), b"\n ", b"");
        let joined = String::from_utf8(joined).ok()?;
        let mut attributes = BTreeMap::new();
        for line in joined.split('\n').filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            attributes.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
        Some(Self { text, attributes })
    }

    /// The digests whose attributes have this suffix. `None` if there is one of a function that is not verified here.
    fn digests(&self, suffix: &str) -> Option<Digests<'_>> {
        let with_suffix = self.attributes.iter().filter_map(|(name, value)| Some((name.strip_suffix(suffix)?, value)));
        with_suffix.map(|(name, value)| Some((function(name)?, value.as_str()))).collect::<Option<_>>().map(Digests)
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(place) = rest.windows(from.len()).position(|window| window == from) {
        let (before, after) = rest.split_at(place);
        out.extend_from_slice(before);
        out.extend_from_slice(to);
        rest = after.split_at(from.len()).1;
    }
    out.extend_from_slice(rest);
    out
}

/// Digests that are stated of something, in base64.
struct Digests<'a>(Vec<(Function, &'a str)>);

impl Digests<'_> {
    /// Begins to compute each function once.
    fn start(&self) -> Vec<(Function, Streaming)> {
        let stated = |function: &Function| self.0.iter().any(|(stated, _)| stated == function);
        Function::ALL.into_iter().filter(stated).map(|function| (function, function.streaming())).collect()
    }

    /// Whether they are what was computed.
    fn hold(&self, computed: Vec<(Function, Streaming)>) -> bool {
        let computed: Vec<_> =
            computed.into_iter().map(|(function, hash)| (function, STANDARD.encode(hash.finish()))).collect();
        self.0
            .iter()
            .all(|(function, digest)| computed.iter().any(|(computed, value)| computed == function && value == digest))
    }

    fn are_of(&self, text: &[u8]) -> bool {
        let mut computed = self.start();
        for (_, hash) in &mut computed {
            hash.update(text);
        }
        self.hold(computed)
    }
}

fn function(name: &str) -> Option<Function> {
    match name.replacen('-', "", 1).as_str() {
        "sha1" => Some(Function::Sha1),
        "sha256" => Some(Function::Sha2(HashAlgorithm::Sha256)),
        "sha384" => Some(Function::Sha2(HashAlgorithm::Sha384)),
        "sha512" => Some(Function::Sha2(HashAlgorithm::Sha512)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &[u8]) -> String {
        STANDARD.encode(HashAlgorithm::Sha256.digest(text))
    }

    #[test]
    fn sections_have_names_and_attributes() {
        let text = b"Manifest-Version: 1.0\r\nA-very-lo\r\n ng-name: va\r\n lue\r\n\r\nName: a/\xc3\r\n \xbc\r\nSHA-256-Digest: x\r\n\r\n";
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.main.attributes["a-very-long-name"], "value");
        assert_eq!(manifest.files.keys().collect::<Vec<_>>(), ["a/\u{fc}"]);
        let digests = manifest.files["a/\u{fc}"].digests(OF_FILE).unwrap();
        assert_eq!(digests.0, [(Function::Sha2(HashAlgorithm::Sha256), "x")]);
        for bad in [
            "",
            "A: b",
            "A: b\n",
            "\n\n",
            "A: b\n\n\n\n",
            "A b\n\n",
            "A: b\n\nB: c\n\n",
            "A: b\n\nName: x\n\nName: x\n\n",
            "A: b\n\nName:\n\n",
        ] {
            assert!(Manifest::parse(bad.as_bytes()).is_none(), "{bad:?}");
        }
        assert!(Manifest::parse(b"A: \xff\n\n").is_none());
    }

    #[test]
    fn a_manifest_is_signed_as_a_whole_or_by_its_sections() {
        let (main, first, second) = ("Manifest-Version: 1.0\n\n", "Name: a\nX: 1\n\n", "Name: b\nX: 1\n\n");
        let text = [main, first, second].concat();
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        let (whole, main, first) = (digest(text.as_bytes()), digest(main.as_bytes()), digest(first.as_bytes()));
        let by_sections =
            format!("SHA-256-Digest-Manifest-Main-Attributes: {main}\n\nName: a\nsha256-digest: {first}\n\n");
        for (signature_file, expected) in [
            (format!("SHA-256-Digest-Manifest: {whole}\n\n"), true),
            (format!("SHA-256-Digest-Manifest: {whole}\n\nName: c\nSHA-256-Digest: x\n\n"), true),
            (by_sections.clone(), true),
            (format!("SHA-256-Digest-Manifest: {main}\n{by_sections}"), false),
            (format!("MD5-Digest-Manifest: {whole}\nSHA-256-Digest-Manifest: {whole}\n\n"), false),
            (by_sections.replace("Name: a", "Name: c"), false),
            (by_sections.replace("Name: a", "Name: b"), false),
            (by_sections.replace("sha256-digest", "x"), false),
            (format!("A: b\n\nName: a\nSHA-256-Digest: {first}\n\n"), false),
            ("A: b\n\n".into(), false),
        ] {
            let parsed = Manifest::parse(signature_file.as_bytes()).unwrap();
            assert_eq!(parsed.signs(&manifest), expected, "{signature_file}");
        }
    }

    #[test]
    fn only_what_was_there_is_replaced() {
        assert_eq!(replaced(b"\n\n  b", b"\n ", b""), b"\n b");
        assert_eq!(replaced(b"a\r\n\r\nb\r", b"\r\n", b"\n"), b"a\n\nb\r");
    }
}
