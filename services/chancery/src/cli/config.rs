//! `chancery config`: checks a configuration file before a server uses it.

use crate::{
    configuration::{Configuration, TilesTable},
    instance::EventSettings,
    issuers::{ConfiguredIssuers, open_to_all},
    output,
    role::Role,
    serve::{Prepared, check_chains, missing_tls},
};
use anyhow::Context as _;
use chancery_ca::{IssuerName, IssuerSettings, KeySource, config};
use chancery_daemon::clock::{Clock as _, SystemClock};
use clap::{Args, Subcommand};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Check a configuration file, or print its JSON schema
///
/// There are two kinds of files: the configuration of a server (`chancery serve`), and a list of issuers whose tokens the
/// certificate authority accepts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery config check chancery.toml
  chancery config check issuers.toml
  chancery config schema > chancery.schema.json    (editors use it to complete and check TOML)
  chancery config schema --issuers > issuers.schema.json")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Read a file as a server does, and print what it means; fetches nothing
    ///
    /// Refuses what `chancery init` or `chancery serve` would refuse about the file and the files it names. Opens no key, database
    /// or port: `chancery keys test` and `chancery health` do.
    #[command(after_help = "Example:\n  chancery config check chancery.toml")]
    Check {
        /// Configuration of a server, or list of issuers
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON schema of a server's configuration
    #[command(
        after_help = "Examples:\n  chancery config schema > chancery.schema.json\n  chancery config schema --issuers > issuers.schema.json"
    )]
    Schema {
        /// Print the schema of a list of issuers instead
        #[arg(long)]
        issuers: bool,
    },
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut open = String::new();
    let text = match arguments.verb {
        Verb::Schema { issuers: true } => format!("{:#}\n", config::schema()),
        Verb::Schema { issuers: false } => format!("{:#}\n", Configuration::schema()),
        Verb::Check { file } if is_server(&file)? => {
            let configuration = Configuration::load(&file)?;
            let prepared = Prepared::of(&configuration, &file, &Role::ALL.into())?;
            check_chains(&configuration, &file, SystemClock.now())?;
            let (signers, readers) = (prepared.authority.issuers.all(), prepared.access.readers.as_ref());
            let readers = readers.map(ConfiguredIssuers::all).unwrap_or_default();
            open.extend(signers.iter().filter_map(|issuer| warning(issuer, "gets a certificate")));
            open.extend(readers.iter().filter_map(|issuer| warning(issuer, "may read entries")));
            open.extend(configuration.log.tiles.iter().filter(|_| !readers.is_empty()).map(unprotected));
            open.extend(prepared.events.as_ref().and_then(untold));
            let mut text = server_summary(&configuration, &prepared)?;
            text.extend(signers.iter().map(summary));
            if !readers.is_empty() {
                text.push_str("\nTokens of these issuers may read entries:\n");
                text.extend(readers.iter().map(summary));
            }
            text
        }
        Verb::Check { file } => {
            let issuers = config::check(&file)?;
            open.extend(issuers.iter().filter_map(|issuer| warning(issuer, "gets a certificate")));
            issuers.iter().map(summary).collect()
        }
    };
    output::print(&text)?;
    open.lines().for_each(output::note);
    Ok(ExitCode::SUCCESS)
}

/// Whether a file is a server's, and not a list of issuers.
pub(super) fn is_server(file: &Path) -> anyhow::Result<bool> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    // A file that is not TOML is refused by the next reader.
    Ok(toml::from_str::<toml::Table>(&text).is_ok_and(|table| !table.contains_key("issuer")))
}

/// A server in a few lines.
fn server_summary(configuration: &Configuration, prepared: &Prepared) -> anyhow::Result<String> {
    let Configuration { data, listen, database, .. } = configuration;
    let place = database.as_ref().map_or_else(|| "a file in data".to_owned(), |database| database.url.clone());
    let tls = match (&listen.tls, missing_tls(listen.tls.as_ref())?) {
        (None, _) => "no TLS".to_owned(),
        (Some(_), None) => "TLS".to_owned(),
        (Some(_), Some(missing)) => format!("TLS, but {missing}: `chancery serve` needs it"),
    };
    let mut text = format!("data      {}\nlogs      {place}\nlistens   {}, {tls}\n", data.display(), listen.address);
    for role in Role::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{role:9} {}", prepared.addresses.url(role)?.as_str());
    }
    if let Some(url) = prepared.addresses.own_rekor2() {
        let _ = writeln!(text, "rekor2    {}", url.as_str());
    }
    if !prepared.access.rules.is_empty() {
        let _ = writeln!(text, "writes    rules: {}", prepared.access.rules.len());
    }
    text.push('\n');
    Ok(text)
}

/// A copy of entries that are for readers.
fn unprotected(tiles: &TilesTable) -> String {
    format!(
        "warning: [log] tiles copies entries to {}, which [log.read] does not protect; let only readers read it\n",
        tiles.url
    )
}

/// A receiver of events whose token cannot be read: `chancery serve` starts, and tells it of entries once the file is there.
fn untold(events: &EventSettings) -> Option<String> {
    let fault = events.receiver.token_fault()?;
    Some(format!("warning: [events] token_file: {fault}; the receiver is told of nothing before it can be read\n"))
}

/// A setting that is probably a mistake. `may` is what the users of the service do.
fn warning(settings: &IssuerSettings, may: &str) -> Option<String> {
    open_to_all(settings, may).map(|warning| format!("warning: {warning}\n"))
}

/// One issuer in a few lines.
fn summary(settings: &IssuerSettings) -> String {
    let what = match settings.name {
        IssuerName::Exact(_) => "",
        IssuerName::Pattern(_) => " (every issuer that matches)",
    };
    let keys = match &settings.keys {
        KeySource::Discovery { jwks_hosts } if jwks_hosts.is_empty() => {
            "by discovery, on the issuer's own host".to_owned()
        }
        KeySource::Discovery { jwks_hosts } => format!("by discovery, also on {}", jwks_hosts.join(", ")),
        KeySource::At(url) => format!("at {url}"),
        KeySource::Static(_) => "from a file".to_owned(),
    };
    let mut text = format!(
        "{}{what}\n  kind      {}\n  audience  {}\n  keys      {keys}\n",
        settings.name.as_str(),
        settings.kind.name(),
        settings.audiences.join(", "),
    );
    for condition in &settings.conditions {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  only if   {} is {}", condition.claim, condition.any_of.join(" or "));
    }
    text
}
