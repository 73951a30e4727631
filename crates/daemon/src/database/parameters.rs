//! The parameters of a `PostgreSQL` URL.
//!
//! sqlx ignores what it does not know. A misspelt `sslmode` would then connect without verifying the server.

use super::DatabaseError;

/// What sqlx reads, by libpq's names.
const KNOWN: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];
/// What sqlx also reads.
const ALSO_KNOWN: [&str; 6] =
    ["ssl-ca", "ssl-cert", "ssl-key", "ssl-mode", "ssl-root-cert", "statement-cache-capacity"];

/// Checks that every parameter of `url` is known.
///
/// # Errors
/// [`DatabaseError::Parameter`] names the first that is not.
pub(super) fn verify_parameters(url: &str) -> Result<(), DatabaseError> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let names = query.split('&').filter(|parameter| !parameter.is_empty());
    let names = names.map(|parameter| parameter.split_once('=').map_or(parameter, |(name, _)| name));
    match names.map(plain).find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(DatabaseError::Parameter { name, known: KNOWN.join(", ") }),
    }
}

fn is_known(name: &str) -> bool {
    let is_option = name.strip_prefix("options[").is_some_and(|rest| rest.ends_with(']'));
    is_option || KNOWN.contains(&name) || ALSO_KNOWN.contains(&name)
}

/// A name whose brackets may be escaped.
fn plain(name: &str) -> String {
    ["%5B", "%5b"]
        .iter()
        .fold(name.to_owned(), |name, escaped| name.replace(escaped, "["))
        .replace("%5D", "]")
        .replace("%5d", "]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_does_not_exist_is_named() {
        for good in [
            "postgres://me@db.example.org/log",
            "postgres://me@db.example.org/log?",
            "postgres://me@db.example.org/log?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres:///log?host=/run/postgresql&port=5433&application_name=a%26b",
            "postgres:///log?options%5Bsearch_path%5D=chancery&options[work_mem]=1MB&ssl-mode=require",
        ] {
            assert!(verify_parameters(good).is_ok(), "{good}");
        }
        for (bad, name) in [
            ("postgres://db/log?sslmod=verify-full", "`sslmod`"),
            ("postgres://db/log?host=/run/postgresql&SSLMODE=verify-full", "`SSLMODE`"),
            ("postgres://db/log?sslmode=verify-full&sslrootcrt", "`sslrootcrt`"),
            ("postgres://db/log?target_session_attrs=read-write", "`target_session_attrs`"),
            ("postgres://db/log?=x", "``"),
        ] {
            let error = verify_parameters(bad).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("sslmode"), "{bad}: {error}");
            assert!(!error.contains("read-write"), "values stay unsaid: {error}");
        }
    }
}
