//! Which services sign: the signing config, version 0.2 (`sigstore_trustroot.proto`).

use anyhow::{Context as _, bail, ensure};
use chancery_verify::Timestamp;
use serde::Deserialize;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
/// Services of one kind.
const MAX_SERVICES: usize = 64;

/// The services that are used, selected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SigningConfig {
    pub(super) certificate_authority: String,
    pub(super) timestamp_authorities: Vec<String>,
    pub(super) logs: Vec<(String, LogVersion)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogVersion {
    V1,
    V2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: String,
    #[serde(default)]
    ca_urls: Vec<Service>,
    #[serde(default)]
    rekor_tlog_urls: Vec<Service>,
    #[serde(default)]
    rekor_tlog_config: Selection,
    #[serde(default)]
    tsa_urls: Vec<Service>,
    #[serde(default)]
    tsa_config: Selection,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    url: String,
    major_api_version: u32,
    #[serde(default)]
    valid_for: Option<Window>,
    #[serde(default)]
    operator: String,
}

#[derive(Clone, Deserialize)]
struct Window {
    start: String,
    #[serde(default)]
    end: Option<String>,
}

#[derive(Default, Deserialize)]
struct Selection {
    #[serde(default)]
    selector: String,
    #[serde(default)]
    count: usize,
}

impl SigningConfig {
    /// Reads a signing config and selects what is valid `now`.
    pub(super) fn parse(text: &[u8], now: Timestamp) -> anyhow::Result<Self> {
        let document: Document = serde_json::from_slice(text).context("the file is not a signing config")?;
        ensure!(document.media_type == MEDIA_TYPE, "the signing config is not of version 0.2");
        let authorities = usable(&document.ca_urls, &[1], now)?;
        let authority =
            authorities.first().context("the signing config has no certificate authority that is valid now")?;
        let logs = select(usable(&document.rekor_tlog_urls, &[2, 1], now)?, &document.rekor_tlog_config)?;
        let stampers = select(usable(&document.tsa_urls, &[1], now)?, &document.tsa_config)?;
        ensure!(!logs.is_empty(), "the signing config has no log that is valid now");
        let version = |service: Service| {
            let version = if service.major_api_version == 2 { LogVersion::V2 } else { LogVersion::V1 };
            (service.url, version)
        };
        let logs: Vec<_> = logs.into_iter().map(version).collect();
        let timeless = logs.iter().all(|(_, version)| *version == LogVersion::V2);
        ensure!(!stampers.is_empty() || !timeless, "Rekor v2 establishes no time: the signing config needs tsaUrls");
        Ok(Self {
            certificate_authority: authority.url.clone(),
            timestamp_authorities: stampers.into_iter().map(|service| service.url).collect(),
            logs,
        })
    }
}

/// Those that are valid now, of the first of these versions that any has, one of each operator.
fn usable(services: &[Service], versions: &[u32], now: Timestamp) -> anyhow::Result<Vec<Service>> {
    ensure!(services.len() <= MAX_SERVICES, "the signing config has more than {MAX_SERVICES} services of a kind");
    let valid = |service: &Service| {
        let Some(window) = &service.valid_for else { return Some(true) };
        let started = Timestamp::parse_rfc3339(&window.start)? <= now;
        let ended = window.end.as_deref().map(|end| Timestamp::parse_rfc3339(end).map(|end| end < now));
        Some(started && !ended.unwrap_or(Some(false))?)
    };
    let mut found = Vec::<Service>::new();
    for version in versions {
        for service in services.iter().filter(|service| service.major_api_version == *version) {
            let valid = valid(service).with_context(|| format!("the window of {} is not in RFC 3339", service.url))?;
            let other = found.iter().all(|known| known.operator.is_empty() || known.operator != service.operator);
            if valid && other {
                found.push(service.clone());
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn select(mut services: Vec<Service>, selection: &Selection) -> anyhow::Result<Vec<Service>> {
    match selection.selector.as_str() {
        _ if services.is_empty() => {}
        "ALL" => {}
        "ANY" => services.truncate(1),
        "EXACT" => {
            ensure!(
                selection.count > 0 && selection.count <= services.len(),
                "the signing config requires more services than it lists"
            );
            services.truncate(selection.count);
        }
        other => bail!("the signing config has the selector {other:?}: expected ANY, ALL or EXACT"),
    }
    Ok(services)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(logs: &serde_json::Value, selection: &serde_json::Value) -> Result<Vec<String>, String> {
        let service = |url: &str| json!([{ "url": url, "majorApiVersion": 1, "operator": "x" }]);
        let document = json!({
            "mediaType": MEDIA_TYPE, "caUrls": service("https://ca"), "tsaUrls": service("https://tsa/ts"),
            "rekorTlogUrls": logs, "rekorTlogConfig": selection, "tsaConfig": { "selector": "ANY" },
        });
        let now = Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap();
        let config = SigningConfig::parse(document.to_string().as_bytes(), now).map_err(|error| error.to_string())?;
        Ok(config.logs.into_iter().map(|(url, _)| url).collect())
    }

    #[test]
    fn the_highest_version_that_is_valid_now_is_selected_by_operator() {
        let log = |url: &str, version: u32, operator: &str, start: &str, end: Option<&str>| json!({ "url": url, "majorApiVersion": version, "operator": operator, "validFor": { "start": start, "end": end } });
        let logs = json!([
            log("v1", 1, "a", "2025-01-01T00:00:00Z", None),
            log("old", 2, "a", "2025-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
            log("soon", 2, "a", "2027-01-01T00:00:00Z", None),
            log("now", 2, "a", "2026-01-01T00:00:00Z", None),
            log("same", 2, "a", "2026-01-01T00:00:00Z", None),
            log("other", 2, "b", "2026-01-01T00:00:00Z", None),
        ]);
        assert_eq!(parse(&logs, &json!({ "selector": "ANY" })), Ok(vec!["now".to_owned()]));
        let both = Ok(vec!["now".to_owned(), "other".to_owned()]);
        assert_eq!(parse(&logs, &json!({ "selector": "ALL" })), both);
        assert_eq!(parse(&logs, &json!({ "selector": "EXACT", "count": 2 })), both);
        assert!(parse(&logs, &json!({ "selector": "EXACT", "count": 3 })).is_err());
        assert!(parse(&logs, &json!({ "selector": "SOME" })).unwrap_err().contains("SOME"));
        assert!(parse(&json!([]), &json!({ "selector": "ANY" })).is_err());
    }
}
