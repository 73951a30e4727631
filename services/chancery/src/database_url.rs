//! The URL of a database, as a setting or an option. Nothing is connected to here.

use chancery_daemon::database::check_postgres_url;
use url::form_urlencoded;

/// Reads the URL of a `PostgreSQL` database. A password in it is refused: every user of a machine can read the arguments of
/// its programs.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    // A URL may name several hosts, so it is not one of the web's.
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err(
            "expected the URL postgres://user@host/database, or postgres:///database?host=/run/postgresql".to_owned()
        );
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    if has_password || form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "password") {
        return Err("the URL contains a password, which every user of this machine could read; put it in PGPASSWORD, in ~/.pgpass, or in a file and name that with passfile=FILE".to_owned());
    }
    check_postgres_url(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_without_its_password() {
        for url in [
            "postgres://me@db.example.org:5433/log?sslmode=verify-full",
            "postgresql:///log?host=/run/postgresql",
            "postgres://me@a.example.org:5433,b.example.org/log?target_session_attrs=read-write",
            "postgres://me@a.example.org/log?passfile=/run/secrets/pgpass",
        ] {
            assert_eq!(parse(url).as_deref(), Ok(url));
        }
        for (url, refusal) in [
            ("mysql://db/log", "postgres://"),
            ("chancery.db", "URL"),
            ("postgres://me:secret@db/log", "PGPASSWORD"),
            ("postgres://db/log?user=me&password=secret", "PGPASSWORD"),
            ("postgres://me:secret@a,b/log", "PGPASSWORD"),
            ("postgres://a,b/log?target_session_attrs=standby", "`read-write`"),
            ("postgres://a,b/log?port=1,2,3", "one port for each host"),
            ("postgres://db/log?sslmod=verify-full", "`sslmod`"),
            ("postgres://db/log?sslmode=verify-fully", "verify-fully"),
        ] {
            assert!(parse(url).unwrap_err().contains(refusal), "{url}");
        }
    }
}
