//! A timestamp authority with time servers: OpenSSL gets a timestamp when they agree with the clock, and only then.

use chancery_tests::{
    http::{Request, Response},
    key::Key,
    program::{Program, Running},
    rekor::hashedrekord,
    stack::{chancery_binary, free_port},
    time_server::TimeServer,
    waiting::eventually,
};
use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longest a change at a time server may take until it shows: a round, with a deadline for who is silent.
const NOTICED: Duration = Duration::from_secs(20);
/// `ntp_max_age` of the server.
const MAX_AGE: Duration = Duration::from_secs(4);

struct Site {
    directory: TempDir,
    address: String,
    metrics: String,
    server: Option<Running>,
}

impl Site {
    fn start(servers: &[&TimeServer]) -> Self {
        let mut site = Self::configured(servers);
        site.init().run().succeeds();
        site.serve("--roles tsa");
        site
    }

    /// One that is neither made nor served yet.
    fn configured(servers: &[&TimeServer]) -> Self {
        let directory = TempDir::new().unwrap();
        let [address, metrics] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
        let names: Vec<_> = servers.iter().map(|server| format!("\"{}\"", server.address())).collect();
        let text = format!(
            "url = \"http://{address}\"\norganization = \"Example\"\ndata = \"data\"\n\
             [listen]\naddress = \"{address}\"\nmetrics = \"{metrics}\"\n[ca]\nissuers = \"issuers.toml\"\n\
             [tsa]\nntp = [{}]\nntp_period = \"1s\"\nntp_max_age = \"{}s\"\n",
            names.join(", "),
            MAX_AGE.as_secs(),
        );
        fs::write(directory.path().join("chancery.toml"), text).unwrap();
        fs::write(directory.path().join("issuers.toml"), "[[issuer]]\npreset = \"google\"\n").unwrap();
        Self { directory, address, metrics, server: None }
    }

    fn chancery(&self, line: &str) -> Program {
        Program::new(chancery_binary(), self.directory.path()).args(line)
    }

    fn init(&self) -> Program {
        self.chancery("init --config chancery.toml")
    }

    fn serve(&mut self, roles: &str) {
        let mut server = self.chancery(&format!("serve --config chancery.toml {roles}")).start();
        server.wait_for(" ready ");
        self.server = Some(server);
    }

    fn openssl(&self, line: &str) -> Program {
        Program::new("openssl", self.directory.path()).env("PATH", std::env::var_os("PATH").unwrap()).args(line)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn get(&self, path: &str) -> Response {
        Request::get(&format!("http://{}{path}", self.address)).send()
    }

    fn ask(&self) -> Response {
        fs::write(self.path("artifact"), "hello").unwrap();
        self.openssl("ts -query -data artifact -sha256 -cert -out query.tsq").run().succeeds();
        let query = fs::read(self.path("query.tsq")).unwrap();
        let url = format!("http://{}/api/v1/timestamp", self.address);
        Request::post(&url).body("application/timestamp-query", query).send()
    }

    /// Asks until OpenSSL accepts an answer.
    fn is_believed(&self) {
        let deadline = Instant::now() + NOTICED;
        let response = loop {
            let response = self.ask();
            if response.status == 200 {
                break response;
            }
            assert!(Instant::now() < deadline, "{}", response.text());
            thread::sleep(Duration::from_millis(200));
        };
        fs::write(self.path("reply.tsr"), &response.body).unwrap();
        let verify = self.openssl("ts -verify -in reply.tsr -queryfile query.tsq -CAfile");
        verify.arg(self.path("data/keys/tsa-chain.pem")).run().succeeds();
        // The last round of checks may be from before the clock was believed.
        eventually("it is ready", || self.get("/readyz").status == 200);
    }

    /// Asks until nothing is signed, for this reason.
    fn is_refused(&self, code: &str, why: &str) {
        let deadline = Instant::now() + NOTICED;
        let response = loop {
            let response = self.ask();
            if response.status != 200 && response.json()["reason"] == code {
                break response;
            }
            assert!(Instant::now() < deadline, "{}", response.status);
            thread::sleep(Duration::from_millis(200));
        };
        assert_eq!(response.status, 503);
        assert_eq!(response.header("retry-after"), Some("5"));
        let said = self.get("/readyz").expect(503).text();
        assert!(said.contains("the timestamp authority signs nothing") && said.contains(why), "{said}");
    }

    fn metrics(&self) -> String {
        Request::get(&format!("http://{}/metrics", self.metrics)).send().text()
    }
}

#[test]
fn what_time_servers_say_decides_whether_anything_is_signed() {
    let [one, two, three] = [(); 3].map(|()| TimeServer::start());
    let site = Site::start(&[&one, &two, &three]);
    site.is_believed();
    // One that is wrong decides nothing, nor does one that is silent beside it.
    one.show(-3_600_000);
    two.show(900);
    thread::sleep(MAX_AGE);
    site.is_believed();
    // Two of three do.
    two.show(5_000);
    site.is_refused("clock.wrong", " ms behind its time servers");
    let metrics = site.metrics();
    for line in [
        "chancery_tsa_state{state=\"clock\"} 1",
        "timestamp_authority_ntp_errors_total{reason=\"err_inv_time\"}",
        &format!("timestamp_authority_ntp_sync_total{{failed=\"false\",host=\"{}\"}}", one.address()),
        &format!("chancery_tsa_clock_offset_milliseconds{{host=\"{}\"}}", two.address()),
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    // Silence is no correction.
    two.be_silent();
    three.be_silent();
    thread::sleep(Duration::from_secs(3));
    site.is_refused("clock.wrong", "time servers");
    for server in [&one, &two, &three] {
        server.show(0);
    }
    site.is_believed();
    // One that answers is too few, but only after a while.
    two.be_silent();
    three.be_silent();
    site.ask().expect(200);
    site.is_refused("clock.stale", "too few time servers have confirmed the clock for");
    two.show(0);
    site.is_believed();
    let server = site.server.unwrap();
    server.terminate();
    server.finish().succeeds();
}

#[test]
fn nothing_is_signed_before_the_clock_was_confirmed() {
    let server = TimeServer::start();
    server.be_silent();
    let site = Site::start(&[&server]);
    site.is_refused("clock.unconfirmed", "since the start");
    server.show(-500);
    site.is_believed();
    assert!(site.metrics().contains("reason=\"err_too_few\""));
}

/// What time servers say counts for the logs and for what `init` makes, too.
#[test]
fn no_role_dates_anything_while_time_servers_say_that_the_clock_is_wrong() {
    let servers = [(); 2].map(|()| TimeServer::start());
    let mut site = Site::configured(&[&servers[0], &servers[1]]);
    let all = |offset_ms| servers.iter().for_each(|server| server.show(offset_ms));
    all(-3_600_000);
    site.init().run().fails_with(&[
        "no key or certificate was made, because the clock is not trusted (clock.wrong)",
        "behind its time servers",
    ]);
    assert!(!site.path("data").exists(), "nothing was made");
    all(0);
    site.init().run().succeeds();
    // At a start, too: what was logged is read.
    all(5_000);
    site.serve("");
    let log = || {
        let url = format!("http://{}/api/v1/log/entries", site.address);
        Request::post(&url).json(&hashedrekord(&Key::generate(), b"artifact")).send()
    };
    let logged = |status: u16| {
        let deadline = Instant::now() + NOTICED;
        while log().status != status {
            assert!(Instant::now() < deadline, "{}", log().text());
            thread::sleep(Duration::from_millis(200));
        }
    };
    logged(503);
    let said = site.get("/readyz").expect(503).text();
    assert!(said.contains("log takes no entries and dates nothing (clock.wrong)"), "{said}");
    site.get("/api/v1/log").expect(200);
    site.get("/api/v1/log/entries?logIndex=0").expect(200);
    all(0);
    logged(201);
    site.is_believed();
    all(-5_000);
    logged(503);
    all(0);
    logged(201);
}
