//! Attacks by files handed to us, or by changes of the directory (S-37).

use super::*;
use crate::tuf::{
    metadata::{FileFacts, listed_targets},
    offline,
};
use serde_json::{Value, json};

/// Changes a document, as an attacker with an editor would.
fn edited(document: &Metadata, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(&document.to_bytes()).unwrap();
    change(&mut value);
    value.to_string().into_bytes()
}

#[tokio::test]
async fn impossible_roots_are_not_read() {
    let setting = Setting::new().await;
    let root = setting.read().metadata(Role::Root).clone();
    let parse = |change: &dyn Fn(&mut Value)| {
        let bytes = edited(&root, |value| change(value));
        Metadata::parse(&bytes).and_then(|metadata| Root::parse(&metadata)).unwrap_err()
    };
    let id = setting.read().root().root.keys.keys().next().unwrap().clone();
    assert_eq!(
        parse(&|value| value["signed"]["roles"]["root"]["threshold"] = json!(0)),
        InvalidMetadata::ImpossibleThreshold { threshold: 0, keys: 1 }
    );
    assert_eq!(
        parse(&|value| value["signed"]["roles"]["root"]["threshold"] = json!(2)),
        InvalidMetadata::ImpossibleThreshold { threshold: 2, keys: 1 }
    );
    for threshold in [json!(-1), json!(1.5), json!("1"), json!(null), json!(u64::MAX)] {
        parse(&|value| value["signed"]["roles"]["root"]["threshold"] = threshold.clone());
    }
    // One key that would count twice: listed twice, under two names, or in two spellings.
    assert_eq!(
        parse(&|value| {
            value["signed"]["roles"]["root"] = json!({"keyids": [id, id], "threshold": 2});
        }),
        InvalidMetadata::KeyId { key_id: id.clone() }
    );
    parse(&|value| {
        let key = value["signed"]["keys"][&id].clone();
        value["signed"]["keys"]["0".repeat(64)] = key;
    });
    parse(&|value| {
        let mut key = value["signed"]["keys"][&id].clone();
        key["keyval"]["public"] = format!("{}\n", key["keyval"]["public"].as_str().unwrap()).into();
        let other = hex::encode(chancery_verify::hash::sha256(&canonical::encode(&key).unwrap()));
        value["signed"]["keys"][other] = key;
    });
    parse(&|value| value["signed"]["consistent_snapshot"] = json!(false));
    parse(&|value| value["signed"]["roles"]["mirrors"] = json!({"keyids": [id], "threshold": 1}));
    parse(&|value| {
        value["signed"]["roles"].as_object_mut().unwrap().remove("timestamp");
    });
    let twice = edited(&root, |value| {
        let signature = value["signatures"][0].clone();
        value["signatures"].as_array_mut().unwrap().push(signature);
    });
    assert_eq!(Metadata::parse(&twice), Err(InvalidMetadata::SignedTwice { key_id: id }));
}

#[tokio::test]
async fn targets_lead_nowhere_and_are_here() {
    let setting = Setting::new().await;
    let key = setting.keys.take_away(Role::Targets).remove(0);
    let draft = setting.publisher.draft(&setting.read(), Role::Targets, start()).unwrap();
    let before = files(setting.directory.path());
    let facts = json!({"length": 1, "hashes": {"sha256": "0".repeat(64)}});
    for (name, facts, said) in [
        ("../x", facts.clone(), "not a plain file name"),
        ("a/../../x", facts.clone(), "not a plain file name"),
        ("absent", facts, "is not the one in targets"),
        ("x", json!({"length": 1, "hashes": {"sha256": "../../../etc/passwd"}}), "`hashes`"),
        ("x", json!({"length": 1, "hashes": {"sha256": "0".repeat(64), "sha512": "0".repeat(128)}}), "`hashes`"),
        ("x", json!({"length": -1, "hashes": {"sha256": "0".repeat(64)}}), "`length`"),
    ] {
        let bytes = edited(&draft, |value| value["signed"]["targets"][name] = facts.clone());
        let mut document = Metadata::parse(&bytes).unwrap();
        offline::sign(&mut document, &key).await.unwrap();
        let error = setting.publisher.import(vec![document], start()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{name} {facts}: {error}");
        assert_eq!(files(setting.directory.path()), before);
    }
    // A wrong length, or a wrong hash, of a file that is there.
    let (name, facts) = listed_targets(&draft).unwrap().pop_first().unwrap();
    for facts in [
        FileFacts { length: facts.length + 1, ..facts.clone() },
        FileFacts { sha256: facts.sha256.replace(['0', '1'], "2"), ..facts.clone() },
    ] {
        let entry = Value::Object(facts.members());
        let bytes = edited(&draft, |value| value["signed"]["targets"][name.as_str()] = entry);
        let mut document = Metadata::parse(&bytes).unwrap();
        offline::sign(&mut document, &key).await.unwrap();
        setting.publisher.import(vec![document], start()).await.unwrap_err();
    }
    // The server's own roles are not imported.
    let snapshot = setting.read().metadata(Role::Snapshot).clone();
    let next = edited(&snapshot, |value| value["signed"]["version"] = json!(2));
    let error = setting.publisher.import(vec![Metadata::parse(&next).unwrap()], start()).await.unwrap_err();
    assert!(error.to_string().contains("snapshot"), "{error}");
}

#[tokio::test]
async fn a_directory_that_somebody_has_changed_is_not_served() {
    let setting = Setting::new().await;
    let key = setting.keys.add(Role::Root);
    let now = start().plus_seconds(DAY);
    setting.publisher.replace_keys(Role::Root, RoleKeys::new(&[key], 1).unwrap(), now).await.unwrap();
    setting.publisher.renew(&[Role::Root, Role::Targets], now).await.unwrap();
    assert_eq!(setting.versions(), [3, 2, 2, 2]);
    let whole = files(setting.directory.path());
    let path = |name: &str| setting.directory.path().join(name);
    // No file may be missing or differ by a byte that means something.
    let repository = setting.read();
    let needed: Vec<String> = whole
        .keys()
        .filter(|name| {
            let old = ["1.targets.json", "1.snapshot.json", "lock"].contains(&name.as_str());
            !old && repository.file(name).is_some()
        })
        .cloned()
        .collect();
    assert!(needed.len() >= 10, "{needed:?}");
    for name in &needed {
        // Only a running server, and clients that have seen it, can know about a newest root that is gone.
        if name != "3.root.json" {
            fs::remove_file(path(name)).unwrap();
            read(setting.directory.path()).map(|_| ()).expect_err(name);
        }
        let bytes = &whole[name];
        let mut changed = bytes.clone();
        // In metadata a digit, so that it stays metadata.
        let digit = changed.iter().rposition(u8::is_ascii_digit).unwrap_or(changed.len() / 2);
        changed[digit] = if changed[digit] == b'7' { b'8' } else { b'7' };
        fs::write(path(name), changed).unwrap();
        read(setting.directory.path()).map(|_| ()).expect_err(name);
        fs::write(path(name), bytes).unwrap();
    }
    // Rolled back: an old timestamp, or an old snapshot in the place of the new one.
    fs::write(path("2.snapshot.json"), &whole["1.snapshot.json"]).unwrap();
    read(setting.directory.path()).unwrap_err();
    fs::write(path("2.snapshot.json"), &whole["2.snapshot.json"]).unwrap();
    fs::write(path("3.root.json"), &whole["2.root.json"]).unwrap();
    read(setting.directory.path()).unwrap_err();
    fs::write(path("3.root.json"), &whole["3.root.json"]).unwrap();
    assert_accepted(&setting.read(), now);
}

#[tokio::test]
async fn a_running_server_takes_nothing_back() {
    let setting = Setting::new().await;
    let old = files(setting.directory.path());
    setting.publisher.renew(&[Role::Timestamp], start()).await.unwrap();
    let clock = Arc::new(FixedClock::new(start()));
    let service = service(&setting, &example(), &clock).await;
    let (stop, stopping) = chancery_daemon::shutdown::channel();
    let running = tokio::spawn(Arc::clone(&service).run(stopping));
    fs::write(setting.directory.path().join("timestamp.json"), &old["timestamp.json"]).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(service.repository().metadata(Role::Timestamp).version, 2);
    stop.stop();
    running.await.unwrap();
}
