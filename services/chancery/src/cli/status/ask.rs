//! What servers say of themselves to everybody: their version, and the result of each of their checks.

use crate::{
    cli::search::server::{AskError, Server, ServerArguments, not_understood},
    instance::{CheckResult, CheckStatus, ServerStatus},
};
use anyhow::Context as _;
use chancery_daemon::http::openapi;
use futures_util::future::join_all;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, time::Duration};
use url::Url;

/// Every check of a server, with what it has found.
const CHECKS: &str = "/readyz?verbose";
/// For one answer. A server that hangs must not keep the rest from being shown.
const DEADLINE: Duration = Duration::from_secs(4);
/// A line for each check.
const MAX_CHECKS_BYTES: usize = 256 * 1024;
/// The description of a server.
const MAX_DESCRIPTION_BYTES: usize = 4 * 1024 * 1024;

/// Asks the server at each of these URLs, which should have these roles. One that does not answer is shown, too.
pub(super) async fn servers(
    urls: BTreeMap<String, Vec<String>>,
    authorities: Option<&Path>,
) -> anyhow::Result<Vec<ServerStatus>> {
    let asked = urls.into_iter().map(|(url, roles)| async move {
        let parsed = url.parse::<Url>().with_context(|| format!("{url} is not a URL"))?;
        let server = Server::new(&ServerArguments::new(parsed, None), authorities)?;
        let unknown =
            ServerStatus { url, roles, version: None, ready: None, checks: Vec::new(), unknown_because: None };
        anyhow::Ok(match ask(&server).await {
            Ok(said) => said.put_into(unknown),
            Err(error) => ServerStatus { unknown_because: Some(error.to_string()), ..unknown },
        })
    });
    join_all(asked).await.into_iter().collect()
}

/// What a server has said.
struct Said {
    version: String,
    is_ready: bool,
    checks: Vec<CheckStatus>,
}

impl Said {
    /// The roles are those that it checks: behind the URL of one role may be more.
    fn put_into(self, unknown: ServerStatus) -> ServerStatus {
        let mut roles: Vec<String> = Vec::new();
        for check in &self.checks {
            if !roles.contains(&check.role) {
                roles.push(check.role.clone());
            }
        }
        let (version, ready) = (Some(self.version), Some(self.is_ready));
        ServerStatus { roles, version, ready, checks: self.checks, ..unknown }
    }
}

async fn ask(server: &Server) -> Result<Said, AskError> {
    let (is_ready, text) = server.answer(CHECKS, MAX_CHECKS_BYTES, DEADLINE).await?;
    let text = String::from_utf8_lossy(&text);
    let checks: Vec<CheckStatus> = text.lines().filter_map(check).collect();
    let (_, description) = server.answer(openapi::PATH, MAX_DESCRIPTION_BYTES, DEADLINE).await?;
    let description: Value = serde_json::from_slice(&description).map_err(|_| not_understood())?;
    let version = description["info"]["version"].as_str().ok_or_else(not_understood)?.to_owned();
    // Whatever else answers there checks nothing.
    if checks.is_empty() { Err(not_understood()) } else { Ok(Said { version, is_ready, checks }) }
}

/// A line of `/readyz?verbose`, if it is one of a check.
pub(in crate::cli) fn check(line: &str) -> Option<CheckStatus> {
    let (mark, rest) = line.split_at_checked(3)?;
    let (role, rest) = rest.split_once(' ')?;
    let (result, check, message) = match mark {
        "[+]" => (CheckResult::Passed, rest.strip_suffix(" ok")?, None),
        "[!]" => {
            let (check, message) = rest.split_once(" warning: ")?;
            (CheckResult::Warning, check, Some(message.to_owned()))
        }
        "[-]" => {
            let (check, message) = rest.split_once(" failed: ")?;
            (CheckResult::Failed, check, Some(message.to_owned()))
        }
        _ => return None,
    };
    Some(CheckStatus { role: role.to_owned(), check: check.to_owned(), result, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_daemon::health::{Finding, State};

    #[test]
    fn a_line_of_a_check_is_read_as_it_was_written() {
        for state in [
            State::Passed,
            State::Warning("a witness is away (unreachable): no route".to_owned()),
            State::Failed("the database cannot be used; see that it runs".to_owned()),
        ] {
            let finding = Finding::new("log", "rekor2 witnesses", state);
            let (read, meant) = (check(&finding.to_string()).unwrap(), CheckStatus::from(&finding));
            assert_eq!((read.role, read.check), (meant.role, meant.check));
            assert_eq!((read.result, read.message), (meant.result, meant.message), "{finding}");
        }
        for other in ["readyz check passed", "ready", "", "[+]", "[?]log x ok", "[+]log x", "ü"] {
            assert!(check(other).is_none(), "{other}");
        }
    }
}
