//! `chancery status`: the state of an instance on one page.
//!
//! From the data directory and the database, with what its servers say to everybody ([`ask`]); or as one server says it to its
//! readers (`--url`). [`text`] is the page.

mod ask;
mod text;

pub(super) use ask::check;

use super::{
    authorities::AuthorityArguments,
    place::LogsArguments,
    search::server::{AskError, Server, ServerArguments, not_understood},
};
use crate::{
    configuration::Configuration,
    instance::{InstanceStatus, Stored, stored_status, trust_url},
    output,
    role::Role,
};
use anyhow::ensure;
use chancery_daemon::clock::{Clock as _, SystemClock};
use clap::Args;
use serde::Deserialize as _;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{self, Path, PathBuf},
    process::ExitCode,
};
use url::Url;

/// Where a server says it.
const PATH: &str = "/api/status";
/// The server refuses.
const REFUSED: u8 = 2;
/// No answer.
const UNANSWERED: u8 = 3;

/// Show the state of an instance: servers, logs, keys, TUF metadata, certificates
///
/// One line for each server and what its checks find, each log (size, age of its head, why it takes no entries), generation of
/// a key, TUF role and certificate. Reads the data directory and the database, and asks the servers for their version and their
/// checks; a server may be running or not. With --url, one server says it, with what only a running server knows: copies,
/// witnesses and waiting entries. It shows that to readers with a token, see [status.read] in its configuration.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery status --data ./chancery-dev
  chancery status --config /etc/chancery/chancery.toml --json
  chancery status --url https://sign.example.org --token-file /run/operator/token")]
pub(super) struct Arguments {
    #[command(flatten)]
    logs: LogsArguments,
    /// Ask this server, and read nothing here
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "config", "database"])]
    url: Option<Url>,
    /// Send the token in this file to the server of --url
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    authorities: AuthorityArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let authorities = arguments.authorities.file();
    let Some(url) = &arguments.url else {
        let status = read(&arguments.logs, authorities).await?;
        if arguments.json {
            output::print_json(&status)?;
        } else {
            print(&status)?;
        }
        return Ok(code(&status));
    };
    let server = Server::new(&ServerArguments::new(url.clone(), arguments.token_file.clone()), authorities)?;
    match server.json::<Value>(PATH, &[]).await.and_then(|said| Ok((parsed(&said)?, said))) {
        Ok((status, said)) => {
            if arguments.json {
                output::print_json(&said)?;
            } else {
                print(&status)?;
            }
            Ok(code(&status))
        }
        Err(error) => {
            let code = if matches!(error, AskError::Refused(_)) { REFUSED } else { UNANSWERED };
            Ok(output::failed(&error.into(), code))
        }
    }
}

/// What a server of this or a later version says.
fn parsed(said: &Value) -> Result<InstanceStatus, AskError> {
    InstanceStatus::deserialize(said).map_err(|_| not_understood())
}

/// Reads an instance here, and asks its servers.
async fn read(logs: &LogsArguments, authorities: Option<&Path>) -> anyhow::Result<InstanceStatus> {
    let (place, configuration) = logs.read()?;
    ensure!(
        place.data.join("instance.json").exists(),
        "there is no instance in {}; name its data directory with --data, or the configuration of its servers with --config",
        place.data.display()
    );
    let urls = urls(configuration.as_ref(), &place.data)?;
    let tls = configuration.and_then(|configuration| configuration.listen.tls).map(|files| files.certificate);
    let (database, data) = (place.existing_database(), path::absolute(&place.data)?);
    let (status, servers) =
        tokio::join!(stored_status(Stored { data, tls, database }, SystemClock.now()), ask::servers(urls, authorities));
    Ok(InstanceStatus { servers: servers?, ..status })
}

/// The URLs of the servers, with the roles that the configuration has there. Without one, the URL that the process with the TUF
/// repository has recorded.
fn urls(configuration: Option<&Configuration>, data: &Path) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut urls: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let Some(configuration) = configuration {
        let addresses = configuration.addresses()?;
        for role in Role::ALL {
            urls.entry(addresses.url(role)?.to_string()).or_default().push(role.name().to_owned());
        }
    } else if let Ok(url) = trust_url(data) {
        urls.insert(url, Vec::new());
    }
    Ok(urls)
}

fn print(status: &InstanceStatus) -> anyhow::Result<()> {
    let mut out = output::text();
    out.write_all(text::page(status).as_bytes())?;
    Ok(out.flush()?)
}

fn code(status: &InstanceStatus) -> ExitCode {
    if status.unread.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
