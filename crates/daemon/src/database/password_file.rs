//! A password file, as libpq has it: `hostname:port:database:username:password` in each line, `*` for any value, a backslash
//! before `:` and `\`. The first line that fits counts.
//!
//! sqlx reads `~/.pgpass` and the file that `PGPASSFILE` names. Here is the file that a URL names as `passfile`. It counts before
//! those and before `PGPASSWORD`.

use super::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Largest file.
const MAX_BYTES: u64 = 1 << 20;

/// Returns the password for a server. `None` if no line fits.
///
/// # Errors
/// [`DatabaseError::PasswordFile`] if the file cannot be read, or if other users than its owner may read it.
pub(super) fn password(path: &Path, options: &PgConnectOptions) -> Result<Option<String>, DatabaseError> {
    let failed = |reason: String| DatabaseError::PasswordFile { path: path.to_owned(), reason };
    let text = read(path).map_err(|error| failed(error.to_string()))?;
    let mode = fs::metadata(path).map_err(|error| failed(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(failed(format!("other users than its owner may read it; run: chmod 600 {}", path.display())));
    }
    let port = options.get_port().to_string();
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let host = options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
    // As in libpq, a Unix socket is the host `localhost`.
    let hosts = if host.starts_with('/') { vec![host.as_str(), "localhost"] } else { vec![host.as_str()] };
    Ok(text.lines().find_map(|line| matching(line, &hosts, [&port, database, options.get_username()])))
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// The password in a line for this server: one of `hosts`, and port, database and user.
fn matching(line: &str, hosts: &[&str], others: [&str; 3]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let (host, mut rest) = field(line)?;
    let fits = |found: &str, wanted: &str| found == "*" || found == wanted;
    if !hosts.iter().any(|wanted| fits(&host, wanted)) {
        return None;
    }
    for wanted in others {
        let (found, after) = field(rest)?;
        if !fits(&found, wanted) {
            return None;
        }
        rest = after;
    }
    Some(unescaped(rest))
}

/// The first field of a line, and what follows its colon.
fn field(line: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    let colon = line.char_indices().find(|(_, character)| {
        let is_end = *character == ':' && !escaped;
        escaped = *character == '\\' && !escaped;
        is_end
    });
    let (field, rest) = line.split_at(colon?.0);
    Some((unescaped(field), rest.strip_prefix(':')?))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr as _;

    #[test]
    fn the_first_line_that_fits_counts() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pgpass");
        let lines = "# a.test:5432:log:me:comment\n\
             a.test:1:log:me:first\n\
             a.test:*:log:me:sec\\:ond\\\\\n\
             a.test:5432:log:me:never\n\
             \\:\\::5432:*:*:colons\n\
             malformed\n\
             localhost:*:*:me:socket\n\
             *:5432:other:you:any\r\n";
        fs::write(&file, lines).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let found = |url: &str| password(&file, &PgConnectOptions::from_str(url).unwrap()).unwrap();
        for (url, expected) in [
            ("postgres://me@a.test:1/log", Some("first")),
            ("postgres://me@a.test/log?port=5432", Some("sec:ond\\")),
            ("postgres:///log?user=me&host=/run/postgresql&port=9", Some("socket")),
            ("postgres://you@b.test:5432/other", Some("any")),
            ("postgres://you@b.test:5432/log", None),
            ("postgres://you@a.test:1/log", None),
        ] {
            assert_eq!(found(url).as_deref(), expected, "{url}");
        }
        assert_eq!(field("\\:\\::5432"), Some(("::".to_owned(), "5432")));
        assert_eq!(field("no colon"), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pgpass");
        let options = PgConnectOptions::from_str("postgres://me@a.test/log").unwrap();
        let refused = || password(&file, &options).unwrap_err().to_string();
        assert!(refused().contains("pgpass"), "{}", refused());
        fs::write(&file, "*:*:*:*:sesame").unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert!(refused().contains("chmod 600") && !refused().contains("sesame"), "{}", refused());
        }
    }
}
