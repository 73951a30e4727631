//! The public URLs as a client reaches them: the name, TLS, the server behind it, and what a proxy in between does to large headers
//! and bodies.
//!
//! Nothing is stored by these requests. The large body is no entry, so the log refuses it: that refusal is what must come back.

use super::{certificates, finding::Finding};
use anyhow::Context as _;
use chancery_address::{BaseUrl, is_protected};
use chancery_outbound::causes;
use chancery_verify::{Timestamp, certificate::Certificate};
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE, tls::TlsInfo};
use serde_json::Value;
use std::{net::IpAddr, path::Path, time::Duration};
use tokio::{net::lookup_host, time::timeout};

/// For connecting, and for a whole answer.
const DEADLINES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));
/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// A long bearer token: a server takes up to 64 KiB of headers.
const HEADER_BYTES: usize = 16 * 1024;
/// One byte more than the usual limit of proxies. A server takes up to 32 MiB for an entry.
const BODY_BYTES: usize = (1 << 20) + 1;
/// Answered by every server of this program, whatever its roles.
const HEALTH: &str = "/healthz";
/// What the answer has.
const SERVING: &str = "SERVING";
/// Where an entry is added.
const ENTRIES: &str = "/api/v1/log/entries";

/// A URL of the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) url: BaseUrl,
    /// Whether entries are added there.
    pub(super) has_logs: bool,
}

/// An answer, as far as it is read.
struct Answer {
    status: u16,
    text: String,
    /// Of the server, in DER, if it spoke TLS.
    certificate: Option<Vec<u8>>,
}

/// Examines one URL. The certificates in the file `authorities` are trusted for it, or else the system's authorities.
pub(super) async fn examine(place: &Place, authorities: Option<&Path>, now: Timestamp) -> Vec<Finding> {
    let subject = place.url.as_str();
    let mut findings = match name(&place.url).await {
        Err(finding) => return vec![finding],
        Ok(found) => found.into_iter().collect::<Vec<_>>(),
    };
    if !is_protected(place.url.url()) {
        let message = "clients send tokens there without encryption, and the TUF client takes nothing from it";
        let action =
            "set url (or the url of the role) to an https URL, with [listen] tls or a proxy that terminates TLS";
        findings.push(Finding::warning("tls", subject, message, action));
    }
    let client = match client(authorities) {
        Ok(client) => client,
        Err(error) => {
            findings.push(Finding::error("tls", subject, &format!("{error:#}"), "name another file with --ca-file"));
            return findings;
        }
    };
    match send(client.get(format!("{subject}{HEALTH}"))).await {
        Err(reason) => {
            findings.push(unreached(&place.url, &reason));
            return findings;
        }
        Ok(answer) => {
            let certificate = answer.certificate.as_deref().and_then(|der| Certificate::from_der(der).ok());
            findings.extend(certificate.map(|shown| certificates::ends(subject, shown.not_after(), now)));
            if let Some(other) = other_server(subject, &answer) {
                findings.push(other);
                return findings;
            }
            findings.push(Finding::ok("http", subject, "a server of chancery answers"));
        }
    }
    findings.push(headers(&client, subject).await);
    if place.has_logs {
        findings.push(bodies(&client, subject).await);
    }
    findings
}

fn client(authorities: Option<&Path>) -> anyhow::Result<Client> {
    let client = chancery_outbound::client(DEADLINES.0, DEADLINES.1).tls_info(true);
    let client = chancery_outbound::trusting_file(client, authorities).context("cannot use --ca-file")?;
    client.build().context("TLS cannot be set up")
}

/// Resolves the host. `None` if it is an address.
async fn name(url: &BaseUrl) -> Result<Option<Finding>, Finding> {
    let host = url.host();
    if host.parse::<IpAddr>().is_ok() {
        return Ok(None);
    }
    let port = url.url().port_or_known_default().unwrap_or_default();
    let why = match timeout(DEADLINES.0, lookup_host((host, port))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            addresses.sort_unstable();
            addresses.dedup();
            if !addresses.is_empty() {
                return Ok(Some(Finding::ok("dns", host, &format!("leads to {}", addresses.join(", ")))));
            }
            "it has no address".to_owned()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", DEADLINES.0.as_secs()),
    };
    let message = format!("the name cannot be resolved ({why}), so no client reaches {url}");
    let action = format!(
        "add an A or AAAA record for {host} that leads to the server or to the proxy in front, or correct url in its configuration"
    );
    Err(Finding::error("dns", host, &message, &action))
}

async fn send(request: RequestBuilder) -> Result<Answer, String> {
    let broken = |error: reqwest::Error| causes(&error.without_url());
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status().as_u16();
    let info = response.extensions().get::<TlsInfo>();
    let certificate = info.and_then(TlsInfo::peer_certificate).map(<[u8]>::to_vec);
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        text.extend_from_slice(&chunk);
        if text.len() > MAX_ANSWER_BYTES {
            break;
        }
    }
    Ok(Answer { status, text: String::from_utf8_lossy(&text).into_owned(), certificate })
}

/// Why there was no answer.
fn unreached(url: &BaseUrl, reason: &str) -> Finding {
    let subject = url.as_str();
    let lower = reason.to_ascii_lowercase();
    if lower.contains("certificate") || lower.contains("tls") || lower.contains("invalidcontenttype") {
        let (what, action) = distrusted(&lower, url.host());
        let message = format!("{what}, so clients refuse the server ({reason})");
        return Finding::error("tls", subject, &message, &action);
    }
    let message = format!("no server answers there: {reason}");
    let action = "start the server (chancery serve), or the proxy in front of it; see that it listens on this port, and that no \
                  firewall is in between";
    Finding::error("http", subject, &message, action)
}

/// What is wrong with the certificate that the server shows, and what to do, by the words of a refusal in lower case.
fn distrusted(refusal: &str, host: &str) -> (String, String) {
    if refusal.contains("expired") {
        let what = "the TLS certificate has expired".to_owned();
        return (what, "renew it: [listen] tls of the server, or the certificate of the proxy in front".to_owned());
    }
    if refusal.contains("notvalidyet") || refusal.contains("not valid yet") {
        let what = "the TLS certificate is not valid yet".to_owned();
        return (what, "correct the clock of this machine, or of the one that issued the certificate".to_owned());
    }
    if refusal.contains("not valid for name") || refusal.contains("notvalidforname") {
        let what = format!("the TLS certificate is for another name than {host}");
        return (what, format!("have a certificate issued for {host}, or correct url in the configuration"));
    }
    if refusal.contains("unknownissuer") || refusal.contains("unknown issuer") || refusal.contains("causedasendentity")
    {
        let what = "the TLS certificate is of an authority that this machine does not trust".to_owned();
        let action = "have a public authority issue it, or give its authority to every client; here: --ca-file FILE; see \
                      docs/src/operate/own-servers.md";
        return (what, action.to_owned());
    }
    let what = "TLS fails".to_owned();
    (what, format!("see what is shown there: openssl s_client -connect {host}:443 -servername {host}"))
}

/// A server that is not of this program.
fn other_server(subject: &str, answer: &Answer) -> Option<Finding> {
    if answer.status == 200 && answer.text.contains(SERVING) {
        return None;
    }
    let message = format!("{HEALTH} is answered with status {} by something else than chancery", answer.status);
    let action = "have the proxy pass every path of this host on to the server, or correct url in the configuration";
    Some(Finding::error("http", subject, &message, action))
}

/// Whether a long bearer token comes through.
async fn headers(client: &Client, subject: &str) -> Finding {
    let kibibytes = HEADER_BYTES / 1024;
    let request = client.get(format!("{subject}{HEALTH}")).bearer_auth("x".repeat(HEADER_BYTES));
    let why = match send(request).await {
        Ok(answer) if answer.status == 200 && answer.text.contains(SERVING) => {
            return Finding::ok("headers", subject, &format!("a header of {kibibytes} KiB comes through"));
        }
        Ok(answer) => format!("it is answered with status {}", answer.status),
        Err(reason) => reason,
    };
    let message = format!(
        "a request with a header of {kibibytes} KiB does not come through ({why}), so signers with long tokens are refused; the \
         server itself takes 64 KiB"
    );
    let action = "raise the limit of the proxy in front: large_client_header_buffers 4 32k (nginx), LimitRequestFieldSize 32768 \
                  (Apache), tune.bufsize 65536 (HAProxy), max_request_headers_kb: 60 (Envoy)";
    Finding::error("headers", subject, &message, action)
}

/// Whether a large entry comes through: the log refuses what is none.
async fn bodies(client: &Client, subject: &str) -> Finding {
    let request = client.post(format!("{subject}{ENTRIES}")).header(CONTENT_TYPE, "application/json");
    let why = match send(request.body(vec![b'x'; BODY_BYTES])).await {
        Ok(answer) if is_of_log(&answer) => {
            return Finding::ok("bodies", subject, "a body of 1 MiB comes through to the log");
        }
        Ok(answer) => format!("it is answered with status {}", answer.status),
        Err(reason) => reason,
    };
    let message = format!(
        "a body of 1 MiB does not come through to the log ({why}), so large attestations are refused; the log takes 32 MiB"
    );
    let action = "raise the limit of the proxy in front: client_max_body_size 32m (nginx), LimitRequestBody 33554432 (Apache), and have it \
                  pass on /api/";
    Finding::error("bodies", subject, &message, action)
}

/// Whether this is an answer of a log of Rekor v1: every refusal has a code and a message.
fn is_of_log(answer: &Answer) -> bool {
    let refusal: Option<Value> = serde_json::from_str(&answer.text).ok();
    refusal.is_some_and(|refusal| refusal["code"].is_u64() && refusal["message"].is_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity;

    #[test]
    fn each_refusal_of_tls_has_its_own_advice() {
        let url = BaseUrl::parse("https://sign.example.org").unwrap();
        for (reason, check, what, action) in [
            ("invalid peer certificate: Expired", "tls", "has expired", "renew it"),
            ("invalid peer certificate: certificate expired: now 2", "tls", "has expired", "renew it"),
            ("invalid peer certificate: NotValidYet", "tls", "not valid yet", "clock"),
            ("certificate not valid for name \"a\"", "tls", "another name", "issued for sign.example.org"),
            ("invalid peer certificate: UnknownIssuer", "tls", "does not trust", "--ca-file"),
            ("invalid peer certificate: Other(CaUsedAsEndEntity)", "tls", "does not trust", "own-servers.md"),
            ("received corrupt message of type InvalidContentType", "tls", "TLS fails", "openssl s_client"),
            ("Connection refused (os error 111)", "http", "no server answers", "chancery serve"),
        ] {
            let found = unreached(&url, reason);
            assert_eq!((found.check, found.severity), (check, Severity::Error), "{reason}");
            assert!(found.message.contains(what) && found.action.unwrap().contains(action), "{reason}");
        }
    }

    #[test]
    fn only_a_log_refuses_as_a_log_does() {
        let answer = |status, text: &str| Answer { status, text: text.to_owned(), certificate: None };
        assert!(is_of_log(&answer(400, r#"{"code":400,"message":"error processing entry: no"}"#)));
        assert!(!is_of_log(&answer(413, "<html>413 Request Entity Too Large</html>")));
        assert!(!is_of_log(&answer(404, r#"{"error":"no"}"#)));
        assert!(other_server("https://a.example", &answer(200, r#"{"status":"SERVING"}"#)).is_none());
        assert!(other_server("https://a.example", &answer(200, "<html>")).is_some());
        assert!(other_server("https://a.example", &answer(503, r#"{"status":"SERVING"}"#)).is_some());
    }
}
