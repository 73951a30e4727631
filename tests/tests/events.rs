//! Events about new entries: a receiver that is slow, fails, hangs or is away is told of every entry in order, by one of several
//! servers, whenever one of them is killed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, Stack,
    http::Request,
    key::{Key, PublicKey, unique},
    postgres,
    receiver::{Answer, Receiver, Told},
    rekor::{self, ENTRIES},
    rekor_v2,
    stack::free_port,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs, thread,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(30);

/// A server that tells `receiver`, and has begun to.
fn telling(receiver: &Receiver, options: &[&str]) -> Stack {
    let stack = Stack::start_with(&[&["--events", &receiver.url()][..], options].concat());
    wait_until_ready(&stack, "rekor events ok");
    wait_until_ready(&stack, "rekor2 events ok");
    stack
}

/// Waits for a line of `/readyz?verbose`.
#[track_caller]
fn wait_until_ready(stack: &Stack, text: &str) {
    let begun = Instant::now();
    loop {
        let answer = stack.get("/readyz?verbose").expect(200).text();
        if answer.contains(text) {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "{text}: {answer}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Logs so many artifacts in Rekor v1; returns the ids of the entries.
fn log(stack: &Stack, key: &Key, count: usize) -> Vec<String> {
    let log = |_| {
        let proposal = rekor::hashedrekord(key, unique("artifact").as_bytes());
        rekor::Entry::parse(&stack.post(ENTRIES, &proposal).expect(201).json()).id
    };
    (0..count).map(log).collect()
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

/// Ids that were taken, each where it came first.
fn first_ids(receiver: &Receiver) -> Vec<String> {
    let mut seen = BTreeSet::new();
    ids(&receiver.events()).into_iter().filter(|id| seen.insert(id.clone())).collect()
}

/// The entry in an event, in protobuf's JSON.
fn data(event: &Value) -> Value {
    serde_json::from_str(event["data"].as_str().expect("a text, as upstream has it")).unwrap()
}

/// The entry of an event of Rekor v1, as the log's API has it.
fn entry(event: &Value) -> rekor::Entry {
    let data = data(event);
    let number = |place: &str| data.pointer(place).map_or(0, |number| number.as_str().unwrap().parse::<u64>().unwrap());
    let hexadecimal = |value: &Value| hex::encode(STANDARD.decode(value.as_str().unwrap()).unwrap());
    let proof = &data["inclusionProof"];
    let hashes = proof.get("hashes").and_then(Value::as_array).into_iter().flatten();
    let value = json!({
        "body": data["canonicalizedBody"],
        "integratedTime": number("/integratedTime"),
        "logID": hexadecimal(&data["logId"]["keyId"]),
        "logIndex": number("/logIndex"),
        "verification": {
            "inclusionProof": {
                "checkpoint": proof["checkpoint"]["envelope"],
                "hashes": hashes.map(hexadecimal).collect::<Vec<_>>(),
                "logIndex": number("/inclusionProof/logIndex"),
                "rootHash": hexadecimal(&proof["rootHash"]),
                "treeSize": number("/inclusionProof/treeSize"),
            },
            "signedEntryTimestamp": data["inclusionPromise"]["signedEntryTimestamp"],
        },
    });
    rekor::Entry::parse(&json!({ (event["id"].as_str().unwrap()): value }))
}

/// Alice signs with a certificate into Rekor v1, and a key into both logs.
#[test]
fn an_event_says_what_the_log_says_and_proves_it() {
    let receiver = Receiver::start();
    let stack = telling(&receiver, &[]);
    let (alice, key) = (stack.person(ALICE), Key::generate());
    alice.write("artifact", "hello");
    Client::Cosign2.sign(&alice, "artifact", "bundle.json").run().succeeds();
    let ids = log(&stack, &key, 3);
    let request = rekor_v2::hashedrekord(&key, b"artifact");
    let second = rekor_v2::Entry(stack.post(rekor_v2::ENTRIES, &request).expect(201).json());
    receiver.wait_for(&ids);
    receiver.wait(|told| told.len() == 5);
    let head = &receiver.told()[0].head;
    assert!(head.starts_with("POST /events HTTP/1.1"), "{head}");
    assert!(head.contains("content-type: application/cloudevents+json; charset=utf-8"), "{head}");
    let (v1, v2): (Vec<Value>, Vec<Value>) =
        receiver.events().into_iter().partition(|event| event["id"].as_str().unwrap().len() == 80);
    let rekor = PublicKey::from_pem(&fs::read_to_string(stack.trust("rekor.pub")).unwrap());
    for (place, event) in v1.iter().enumerate() {
        let entry = entry(event);
        entry.verify(&rekor);
        let logged = stack.get(&format!("{ENTRIES}/{}", entry.id)).expect(200).json();
        let logged = rekor::Entry::parse(&logged);
        assert_eq!((logged.body(), logged.log_index()), (entry.body(), entry.log_index()));
        let expected = json!({
            "data": event["data"], "datacontenttype": "application/json", "id": entry.id, "source": "/createLogEntry",
            "rekor_entry_kind": "hashedrekord", "rekor_signing_subjects": if place == 0 { ALICE } else { "" },
            "specversion": "1.0", "time": event["time"], "type": "dev.sigstore.rekor.events.v1.NewEntry",
        });
        assert_eq!(*event, expected);
        let time = chancery_verify::Timestamp::from_seconds(entry.integrated_time()).rfc3339();
        assert_eq!(event["time"], time);
        assert_eq!(data(event)["kindVersion"], json!({"kind": "hashedrekord", "version": "0.0.1"}));
    }
    let indices: Vec<u64> = v1.iter().map(|event| entry(event).log_index()).collect();
    assert!(indices.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{indices:?}");
    // Of Rekor v2, what says nothing is left out.
    let [event] = &v2[..] else { panic!("{v2:?}") };
    let mut told = data(event);
    assert!(told.get("integratedTime").is_none() && told.get("inclusionPromise").is_none(), "{told}");
    (told["integratedTime"], told["inclusionPromise"]) = (json!("0"), Value::Null);
    let told = rekor_v2::Entry(told);
    told.verify(&rekor_v2::key(&stack));
    assert_eq!((told.body(), told.log_index()), (second.body(), second.log_index()));
}

#[test]
fn a_receiver_that_fails_is_told_everything_in_order() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let receiver = Receiver::start();
    let stack = telling(&receiver, &["--metrics", &metrics]);
    let key = Key::generate();
    receiver.next(&[Answer::Refuse(500), Answer::Refuse(429), Answer::Hang, Answer::Refuse(302), Answer::Forget]);
    let mut logged = log(&stack, &key, 5);
    receiver.wait(|told| told.len() >= 3);
    wait_until_ready(&stack, "[!]log rekor events warning: the receiver of events has not been told of 5 entries");
    receiver.wait_for(&logged);
    let told = receiver.told();
    let attempts: Vec<&Told> = told.iter().filter(|told| ids(&told.events) == logged[..1]).collect();
    assert_eq!(attempts.len(), 6, "{told:?}");
    assert_eq!(first_ids(&receiver), logged);
    wait_until_ready(&stack, "rekor events ok");
    let page = Request::get(&format!("http://{metrics}/metrics")).send().expect(200).text();
    for line in [
        "chancery_events_lag_entries{log=\"rekor\"} 0",
        "chancery_events_delivered_total{log=\"rekor\"} 5",
        "chancery_events_failures_total{log=\"rekor\"} 5",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    }
    let published = "event=\"dev.sigstore.rekor.events.v1.NewEntry\",status=\"SUCCESS\"} 5";
    assert!(page.contains(published), "{page}");
    // The writer is not held up by a receiver that never answers.
    receiver.always(Some(Answer::Hang));
    let begun = Instant::now();
    logged.extend(log(&stack, &key, 20));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    receiver.always(None);
    receiver.wait_for(&logged);
    assert_eq!(first_ids(&receiver), logged);
}

#[test]
fn what_is_logged_while_the_receiver_is_away_and_the_server_is_killed_is_told() {
    let mut receiver = Receiver::start();
    let mut stack = telling(&receiver, &[]);
    let key = Key::generate();
    let mut logged = log(&stack, &key, 3);
    receiver.wait_for(&logged);
    receiver.stop();
    logged.extend(log(&stack, &key, 3));
    wait_until_ready(&stack, "[!]log rekor events warning");
    stack.kill();
    receiver.resume();
    stack.resume();
    receiver.wait_for(&logged);
    // It is killed while the receiver has a request.
    receiver.always(Some(Answer::Hang));
    logged.extend(log(&stack, &key, 3));
    let hanging = receiver.told().len();
    receiver.wait(|told| told.len() > hanging || told.iter().any(|told| told.answer == Answer::Hang));
    stack.kill();
    receiver.always(None);
    stack.resume();
    for _ in 0..3 {
        logged.extend(log(&stack, &key, 10));
        stack.kill();
        stack.resume();
    }
    receiver.wait_for(&logged);
    assert_eq!(first_ids(&receiver), logged, "each in its order, and under its own id");
    // What was confirmed long ago is not told again.
    let early = ids(&receiver.events()).into_iter().filter(|id| logged[..3].contains(id)).count();
    assert_eq!(early, 3);
}

#[test]
fn one_of_two_replicas_tells_and_the_other_one_takes_over() {
    let receiver = Receiver::start();
    let mut one = telling(&receiver, &["--database", &postgres::database()]);
    let two = one.replica();
    wait_until_ready(&two, "rekor events ok");
    let key = Key::generate();
    let mut logged: Vec<String> = thread::scope(|scope| {
        let writers = [&one, &two].map(|stack| scope.spawn(|| log(stack, &key, 50)));
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    receiver.wait_for(&logged);
    let told = ids(&receiver.events());
    assert_eq!((told.len(), told.iter().collect::<BTreeSet<_>>().len()), (100, 100), "each once");
    one.kill();
    logged.extend(log(&two, &key, 10));
    receiver.wait_for(&logged);
    let of_two = &logged[100..];
    let told: Vec<String> = first_ids(&receiver).into_iter().filter(|id| of_two.contains(id)).collect();
    assert_eq!(told, of_two);
    one.resume();
}

#[test]
fn a_receiver_that_is_new_is_told_of_what_is_logged_from_then_on() {
    let mut stack = Stack::start();
    let key = Key::generate();
    let before = log(&stack, &key, 4);
    let receiver = Receiver::start();
    stack.terminate();
    stack.options(&["--events", &receiver.url()]);
    stack.resume();
    wait_until_ready(&stack, "rekor events ok");
    let after = log(&stack, &key, 2);
    receiver.wait_for(&after);
    assert_eq!(ids(&receiver.events()), after);
    assert!(before.iter().all(|id| !after.contains(id)));
}
