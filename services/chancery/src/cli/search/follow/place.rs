//! Which logs are at a URL: those whose checkpoints a trusted key has signed.
//!
//! What a URL leads to is not believed, and neither is what the server says about keys. Each protocol is asked for a checkpoint,
//! and each trusted key is tried on it. The key decides.

use super::{evidence::Evidence, failure::Failure};
use crate::{cli::token_file::ADVICE, output};
use anyhow::{Context as _, anyhow, bail};
use chancery_address::BaseUrl;
use chancery_log_client::{Fetcher, LogIdentity, Protocol, ReadError, RemoteLog, Shard};
use chancery_verify::{
    PublicKey,
    trust_root::{TransparencyLog, TrustRoot},
    verifier_key::{KeyType, VerifierKey},
};
use std::{collections::BTreeSet, fs, path::PathBuf};
use url::Url;

/// Where the files of a Rekor v2 log are on its own host.
const REKOR_V2_PATH: &str = "/api/v2";
/// A key says nothing of the protocol. Tiles come first: they are cheaper for both sides.
const ANY: [Protocol; 4] = [Protocol::RekorV2, Protocol::StaticCt, Protocol::RekorV1, Protocol::Rfc6962];
/// Certificate logs.
const CERTIFICATES: [Protocol; 2] = [Protocol::StaticCt, Protocol::Rfc6962];
/// Logs of signatures.
const SIGNATURES: [Protocol; 2] = [Protocol::RekorV2, Protocol::RekorV1];

/// A key, and what a log that signs with it can be.
pub(super) struct TrustedKey {
    key: PublicKey,
    protocols: Vec<Protocol>,
    /// The first line of its checkpoints, where the key comes with it.
    origin: Option<String>,
}

/// The logs at a URL.
#[derive(Default)]
pub(super) struct Place {
    /// One, or the trees of a Rekor v1 log, the oldest first.
    pub(super) logs: Vec<RemoteLog>,
    /// The numbers of trees whose checkpoints no trusted key has signed.
    pub(super) untrusted: BTreeSet<i64>,
}

/// What is looked for at a URL.
pub(super) struct Wanted<'a> {
    pub(super) url: &'a Url,
    pub(super) protocol: Option<Protocol>,
    pub(super) origin: Option<&'a str>,
}

/// The keys in PEM files, the verifier keys, and the keys that the trust root has for logs at this URL.
pub(super) fn keys(
    url: &Url,
    files: &[PathBuf],
    verifier_keys: &[String],
    root: &TrustRoot,
) -> anyhow::Result<Vec<TrustedKey>> {
    let mut keys = Vec::new();
    for path in files {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let key =
            PublicKey::from_pem(&text).with_context(|| format!("{} is not a public key in PEM", path.display()))?;
        keys.push(TrustedKey { key, protocols: ANY.to_vec(), origin: None });
    }
    for text in verifier_keys {
        let parsed = VerifierKey::parse(text).with_context(|| format!("--vkey {text}"))?;
        let protocols = match parsed.key_type() {
            KeyType::Ed25519 | KeyType::Ecdsa => vec![Protocol::RekorV2],
            KeyType::TreeHead => CERTIFICATES.to_vec(),
            KeyType::Cosignature => bail!("--vkey {text} is the key of a witness, and not of a log"),
        };
        keys.push(TrustedKey { key: parsed.key().clone(), protocols, origin: Some(parsed.name().to_string()) });
    }
    let logs =
        root.logs().iter().map(|log| (log, SIGNATURES)).chain(root.ct_logs().iter().map(|log| (log, CERTIFICATES)));
    for (log, protocols) in logs.filter(|(log, _)| is_at(url, log.url())) {
        keys.push(TrustedKey { key: log.key().clone(), protocols: protocols.to_vec(), origin: None });
    }
    if keys.is_empty() {
        return Err(none_given(url, root));
    }
    Ok(keys)
}

fn none_given(url: &Url, root: &TrustRoot) -> anyhow::Error {
    let known: Vec<&str> = root.logs().iter().chain(root.ct_logs()).map(TransparencyLog::url).collect();
    if known.is_empty() {
        anyhow!("no key of the log is given: add --key FILE, --vkey VKEY, --trusted-root FILE or --trust DIR")
    } else {
        let known = known.join(", ");
        anyhow!("the trust root has no log at {url}; it has {known}. Give another URL, or the key with --key FILE")
    }
}

/// Whether a trust root means this place: the same URL in its one spelling, with or without the path of a Rekor v2 log. Its URL
/// may lack the scheme.
fn is_at(url: &Url, trusted: &str) -> bool {
    let place = |text: &str| {
        let base = BaseUrl::parse(text).ok()?.to_string();
        Some(base.strip_suffix(REKOR_V2_PATH).unwrap_or(&base).to_owned())
    };
    let has_scheme = trusted.contains("://");
    let trusted = if has_scheme { trusted.to_owned() } else { format!("{}://{trusted}", url.scheme()) };
    place(&trusted).is_some_and(|trusted| place(url.as_str()) == Some(trusted))
}

/// The logs at a URL: one, or the trees of a Rekor v1 log.
pub(super) async fn find(wanted: &Wanted<'_>, keys: &[TrustedKey], fetcher: &Fetcher) -> Result<Place, Failure> {
    let (mut found, mut reasons): (Vec<RemoteLog>, Vec<ReadError>) = (Vec::new(), Vec::new());
    for key in keys {
        match signed_by(wanted, key, fetcher, &mut reasons).await? {
            Some(log) if found.iter().all(|other| other.origin() != log.origin()) => found.push(log),
            _ => {}
        }
    }
    let mut found = found.into_iter();
    let Some(log) = found.next() else { return Err(not_found(wanted.url, &reasons, fetcher.has_token())) };
    let protocol = log.identity().protocol;
    if let Some(other) = found.next() {
        let other = other.identity().protocol;
        return Err(anyhow!(
            "several logs at {} are trusted: choose one with --protocol ({protocol} or {other}) or --origin",
            wanted.url
        )
        .into());
    }
    if protocol == Protocol::RekorV1 && wanted.origin.is_none() {
        return with_earlier_trees(log, keys, fetcher).await;
    }
    Ok(Place { logs: vec![log], untrusted: BTreeSet::new() })
}

/// The log at the URL whose checkpoint `key` has signed, in the first protocol in which there is one.
async fn signed_by(
    wanted: &Wanted<'_>,
    key: &TrustedKey,
    fetcher: &Fetcher,
    reasons: &mut Vec<ReadError>,
) -> Result<Option<RemoteLog>, Failure> {
    let origin = wanted.origin.map(str::to_owned).or_else(|| key.origin.clone());
    for protocol in key.protocols.iter().filter(|protocol| wanted.protocol.is_none_or(|wanted| wanted == **protocol)) {
        for url in places(*protocol, wanted.url) {
            let identity = LogIdentity { protocol: *protocol, url, key: key.key.clone(), origin: origin.clone() };
            let log = RemoteLog::new(identity, fetcher.clone()).map_err(|error| Failure::Unusable(error.into()))?;
            match log.head().await {
                Ok(_) => return Ok(Some(log)),
                Err(error) if error.is_passing() => return Err(Failure::Unread(error.to_string())),
                Err(error) => reasons.push(error),
            }
        }
    }
    Ok(None)
}

/// Where a log of this protocol may be that has this URL.
fn places(protocol: Protocol, url: &Url) -> Vec<Url> {
    let is_bare = matches!(url.path(), "" | "/");
    let below = url.join(REKOR_V2_PATH).ok().filter(|_| is_bare && protocol == Protocol::RekorV2);
    below.into_iter().chain([url.clone()]).collect()
}

fn not_found(url: &Url, reasons: &[ReadError], has_token: bool) -> Failure {
    // The server would say the same for every key and protocol.
    if let Some(refused) = reasons.iter().find(|reason| reason.needs_token()) {
        return Failure::Unusable(if has_token { anyhow!("{refused}") } else { anyhow!("{refused}; {ADVICE}") });
    }
    let mut told: Vec<String> = reasons.iter().map(|reason| format!("\n  {reason}")).collect();
    told.dedup();
    let told = told.concat();
    if reasons.iter().any(|reason| matches!(reason, ReadError::Rejected { .. } | ReadError::OtherKey { .. })) {
        let reason = format!("no trusted key has signed the checkpoint of a log at {url}:{told}");
        return Failure::Untrue { reason, evidence: Evidence::default() };
    }
    Failure::Unusable(anyhow!("no log that a trusted key could be of is at {url}:{told}"))
}

/// A Rekor v1 log with the trees before it, the oldest first. Each may have a key of its own.
async fn with_earlier_trees(log: RemoteLog, keys: &[TrustedKey], fetcher: &Fetcher) -> Result<Place, Failure> {
    let known = log.origin().map(str::to_owned).into_iter().collect();
    let mut place = other_trees(&log, known, keys, fetcher).await?;
    for tree in &place.untrusted {
        output::note(&untrusted(*tree));
    }
    place.logs.push(log);
    Ok(place)
}

/// The trees at the URL of `log` whose checkpoints do not begin with one of `known`.
pub(super) async fn other_trees(
    log: &RemoteLog,
    mut known: BTreeSet<String>,
    keys: &[TrustedKey],
    fetcher: &Fetcher,
) -> Result<Place, Failure> {
    let shards = log.shards().await.map_err(|error| Failure::Unread(error.to_string()))?;
    let mut place = Place::default();
    for shard in &shards {
        if shard.origin().is_some_and(|origin| known.contains(origin)) {
            continue;
        }
        match trusted_tree(log, shard, keys, fetcher)? {
            Some(tree) => {
                // A server may list a tree twice.
                known.extend(shard.origin().map(str::to_owned));
                place.logs.push(tree);
            }
            None => {
                place.untrusted.insert(shard.tree_id);
            }
        }
    }
    Ok(place)
}

/// A tree, if a trusted key has signed its checkpoint.
fn trusted_tree(
    log: &RemoteLog,
    shard: &Shard,
    keys: &[TrustedKey],
    fetcher: &Fetcher,
) -> Result<Option<RemoteLog>, Failure> {
    for key in keys.iter().filter(|key| key.protocols.contains(&Protocol::RekorV1)) {
        let origin = shard.origin().map(str::to_owned);
        let identity = LogIdentity { key: key.key.clone(), origin, ..log.identity().clone() };
        let tree = RemoteLog::new(identity, fetcher.clone()).map_err(|error| Failure::Unusable(error.into()))?;
        if tree.open_checkpoint(&shard.unverified_checkpoint).is_ok() {
            return Ok(Some(tree));
        }
    }
    Ok(None)
}

/// The note about a tree that is not followed.
pub(super) fn untrusted(tree_id: i64) -> String {
    format!(
        "note: the tree {tree_id} is not followed: no trusted key has signed its checkpoint. Add its key with --key, or give a \
         trust root that has it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_root_means_a_place_and_not_a_spelling() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (one, trusted) in [
            ("https://rekor.example", "https://rekor.example/"),
            ("https://rekor.example/", "rekor.example"),
            ("https://rekor.example:443/api/v2", "https://rekor.example"),
            ("http://127.0.0.1:8080/ct/dev/", "http://127.0.0.1:8080/ct/dev"),
            ("http://127.0.0.1:8080/ct/dev/", "127.0.0.1:8080/ct/dev"),
            ("https://rekor.example.", "https://Rekor.Example:443//"),
            ("https://bücher.example", "xn--bcher-kva.example/api/v2"),
        ] {
            assert!(is_at(&url(one), trusted), "{one} {trusted}");
        }
        for (one, trusted) in [
            ("https://rekor.example", "https://rekor.example.net"),
            ("https://rekor.example/a", "https://rekor.example"),
            ("https://rekor.example", "https://rekor.example:8443"),
            ("https://rekor.example", ""),
            ("https://rekor.example", "https://rekor.example?log=2"),
        ] {
            assert!(!is_at(&url(one), trusted), "{one} {trusted}");
        }
    }

    #[test]
    fn a_rekor_v2_log_is_looked_for_below_its_host_first() {
        let places = |protocol, text: &str| {
            let urls = places(protocol, &Url::parse(text).unwrap());
            urls.iter().map(Url::to_string).collect::<Vec<_>>()
        };
        let both = ["https://log.example/api/v2", "https://log.example/"];
        assert_eq!(places(Protocol::RekorV2, "https://log.example"), both);
        assert_eq!(places(Protocol::RekorV2, "https://log.example/copy"), ["https://log.example/copy"]);
        assert_eq!(places(Protocol::RekorV1, "https://log.example"), ["https://log.example/"]);
    }
}
