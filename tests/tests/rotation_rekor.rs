//! The Rekor v1 log's key is changed while clients sign: a new shard takes the entries, and clients see one log with one index.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, Person, Stack,
    client::Signer,
    http::Request,
    key::{Key, PublicKey, sha256, unique},
    postgres,
    program::Program,
    rekor::{ENTRIES, Entry, hashedrekord},
    rotation::{Load, Rotated, hand_over, sign, trusted, under_load, verify},
    stack::free_port,
    waiting::eventually,
};
use chancery_verify::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Mutex,
    thread,
    time::{Duration, SystemTime},
};

/// The keys of the signature logs in this trusted root, by the ids their entries carry.
fn keys(root: &Value) -> BTreeMap<String, PublicKey> {
    let key = |log: &Value| STANDARD.decode(log["publicKey"]["rawBytes"].as_str().unwrap()).unwrap();
    let keys = root["tlogs"].as_array().unwrap().iter().map(key);
    keys.map(|der| (hex::encode(sha256(&der)), PublicKey::from_der(&der))).collect()
}

/// The shards in the trusted root on disk, the one that is used first.
fn shards(stack: &Stack) -> Vec<Value> {
    let logs = trusted(stack, "tlogs").into_iter();
    logs.filter(|log| log["checkpointKeyId"].is_null()).collect()
}

/// Sends entries while `work` is done, to one of `urls` after the other. Whose signature is on an answer must have been in the
/// trusted root that was fetched before the request; everything in it is checked, and that it can be read from all at once.
fn logging_under_load(urls: &[String], entries: &Mutex<Vec<Entry>>, work: impl FnOnce()) -> Load {
    let key = Key::generate();
    let get = |url: &str, path: &str| Request::get(&format!("{url}{path}")).send().expect(200).json();
    let ask = || {
        let number = entries.lock().unwrap().len();
        let url = &urls[number % urls.len()];
        let known = keys(&get(url, "/trust/trusted_root.json"));
        let proposal = hashedrekord(&key, unique("artifact").as_bytes());
        let answer = match Request::post(&format!("{url}{ENTRIES}")).json(&proposal).try_send() {
            Ok(answer) if answer.status == 201 => answer.json(),
            Ok(answer) => return Err(format!("{} {}", answer.status, answer.text())),
            Err(error) => return Err(error.to_string()),
        };
        let (entry, body) = (Entry::parse(&answer), answer.as_object().unwrap().values().next().unwrap().clone());
        let id = body["logID"].as_str().unwrap().to_owned();
        let shard = known.get(&id).ok_or_else(|| "a shard that was not published".to_owned())?;
        entry.verify(shard);
        assert_ne!(body["verification"]["inclusionProof"]["logIndex"], 0, "a client's entry is never leaf 0");
        for url in urls {
            for path in
                [format!("?logIndex={}", entry.log_index()), format!("/{}", entry.id), format!("/{}", &entry.id[16..])]
            {
                let read = Entry::parse(&get(url, &format!("{ENTRIES}{path}")));
                assert_eq!((&read.id, read.log_index()), (&entry.id, entry.log_index()), "{url}{path}");
                read.verify(shard);
            }
        }
        entries.lock().unwrap().push(entry);
        Ok(id)
    };
    under_load(ask, work)
}

/// No index was given twice.
fn are_distinct(entries: &[Entry]) {
    let indices: BTreeSet<u64> = entries.iter().map(Entry::log_index).collect();
    assert_eq!(indices.len(), entries.len());
}

fn info(stack: &Stack) -> Value {
    stack.get("/api/v1/log").expect(200).json()
}

/// rekor-cli remembers the tree it saw last, and demands that the log of now extends it, whichever shard that is in.
fn rekor_cli_is_content(alice: &Person, entries: &[Entry]) {
    let said = alice.rekor_cli().arg("loginfo").run().succeeds();
    assert!(said.contains("Verification Successful!"), "{said}");
    for entry in [entries.first().unwrap(), entries.last().unwrap()] {
        for which in [format!("--uuid {}", entry.id), format!("--log-index {}", entry.log_index())] {
            let shown = alice.rekor_cli().args("get --format json").args(&which).run().succeeds();
            let shown: Value = serde_json::from_str(&shown).unwrap();
            let named = (&shown["UUID"], &shown["LogIndex"]);
            assert_eq!(named, (&entry.id.clone().into(), &entry.log_index().into()), "{shown}");
            alice.rekor_cli().arg("verify").args(&which).run().succeeds();
        }
    }
}

/// `chancery log check` from outside, with what is published.
fn check_from_outside(stack: &Stack, url: &str, options: &str) -> String {
    let program = stack.chancery().args("log check --url").arg(url).arg("--trust");
    program.arg(stack.trust("trusted_root.json")).args(options).run().succeeds()
}

/// What is copied of three shards is all of them.
fn copies_are_complete(stack: &Stack, copy: &Path) {
    let address = format!("127.0.0.1:{}", free_port());
    let (host, port) = address.split_once(':').unwrap();
    let server = Program::new("/usr/bin/env", copy).env("PATH", std::env::var_os("PATH").unwrap());
    let server = server.args("python3 -m http.server --bind").arg(host).arg(port).start();
    let up = || Request::get(&format!("http://{address}/")).try_send().is_ok();
    eventually("the copies are served", up);
    let places = "--path rekor=/rekor rekor2=/rekor2 ct=/ct";
    let said = check_from_outside(stack, &format!("http://{address}"), places);
    assert_eq!(said.lines().filter(|line| line.starts_with("127.0.0.1 - ")).count(), 3, "{said}");
    drop(server);
}

#[test]
fn a_rotation_under_load_fails_nobody() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let copy = tempfile::tempdir().unwrap();
    let tiles = format!("file://{}", copy.path().display());
    let mut stack = Stack::start_with(&["--default-rekor", "v1", "--metrics", &metrics, "--tiles", &tiles]);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = sign(&alice, "before", &Client::ALL);
    let entries = Mutex::new(Vec::new());
    let first = info(&stack);
    assert!(first["inactiveShards"].is_null(), "{first}");
    let load = {
        let rotated = Rotated::of(&stack, "rekor");
        logging_under_load(&[stack.url()], &entries, || {
            eventually("entries come in", || entries.lock().unwrap().len() > 3);
            rekor_cli_is_content(&alice, &entries.lock().unwrap().clone());
            let said = rotated.step("stage").succeeds();
            assert!(said.contains("generation 2 is staged") && said.contains("it is published"), "{said}");
            assert_eq!((shards(&stack).len(), &info(&stack)["treeID"]), (2, &first["treeID"]));
            bundles.extend(sign(&alice, "staged", &Client::ALL));
            let staged = stack.get("/tlog/rekor-2/checkpoint").expect(200).text();
            assert_eq!(staged.lines().nth(1), Some("0"), "what is staged takes nothing");
            rotated.step("activate").fails_with(&["may be activated from 20"]);
            rotated.step("activate --overlap 0s").succeeds();
            bundles.extend(sign(&alice, "activated", &Client::ALL));
            rekor_cli_is_content(&alice, &entries.lock().unwrap().clone());
            rotated.step("retire").succeeds();
            eventually("the retired key has an end", || shards(&stack)[1]["publicKey"]["validFor"]["end"].is_string());
            bundles.extend(sign(&alice, "retired", &Client::ALL));
        })
    };
    load.failed_nobody(50, 2);
    let entries = entries.into_inner().unwrap();
    are_distinct(&entries);
    verify(&alice, &bundles);
    is_one_log(&stack, &alice, &entries, &first);
    let page = Request::get(&format!("http://{metrics}/metrics")).send().expect(200).text();
    for line in ["chancery_log_size{log=\"rekor-2\"}", "chancery_log_state{log=\"rekor-2\",state=\"active\"} 1"] {
        assert!(page.contains(line), "{line}: {page}");
    }
    check_from_outside(&stack, &stack.url(), "");

    // Across a restart, and once more.
    let files = stack.trust_files();
    stack.kill();
    stack.resume();
    assert_eq!(stack.trust_files(), files);
    bundles.extend(sign(&alice, "restarted", &Client::ALL));
    let rotated = Rotated::of(&stack, "rekor");
    assert_eq!(rotated.states(), ["retired", "active"]);
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    bundles.extend(sign(&alice, "third", &Client::ALL));
    assert_eq!(info(&stack)["inactiveShards"].as_array().unwrap().len(), 2);
    verify(&alice, &bundles);
    stack.terminate();
    copies_are_complete(&stack, copy.path());
    stack.check();
}

/// What is asked of the log as a whole, or of a shard by the number of its tree.
fn is_one_log(stack: &Stack, alice: &Person, entries: &[Entry], first: &Value) {
    let now = info(stack);
    let [old] = now["inactiveShards"].as_array().unwrap().as_slice() else { panic!("{now}") };
    assert_eq!(old["treeID"], first["treeID"]);
    let (before, after) = (old["treeSize"].as_u64().unwrap(), now["treeSize"].as_u64().unwrap());
    // One index over both, without a gap; nothing behind its end.
    for index in [1, before - 1, before, before + 1, before + after - 1] {
        let entry = Entry::parse(&stack.get(&format!("{ENTRIES}?logIndex={index}")).expect(200).json());
        assert_eq!(entry.log_index(), index);
        let tree = if index < before { &old["treeID"] } else { &now["treeID"] };
        let number = i64::from_str_radix(&entry.id[..16], 16).unwrap();
        assert_eq!(tree, number.to_string().as_str());
    }
    assert_eq!(stack.get(&format!("{ENTRIES}?logIndex={}", before + after)).status, 404);
    let of_both = json!({
        "logIndexes": [before - 1, before + 1], "entryUUIDs": [entries[0].id, &entries[entries.len() - 1].id[16..]],
    });
    let found = stack.post(&format!("{ENTRIES}/retrieve"), &of_both).expect(200).json();
    assert_eq!(found.as_array().unwrap().len(), 4);
    for (tree, size) in [(&old["treeID"], before), (&now["treeID"], after)] {
        let tree = tree.as_str().unwrap();
        let proof = format!("/api/v1/log/proof?firstSize=2&lastSize={size}&treeID={tree}");
        assert!(!stack.get(&proof).expect(200).json()["hashes"].as_array().unwrap().is_empty());
        let pem = stack.get(&format!("/api/v1/log/publicKey?treeID={tree}")).expect(200).text();
        let is_current = pem == fs::read_to_string(stack.trust("rekor.pub")).unwrap();
        assert_eq!(is_current, size == after);
    }
    assert_eq!(stack.get("/api/v1/log/publicKey?treeID=1").status, 400);
    for (path, tree) in [("rekor", &old["treeID"]), ("rekor-2", &now["treeID"])] {
        let checkpoint = stack.get(&format!("/tlog/{path}/checkpoint")).expect(200).text();
        assert!(checkpoint.starts_with(&format!("127.0.0.1 - {}\n", tree.as_str().unwrap())), "{checkpoint}");
        assert_eq!(stack.get(&format!("/tlog/{path}/nothing")).status, 404);
    }
    assert_eq!(stack.get("/tlog/rekor-3/checkpoint").status, 404);
    rekor_cli_is_content(alice, entries);
}

#[test]
fn what_a_stolen_key_signs_later_does_not_count() {
    let stack = Stack::start_with(&["--default-rekor", "v1"]);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "in-time.json").run().succeeds();
    thread::sleep(Duration::from_secs(2));
    let stolen = Timestamp::from_seconds(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).rfc3339();
    thread::sleep(Duration::from_secs(2));
    Client::Cosign3.sign(&alice, "artifact", "too-late.json").run().succeeds();
    let rotated = Rotated::of(&stack, "rekor");
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    rotated.rotate("retire --end").arg(&stolen).run().succeeds();
    eventually("the end is published", || shards(&stack)[1]["publicKey"]["validFor"]["end"] == stolen.as_str());
    let signer = Signer::of(&alice);
    for client in Client::ALL {
        client.verify(&alice, "artifact", "in-time.json", &signer).run().succeeds();
    }
    for client in [Client::Cosign3, Client::Cosign2] {
        client.verify(&alice, "artifact", "too-late.json", &signer).run().fails_with(&["log"]);
    }
}

#[test]
fn a_shard_that_was_staged_by_mistake_is_given_up() {
    let mut stack = Stack::start_with(&["--default-rekor", "v1"]);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let rotated = Rotated::of(&stack, "rekor");
    rotated.step("stage --kind p384").fails_with(&["P-256"]);
    rotated.step("stage").succeeds();
    rotated.step("abandon").succeeds();
    eventually("what was abandoned is not published", || shards(&stack).len() == 1);
    let mut bundles = sign(&alice, "abandoned", &Client::ALL);
    stack.terminate();
    stack.resume();
    bundles.extend(sign(&alice, "later", &Client::ALL));
    let size = info(&stack)["treeSize"].as_u64().unwrap();
    let rotated = Rotated::of(&stack, "rekor");
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    bundles.extend(sign(&alice, "switched", &Client::ALL));
    // It is in no index.
    let inactive = info(&stack)["inactiveShards"].as_array().unwrap().clone();
    assert_eq!((inactive.len(), inactive[0]["treeSize"].as_u64()), (1, Some(size)));
    Entry::parse(&stack.get(&format!("{ENTRIES}?logIndex={}", size + 1)).expect(200).json());
    verify(&alice, &bundles);
    check_from_outside(&stack, &stack.url(), "");
}

/// A server that is killed anywhere in a switch has made it or not, and goes on with what the ring says.
#[test]
fn a_server_that_is_killed_in_a_switch_goes_on_with_it() {
    let mut stack = Stack::start_with(&["--default-rekor", "v1"]);
    let (key, mut entries) = (Key::generate(), Vec::new());
    let write = |stack: &Stack, entries: &mut Vec<Entry>| {
        let proposal = hashedrekord(&key, unique("artifact").as_bytes());
        if let Ok(answer) = Request::post(&stack.at(ENTRIES)).json(&proposal).try_send()
            && answer.status == 201
        {
            entries.push(Entry::parse(&answer.json()));
        }
    };
    for round in 0..8 {
        Rotated::of(&stack, "rekor").step("stage").succeeds();
        write(&stack, &mut entries);
        Rotated::of(&stack, "rekor").step("activate --overlap 0s --wait 0s").succeeds();
        // The server looks once a second.
        let until = std::time::Instant::now() + Duration::from_millis(150 * round);
        while std::time::Instant::now() < until {
            write(&stack, &mut entries);
        }
        stack.kill();
        stack.resume();
        write(&stack, &mut entries);
        let shard = entries.last().unwrap().id[..16].to_owned();
        let now = info(&stack);
        assert_eq!(now["treeID"], i64::from_str_radix(&shard, 16).unwrap().to_string().as_str());
        assert_eq!(now["inactiveShards"].as_array().unwrap().len() as u64, round + 1, "{now}");
        let rotated = Rotated::of(&stack, "rekor");
        eventually("the server says so", || rotated.generations().last().unwrap()["signing"] == true);
        rotated.step("retire").succeeds();
    }
    are_distinct(&entries);
    let known = keys(&stack.get("/trust/trusted_root.json").expect(200).json());
    for entry in &entries {
        let read = stack.get(&format!("{ENTRIES}?logIndex={}", entry.log_index())).expect(200).json();
        let id = read[&entry.id]["logID"].as_str().unwrap().to_owned();
        Entry::parse(&read).verify(&known[&id]);
    }
    check_from_outside(&stack, &stack.url(), "");
    stack.check();
}

#[test]
fn two_replicas_switch_without_knowing_of_each_other() {
    let one = Stack::start_with(&["--default-rekor", "v1", "--database", &postgres::database()]);
    let two = one.replica();
    let alice = one.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = sign(&alice, "before", &Client::ALL);
    let (entries, rotated) = (Mutex::new(Vec::new()), Rotated::of(&one, "rekor"));
    let load = logging_under_load(&[one.url(), two.url()], &entries, || {
        eventually("entries come in", || entries.lock().unwrap().len() > 3);
        rotated.step("stage").succeeds();
        hand_over(&one, &two);
        eventually("both publish it", || shards(&two).len() == 2);
        bundles.extend(sign(&alice, "staged", &Client::ALL));
        rotated.step("activate --overlap 0s").succeeds();
        // The other one has not been told, and does it all the same.
        thread::sleep(Duration::from_secs(3));
        assert_eq!(info(&two)["treeID"], info(&one)["treeID"]);
        let switched = entries.lock().unwrap().len();
        eventually("entries come in", || entries.lock().unwrap().len() > switched + 10);
        bundles.extend(sign(&alice, "activated", &Client::ALL));
        hand_over(&one, &two);
        eventually("both have switched", || Rotated::of(&two, "rekor").states() == ["outgoing", "active"]);
        rotated.step("retire").succeeds();
        hand_over(&one, &two);
        eventually("both publish the end", || shards(&two)[1]["publicKey"]["validFor"]["end"].is_string());
        bundles.extend(sign(&alice, "retired", &Client::ALL));
    });
    load.failed_nobody(50, 2);
    are_distinct(&entries.into_inner().unwrap());
    verify(&alice, &bundles);
    assert_eq!(info(&one)["inactiveShards"][0]["treeSize"], info(&two)["inactiveShards"][0]["treeSize"]);
    for mut replica in [one, two] {
        replica.kill();
        replica.resume();
        assert_eq!(info(&replica)["inactiveShards"].as_array().unwrap().len(), 1);
        replica.check();
    }
}
