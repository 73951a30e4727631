//! The keys that are trusted for each log, read from trust files.

use crate::cli::verify::trusted_root_in;
use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_log::{
    check::{Personality, Published, Subject},
    ct, rekor_v1, rekor_v2,
    series::{self, split},
    store::{LogRecord, Store},
};
use chancery_trust::FileName;
use chancery_verify::{PublicKey, key::KeyKind};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};
use url::Url;

/// Where the files of a Rekor v1 log's first shard are below the base URL.
const REKOR_PATH: &str = "/tlog/rekor";
/// Where a Rekor v2 log's files are below the base URL.
const REKOR_V2_PATH: &str = "/api/v2";
/// Where the CT log is below the base URL, unless the trusted root says otherwise.
const CT_PATH: &str = "/ct/dev";

/// A log to check, and its path below the server's base URL.
#[derive(Clone)]
pub(in crate::cli) struct TrustedLog {
    pub(in crate::cli) published: Published,
    pub(in crate::cli) path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TrustedRoot {
    #[serde(default)]
    tlogs: Vec<LogJson>,
    #[serde(default)]
    ctlogs: Vec<LogJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogJson {
    base_url: String,
    public_key: KeyJson,
    checkpoint_key_id: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyJson {
    raw_bytes: String,
}

/// `LOG=PATH`.
pub(super) fn place(text: &str) -> Result<(String, String), String> {
    let (log, path) = text.split_once('=').ok_or("expected LOG=PATH, for example rekor=/rekor")?;
    let path = path.trim_matches('/');
    let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
    Ok((log.to_owned(), prefix))
}

/// Reads `trusted_root.json`, or a directory with it (that of an instance, too), or with the two PEM files. `places` says of some
/// logs where they are.
pub(super) fn read(path: &Path, places: &[(String, String)]) -> anyhow::Result<Vec<TrustedLog>> {
    let mut logs = if !path.is_dir() {
        read_trusted_root(path)?
    } else if let Some(file) = trusted_root_in(path) {
        read_trusted_root(&file)?
    } else {
        let pem = [(rekor_v1::NAME, FileName::RekorKey), (ct::NAME, FileName::CtKey)];
        let present = pem.into_iter().filter(|(_, file)| path.join(file.as_str()).exists());
        present.map(|(name, file)| from_pem(name, &path.join(file.as_str()))).collect::<anyhow::Result<_>>()?
    };
    anyhow::ensure!(
        !logs.is_empty(),
        "{} contains no key of a log; give trusted_root.json, its directory, or the data directory of an instance with --trust",
        path.display()
    );
    for (name, place) in places {
        let (named, others): (Vec<_>, Vec<_>) = logs.into_iter().partition(|log| log.published.name == *name);
        anyhow::ensure!(!named.is_empty(), "{} contains no key of a log {name}", path.display());
        // Logs of a series are beside one another there.
        let keys = named.into_iter().flat_map(|log| log.published.keys).collect();
        logs = [others, vec![trusted(name, place.clone(), keys)]].concat();
    }
    Ok(logs)
}

/// The log that a name such as `ct-2` means, of those in `source`. Later ones of a series are beside the first, at their numbers.
pub(super) fn choose(logs: &[TrustedLog], name: &str, source: &Path) -> anyhow::Result<TrustedLog> {
    let (series, number) = split(name);
    let mut named = logs.iter().filter(|log| log.published.name == series);
    let Some(first) = named.clone().next() else {
        let known: Vec<String> = logs.iter().map(TrustedLog::name).collect();
        bail!("{} contains no key of a log {name}; it has keys of {}", source.display(), known.join(", "));
    };
    // Rekor v2 logs are told apart by their hosts, unless the caller says where they are.
    if number == 1 || first.path == REKOR_V2_PATH {
        return Ok(first.clone());
    }
    // A trusted root names each certificate log with its own key.
    let exact = named.find(|log| split(&log.path).1 == number).cloned();
    Ok(exact.unwrap_or_else(|| TrustedLog { path: series::name(&first.path, number), ..first.clone() }))
}

/// The names of the other logs among `logs`.
pub(super) fn others(logs: &[TrustedLog], chosen: &TrustedLog) -> Vec<String> {
    let is_other = |log: &&TrustedLog| log.published.name != chosen.published.name || log.path != chosen.path;
    logs.iter().filter(is_other).map(TrustedLog::name).collect()
}

impl TrustedLog {
    /// What the command line calls it.
    fn name(&self) -> String {
        series::name(&self.published.name, split(&self.path).1)
    }
}

/// A log of the instance in `data`, with the keys that are trusted for it. One whose key was staged and abandoned is in no
/// trust file, and has signed nothing but its own checkpoints.
pub(in crate::cli) fn of_instance(data: &Path, name: &str) -> anyhow::Result<TrustedLog> {
    let mut log = trusted_of_instance(data, name)?;
    let path = data.join(format!("keys/{name}.pub"));
    if split(name).1 > 1 && path.exists() {
        log.published.keys.extend(from_pem(name, &path)?.published.keys);
    }
    Ok(log)
}

/// The logs in a database, each with the key by which the trust files in `data` know it.
pub(in crate::cli) async fn subjects(data: &Path, store: &dyn Store) -> anyhow::Result<Vec<Subject>> {
    let records = store.logs().await?.into_iter();
    records.map(|record| subject(&of_instance(data, &record.name)?, record)).collect()
}

/// The log of a record, with its key.
pub(super) fn subject(trusted: &TrustedLog, record: LogRecord) -> anyhow::Result<Subject> {
    let (name, keys) = (record.name.clone(), &trusted.published.keys);
    // Another log's key may be trusted as well, where the instance logs its certificates elsewhere.
    let own = keys.iter().find(|key| key.fingerprint() == record.key_fingerprint);
    let key = own.or(keys.first()).with_context(|| format!("log {name} has no key"))?.clone();
    Subject::new(record, key).with_context(|| format!("log {name}"))
}

fn trusted_of_instance(data: &Path, name: &str) -> anyhow::Result<TrustedLog> {
    let trust = data.join("trust");
    match split(name).0 {
        series @ (rekor_v1::NAME | rekor_v2::NAME | ct::NAME) => {
            let logs = read_trusted_root(&trust.join(FileName::TrustedRoot.as_str()))?;
            let logs = logs.into_iter().filter(|log| log.published.name == series);
            // Its location is not needed.
            Ok(trusted(name, String::new(), logs.flat_map(|log| log.published.keys).collect()))
        }
        name => bail!("log {name} is of an unknown kind"),
    }
}

fn from_pem(name: &str, path: &Path) -> anyhow::Result<TrustedLog> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let key = PublicKey::from_pem(&text).with_context(|| format!("{} is not a public key in PEM", path.display()))?;
    let path = if name == ct::NAME { CT_PATH } else { REKOR_PATH };
    Ok(trusted(name, path.to_owned(), vec![key]))
}

fn read_trusted_root(path: &Path) -> anyhow::Result<Vec<TrustedLog>> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse_trusted_root(&text).with_context(|| format!("{} is not a trusted root", path.display()))
}

/// Rekor logs of one version share one path: shards of version 1 are beside one another there, of version 2 the current one
/// answers. CT logs are where their URLs say.
fn parse_trusted_root(text: &[u8]) -> anyhow::Result<Vec<TrustedLog>> {
    let root: TrustedRoot = serde_json::from_slice(text)?;
    let mut logs = Vec::new();
    let (mut rekor_v1, mut rekor_v2) = (Vec::new(), Vec::new());
    for log in &root.tlogs {
        let key = key(log)?;
        // A trusted root does not say which version a log speaks. Ours name the key of a v2 log's checkpoints, those of
        // others do not, but their v2 logs alone have Ed25519 keys.
        let is_v2 = log.checkpoint_key_id.is_some() || key.kind() == KeyKind::Ed25519;
        if is_v2 { rekor_v2.push(key) } else { rekor_v1.push(key) }
    }
    for (name, path, keys) in [(rekor_v1::NAME, REKOR_PATH, rekor_v1), (rekor_v2::NAME, REKOR_V2_PATH, rekor_v2)] {
        if !keys.is_empty() {
            logs.push(trusted(name, path.to_owned(), keys));
        }
    }
    let mut by_path = BTreeMap::<String, Vec<PublicKey>>::new();
    for log in &root.ctlogs {
        let url = Url::parse(&log.base_url).with_context(|| log.base_url.clone())?;
        by_path.entry(url.path().trim_end_matches('/').to_owned()).or_default().push(key(log)?);
    }
    logs.extend(by_path.into_iter().map(|(path, keys)| trusted(ct::NAME, path, keys)));
    Ok(logs)
}

fn key(log: &LogJson) -> anyhow::Result<PublicKey> {
    let spki = STANDARD.decode(&log.public_key.raw_bytes)?;
    PublicKey::from_spki_der(&spki).with_context(|| format!("the key of {}", log.base_url))
}

fn trusted(name: &str, path: String, keys: Vec<PublicKey>) -> TrustedLog {
    let personality = match split(name).0 {
        ct::NAME => Personality::Ct,
        rekor_v2::NAME => Personality::RekorV2,
        _ => Personality::RekorV1,
    };
    TrustedLog { published: Published { name: name.to_owned(), keys, personality }, path }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPKI: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEiPSlFi0CmFTfEjCUqF9HuCEcYXNKAaYalIJmBZ8yyezPjTqhxrKBpMnaocVtLJBI1eM3uXnQzQGAJdJ4gs9Fyw==";

    #[test]
    fn every_log_of_a_trusted_root_is_read_with_its_path() {
        let log = |url: &str| format!(r#"{{"baseUrl":"{url}","publicKey":{{"rawBytes":"{SPKI}"}}}}"#);
        let [one, two, old] = ["https://a.example/ct/2026", "https://a.example/ct/2027", "https://b.example"].map(log);
        let new = old.replacen('{', r#"{"checkpointKeyId":{"keyId":"AAAA"},"#, 1);
        let ed25519 = old.replace(SPKI, "MCowBQYDK2VwAyEAPn+AREHoBaZ7wgS1zBqpxmLSGnyhxXj4lFxSdWVB8o8=");
        let root =
            format!(r#"{{"tlogs":[{old},{new},{ed25519},{old}],"ctlogs":[{one},{two}],"certificateAuthorities":[]}}"#);
        let logs = parse_trusted_root(root.as_bytes()).unwrap();
        let found: Vec<_> =
            logs.iter().map(|log| (log.published.name.as_str(), log.path.as_str(), log.published.keys.len())).collect();
        let expected =
            [("rekor", "/tlog/rekor", 2), ("rekor2", "/api/v2", 2), ("ct", "/ct/2026", 1), ("ct", "/ct/2027", 1)];
        assert_eq!(found, expected);
        for bad in ["", "{", r#"{"tlogs":[{"baseUrl":"x"}]}"#, &root.replace("MFkw", "MFkx")] {
            assert!(parse_trusted_root(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_directory_is_that_of_trust_files_or_of_an_instance() {
        let directory = tempfile::tempdir().unwrap();
        let empty = read(directory.path(), &[]).map(|_| ()).unwrap_err().to_string();
        assert!(empty.ends_with("or the data directory of an instance with --trust"), "{empty}");
        let log = format!(r#"{{"baseUrl":"https://a.example","publicKey":{{"rawBytes":"{SPKI}"}}}}"#);
        let trust = directory.path().join("trust");
        fs::create_dir(&trust).unwrap();
        fs::write(trust.join("trusted_root.json"), format!(r#"{{"tlogs":[{log}]}}"#)).unwrap();
        let file = trust.join("trusted_root.json");
        for path in [directory.path(), trust.as_path(), file.as_path()] {
            let names: Vec<String> = read(path, &[]).unwrap().iter().map(TrustedLog::name).collect();
            assert_eq!(names, ["rekor"], "{}", path.display());
        }
    }

    #[test]
    fn a_name_leads_to_the_log_whose_key_it_has() {
        let key =
            |byte: u8| vec![PublicKey::from_spki_der(&STANDARD.decode(SPKI).unwrap()).unwrap(); usize::from(byte)];
        // As many keys as tell them apart.
        let ct = |path: &str, keys| trusted(ct::NAME, path.to_owned(), key(keys));
        let rekor = trusted(rekor_v1::NAME, REKOR_PATH.to_owned(), key(3));
        let rekor2 = trusted(rekor_v2::NAME, REKOR_V2_PATH.to_owned(), key(4));
        let logs = [rekor, rekor2, ct("/ct/dev", 1), ct("/ct/dev-2", 2)];
        let chosen = |name: &str| {
            let log = choose(&logs, name, Path::new("trusted_root.json")).unwrap();
            (log.path, log.published.keys.len())
        };
        for (name, path, keys) in [
            ("ct", "/ct/dev", 1),
            ("ct-2", "/ct/dev-2", 2),
            ("ct-3", "/ct/dev-3", 1),
            ("rekor", "/tlog/rekor", 3),
            ("rekor-2", "/tlog/rekor-2", 3),
            ("rekor2", "/api/v2", 4),
            ("rekor2-2", "/api/v2", 4),
        ] {
            assert_eq!(chosen(name), (path.to_owned(), keys), "{name}");
        }
        assert_eq!(others(&logs, &logs[2]), ["rekor", "rekor2", "ct-2"]);
        let unknown = choose(&logs[..1], "ct", Path::new("t.json")).map(|_| ()).unwrap_err().to_string();
        assert_eq!(unknown, "t.json contains no key of a log ct; it has keys of rekor");
        // A log of others may have any path.
        let elsewhere = choose(&[ct("/ct/test-7", 1)], "ct", Path::new("t.json")).unwrap();
        assert_eq!(elsewhere.path, "/ct/test-7");
    }
}
