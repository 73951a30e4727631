//! The parameters of a `PostgreSQL` URL.
//!
//! sqlx ignores what it does not know. A misspelt `sslmode` would then connect without verifying the server.

use super::DatabaseError;
use percent_encoding::percent_decode_str;

/// What is read, by libpq's names.
const KNOWN: [&str; 14] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "passfile",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];
/// What sqlx also reads.
const ALSO_KNOWN: [&str; 6] =
    ["ssl-ca", "ssl-cert", "ssl-key", "ssl-mode", "ssl-root-cert", "statement-cache-capacity"];

/// One parameter of a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Decoded.
    pub(super) name: String,
    /// Decoded.
    pub(super) value: String,
    /// As it is in the URL.
    pub(super) written: String,
}

/// Reads the parameters of `url`, in their order.
///
/// # Errors
/// [`DatabaseError::Parameter`] names the first that is not known.
pub(super) fn parameters(url: &str) -> Result<Vec<Parameter>, DatabaseError> {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let all = query.split('&').filter(|parameter| !parameter.is_empty()).map(|written| {
        let (name, value) = written.split_once('=').unwrap_or((written, ""));
        let [name, value] = [name, value].map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned());
        if is_known(&name) {
            Ok(Parameter { name, value, written: written.to_owned() })
        } else {
            Err(DatabaseError::Parameter { name, known: KNOWN.join(", ") })
        }
    });
    all.collect()
}

fn is_known(name: &str) -> bool {
    let is_option = name.strip_prefix("options[").is_some_and(|rest| rest.ends_with(']'));
    is_option || KNOWN.contains(&name) || ALSO_KNOWN.contains(&name)
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
            "postgres://a,b/log?target_session_attrs=read-write&passfile=/etc/chancery/pgpass",
        ] {
            assert!(parameters(good).is_ok(), "{good}");
        }
        for (bad, name) in [
            ("postgres://db/log?sslmod=verify-full", "`sslmod`"),
            ("postgres://db/log?host=/run/postgresql&SSLMODE=verify-full", "`SSLMODE`"),
            ("postgres://db/log?sslmode=verify-full&sslrootcrt", "`sslrootcrt`"),
            ("postgres://db/log?load_balance_hosts=random", "`load_balance_hosts`"),
            ("postgres://db/log?=x", "``"),
        ] {
            let error = parameters(bad).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("sslmode"), "{bad}: {error}");
            assert!(!error.contains("random"), "values stay unsaid: {error}");
        }
    }

    #[test]
    fn a_value_is_decoded_and_kept_as_written() {
        let read = parameters("postgres:///log?host=%2Frun%2Fa%2C/run/b&user=me#x?y=z").unwrap();
        let [host, user] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((host.name.as_str(), host.value.as_str()), ("host", "/run/a,/run/b"));
        assert_eq!((host.written.as_str(), user.value.as_str()), ("host=%2Frun%2Fa%2C/run/b", "me"));
    }
}
