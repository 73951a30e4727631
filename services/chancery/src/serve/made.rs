//! The text that `chancery init` prints when it has made an instance: one screen with its parts, and the next steps.

use crate::command::quoted;
use chancery_log::{ct, rekor_v1, rekor_v2, store::Location};
use std::path::Path;

/// An instance that was made.
pub(super) struct Made<'a> {
    /// URL that clients use.
    pub(super) url: &'a str,
    /// Its configuration file.
    pub(super) file: &'a Path,
    pub(super) data: &'a Path,
    /// Where its logs are.
    pub(super) database: &'a Location,
    /// Whether the configuration says where some of its keys are.
    pub(super) has_key_uris: bool,
    /// Whether the configuration says where the key of a root stays.
    pub(super) keeps_roots: bool,
    /// SHA-256 of the root that clients of the TUF repository start from, in hexadecimal.
    pub(super) root_checksum: &'a str,
    /// Why `serve` would not start yet, if it would not.
    pub(super) missing: Option<&'a str>,
}

impl Made<'_> {
    /// The whole text.
    pub(super) fn text(&self) -> String {
        let Self { url, file, data, database, has_key_uris, keeps_roots, root_checksum, missing } = self;
        let roots = if *keeps_roots {
            "certificates only; the key of each is destroyed, or where root_key says"
        } else {
            "certificates only; no key of a root is on this machine"
        };
        let at = |name: &str| data.join(name).display().to_string();
        let elsewhere = if *has_key_uris { ", and where the key URIs of the configuration lead" } else { "" };
        let mut text = format!("The instance of {url} is made.\n\n");
        for (name, value) in [
            ("Data", data.display().to_string()),
            ("Keys", format!("{}{elsewhere}", at("keys"))),
            ("Roots", roots.to_owned()),
            ("Logs", format!("{}, {}, {} in {database}", rekor_v1::NAME, rekor_v2::NAME, ct::NAME)),
            ("Trust files", at("trust")),
            ("TUF root", format!("{}, SHA-256 of the file:", at("tuf/1.root.json"))),
            ("", (*root_checksum).to_owned()),
        ] {
            text.extend(["  ", name, &" ".repeat(13 - name.len()), &value, "\n"]);
        }
        text.push_str("\nNext:\n");
        let (file, data) = (quoted(file), quoted(data));
        let back_up = "back up the data directory: its keys cannot be made again (docs/src/operate/backup.md)";
        let missing = missing.map(|missing| format!("before it can serve: {missing}"));
        let steps = [back_up.to_owned()].into_iter().chain(missing).chain([
            format!("chancery serve --config {file}"),
            format!("chancery health --config {file}"),
            format!("chancery trust export --for cosign --data {data}     (what a client needs)"),
        ]);
        text.extend((1..).zip(steps).map(|(number, step): (u32, String)| format!("  {number}. {step}\n")));
        text.push_str("\nMore: docs/src/operate/day-1.md\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// Rows and columns of a terminal that people still have.
    const SCREEN: (usize, usize) = (24, 100);

    #[test]
    fn what_was_made_and_what_comes_next_fit_one_screen() {
        let file = Location::File(PathBuf::from("/var/lib/chancery/chancery.db"));
        let server = Location::Server("postgres://chancery@db.example.org/chancery".to_owned());
        for (database, missing) in [(&file, None), (&server, Some("tls.crt is missing"))] {
            let made = Made {
                url: "https://sign.example.org",
                file: Path::new("/etc/chancery/chancery.toml"),
                data: Path::new("/var/lib/chancery"),
                database,
                has_key_uris: missing.is_some(),
                keeps_roots: missing.is_some(),
                root_checksum: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                missing,
            };
            let text = made.text();
            assert!(text.lines().count() <= SCREEN.0, "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= SCREEN.1, "{line}");
            }
            assert!(text.contains("\n  Logs         rekor, rekor2, ct in "), "{text}");
            assert_eq!(text.contains("where the key URIs"), made.has_key_uris);
            assert_eq!(text.contains("where root_key says"), made.keeps_roots);
            assert!(!text.contains("db.example.org"), "a URL may have a password: {text}");
            let serve = if missing.is_some() { 3 } else { 2 };
            let command = format!("\n  {serve}. chancery serve --config /etc/chancery/chancery.toml\n");
            assert!(text.contains(&command), "{text}");
            assert_eq!(text.contains("before it can serve: tls.crt is missing"), missing.is_some());
        }
    }
}
