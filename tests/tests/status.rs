//! `chancery status` and `GET /api/status`: what they show is so, on both databases, and a stranger is shown nothing.

use chancery_tests::{
    ALICE, Stack, TokenIssuer,
    configured::Configured,
    http::{Request, Response},
    key::{Key, unique},
    openapi::Description,
    postgres,
    program::{Outcome, Program, Running},
    rekor::{ENTRIES, hashedrekord},
    rotation::Rotated,
    stack::free_port,
    waiting::eventually,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, time::Instant};

/// Where a server shows its state.
const STATUS: &str = "/api/status";
/// Members whose value is another one a moment later.
const PASSING: [&str; 4] = ["at", "head_age_seconds", "seconds_left", "checks"];

/// A development server whose logs are in this database, or else in a file.
fn stack(database: Option<&str>) -> Stack {
    database.map_or_else(Stack::start, |name| Stack::start_with(&["--database", &postgres::url(name)]))
}

fn command(stack: &Stack, database: Option<&str>) -> Program {
    let command = stack.chancery().args("status --data").arg(stack.data());
    database.into_iter().fold(command, |command, name| command.arg("--database").arg(postgres::url(name)))
}

fn printed(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.succeeds()).unwrap()
}

/// What the command prints about an instance whose state can be read.
fn status(stack: &Stack, database: Option<&str>) -> Value {
    printed(command(stack, database).arg("--json").run())
}

fn log_entry(stack: &Stack) {
    stack.post(ENTRIES, &hashedrekord(&Key::generate(), unique("artifact").as_bytes())).expect(201);
}

fn log<'a>(status: &'a Value, name: &str) -> &'a Value {
    let logs = status["logs"].as_array().unwrap();
    logs.iter().find(|log| log["name"] == name).unwrap_or_else(|| panic!("no log {name}: {status:#}"))
}

/// Those of `list` that are of a role, each with its generation and state.
fn of_role(status: &Value, list: &str, role: &str) -> Vec<(u64, String)> {
    let found = status[list].as_array().unwrap().iter().filter(|one| one["role"] == role);
    found.map(|one| (one["generation"].as_u64().unwrap(), one["state"].as_str().unwrap().to_owned())).collect()
}

/// Sizes, ages, roles and versions are right while a server runs, and a staged generation is shown.
fn what_is_shown_is_so(database: Option<&str>) {
    let stack = stack(database);
    let before = status(&stack, database);
    let begun = Instant::now();
    for _ in 0..3 {
        log_entry(&stack);
    }
    let size = stack.get("/api/v1/log").expect(200).json()["treeSize"].as_u64().unwrap();
    let after = status(&stack, database);
    let waited = begun.elapsed().as_secs() + 1;
    assert_eq!(log(&after, "rekor")["size"], size);
    assert_eq!(log(&before, "rekor")["size"].as_u64().unwrap() + 3, size);
    assert_eq!(log(&after, "rekor")["state"], "active");
    assert_eq!(log(&after, "ct")["size"], log(&before, "ct")["size"]);
    let age = log(&after, "rekor")["head_age_seconds"].as_u64().unwrap();
    assert!(age <= waited, "{age} s, and the entries were made {waited} s ago");
    assert!(after["at"].as_str() >= log(&after, "rekor")["head_at"].as_str(), "{after:#}");

    let server = &after["servers"][0];
    assert_eq!((&server["url"], &server["ready"]), (&json!(stack.url()), &json!(true)), "{server:#}");
    let roles: BTreeSet<&str> = server["roles"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(roles, BTreeSet::from(["ca", "log", "trust", "tsa"]));
    let version = stack.chancery().arg("--version").run().succeeds();
    assert_eq!(version.trim(), format!("chancery {}", server["version"].as_str().unwrap()));
    assert_eq!((&after["source"], &after["unread"]), (&json!("directory"), &json!([])));
    assert_eq!(after["tuf"].as_array().unwrap().len(), 4);
    assert!(after["tuf"][0]["signers"][0].as_str().is_some_and(|signer| signer.len() == 64), "{after:#}");

    assert_eq!(of_role(&after, "keys", "ca"), [(1, "active".to_owned())]);
    Rotated::of(&stack, "ca").step("stage").succeeds();
    let staged = status(&stack, database);
    let generations = [(1, "active".to_owned()), (2, "staged".to_owned())];
    assert_eq!(of_role(&staged, "keys", "ca"), generations);
    let certificates: BTreeSet<(u64, String)> = of_role(&staged, "certificates", "ca").into_iter().collect();
    assert_eq!(certificates, BTreeSet::from(generations));

    let page = command(&stack, database).run().succeeds();
    for line in ["Servers", "Logs", "Keys", "TUF", "Certificates"] {
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    }
    let rekor = page.lines().find(|line| line.trim_start().starts_with("rekor ")).unwrap();
    assert!(rekor.contains("active") && rekor.contains(&format!("{size} entries, head ")), "{page}");
    assert!(page.contains("staged") && !page.contains("Not read") && !page.contains('\x1b'), "{page}");
}

#[test]
fn what_is_shown_is_so_on_sqlite() {
    what_is_shown_is_so(None);
}

#[test]
fn what_is_shown_is_so_on_postgresql() {
    what_is_shown_is_so(Some(&postgres::name()));
}

/// Copies a database that nobody uses.
fn copy(from: &str, to: &str) {
    // The server may need a moment to see that the last connection has gone.
    let copied = || postgres::execute(None, &format!("CREATE DATABASE {to} TEMPLATE {from}"));
    eventually("the database is copied", || copied().is_ok());
}

/// A log that was put back to an older state is shown as quarantined, with the reason; the others are not.
fn a_quarantine_is_shown(database: Option<&str>) {
    let mut stack = stack(database);
    log_entry(&stack);
    stack.terminate();
    let file = stack.data().join("chancery.db");
    let backup = database.map(|name| format!("{name}_backup"));
    if let (Some(name), Some(backup)) = (database, &backup) {
        copy(name, backup);
    } else {
        fs::copy(&file, file.with_extension("backup")).unwrap();
    }
    stack.resume();
    log_entry(&stack);
    stack.terminate();
    if let (Some(name), Some(backup)) = (database, &backup) {
        postgres::execute(None, &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
        copy(backup, name);
    } else {
        for part in ["db-wal", "db-shm"] {
            let _ = fs::remove_file(file.with_extension(part));
        }
        fs::copy(file.with_extension("backup"), &file).unwrap();
    }
    stack.resume();
    let shown = status(&stack, database);
    let rekor = log(&shown, "rekor");
    assert_eq!(
        (&rekor["state"], &rekor["code"]),
        (&json!("quarantined"), &json!("quarantine.mark_newer")),
        "{shown:#}"
    );
    assert!(rekor["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{rekor:#}");
    assert!(rekor["since"].is_string(), "{rekor:#}");
    assert_eq!(log(&shown, "ct")["state"], "active");
    let server = &shown["servers"][0];
    assert_eq!(server["ready"], false);
    let failed = server["checks"].as_array().unwrap().iter().find(|check| check["check"] == "rekor").unwrap();
    assert_eq!(failed["result"], "failed", "{server:#}");
    let page = command(&stack, database).run().succeeds();
    assert!(page.contains("quarantine.mark_newer: ") && page.contains("not ready"), "{page}");
    stack.check_in_doubt(&["the rekor log is QUARANTINED"]);
}

#[test]
fn a_quarantine_is_shown_on_sqlite() {
    a_quarantine_is_shown(None);
}

#[test]
fn a_quarantine_is_shown_on_postgresql() {
    a_quarantine_is_shown(Some(&postgres::name()));
}

/// A configured instance, with an issuer of many names.
struct Site {
    directory: Configured,
    issuer: TokenIssuer,
    address: String,
}

impl Site {
    /// `more` is the end of its configuration.
    fn new(more: &str) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let site = Self { directory: Configured::new(), issuer: TokenIssuer::start(), address };
        let issuer = |name: &str, rest: &str| {
            let url = site.issuer.url(name);
            format!("[[issuer]]\nurl = \"{url}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n{rest}")
        };
        site.directory.write("issuers.toml", &issuer("people", ""));
        let rest = "audiences = [\"status\"]\nrequire = { groups = \"operators\" }\n";
        site.directory.write("operators.toml", &issuer("staff", rest));
        let address = &site.address;
        let text = format!(
            "url = \"http://{address}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = \"{address}\"\n\
             [ca]\nissuers = \"issuers.toml\"\n{more}"
        );
        site.directory.write("chancery.toml", &text);
        site
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn request(&self, method: &str, token: Option<&str>) -> Response {
        let request = Request::new(method, &self.url(), STATUS);
        let with = |request: Request, token: &str| request.header("Authorization", &format!("Bearer {token}"));
        token.into_iter().fold(request, with).send()
    }

    /// A token of staff for this audience, and of somebody in this group.
    fn token(&self, audience: &str, group: &str) -> String {
        let claims = json!({"aud": audience, "sub": "1", "email": ALICE, "email_verified": true, "groups": [group]});
        self.issuer.token("staff", &claims)
    }

    fn description(&self) -> Description {
        Description(Request::get(&format!("{}/openapi.json", self.url())).send().expect(200).json())
    }

    /// Stops the server and derives every tree of its data again.
    fn stop(&self, server: Running) {
        server.terminate();
        server.finish().succeeds();
        self.directory.chancery("log check --config chancery.toml").run().succeeds();
    }
}

/// Without what is another one a moment later.
fn lasting(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let lasting = members.iter().filter(|(name, _)| !PASSING.contains(&name.as_str()));
            lasting.map(|(name, member)| (name.clone(), self::lasting(member))).collect()
        }
        Value::Array(items) => items.iter().map(lasting).collect(),
        other => other.clone(),
    }
}

/// Strangers are refused, an operator's token is accepted, and every way to ask says the same.
fn only_operators_are_shown_it(database: &str) {
    let site = Site::new(&format!("{database}[status.read]\nissuers = \"operators.toml\"\n"));
    let server = site.directory.start();
    let key = Key::generate();
    Request::post(&format!("{}{ENTRIES}", site.url())).json(&hashedrekord(&key, b"artifact")).send().expect(201);

    let refused = site.request("GET", None).expect(401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"status\""));
    assert!(refused.text().contains("the status of this server needs a token"), "{}", refused.text());
    let (good, people) =
        (site.token("status", "operators"), json!({"sub": "1", "email": ALICE, "email_verified": true}));
    for (token, status) in [
        ("nonsense".to_owned(), 401),
        (site.token("sigstore", "operators"), 401),
        (site.issuer.token("people", &people), 401),
        (site.token("status", "interns"), 403),
    ] {
        site.request("GET", Some(&token)).expect(status);
    }
    let answer = site.request("GET", Some(&good)).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let said = answer.json();
    assert_eq!((&said["source"], &said["unread"]), (&json!("server"), &json!([])), "{said:#}");
    // The first entry is the server's own.
    assert_eq!((&log(&said, "rekor")["size"], &log(&said, "rekor")["queued"]), (&json!(2), &json!(0)));

    // What is answered is what is described.
    let description = site.description();
    let operations = description.operations();
    let operation = *operations.iter().find(|operation| operation.path == STATUS).expect("it is described");
    for (method, token) in [("GET", Some(&good)), ("GET", None)] {
        let answer = site.request(method, token.map(String::as_str));
        assert_eq!(description.broken_promise(operation, &answer), None);
    }
    site.request("DELETE", Some(&good)).expect(501);

    // The command says what the server says, and what it reads itself is the same.
    site.directory.write("token", &good);
    let command = |line: &str| site.directory.chancery(&format!("status {line}"));
    let asked = || printed(command("--token-file token --json --url").arg(site.url()).run());
    eventually("both say the same", || {
        lasting(&asked()) == lasting(&site.request("GET", Some(&good)).expect(200).json())
    });
    let (asked, read) = (asked(), printed(command("--config chancery.toml --json").run()));
    for list in ["keys", "tuf", "certificates"] {
        assert_eq!(lasting(&asked[list]), lasting(&read[list]), "{list}");
    }
    for name in ["rekor", "rekor2", "ct"] {
        for member in ["size", "state", "origin", "key_fingerprint"] {
            assert_eq!(log(&asked, name)[member], log(&read, name)[member], "{name} {member}");
        }
    }
    assert_eq!(lasting(&asked["servers"][0]["version"]), lasting(&read["servers"][0]["version"]));
    let page = command("--token-file token --url").arg(site.url()).run().succeeds();
    assert!(page.contains("as the server says it") && page.contains("2 entries, head "), "{page}");
    let without = command("--url").arg(site.url()).run();
    assert_eq!(without.code(), 2, "{}", without.report());
    without.fails_with(&["needs a token", "--token-file"]);
    let nobody = command("--url http://127.0.0.1:1").run();
    assert_eq!(nobody.code(), 3, "{}", nobody.report());
    site.stop(server);
}

#[test]
fn only_operators_are_shown_it_on_sqlite() {
    only_operators_are_shown_it("");
}

#[test]
fn only_operators_are_shown_it_on_postgresql() {
    only_operators_are_shown_it(&format!("[database]\nurl = \"{}\"\n", postgres::database()));
}

#[test]
fn without_a_setting_nobody_is_shown_it_and_told_what_to_set() {
    let site = Site::new("");
    let server = site.directory.start();
    let good = site.token("status", "operators");
    for token in [None, Some(good.as_str())] {
        let refused = site.request("GET", token).expect(403);
        assert!(refused.text().contains("[status.read] issuers"), "{}", refused.text());
    }
    let description = site.description();
    assert!(description.operations().iter().all(|operation| operation.path != STATUS), "it is not there");
    let asked = site.directory.chancery("status --url").arg(site.url()).run();
    assert_eq!(asked.code(), 2, "{}", asked.report());
    asked.fails_with(&["[status.read] issuers"]);
    site.stop(server);

    // Without a server there is all that is stored, and why nothing is known of the server.
    let read = printed(site.directory.chancery("status --config chancery.toml --json").run());
    assert_eq!((&read["servers"][0]["ready"], &log(&read, "rekor")["size"]), (&Value::Null, &json!(1)));
    let reason = read["servers"][0]["unknown_because"].as_str().unwrap();
    assert!(reason.contains("gives no answer"), "{reason}");
    site.directory.chancery("status --data nowhere").run().fails_with(&["there is no instance in nowhere", "--config"]);
}

/// What cannot be read is named, and does not hide the rest.
#[test]
fn what_cannot_be_read_is_named() {
    let mut stack = Stack::start();
    stack.terminate();
    let (file, away) = (stack.data().join("chancery.db"), stack.data().join("chancery.away"));
    fs::rename(&file, &away).unwrap();
    let outcome = command(&stack, None).arg("--json").run();
    assert_eq!(outcome.code(), 1, "{}", outcome.report());
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(shown["logs"], json!([]));
    assert!(shown["unread"][0].as_str().unwrap().starts_with("logs: there is no log in"), "{shown:#}");
    assert!(!of_role(&shown, "keys", "ca").is_empty());
    fs::rename(&away, &file).unwrap();
}
