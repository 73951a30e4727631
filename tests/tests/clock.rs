//! the clock of a running server jumps. Nothing is dated meanwhile, by no role, and when it is right again everything
//! goes on by itself.

use chancery_tests::{
    ALICE, Stack,
    fulcio::{SIGNING_CERT_V2, key_request},
    http::{Request, Response},
    key::{Key, unique},
    postgres,
    rekor::{self, ENTRIES, Entry},
    rekor_v2,
    skewed_clock::SkewedClock,
    stack::free_port,
    waiting::eventually,
};
use serde_json::json;
use std::{
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const MONTH: i64 = 30 * 86_400;
/// Longer than the server's looks at its clock, its logs and its TUF metadata are apart.
const LOOKS: Duration = Duration::from_secs(3);

/// One request for everything that has a date.
struct Answers {
    certificate: Response,
    rekor: Response,
    rekor2: Response,
    timestamp: Response,
}

fn ask(stack: &Stack, token: &str) -> Answers {
    let artifact = unique("artifact");
    let certificate = Request::post(&stack.at(SIGNING_CERT_V2)).header("Authorization", &format!("Bearer {token}"));
    Answers {
        certificate: certificate.json(&key_request(&Key::generate(), ALICE)).send(),
        rekor: stack.post(ENTRIES, &rekor::hashedrekord(&Key::generate(), artifact.as_bytes())),
        rekor2: stack.post(rekor_v2::ENTRIES, &rekor_v2::hashedrekord(&Key::generate(), artifact.as_bytes())),
        timestamp: stack.post(
            "/api/v1/timestamp",
            &json!({"artifactHash": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "hashAlgorithm": "sha256"}),
        ),
    }
}

/// Demands that all is signed, and dated with the time by the machine.
fn all_is_signed(stack: &Stack) {
    // The last round of checks may be from before the correction.
    eventually("it is ready again", || stack.get("/readyz").status == 200);
    stack.get("/readyz").expect(200);
    let answers = ask(stack, &stack.token(ALICE));
    answers.certificate.expect(200);
    answers.rekor2.expect(201);
    answers.timestamp.expect(200);
    let dated = Entry::parse(&answers.rekor.expect(201).json()).integrated_time();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(dated.abs_diff(now) < 60, "{dated} is not {now}");
}

/// Demands that nothing is signed, and that everything says why.
fn nothing_is_signed(stack: &Stack, metrics: &str, code: &str, why: &str) {
    let token = stack.token(ALICE);
    let (shown, sizes) = (stack.get("/tuf/timestamp.json").expect(200).body, sizes(stack));
    for _ in 0..2 {
        let Answers { certificate, rekor, rekor2, timestamp } = ask(stack, &token);
        let certificate = certificate.expect(503);
        assert_eq!(certificate.header("retry-after"), Some("2"));
        assert_eq!(certificate.json()["details"][0]["reason"], code);
        assert_eq!(rekor.expect(503).header("retry-after"), Some("5"));
        let rekor2 = rekor2.expect(503);
        assert_eq!(rekor2.header("retry-after"), Some("5"));
        assert_eq!(rekor2.json()["details"][0]["reason"], code);
        assert_eq!(timestamp.expect(503).json()["reason"], code);
        thread::sleep(LOOKS);
    }
    let said = stack.get("/readyz").expect(503).text();
    assert!(said.contains(&format!("({code})")) && said.contains(why), "{said}");
    let page = Request::get(&format!("http://{metrics}/metrics")).send().text();
    let state = code.strip_prefix("clock.").unwrap();
    for line in [
        format!("chancery_clock_state{{state=\"{state}\"}} 1"),
        "chancery_clock_state{state=\"trusted\"} 0".to_owned(),
        "chancery_log_state{log=\"rekor\",state=\"clock\"} 1".to_owned(),
        "chancery_tsa_state{state=\"clock\"} 1".to_owned(),
    ] {
        assert!(page.contains(&line), "{line}\n{page}");
    }
    // Reads go on, and nothing was added to what they show.
    assert_eq!(self::sizes(stack), sizes);
    stack.get(&format!("{ENTRIES}?logIndex=1")).expect(200);
    assert_eq!(stack.get("/tuf/timestamp.json").expect(200).body, shown, "it is not renewed for a time to come");
}

/// Leaves of each log.
fn sizes(stack: &Stack) -> [String; 3] {
    let size = |path: &str| stack.get(path).expect(200).text().lines().nth(1).unwrap().to_owned();
    [size("/tlog/rekor/checkpoint"), size("/api/v2/checkpoint"), size("/ct/dev/checkpoint")]
}

fn a_clock_jumps(database: Option<&str>) {
    let (clock, metrics) = (SkewedClock::new(), format!("127.0.0.1:{}", free_port()));
    let environment = clock.environment();
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut options = vec!["--metrics", metrics.as_str()];
    options.extend(database.iter().flat_map(|url| ["--database", url]));
    let mut stack = Stack::start_in(&environment, &options);
    all_is_signed(&stack);
    for (offset, code, why) in [
        (MONTH, "clock.ahead", "the clock was set forward by 25"),
        (-3600, "clock.behind", " s behind a time that was signed"),
        (60, "clock.ahead", "the clock was set forward by "),
    ] {
        clock.set(offset);
        nothing_is_signed(&stack, &metrics, code, why);
        clock.set(0);
        all_is_signed(&stack);
        thread::sleep(LOOKS);
    }
    let said = stack.server().stderr();
    assert_eq!(said.matches("the clock is not trusted").count(), 3, "each is said once: {said}");
    assert_eq!(said.matches("the clock is trusted again").count(), 3, "{said}");
    // Nothing is left of it.
    stack.kill();
    stack.resume();
    all_is_signed(&stack);
    stack.check();
}

#[test]
fn a_clock_that_jumps_dates_nothing_on_sqlite() {
    a_clock_jumps(None);
}

#[test]
fn a_clock_that_jumps_dates_nothing_on_postgres() {
    a_clock_jumps(Some(&postgres::database()));
}
