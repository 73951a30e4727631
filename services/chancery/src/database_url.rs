//! The URL of a database, as a setting or an option. Nothing is connected to here.

use chancery_daemon::database::check_postgres_url;
use url::Url;

/// Reads the URL of a `PostgreSQL` database. A password in it is refused: every user of a machine can read the arguments of
/// its programs.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("expected postgres://user@host/database, or postgres:///database?host=/run/postgresql".to_owned());
    }
    if url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password") {
        return Err("the URL contains a password, which every user of this machine could read; put it in PGPASSWORD or ~/.pgpass".to_owned());
    }
    check_postgres_url(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_without_its_password() {
        for url in
            ["postgres://me@db.example.org:5433/log?sslmode=verify-full", "postgresql:///log?host=/run/postgresql"]
        {
            assert_eq!(parse(url).as_deref(), Ok(url));
        }
        for (url, refusal) in [
            ("mysql://db/log", "postgres://"),
            ("chancery.db", "URL"),
            ("postgres://me:secret@db/log", "PGPASSWORD"),
            ("postgres://db/log?user=me&password=secret", "PGPASSWORD"),
            ("postgres://db/log?sslmod=verify-full", "`sslmod`"),
            ("postgres://db/log?sslmode=verify-fully", "verify-fully"),
        ] {
            assert!(parse(url).unwrap_err().contains(refusal), "{url}");
        }
    }
}
