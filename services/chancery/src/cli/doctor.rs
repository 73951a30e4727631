//! `chancery doctor`: everything that a support engineer would look at, each with what to do.
//!
//! A check is a module that takes what it needs, and returns findings. Most of them are checks that a server or another verb makes,
//! too; here they are only asked. Nothing is changed, but that `--token` adds a signature to the logs.

mod bundle;
mod certificates;
mod clock;
mod database;
mod disk;
mod files;
mod finding;
mod issuers;
mod readiness;
mod redact;
mod report;
mod signing;
mod subject;
mod tuf;
mod web;
mod witnesses;

use super::{authorities::AuthorityArguments, place::InstanceArguments};
use crate::output;
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_verify::Timestamp;
use clap::Args;
use finding::Finding;
use futures_util::future::join_all;
use report::Report;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use subject::Subject;

/// Examine an instance and its surroundings, and say what to do
///
/// Checks the configuration, permissions of keys, disk, clock and time servers, database, certificates, TUF metadata and a TUF
/// client's way, DNS and TLS of the public URLs, proxies in between (large headers and bodies), issuers, witnesses, copies of the
/// logs, and the running server. Run it on the machine and as the user of the server. Changes nothing, except that --token adds
/// a signature to the logs.
///
/// Every finding is an error, a warning, a note or ok, and says what to do.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery doctor --config /etc/chancery/chancery.toml
  chancery doctor --data ./chancery-dev --json
  chancery doctor --config /etc/chancery/chancery.toml --token test.token
  chancery doctor --config /etc/chancery/chancery.toml --out doctor.tar.gz    (without secrets)")]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Ask all roles at this URL instead of the URLs of the configuration, or of the data directory
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Also sign with the identity token in this file, and verify; the entry stays in the logs
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Write a bundle for support (tar, gzip): findings, versions, configuration without secrets; never keys
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    authorities: AuthorityArguments,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    let (findings, files) = match subject(arguments, now)? {
        Ok(mut subject) => (Box::pin(examine(&mut subject, arguments, now)).await, subject.files),
        Err(finding) => (vec![finding], Vec::new()),
    };
    let report = Report::new(findings, now);
    if let Some(out) = &arguments.out {
        bundle::write(out, &report, &files)?;
    }
    if arguments.json {
        output::print_json(&report.json())?;
    } else {
        let mut text = output::text();
        text.write_all(report.text().as_bytes())?;
        text.flush()?;
    }
    Ok(report.code())
}

/// What the arguments name. The inner error is a configuration that cannot be used, which is a finding.
fn subject(arguments: &Arguments, now: Timestamp) -> anyhow::Result<Result<Subject, Finding>> {
    let url = arguments.url.as_deref();
    match arguments.instance.only_file()? {
        None => Ok(Ok(Subject::of_data(&arguments.instance.data()?, url)?)),
        Some(file) => Ok(Subject::of_file(file, url, now).map_err(|error| subject::unread(file, &error))),
    }
}

/// Runs every check. Those that ask over a network run one group after the other, so that the load is small.
async fn examine(subject: &mut Subject, arguments: &Arguments, now: Timestamp) -> Vec<Finding> {
    let authorities = arguments.authorities.file();
    let mut findings = std::mem::take(&mut subject.findings);
    findings.extend(local(subject, now));
    findings.extend(clock::examine(subject.time_servers.take()).await);
    findings.extend(database::examine(&subject.database).await);
    findings.extend(running(subject, authorities).await);
    let asked = subject.places.iter().map(|place| web::examine(place, authorities, now));
    findings.extend(join_all(asked).await.into_iter().flatten());
    let (client, trusted_root) = Box::pin(tuf::as_a_client(&subject.data, &subject.trust, authorities)).await;
    findings.extend(client);
    findings.extend(issuers::examine(&subject.issuers, now).await);
    findings.extend(watchers(subject).await);
    if let Some(token) = &arguments.token {
        let client = signing::Client {
            url: subject.ca.as_str(),
            data: &subject.data,
            issuers: &subject.issuers,
            trusted_root: trusted_root.as_deref(),
            authorities,
        };
        findings.extend(Box::pin(client.examine(token, now)).await);
    }
    findings
}

/// What this machine has.
fn local(subject: &Subject, now: Timestamp) -> Vec<Finding> {
    let data = &subject.data;
    let mut findings = files::examine(data, &subject.secrets);
    // Without an instance, each of these would say the same again.
    if data.join("instance.json").exists() {
        findings.extend(disk::examine(data));
        findings.extend(certificates::examine(data, now));
        findings.extend(tuf::metadata(data, now));
    }
    findings.extend(subject.tls.as_ref().map(|tls| certificates::examine_tls(tls, now)));
    findings
}

/// The server that should run.
async fn running(subject: &Subject, authorities: Option<&Path>) -> Vec<Finding> {
    match &subject.configuration {
        Some(configuration) => readiness::of_own(configuration, &subject.start).await,
        None => readiness::at(&subject.trust, authorities, &subject.start).await,
    }
}

/// What watches and copies the logs.
async fn watchers(subject: &Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (setting, table, origin) in &subject.witnesses {
        findings.extend(witnesses::examine(setting, table, origin).await);
    }
    if let Some(place) = &subject.tiles {
        findings.push(witnesses::examine_mirror(place).await);
    }
    findings
}
