//! `chancery health`: checks that a server is ready, for container images without another HTTP client.

use super::authorities::AuthorityArguments;
use crate::{configuration::Configuration, dev, output};
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use reqwest::{Client, ClientBuilder, StatusCode, redirect};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Shorter than the usual timeout of a health check.
const DEADLINE: Duration = Duration::from_secs(4);
/// Longest answer that is read: a line for each reason, of which every log may have one.
const MAX_REASON_BYTES: usize = 64 * 1024;
/// How the last line of the answer with all checks begins.
const VERDICT: &str = "readyz check ";

/// Check that a server is ready
///
/// Exits with 0 if it is. Exits with 1 and every reason on standard error if it is not, or if it does not answer within four
/// seconds. With --config, checks the server on this machine at the address in the file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery health --config /etc/chancery/chancery.toml
  chancery health --url https://sign.example.org
  chancery health --url https://sign.example.org --ca-file company-ca.pem")]
pub(super) struct Arguments {
    /// URL of the server
    #[arg(long, value_name = "URL", default_value = dev::DEFAULT_URL, conflicts_with = "config")]
    url: String,
    /// Configuration file of a server on this machine
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    authorities: AuthorityArguments,
}

pub(super) async fn run(Arguments { url, config, authorities }: Arguments) -> anyhow::Result<ExitCode> {
    let client = client();
    let (client, url) = if let Some(file) = config {
        ensure!(authorities.file().is_none(), "--ca-file is for the server of --url");
        own_server(client, &Configuration::load(&file)?)
    } else {
        let trusting = chancery_outbound::trusting_file(client, authorities.file());
        (trusting.context("cannot use --ca-file")?, url)
    };
    ask(client, url.trim_end_matches('/')).await?;
    output::print("ready\n")?;
    Ok(ExitCode::SUCCESS)
}

fn client() -> ClientBuilder {
    Client::builder().timeout(DEADLINE).redirect(redirect::Policy::none())
}

/// What the server that this file configures says of each of its checks (`/readyz?verbose`).
pub(super) async fn checks_of_own(configuration: &Configuration) -> anyhow::Result<String> {
    let (client, base) = own_server(client(), configuration);
    checks(client, &base).await
}

/// The same of the server at `url`. The certificates in the file `authorities` are trusted for it, or else the system's
/// authorities.
pub(super) async fn checks_at(url: &str, authorities: Option<&Path>) -> anyhow::Result<String> {
    let client = chancery_outbound::trusting_file(client().no_proxy(), authorities).context("cannot use --ca-file")?;
    checks(client, url.trim_end_matches('/')).await
}

async fn checks(client: ClientBuilder, base: &str) -> anyhow::Result<String> {
    let (status, text) = answer(client, base, "/readyz?verbose").await?;
    // A proxy answers 503, too.
    let is_verdict = text.lines().last().is_some_and(|line| line.starts_with(VERDICT));
    ensure!(is_verdict, "the server at {base} is not chancery (status {status}); check the address");
    Ok(text)
}

/// How, and where, to ask the server that this file configures.
fn own_server(client: ClientBuilder, Configuration { listen, .. }: &Configuration) -> (ClientBuilder, String) {
    let mut address: SocketAddr = listen.address;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        });
    }
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    // The certificate is for the name that clients use, not for this address, so it is not verified. Nothing secret is sent,
    // and a program that could listen here instead of the server could do worse than answer «ready».
    (client.no_proxy().tls_danger_accept_invalid_certs(true), format!("{scheme}://{address}"))
}

/// Returns if the server at `base` is ready.
async fn ask(client: ClientBuilder, base: &str) -> anyhow::Result<()> {
    let (status, reason) = answer(client, base, "/readyz").await?;
    ensure!(status.is_success(), "the server at {base} is not ready ({status}): {}", reason.trim());
    Ok(())
}

/// The status and the text of the answer to a path.
async fn answer(client: ClientBuilder, base: &str, path: &str) -> anyhow::Result<(StatusCode, String)> {
    let response = client.build()?.get(format!("{base}{path}")).send().await;
    let mut response = response.with_context(|| format!("no server answers at {base}"))?;
    let status = response.status();
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the connection broke during the answer")? {
        text.extend_from_slice(&chunk);
        if text.len() > MAX_REASON_BYTES {
            bail!("the server at {base} is not chancery (status {status}); check the address");
        }
    }
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, http::StatusCode as Status, routing::get};
    use tokio::net::TcpListener;

    /// The address of a server that answers `/readyz` like this.
    async fn server(status: Status, body: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/readyz", get(move || async move { (status, body) }));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        base
    }

    #[tokio::test]
    async fn only_ready_is_ready_and_the_reason_is_told() {
        let ask = async |base: &str| super::ask(Client::builder().no_proxy(), base).await.map_err(|e| format!("{e:#}"));
        assert_eq!(ask(&server(Status::OK, "ready\n".to_owned()).await).await, Ok(()));
        for (status, body, said) in [
            (
                Status::SERVICE_UNAVAILABLE,
                "log rekor is quarantined\nlog ct is quarantined\n".to_owned(),
                "503 Service Unavailable): log rekor is quarantined\nlog ct is quarantined",
            ),
            (Status::NOT_FOUND, String::new(), "404"),
            (Status::FOUND, String::new(), "302"),
            (Status::BAD_GATEWAY, "x".repeat(MAX_REASON_BYTES + 1), "is not chancery (status 502"),
        ] {
            let refusal = ask(&server(status, body).await).await.unwrap_err();
            assert!(refusal.contains(said), "{refusal}");
        }
        let nobody = ask("http://127.0.0.1:1").await.unwrap_err();
        assert!(nobody.contains("no server answers at http://127.0.0.1:1"), "{nobody}");
    }

    #[test]
    fn a_server_on_this_machine_is_asked_where_it_listens() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chancery.toml");
        for (listen, base) in [
            ("address = \"0.0.0.0:8080\"", "http://127.0.0.1:8080"),
            ("address = \"[::]:8443\"\ntls = { certificate = \"c\", key = \"k\" }", "https://[::1]:8443"),
            ("address = \"192.0.2.7:80\"", "http://192.0.2.7:80"),
        ] {
            let rest = "url = \"https://sign.example.org\"\norganization = \"Example\"\ndata = \"data\"";
            std::fs::write(&file, format!("{rest}\n[listen]\n{listen}\n[ca]\nissuers = \"i\"\n")).unwrap();
            assert_eq!(own_server(Client::builder(), &Configuration::load(&file).unwrap()).1, base);
        }
    }
}
