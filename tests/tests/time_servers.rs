//! A timestamp authority with time servers: OpenSSL gets a timestamp when they agree with the clock, and only then.

use chancery_tests::{
    http::{Request, Response},
    program::{Program, Running},
    stack::{chancery_binary, free_port},
    time_server::TimeServer,
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
    server: Running,
}

impl Site {
    fn start(servers: &[&TimeServer]) -> Self {
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
        let chancery = |line: &str| Program::new(chancery_binary(), directory.path()).args(line);
        chancery("init --config chancery.toml").run().succeeds();
        let mut server = chancery("serve --config chancery.toml --roles tsa").start();
        server.wait_for(" ready ");
        Self { directory, address, metrics, server }
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
        self.get("/readyz").expect(200);
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
    site.server.terminate();
    site.server.finish().succeeds();
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
