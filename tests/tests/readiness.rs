//! Whether a server says the truth about itself: what keeps a role from its work is noticed without a request, in every
//! place where it can be asked, and is over by itself.

use chancery_tests::{
    ALICE, Stack, fulcio,
    http::Request,
    key::{Key, unique},
    postgres,
    rekor::{ENTRIES, hashedrekord},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Longest until a fault is noticed: a round every 1.5 s, in which a check has 1.2 s, and a machine that is busy.
const NOTICED: Duration = Duration::from_secs(4);
/// Longest until it is seen that it is over. Connections are made anew, and a log rehearses an entry.
const OVER: Duration = Duration::from_secs(30);

const CA: &str = "dev.sigstore.fulcio.v2.CA";
const REKOR: &str = "dev.sigstore.rekor.v2.Rekor";
const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;

/// What gRPC's health says of a service, and without a name of the process. One frame each way, so HTTP/1.1 will do.
fn health(stack: &Stack, service: &str) -> u8 {
    let frame = |message: &[u8]| [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()][..], message].concat();
    let named = [&[0x0a, u8::try_from(service.len()).unwrap()][..], service.as_bytes()].concat();
    let request = Request::post(&stack.at("/grpc.health.v1.Health/Check"));
    let message: &[u8] = if service.is_empty() { &[] } else { &named };
    let answer = request.body("application/grpc", frame(message)).send();
    match answer.expect(200).body.as_slice() {
        [0, 0, 0, 0, 2, 8, status] => *status,
        other => panic!("{other:?}"),
    }
}

/// The verdicts about the process, the authority and the logs.
fn verdicts(stack: &Stack) -> [u8; 3] {
    ["", CA, REKOR].map(|service| health(stack, service))
}

/// Waits until `/readyz` answers with this status; returns what it says.
fn wait(stack: &Stack, status: u16, patience: Duration) -> String {
    let begun = Instant::now();
    loop {
        let answer = stack.get("/readyz");
        if answer.status == status {
            return answer.text();
        }
        assert!(begun.elapsed() < patience, "{} {}", answer.text(), stack.get("/readyz?verbose").text());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The lines of all checks, without the verdict in the last one.
fn checks(stack: &Stack) -> Vec<String> {
    let answer = stack.get("/readyz?verbose");
    let verdict = if answer.status == 200 { "readyz check passed" } else { "readyz check failed" };
    let text = answer.text();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.pop().as_deref(), Some(verdict), "{text}");
    lines
}

/// The names of the checks whose lines begin like this, with their roles.
fn named(checks: &[String], mark: &str) -> Vec<String> {
    let lines = checks.iter().filter_map(|line| line.strip_prefix(mark));
    let name = |line: &str| {
        let end = [" failed: ", " warning: ", " ok"].iter().filter_map(|end| line.find(end)).min();
        line[..end.unwrap()].to_owned()
    };
    lines.map(name).collect()
}

fn write(stack: &Stack) -> u16 {
    stack.post(ENTRIES, &hashedrekord(&Key::generate(), unique("artifact").as_bytes())).status
}

#[test]
fn every_role_has_its_checks() {
    let stack = Stack::start();
    let checks = checks(&stack);
    let mut passed = named(&checks, "[+]");
    passed.sort();
    let expected = [
        "ca audit",
        "ca certificate log",
        "ca certificates",
        "ca clock",
        "ca disk",
        "ca issuers",
        "ca key",
        "log ct",
        "log ct head",
        "log ct index",
        "log database",
        "log disk",
        "log rekor",
        "log rekor head",
        "log rekor index",
        "log rekor2",
        "log rekor2 head",
        "log rekor2 index",
        "trust disk",
        "trust metadata",
        "tsa certificates",
        "tsa key",
        "tsa timestamps",
    ];
    assert_eq!(passed, expected, "{checks:?}");
    assert_eq!(stack.get("/readyz").expect(200).text(), "ready\n");
    assert_eq!(stack.get("/livez").expect(200).text(), "ok\n");
    assert_eq!(verdicts(&stack), [SERVING; 3]);
}

/// What happens to a database, how it begins and how it ends.
type Fault<'a> = (&'a str, &'a dyn Fn(), &'a dyn Fn());

#[test]
fn a_database_that_is_stopped_or_hangs_is_noticed_and_comes_back() {
    let server = postgres::Own::start();
    let stack = Stack::start_with(&["--database", &server.database()]);
    stack.get("/readyz").expect(200);
    let faults: [Fault<'_>; 2] =
        [("hangs", &|| server.hang(), &|| server.go_on()), ("is stopped", &|| server.stop(), &|| server.start_again())];
    for (what, begin, end) in faults {
        assert_eq!(write(&stack), 201, "before it {what}");
        begin();
        let said = wait(&stack, 503, NOTICED);
        assert!(said.starts_with("the database of the logs cannot be used: "), "{what}: {said}");
        let lines = checks(&stack);
        let failed = named(&lines, "[-]");
        for check in ["log database", "log rekor head", "ca certificate log"] {
            assert!(failed.contains(&check.to_owned()), "{what}: {lines:?}");
        }
        assert!(failed.iter().all(|check| check.starts_with("log ") || check == "ca certificate log"), "{lines:?}");
        assert_eq!(verdicts(&stack), [NOT_SERVING; 3], "{what}");
        let begun = Instant::now();
        assert_eq!(stack.get("/livez").expect(200).text(), "ok\n");
        assert!(begun.elapsed() < Duration::from_secs(1), "{what}: a question waits for nothing");
        let command = stack.chancery().args("health --url").arg(stack.url()).run();
        command.fails_with(&["is not ready (503", "the database of the logs cannot be used"]);
        end();
        assert_eq!(wait(&stack, 200, OVER), "ready\n", "{what}");
        assert_eq!(verdicts(&stack), [SERVING; 3], "{what}");
    }
    // An entry that was refused meanwhile makes no difference. Reads, too, may be tried again.
    server.stop();
    assert_eq!(write(&stack), 503);
    for path in ["/api/v1/log", "/tlog/rekor/checkpoint", "/checkpoint", "/ct/dev/ct/v1/get-sth"] {
        let answer = stack.get(path).expect(503);
        assert_eq!(answer.header("retry-after"), Some("5"), "{path}: {}", answer.text());
    }
    server.start_again();
    wait(&stack, 200, OVER);
    assert_eq!(write(&stack), 201);
}

#[test]
fn a_log_whose_writes_fail_is_not_ready_until_they_would_succeed() {
    let database = postgres::name();
    let stack = Stack::start_with(&["--database", &postgres::url(&database)]);
    assert_eq!(write(&stack), 201);
    // What a damaged page does: it can be read past, and every write meets it.
    let damage = "CREATE FUNCTION damaged() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the page is damaged' USING ERRCODE = 'data_corrupted'; END $$;
        CREATE TRIGGER damaged BEFORE INSERT ON identities FOR EACH STATEMENT EXECUTE FUNCTION damaged()";
    postgres::execute(Some(&database), damage).unwrap();
    assert_eq!(write(&stack), 503);
    let said = stack.get("/readyz").expect(503).text();
    assert!(
        said.starts_with("the rekor log does not take entries: ") && said.contains("the page is damaged"),
        "{said}"
    );
    assert_eq!(named(&checks(&stack), "[-]"), ["log rekor"]);
    assert_eq!(verdicts(&stack), [NOT_SERVING, SERVING, NOT_SERVING]);
    // No entry comes any more, and nothing has changed: it stays so.
    thread::sleep(Duration::from_secs(5));
    stack.get("/readyz").expect(503);
    let size = || stack.get("/api/v1/log").expect(200).json()["treeSize"].clone();
    let before = size();
    postgres::execute(Some(&database), "DROP TRIGGER damaged ON identities; DROP FUNCTION damaged()").unwrap();
    wait(&stack, 200, OVER);
    assert_eq!(size(), before, "a rehearsal adds nothing");
    assert_eq!(write(&stack), 201);
}

#[test]
fn a_certificate_log_that_cannot_be_reached_stops_its_authority_only() {
    let mut authority = Stack::start();
    let chain = authority.trust("fulcio-chain.pem").display().to_string();
    let mut log = Stack::start_with(&["--ct-log-accepts", &chain]);
    let (url, key) = (log.at("/ct/dev"), log.trust("ctfe.pub").display().to_string());
    authority.terminate();
    authority.options(&["--ct-log-url", &url, "--ct-log-key", &key]);
    authority.resume();
    authority.get("/readyz").expect(200);
    log.terminate();
    let said = wait(&authority, 503, NOTICED);
    assert!(said.starts_with("the certificate authority issues nothing: the certificate log is unavailable"), "{said}");
    assert!(said.contains("/ct/v1/get-sth"), "{said}");
    let lines = checks(&authority);
    assert_eq!(named(&lines, "[-]"), ["ca certificate log"], "{lines:?}");
    assert_eq!(verdicts(&authority), [NOT_SERVING, NOT_SERVING, SERVING]);
    authority.get("/livez").expect(200);
    assert_eq!(write(&authority), 201);
    log.resume();
    wait(&authority, 200, OVER);
    assert_eq!(verdicts(&authority), [SERVING; 3]);
    let request = fulcio::key_request_with_token(&Key::generate(), ALICE, &authority.token(ALICE));
    authority.post(fulcio::SIGNING_CERT_V2, &request).expect(200);
}
