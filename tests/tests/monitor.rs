//! `chancery monitor` beside a running instance, with what real clients sign: watches, exit codes, webhooks that fail, crashes,
//! gossip, metrics, and a server that monitors itself.

use chancery_tests::{
    ALICE, Client, MALLORY, Stack,
    http::Request,
    key::{Key, sha256, unique},
    monitor::{Monitor, alarms, logs_of},
    program::Program,
    receiver::{Answer, Receiver},
    rekor::{ENTRIES, hashedrekord},
    rekor_v2,
    stack::{chancery_binary, free_port},
    waiting::eventually,
    witness::{Witness, log_key},
};
use chancery_verify::witness::AddCheckpoint;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, File},
    path::Path,
    thread,
    time::Duration,
};

const BOB: &str = "bob@dev.example.test";

/// Signs into Rekor v1 and the certificate log. Returns the digest.
fn sign(stack: &Stack, email: &str) -> String {
    let (person, artifact) = (stack.person(email), unique("hello"));
    person.write("artifact", &artifact);
    Client::Cosign2.sign(&person, "artifact", "bundle.json").run().succeeds();
    format!("sha256:{}", hex::encode(sha256(artifact.as_bytes())))
}

fn log(stack: &Stack, key: &Key) {
    stack.post(ENTRIES, &hashedrekord(key, unique("artifact").as_bytes())).expect(201);
}

fn watch(name: &str, condition: &str) -> String {
    format!("[[watch]]\nname = {name:?}\n{condition}\n")
}

/// Name of the watch of each entry that was alarmed, sorted.
fn watches(alarms: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = alarms.iter().map(|alarm| alarm["watch"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_real_clients_sign_is_told_once_to_those_who_watch() {
    let stack = Stack::start();
    let digests = [ALICE, BOB, MALLORY].map(|email| sign(&stack, email));
    let monitor = Monitor::new(
        &[
            logs_of(&stack),
            format!("[authorities]\ntrusted_root = {:?}\n", stack.trust("trusted_root.json")),
            watch("alice", "identity = \"Alice@example.test\"\nlogs = [\"rekor\"]"),
            watch("domain", "domains = [\"example.test\"]\nlogs = [\"rekor\"]"),
            watch("glob", "identity = { glob = \"*@dev.example.test\" }\nlogs = [\"rekor\"]"),
            watch(
                "issuer",
                &format!("issuer = {:?}\nidentity = {{ regex = \"m.*\" }}\nlogs = [\"rekor\"]", stack.issuer()),
            ),
            watch("digest", &format!("digests = [{:?}]", digests[1])),
            watch("certificates", "ours = true\nlogs = [\"ct\"]"),
        ]
        .concat(),
    );
    let told = monitor.alarms("", 1);
    let expected = [
        "alice",
        "certificates",
        "certificates",
        "certificates",
        "digest",
        "domain",
        "domain",
        "domain",
        "glob",
        "issuer",
    ];
    assert_eq!(watches(&told), expected, "{told:?}");
    let alice = told.iter().find(|alarm| alarm["watch"] == "alice").unwrap();
    assert_eq!(alice["entry"]["signers"][0]["identities"][0]["value"], ALICE);
    assert_eq!((&alice["entry"]["digests"][0], &alice["log"]), (&digests[0].clone().into(), &"rekor".into()));
    assert_eq!(alice["tree"]["size"].as_u64(), Some(4), "with the first entry, which is the instance's own");
    let ids: BTreeSet<&str> = told.iter().map(|alarm| alarm["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), told.len());
    assert_eq!(monitor.alarms("", 0), Vec::<Value>::new());
    sign(&stack, ALICE);
    assert_eq!(watches(&monitor.alarms("", 1)), ["alice", "certificates", "domain"]);
}

#[test]
fn a_look_alike_of_another_authority_is_left_out() {
    let (ours, theirs) = (Stack::start(), Stack::start());
    sign(&theirs, ALICE);
    let configuration = |more: &str| {
        let authority = format!("[authorities]\ncertificates = [{:?}]\n", ours.trust("fulcio-chain.pem"));
        logs_of(&theirs) + &authority + &watch("alice", &format!("identity = {ALICE:?}\nlogs = [\"rekor\"]\n{more}"))
    };
    assert_eq!(Monitor::new(&configuration("")).alarms("", 0), Vec::<Value>::new());
    assert_eq!(Monitor::new(&configuration("ours = false")).alarms("", 1).len(), 1);
}

#[test]
fn what_is_expected_is_not_told() {
    let stack = Stack::start();
    let known = sign(&stack, ALICE);
    sign(&stack, ALICE);
    let watched = watch("alice", &format!("identity = {ALICE:?}\nlogs = [\"rekor\"]\nexpected = \"runs.txt\""));
    let monitor = Monitor::new(&(logs_of(&stack) + &watched));
    monitor.write("runs.txt", &format!("# known\n{known}\n"));
    let told = monitor.alarms("", 1);
    assert!(told.len() == 1 && told[0]["entry"]["digests"][0] != known.as_str(), "{told:?}");
}

#[test]
fn exit_codes_say_what_a_run_could_tell() {
    let mut stack = Stack::start();
    let key = Key::generate();
    log(&stack, &key);
    let monitor = Monitor::new(&logs_of(&stack));
    assert_eq!(monitor.once("").code(), 0);
    // Wrong usage, each with its reason.
    for (configuration, why) in [
        (String::new(), "no log"),
        (logs_of(&stack) + &watch("x", "identitiy = \"a\""), "identitiy"),
        (logs_of(&stack) + &watch("x", "unreadable = true\nlogs = [\"other\"]"), "\"other\""),
        (logs_of(&stack) + &watch("x", "ours = true"), "no authority"),
        (logs_of(&stack).replace("rekor-v1", "rekor-v9"), "rekor-v1, rekor-v2, rfc6962, static-ct"),
        (logs_of(&stack).replace("rekor.pub", "nothing.pub"), "nothing.pub"),
    ] {
        monitor.configure(&configuration);
        let outcome = monitor.once("");
        assert!(outcome.code() == 2 && outcome.stderr.contains(why), "{why}: {}", outcome.report());
    }
    assert_eq!(monitor.command("--json --metrics-file x").run().code(), 2);
    monitor.configure(&logs_of(&stack));
    // What cannot be told is no good news.
    stack.terminate();
    let outcome = monitor.once("");
    assert!(outcome.code() == 3 && outcome.stderr.contains("rekor cannot be followed"), "{}", outcome.report());
    stack.resume();
    assert_eq!(monitor.once("").code(), 0);
    // A state that is not this log's.
    let state = fs::read_to_string(monitor.path("data/rekor.json")).unwrap();
    monitor.write("data/rekor.json", &state.replacen("\"version\":1", "\"version\":9", 1));
    let outcome = monitor.once("");
    assert!(outcome.code() == 3 && outcome.stderr.contains("damaged"), "{}", outcome.report());
}

#[test]
fn a_webhook_that_fails_hangs_or_is_killed_with_the_monitor_gets_every_alarm() {
    let stack = Stack::start();
    let (key, hook) = (Key::generate(), Receiver::start());
    hook.always(Some(Answer::Refuse(500)));
    (0..3).for_each(|_| log(&stack, &key));
    let fingerprint = hex::encode(sha256(&key.public_der()));
    let table = format!("[[webhook]]\nname = \"pager\"\nurl = {:?}\n", hook.url());
    let monitor = Monitor::new(&(logs_of(&stack) + &watch("key", &format!("keys = [{fingerprint:?}]")) + &table));
    let ids = |bodies: &[Value]| -> BTreeSet<String> {
        let alarms = bodies.iter().flat_map(|body| body["alarms"].as_array().unwrap());
        alarms.map(|alarm| alarm["id"].as_str().unwrap().to_owned()).collect()
    };
    // It fails: standard output has the alarms, and the webhook's wait.
    let outcome = monitor.once("");
    assert_eq!((outcome.code(), alarms(&outcome.stdout).len()), (1, 3), "{}", outcome.report());
    assert!(outcome.stderr.contains("webhook pager"), "{}", outcome.report());
    let expected = ids(&hook.came());
    assert_eq!(expected.len(), 3);
    // It hangs, and the monitor is killed meanwhile.
    hook.always(Some(Answer::Hang));
    let mut running = monitor.command("--once --json").start();
    assert_eq!(ids(&hook.wait_to_come()), expected);
    running.kill();
    running.finish();
    // It takes them: once, and standard output has had them.
    hook.always(None);
    assert_eq!(monitor.alarms("", 1), Vec::<Value>::new());
    let came = hook.came();
    assert_eq!((came.len(), ids(&came)), (1, expected));
    assert_eq!(monitor.alarms("", 0), Vec::<Value>::new());
    assert!(hook.came().is_empty());
}

#[test]
fn an_alarm_that_standard_output_does_not_take_comes_again() {
    let stack = Stack::start();
    let key = Key::generate();
    (0..3).for_each(|_| log(&stack, &key));
    let fingerprint = hex::encode(sha256(&key.public_der()));
    let monitor = Monitor::new(&(logs_of(&stack) + &watch("key", &format!("keys = [{fingerprint:?}]"))));
    let shell = |redirection: &str| {
        let script = format!("exec \"$CHANCERY\" monitor --config monitor.toml --once --json {redirection}");
        let bash = Program::new("bash", monitor.directory()).env("PATH", env::var_os("PATH").unwrap());
        bash.env("CHANCERY", chancery_binary()).arg("-c").arg(script).run()
    };
    let closed = shell(">&-");
    let is_told = closed.stderr.contains("not known: stdout: standard output is closed");
    assert!(closed.code() == 1 && is_told, "{}", closed.report());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let full = monitor.command("--once --json").run_into(full);
    assert!(full.code() == 1 && full.stderr.contains("No space left"), "{}", full.report());
    assert_eq!(monitor.alarms("", 1).len(), 3);
    assert_eq!(monitor.alarms("", 0), Vec::<Value>::new());
    // Who writes to nowhere wants that.
    log(&stack, &key);
    assert_eq!(shell("> /dev/null").code(), 1);
    assert_eq!(monitor.alarms("", 0), Vec::<Value>::new());
}

#[test]
fn a_monitor_that_is_killed_at_any_moment_loses_nothing() {
    const ENTRIES_AT_ONCE: usize = 40;
    let stack = Stack::start();
    let (key, mut told) = (Key::generate(), BTreeMap::<u64, BTreeSet<String>>::new());
    let fingerprint = hex::encode(sha256(&key.public_der()));
    let monitor =
        Monitor::new(&(logs_of(&stack) + &watch("key", &format!("keys = [{fingerprint:?}]\nlogs = [\"rekor\"]"))));
    let mut note = |stdout: &str| {
        for alarm in alarms(stdout) {
            let ids = told.entry(alarm["index"].as_u64().unwrap()).or_default();
            ids.insert(alarm["id"].as_str().unwrap().to_owned());
        }
    };
    for round in 0..12 {
        (0..ENTRIES_AT_ONCE).for_each(|_| log(&stack, &key));
        let mut running = monitor.command("--once --json").start();
        thread::sleep(Duration::from_millis(5 + 9 * round));
        running.kill();
        note(&running.finish().stdout);
    }
    let outcome = monitor.once("");
    assert!(outcome.code() < 2, "{}", outcome.report());
    note(&outcome.stdout);
    assert_eq!(told.len(), 12 * ENTRIES_AT_ONCE);
    assert!(told.values().all(|ids| ids.len() == 1), "an alarm has one id");
    assert_eq!(monitor.alarms("", 0), Vec::<Value>::new());
}

#[test]
fn two_monitors_that_gossip_find_a_forked_log() {
    let mut stack = Stack::start();
    let key = Key::generate();
    log(&stack, &key);
    // The same keys and the same beginning, and another history from now on.
    stack.terminate();
    let fork = Stack::over(&stack.data());
    stack.resume();
    for server in [&stack, &fork] {
        (0..2).for_each(|_| log(server, &key));
    }
    let rekor = |server: &Stack| {
        let (url, key) = (server.url(), stack.trust("rekor.pub"));
        format!("[[log]]\nname = \"rekor\"\nprotocol = \"rekor-v1\"\nurl = {url:?}\nkey = {key:?}\n")
    };
    let (one, other) = (Monitor::new(&rekor(&stack)), Monitor::new(&rekor(&fork)));
    let port = free_port();
    let running = one.start(&format!("--listen 127.0.0.1:{port}"));
    let url = format!("http://127.0.0.1:{port}");
    eventually("it shows what it has seen", || {
        Request::get(&url).try_send().is_ok_and(|answer| answer.text().contains("leaves"))
    });
    assert_eq!(other.alarms("", 0), Vec::<Value>::new(), "alone it cannot know");
    let told = other.alarms(&format!("--gossip {url}"), 1);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["kind"], &told[0]["severity"]), (&"fork".into(), &"critical".into()));
    let evidence = fs::read_to_string(other.path(told[0]["evidence"].as_str().unwrap())).unwrap();
    let evidence: Value = serde_json::from_str(&evidence).unwrap();
    let lines = |name: &str| evidence[name].as_str().unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let (ours, theirs) = (lines("remembered"), lines("shown"));
    assert_eq!((&ours[..2], ours[2] == theirs[2]), (&theirs[..2], false), "one origin, one size, two roots");
    assert_eq!(evidence["shown_by"], url);
    // It stands, and is told once.
    assert_eq!(other.alarms(&format!("--gossip {url}"), 1), Vec::<Value>::new());
    // A saved checkpoint does as well as a monitor.
    let saved = Monitor::new(&rekor(&stack));
    saved.write("saved.checkpoint", evidence["remembered"].as_str().unwrap());
    assert_eq!(saved.alarms("--gossip saved.checkpoint", 1)[0]["kind"], "fork");
    running.terminate();
    running.finish().succeeds();
}

#[test]
fn what_a_witness_has_cosigned_is_compared() {
    let mut stack = Stack::start();
    let key = Key::generate();
    stack.terminate();
    let fork = Stack::over(&stack.data());
    stack.resume();
    for server in [&stack, &fork] {
        server.post(rekor_v2::ENTRIES, &rekor_v2::hashedrekord(&key, unique("artifact").as_bytes())).expect(201);
    }
    let vkey = log_key(&stack, "rekor2");
    let witness = Witness::start("witness.example.org/m1", &[&vkey]);
    let checkpoint = stack.get("/checkpoint").expect(200).text();
    let request = AddCheckpoint { old: 0, proof: Vec::new(), checkpoint: &checkpoint }.to_string();
    let add = Request::post(&format!("{}/add-checkpoint", witness.url())).body("text/plain", request);
    add.send().expect(200);
    let monitor = |server: &Stack| {
        let url = server.at("/api/v2");
        Monitor::new(&format!(
            "gossip = [{:?}]\n[[log]]\nname = \"rekor2\"\nprotocol = \"rekor-v2\"\nurl = {url:?}\nvkey = {vkey:?}\n",
            witness.url()
        ))
    };
    assert_eq!(monitor(&stack).alarms("", 0), Vec::<Value>::new());
    let told = monitor(&fork).alarms("", 1);
    assert_eq!((told.len(), &told[0]["kind"]), (1, &"fork".into()), "{told:?}");
}

#[test]
fn a_log_that_takes_something_back_is_told() {
    let mut stack = Stack::start();
    let key = Key::generate();
    log(&stack, &key);
    stack.terminate();
    let older = Stack::over(&stack.data());
    stack.resume();
    log(&stack, &key);
    let configuration =
        |url: &str| format!("[patience]\nrollback = \"0s\"\n{}", logs_of(&stack).replace(&stack.url(), url));
    let monitor = Monitor::new(&configuration(&stack.url()));
    monitor.alarms("", 0);
    // A copy from before, at another address.
    monitor.configure(&configuration(&older.url()).replace("name = \"ct\"", "name = \"ct-older\""));
    let outcome = monitor.once("");
    // It is asked for a proof that it cannot give.
    assert!(outcome.code() == 1 && outcome.stderr.contains("rekor"), "{}", outcome.report());
    assert!(alarms(&outcome.stdout).iter().any(|alarm| alarm["kind"] == "rollback"), "{}", outcome.report());
    log(&older, &key);
    let outcome = monitor.once("");
    assert_eq!(
        (outcome.code(), alarms(&outcome.stdout).last().unwrap()["kind"].as_str()),
        (1, Some("fork")),
        "{}",
        outcome.report()
    );
}

#[test]
fn metrics_say_how_far_a_monitor_is_and_what_it_found() {
    let stack = Stack::start();
    let key = Key::generate();
    log(&stack, &key);
    let watched = watch("key", &format!("keys = [{:?}]", hex::encode(sha256(&key.public_der()))));
    let monitor = Monitor::new(&("interval = \"1s\"\n".to_owned() + &logs_of(&stack) + &watched));
    monitor.once("--metrics-file metrics.prom");
    let text = fs::read_to_string(monitor.path("metrics.prom")).unwrap();
    for line in [
        "chancery_monitor_tree_size{log=\"rekor\"} 2",
        "chancery_monitor_followed_entries{log=\"rekor\"} 2",
        "chancery_monitor_alarms_total{kind=\"entry\",log=\"rekor\"} 1",
        "chancery_monitor_condition{kind=\"fork\",log=\"rekor\"} 0",
        "chancery_monitor_pending_alarms{log=\"rekor\"} 0",
        "chancery_monitor_refused_alarms{log=\"rekor\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    assert!(text.contains("chancery_monitor_checked_timestamp_seconds{log=\"ct\"} 1"), "{text}");
    let (port, metrics) = (free_port(), free_port());
    let running = monitor.start(&format!("--json --listen 127.0.0.1:{port} --metrics 127.0.0.1:{metrics}"));
    log(&stack, &key);
    let scrape = || Request::get(&format!("http://127.0.0.1:{metrics}/metrics")).send().text();
    eventually("it follows", || scrape().contains("chancery_monitor_followed_entries{log=\"rekor\"} 3"));
    assert!(scrape().contains("chancery_monitor_alarms_total{kind=\"entry\",log=\"rekor\"} 1"));
    let ready = Request::get(&format!("http://127.0.0.1:{port}/readyz")).send();
    assert_eq!(ready.status, 200);
    running.terminate();
    assert_eq!(alarms(&running.finish().succeeds()).len(), 1);
}

#[test]
fn a_server_monitors_its_own_logs() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let (port, metrics, hook, key) = (free_port(), free_port(), Receiver::start(), Key::generate());
    write("issuers.toml", "[[issuer]]\npreset = \"google\"\n");
    write(
        "chancery.toml",
        &format!(
            "url = \"http://127.0.0.1:{port}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\n\
             address = \"127.0.0.1:{port}\"\nmetrics = \"127.0.0.1:{metrics}\"\n[ca]\nissuers = \"issuers.toml\"\n\
             [monitor]\nconfig = \"monitor.toml\"\n"
        ),
    );
    let watched = watch("key", &format!("keys = [{:?}]\nlogs = [\"rekor\"]", hex::encode(sha256(&key.public_der()))));
    let table = format!("[[webhook]]\nname = \"pager\"\nurl = {:?}\nformat = \"cloudevents\"\n", hook.url());
    write("monitor.toml", &format!("data = \"monitor\"\ninterval = \"1s\"\n{watched}{table}"));
    let chancery = |line: &str| in_directory(directory.path(), line);
    chancery("init --config chancery.toml").run().succeeds();
    let mut server = chancery("serve --config chancery.toml").start();
    server.wait_for(" ready ");
    let url = format!("http://127.0.0.1:{port}");
    Request::post(&format!("{url}{ENTRIES}")).json(&hashedrekord(&key, b"artifact")).send().expect(201);
    let came = hook.wait_to_come();
    assert_eq!((&came[0]["type"], &came[0]["data"]["watch"]), (&"org.chancery.monitor.entry.v1".into(), &"key".into()));
    server.wait_for("meets the watch key");
    let scraped = Request::get(&format!("http://127.0.0.1:{metrics}/metrics")).send().text();
    assert!(scraped.contains("chancery_monitor_alarms_total{kind=\"entry\",log=\"rekor\"} 1"), "{scraped}");
    server.terminate();
    server.finish().succeeds();
    // A file that has logs of its own is for `chancery monitor`.
    write("monitor.toml", &format!("data = \"monitor\"\n[listen]\naddress = \"127.0.0.1:{port}\"\n"));
    chancery("serve --config chancery.toml").run().fails_with(&["[monitor] config", "[listen]"]);
}

#[test]
fn the_watches_of_a_server_are_checked_before_it_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let chancery = |line: &str| in_directory(directory.path(), line);
    let url = format!("http://127.0.0.1:{}", free_port());
    write("issuers.toml", "[[issuer]]\npreset = \"google\"\n");
    write(
        "chancery.toml",
        &format!(
            "url = {url:?}\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = {:?}\n[ca]\n\
             issuers = \"issuers.toml\"\n[monitor]\nconfig = \"monitor.toml\"\n",
            &url["http://".len()..]
        ),
    );
    let monitor = |text: &str| write("monitor.toml", &format!("data = \"monitor\"\n{text}"));
    let verbs = ["config check chancery.toml", "init --config chancery.toml"];
    for (text, why) in [
        (watch("x", "identity = { regex = \"(\" }"), "identity"),
        (watch("x", "unreadable = true\nlogs = [\"rekor\", \"record\"]"), "\"record\" is not the name of a log"),
        (watch("x", "unreadable = true\nexpected = \"runs.txt\""), "runs.txt"),
        (watch("x", "ours = true"), "no authority"),
        ("[authorities]\ncertificates = [\"nothing.pem\"]\n".to_owned(), "nothing.pem"),
        ("[[webhook]]\nname = \"x\"\nurl = \"https://a.example\"\nca_file = \"none.pem\"\n".to_owned(), "none.pem"),
        ("gossip = [\"ftp://a.example\"]\n".to_owned(), "gossip"),
    ] {
        monitor(&text);
        for verb in verbs {
            chancery(verb).run().fails_with(&["[monitor] config", why]);
        }
    }
    assert!(!directory.path().join("data").exists());
    // The server's own authority is yet to be made, and so are later shards.
    let authorities = "[authorities]\ncertificates = [\"data/trust/fulcio-chain.pem\"]\n";
    monitor(&(authorities.to_owned() + &watch("ours", "ours = true\nlogs = [\"ct\", \"ct-2\"]")));
    for verb in verbs {
        chancery(verb).run().succeeds();
    }
}

fn in_directory(directory: &Path, line: &str) -> Program {
    Program::new(chancery_binary(), directory).env("PATH", env::var_os("PATH").unwrap()).args(line)
}
