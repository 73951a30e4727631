//! The servers of a database, from a URL as libpq has it.
//!
//! sqlx reads the URL of one server. Here a URL may name several, as `postgres://me@a,b:5433/log` or
//! `postgres:///log?host=a,b&port=5432,5433`, and it may have `target_session_attrs` and `passfile`. The certificate in
//! `sslrootcert` is verified with `sslmode=require` too, as libpq does. Not here: connecting ([`super::opener`]).
//!
//! Specification: the documentation of `PostgreSQL`, «Connection Strings» and «SSL Support». What is in it and not supported is
//! refused with its name.

use super::parameters::{Parameter, parameters};
use super::{DatabaseError, password_file};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::path::Path;
use std::str::FromStr as _;

/// Most hosts of one URL.
const MAX_HOSTS: usize = 16;
/// Parameters that are a list with several hosts.
const LISTS: [&str; 3] = ["host", "hostaddr", "port"];
/// Parameters that sqlx does not know.
const OURS: [&str; 2] = ["passfile", "target_session_attrs"];

/// Which of its servers a connection may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The first that answers.
    Any,
    /// The first that is a primary.
    Primary,
}

/// The servers that a URL names. Not to be shown: the options may have a password.
pub(super) struct Servers {
    /// In the order of the URL; at least one.
    pub(super) options: Vec<PgConnectOptions>,
    /// As the URL says. `None` if it does not.
    pub(super) target: Option<Target>,
}

impl Servers {
    /// Checks a URL. No file is read, and nothing is connected to.
    pub(super) fn check(url: &str) -> Result<(), DatabaseError> {
        Self::of(url, &parameters(url)?).map(drop)
    }

    /// Reads a URL and the password file that it names. Nothing is connected to.
    pub(super) fn read(url: &str) -> Result<Self, DatabaseError> {
        let parameters = parameters(url)?;
        let mut servers = Self::of(url, &parameters)?;
        if let Some(file) = last(&parameters, "passfile") {
            for options in &mut servers.options {
                if let Some(password) = password_file::password(Path::new(file), options)? {
                    *options = options.clone().password(&password);
                }
            }
        }
        Ok(servers)
    }

    fn of(url: &str, parameters: &[Parameter]) -> Result<Self, DatabaseError> {
        let target = last(parameters, "target_session_attrs").map(target).transpose()?;
        let urls = single(url, parameters)?;
        let options = urls.iter().map(|url| options(url, parameters)).collect::<Result<_, _>>()?;
        Ok(Self { options, target })
    }
}

/// The last value of a parameter: an earlier one does not count.
fn last<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a str> {
    parameters.iter().rfind(|parameter| parameter.name == name).map(|parameter| parameter.value.as_str())
}

fn target(value: &str) -> Result<Target, DatabaseError> {
    match value {
        "any" => Ok(Target::Any),
        "read-write" | "primary" => Ok(Target::Primary),
        _ => Err(DatabaseError::Value {
            name: "target_session_attrs",
            reason: "only `any`, `read-write` and `primary` are supported; to read from a standby, name that server alone",
        }),
    }
}

/// One URL for each host, as sqlx reads it.
fn single(url: &str, parameters: &[Parameter]) -> Result<Vec<String>, DatabaseError> {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let place = url.split_once('?').map_or(url, |(place, _)| place);
    let malformed = DatabaseError::Value { name: "host", reason: "expected postgres://user@host/database" };
    let (scheme, rest) = place.split_once("://").ok_or(malformed)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let at = if user.is_empty() { "" } else { "@" };
    let hosts: Vec<&str> = hosts.split(',').collect();
    let lists = LISTS.map(|name| (name, last(parameters, name).map(|list| list.split(',').collect::<Vec<_>>())));
    let count = lists.iter().filter_map(|(_, list)| list.as_ref()).map(Vec::len).fold(hosts.len(), usize::max);
    let mut lengths = lists.iter().filter_map(|(_, list)| list.as_ref()).map(Vec::len).chain([hosts.len()]);
    if count > MAX_HOSTS || lengths.any(|length| length != 1 && length != count) {
        return Err(DatabaseError::Value {
            name: "host",
            reason: "the numbers of hosts, addresses and ports differ, or are over 16; name one port for each host, or one for all",
        });
    }
    // sqlx refuses a user without a host, which libpq does not. A host in the query counts before this one.
    let is_elsewhere = LISTS.iter().take(2).any(|name| last(parameters, name).is_some());
    let urls = (0..count).map(|number| {
        let host = Some(of(&hosts, number)).filter(|host| !host.is_empty() || !is_elsewhere).unwrap_or("localhost");
        let kept = parameters.iter().filter(|parameter| !is_replaced(&parameter.name));
        let listed = lists.iter().filter_map(|(name, list)| Some((*name, of(list.as_ref()?, number))));
        let query = kept
            .map(|parameter| parameter.written.clone())
            .chain(listed.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))))
            .collect::<Vec<_>>()
            .join("&");
        format!("{scheme}://{user}{at}{host}{path}?{query}")
    });
    Ok(urls.collect())
}

fn is_replaced(name: &str) -> bool {
    LISTS.contains(&name) || OURS.contains(&name)
}

/// The member of a list for this host; a list of one is for all.
fn of<'a>(list: &[&'a str], number: usize) -> &'a str {
    list.get(number).or(list.first()).copied().unwrap_or_default()
}

/// The options of one server.
fn options(url: &str, parameters: &[Parameter]) -> Result<PgConnectOptions, DatabaseError> {
    let mut options = PgConnectOptions::from_str(url)?.application_name("chancery");
    let root = ["sslrootcert", "ssl-root-cert", "ssl-ca"].iter().find_map(|name| last(parameters, name));
    if root == Some("system") {
        return Err(DatabaseError::Value {
            name: "sslrootcert",
            reason: "`system` is not supported; name the file of the system's authorities, such as \
                     /etc/ssl/certs/ca-certificates.crt",
        });
    }
    if root.is_some() && matches!(options.get_ssl_mode(), PgSslMode::Require) {
        options = options.ssl_mode(PgSslMode::VerifyCa);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host (or socket directory), port, user and database of each server.
    fn servers(url: &str) -> Vec<String> {
        let of = |options: &PgConnectOptions| {
            let host =
                options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
            let database = options.get_database().unwrap_or_default();
            format!("{}@{host}:{}/{database}", options.get_username(), options.get_port())
        };
        Servers::read(url).unwrap_or_else(|error| panic!("{url}: {error}")).options.iter().map(of).collect()
    }

    #[test]
    fn a_url_may_name_several_servers() {
        for (url, expected) in [
            ("postgres://me@a.test:1/log", &["me@a.test:1/log"][..]),
            ("postgres://me@a.test:1,b.test:2/log", &["me@a.test:1/log", "me@b.test:2/log"]),
            ("postgres://me@[::1]:1,127.0.0.1:2/log?sslmode=require", &["me@[::1]:1/log", "me@127.0.0.1:2/log"]),
            ("postgresql://me@/log?host=a.test,b.test&port=7", &["me@a.test:7/log", "me@b.test:7/log"]),
            ("postgres:///log?user=me&host=/run/a,/run/b&port=1,2", &["me@/run/a:1/log", "me@/run/b:2/log"]),
            ("postgres:///log?user=me&host=%2Frun%2Fa%2C%2Frun%2Fb&port=1", &["me@/run/a:1/log", "me@/run/b:1/log"]),
            ("postgres://me@localhost/log?host=/run/a&port=5#x", &["me@/run/a:5/log"]),
            ("postgres://me@a.test:1/log?", &["me@a.test:1/log"]),
        ] {
            assert_eq!(servers(url), expected, "{url}");
        }
        for bad in [
            "postgres://me@a.test,b.test/log?port=1,2,3",
            "postgres:///log?host=a.test,b.test,c.test&port=1,2",
            &format!("postgres://me@{}/log", ["a.test"; 17].join(",")),
        ] {
            let refused = Servers::read(bad).err().unwrap().to_string();
            assert!(refused.contains("name one port for each host"), "{bad}: {refused}");
        }
    }

    #[test]
    fn a_server_that_is_written_to_is_a_primary() {
        let target = |value: &str| Servers::read(&format!("postgres://a.test/log?target_session_attrs={value}"));
        assert_eq!(Servers::read("postgres://a.test/log").unwrap().target, None);
        for (value, expected) in [("any", Target::Any), ("read-write", Target::Primary), ("primary", Target::Primary)] {
            assert_eq!(target(value).unwrap().target, Some(expected), "{value}");
        }
        for bad in ["read-only", "standby", "prefer-standby", "primary%20", ""] {
            let refused = target(bad).err().unwrap().to_string();
            assert!(refused.contains("`target_session_attrs`") && refused.contains("`read-write`"), "{bad}: {refused}");
        }
    }

    #[test]
    fn a_certificate_that_is_named_is_verified() {
        let mode = |query: &str| {
            let read = Servers::read(&format!("postgres://me@a.test,b.test/log?{query}")).unwrap();
            read.options.iter().map(|options| format!("{:?}", options.get_ssl_mode())).collect::<Vec<_>>()
        };
        assert_eq!(mode("sslmode=require&sslrootcert=/etc/ca.pem"), ["VerifyCa", "VerifyCa"]);
        assert_eq!(mode("ssl-ca=/etc/ca.pem&sslmode=require"), ["VerifyCa", "VerifyCa"]);
        assert_eq!(mode("sslmode=require"), ["Require", "Require"]);
        assert_eq!(mode("sslmode=verify-full&sslrootcert=/etc/ca.pem"), ["VerifyFull", "VerifyFull"]);
        assert_eq!(mode("sslmode=prefer&sslrootcert=/etc/ca.pem"), ["Prefer", "Prefer"]);
        let refused = Servers::read("postgres://a.test/log?sslrootcert=system&sslmode=verify-full").err().unwrap();
        assert!(refused.to_string().contains("ca-certificates.crt"), "{refused}");
    }
}
