//! What people write into configuration files: hosts in capital letters, settings that cannot work, an issuer whose certificate
//! signs itself.

use chancery_tests::{
    ALICE, Client, Person, TokenIssuer,
    client::Signer,
    fulcio::{SIGNING_CERT_V2, key_request},
    http::Request,
    key::{Key, sha256},
    program::{Program, Running},
    stack::{chancery_binary, free_port},
    waiting::eventually,
};
use serde_json::{Value, json};
use std::{
    env, fs,
    net::TcpStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A witness with a file of certificates that has none.
const WITNESS: &str = "{ key = \"witness.example.net/1+f24502f8+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea\", \
                       url = \"https://w.example.net\", ca_file = \"tls.key\" }";
/// Longest until a program listens.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// A directory with configuration files.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(TempDir::new().unwrap());
        site.write("issuers.toml", "[[issuer]]\npreset = \"google\"\n");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Writes `chancery.toml` for a server on this port, with `more` at the end.
    fn configure(&self, url: &str, port: u16, more: &str) {
        let text = format!(
            "url = \"{url}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = \"127.0.0.1:{port}\"\n\
             [ca]\nissuers = \"issuers.toml\"\n{more}"
        );
        self.write("chancery.toml", &text);
    }

    fn chancery(&self, line: &str) -> Program {
        Program::new(chancery_binary(), self.0.path()).env("PATH", env::var_os("PATH").unwrap()).args(line)
    }

    fn init(&self) {
        self.chancery("init --config chancery.toml").run().succeeds();
    }

    fn serve(&self) -> Running {
        let mut server = self.chancery("serve --config chancery.toml").start();
        server.wait_for(" ready ");
        server
    }

    fn trust(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path("data/trust").join(name)).unwrap()).unwrap()
    }
}

fn stop(server: Running) {
    server.terminate();
    server.finish().succeeds();
}

/// The host of a URL as Go's clients take it from the text, letter by letter.
fn host(url: &str) -> &str {
    url.split(['/', ':']).nth(3).unwrap()
}

/// What the Rekor v2 logs in the trusted root, and the signature logs in the signing configuration, are called.
fn published_hosts(site: &Site) -> (Vec<String>, Vec<String>) {
    let of = |list: &Value, url: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|log| host(log[url].as_str().unwrap()).to_owned()).collect()
    };
    (
        of(&site.trust("trusted_root.json")["tlogs"], "baseUrl"),
        of(&site.trust("signing_config.json")["rekorTlogUrls"], "url"),
    )
}

fn name_of(checkpoint: &str) -> &str {
    checkpoint.lines().next().unwrap()
}

#[test]
fn a_log_has_the_name_that_clients_look_for_however_its_url_is_written() {
    let (site, port) = (Site::new(), free_port());
    let issuer = TokenIssuer::start();
    let people = issuer.url("people");
    let issuers = format!("[[issuer]]\nurl = \"{people}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n");
    site.write("issuers.toml", &issuers);
    site.configure(&format!("HTTP://LocalHost.:{port}/"), port, "");
    let checked = site.chancery("config check chancery.toml").run().succeeds();
    assert!(checked.contains(&format!("http://localhost:{port}\n")), "{checked}");
    site.init();
    let server = site.serve();
    let checkpoint = |host: &str, path: &str| {
        let request = Request::get(&format!("http://127.0.0.1:{port}{path}"));
        request.header("Host", host).send().expect(200).text()
    };
    assert_eq!(name_of(&checkpoint("LOCALHOST", "/checkpoint")), "localhost");
    assert_eq!(published_hosts(&site), (vec!["localhost".to_owned(); 2], vec!["localhost".to_owned(); 2]));
    let alice = Person::at(&format!("http://localhost:{port}"), site.path("data/trust"), ALICE);
    alice.write("artifact", "hello");
    let token = issuer.token("people", &json!({"sub": "1", "email": ALICE, "email_verified": true}));
    // cosign takes a token that is not RS256 for the name of a file.
    let token = alice.write("token", token);
    Client::Cosign3.sign_with_token(&alice, token.to_str().unwrap(), "artifact", "bundle.json").run().succeeds();
    let signer = Signer { identity: ALICE.to_owned(), issuer: people };
    for client in Client::ALL {
        client.verify(&alice, "artifact", "bundle.json", &signer).run().succeeds();
    }

    // The next log, on an instance that is right.
    let stage = |url: &str| site.chancery("keys rotate rekor2 --data data stage --url").arg(url).run();
    stage("https://[2001:db8::1]").fails_with(&["IPv6 address"]);
    stage(&format!("https://LOCALHOST:{port}")).fails_with(&["localhost is the name of an earlier log"]);
    stage("https://Bücher.LocalHost.:443").succeeds();
    let next = "xn--bcher-kva.localhost";
    assert!(published_hosts(&site).0.contains(&next.to_owned()), "{:?}", published_hosts(&site));
    for host in [next.to_owned(), next.to_uppercase(), format!("{next}.:{port}")] {
        assert_eq!(name_of(&checkpoint(&host, "/checkpoint")), next, "{host}");
        assert_eq!(name_of(&checkpoint(&host, "//api//v2/checkpoint")), next, "{host}");
    }
    stop(server);
}

/// Each log at a URL of its own: what monitors take that know one log at a URL.
#[test]
fn the_rekor_v2_log_may_have_a_host_of_its_own_from_the_start() {
    let (site, port) = (Site::new(), free_port());
    let issuer = TokenIssuer::start();
    let people = issuer.url("people");
    let issuers = format!("[[issuer]]\nurl = \"{people}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n");
    site.write("issuers.toml", &issuers);
    // Two names of this machine that every client resolves.
    let (base, own) = (format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}"));
    let with = format!("[log]\nrekor2_url = \"{own}\"\n");
    site.configure(&base, port, &with);
    let checked = site.chancery("config check chancery.toml").run().succeeds();
    assert!(checked.contains(&format!("rekor2    {own}\n")), "{checked}");
    site.init();
    let server = site.serve();

    // v1 and v2 share no URL, and signers are sent to the newer one at its own.
    let root = site.trust("trusted_root.json");
    let urls: Vec<&str> =
        root["tlogs"].as_array().unwrap().iter().map(|log| log["baseUrl"].as_str().unwrap()).collect();
    assert_eq!(urls, [base.as_str(), own.as_str()], "{root}");
    let config = site.trust("signing_config.json");
    let services: Vec<(u64, &str)> = config["rekorTlogUrls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| (log["majorApiVersion"].as_u64().unwrap(), log["url"].as_str().unwrap()))
        .collect();
    assert_eq!(services, [(2, own.as_str()), (1, base.as_str())], "{config}");
    let checkpoint = |url: &str, path: &str| Request::get(&format!("{url}{path}")).send().expect(200).text();
    assert_eq!(name_of(&checkpoint(&own, "/checkpoint")), "127.0.0.1");
    assert!(name_of(&checkpoint(&base, "/tlog/rekor/checkpoint")).starts_with("localhost - "));

    let alice = Person::at(&base, site.path("data/trust"), ALICE);
    alice.write("artifact", "hello");
    let token = issuer.token("people", &json!({"sub": "1", "email": ALICE, "email_verified": true}));
    let token = alice.write("token", token);
    Client::Cosign3.sign_with_token(&alice, token.to_str().unwrap(), "artifact", "bundle.json").run().succeeds();
    let bundle: Value = serde_json::from_slice(&alice.read("bundle.json")).unwrap();
    let entry = &bundle["verificationMaterial"]["tlogEntries"][0];
    assert_eq!(entry["kindVersion"]["version"], "0.0.2", "of Rekor v2");
    assert_eq!(name_of(entry["inclusionProof"]["checkpoint"]["envelope"].as_str().unwrap()), "127.0.0.1");
    let signer = Signer { identity: ALICE.to_owned(), issuer: people };
    for client in Client::ALL {
        client.verify(&alice, "artifact", "bundle.json", &signer).run().succeeds();
    }

    // The name can neither be given to the next log, nor taken from this one.
    let stage = site.chancery("keys rotate rekor2 --data data stage --url").arg(&own).run();
    stage.fails_with(&["127.0.0.1 is the name of an earlier log"]);
    stop(server);
    site.configure(&base, port, "");
    site.chancery("serve --config chancery.toml")
        .run()
        .fails_with(&["the log keeps the origin it was made with", "127.0.0.1"]);
    site.configure(&base, port, &with);
    stop(site.serve());
}

#[test]
fn an_instance_made_before_publishes_the_name_of_its_log_after_a_restart() {
    let (site, port) = (Site::new(), free_port());
    site.configure(&format!("http://localhost:{port}"), port, "");
    site.init();
    // As it was published by a version that kept what was written.
    let root = site.path("data/trust/trusted_root.json");
    let written = fs::read_to_string(&root).unwrap();
    fs::write(&root, written.replace("localhost", "LocalHost")).unwrap();
    site.configure(&format!("http://LocalHost:{port}"), port, "");
    stop(site.serve());
    assert_eq!(fs::read_to_string(&root).unwrap(), written);
}

/// A certificate and a key that do not belong together, in `tls.crt` and `tls.key`, and a public key that is none.
fn mismatched_files(site: &Site) {
    for name in ["one", "two"] {
        self_signed(site.0.path(), name, "");
    }
    fs::rename(site.path("one.crt"), site.path("tls.crt")).unwrap();
    fs::rename(site.path("two.key"), site.path("tls.key")).unwrap();
    site.write("not.pub", "-----BEGIN PUBLIC KEY-----\n");
}

/// What `openssl req -x509` makes for `localhost`: `NAME.crt` and `NAME.key`.
fn self_signed(directory: &Path, name: &str, more: &str) {
    let openssl = Program::new("openssl", directory).env("PATH", env::var_os("PATH").unwrap());
    let openssl = openssl.args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost");
    let openssl = openssl.args("-addext subjectAltName=DNS:localhost").args(more);
    openssl.arg("-keyout").arg(format!("{name}.key")).arg("-out").arg(format!("{name}.crt")).run().succeeds();
}

#[test]
fn config_check_and_init_have_one_verdict() {
    let site = Site::new();
    mismatched_files(&site);
    let good = "https://sign.example.org";
    for (url, more, reason) in [
        ("https://sign.example.org/sigstore", "", "has a path"),
        ("https://[2001:db8::1]", "", "IPv6 address"),
        ("https://me:secret@sign.example.org", "", "`…@sign.example.org` is not a base URL"),
        (good, "oidc_issuer = \"https://login.example.org/\"", "slash"),
        ("https://a+b.example.org", "", "cannot be the name of a log"),
        (good, "url = \"https://ca.example.org/ca\"", "root of its host"),
        (good, "client_signing_algorithms = [\"sha1\"]", "client_signing_algorithms"),
        (good, "[log]\nrekor2_url = \"https://sign.example.org:8444\"", "is the name of the Rekor v1 log"),
        (good, "[log]\nrekor2_url = \"https://rekor2.example.org/v2\"", "has a path"),
        (good, "[log]\nrekor2_url = \"https://[2001:db8::1]\"", "IPv6 address"),
        (good, "[log]\nct_log_url = \"https://ct.example.org\"\nct_log_key = \"no.pub\"", "cannot read"),
        (good, "[log]\nct_log_url = \"https://ct.example.org\"\nct_log_key = \"not.pub\"", "public key in PEM"),
        (good, "[log]\nct_log_accepts = [\"not.pub\"]", "chain in PEM"),
        (good, "[log]\ntiles = { url = \"ftp://tiles.example.org\" }", "ftp is not supported"),
        (good, "[log]\ntiles = { url = \"s3://bucket\", credentials = \"no.ini\" }", "no.ini"),
        (good, "[log]\nrekor2_witnesses = { quorum = 1, witnesses = [] }", "[log.rekor2_witnesses]"),
        (
            good,
            &format!("[log]\nct_witnesses = {{ quorum = 1, witnesses = [{WITNESS}] }}"),
            "there is no certificate in it",
        ),
        (good, "[log]\ntiles = { url = \"s3://bucket\", ca_file = \"tls.key\" }", "there is no certificate in it"),
        (good, "[log]\nct_log_ca = \"tls.key\"", "there is no certificate in it"),
        (good, "[log]\nct_log_ca = \"no.crt\"", "cannot read"),
        (good, "[[log.write.allow]]\nissuer = \"https://a.test\"", "own_certificates = true"),
        (good, "[log.write]\nallow = []", "add a rule"),
        (good, "[[log.write.allow]]\nkeys = [\"no.pub\"]", "rule 1: cannot read"),
        (good, "[[log.write.allow]]\nauthorities = [\"not.pub\"]", "certificates in PEM"),
        (good, "[log.read]\nissuers = \"no.toml\"", "[log.read] issuers"),
        (good, "key = \"file:/nowhere/ca.pem\"\nchain = \"no.pem\"", "[ca] chain: cannot read"),
        (good, "[tsa]\npolicies = [\"1.2.x\"]", "object identifiers"),
        (good, "[database]\nurl = \"postgres://db.example.org/log?sslmode=no\"", "[database] url"),
        (good, "[listen.tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"", "certificate and key cannot be used"),
    ] {
        site.configure(url, 8443, more);
        let check = site.chancery("config check chancery.toml").run();
        let said = check.stderr.clone();
        check.fails_with(&[reason, "chancery.toml"]);
        let init = site.chancery("init --config chancery.toml").run();
        assert!(init.stderr.ends_with(&said), "{}", init.report());
        init.fails_with(&[reason]);
        assert!(!site.path("data").exists(), "init has made something before it refused: {more}");
    }
    site.configure(good, 8443, "");
    site.write("issuers.toml", "[[issuer]]\nurl = \"https://a.test\"\ntype = \"email\"\nca_file = \"tls.key\"\n");
    for line in ["config check chancery.toml", "config check issuers.toml", "init --config chancery.toml"] {
        site.chancery(line).run().fails_with(&["there is no certificate in it"]);
    }
}

#[test]
fn config_check_tells_what_may_come_later_from_what_is_wrong() {
    let site = Site::new();
    mismatched_files(&site);
    let good = "https://sign.example.org";
    site.write("issuers.toml", "[[issuer]]\npreset = \"google\"\n");
    // The key of the certificates is not opened.
    site.configure(good, 8443, "key = \"file:/nowhere/ca.pem\"\nchain = \"tls.crt\"");
    site.chancery("config check chancery.toml").run().fails_with(&["cannot use [ca] chain", "chancery.toml"]);
    // What need not be there yet.
    site.configure(good, 8443, "[events]\nwebhook = \"https://hooks.example.org\"\ntoken_file = \"later.token\"");
    let checked = site.chancery("config check chancery.toml").run();
    assert!(checked.stderr.contains("[events] token_file: the token in"), "{}", checked.report());
    checked.succeeds();
    site.configure(good, 8443, "[listen.tls]\ncertificate = \"later.crt\"\nkey = \"later.key\"\n[log]\ntiles = { url = \"file:///nowhere/to/be\" }");
    let checked = site.chancery("config check chancery.toml").run().succeeds();
    assert!(checked.contains("later.crt is missing: `chancery serve` needs it"), "{checked}");
    site.configure(good, 8443, "[listen.tls]\ncertificate = \"later.crt\"\nkey = \"later.key\"");
    site.init();
    site.chancery("serve --config chancery.toml").run().fails_with(&["later.crt"]);
}

#[test]
fn a_service_that_is_open_to_all_is_warned_of() {
    let site = Site::new();
    for (preset, claim, condition) in [
        ("github", "repository_owner", "repository_owner = \"acme\""),
        ("gitlab", "namespace_path", "namespace_path = \"acme/*\""),
        ("buildkite", "organization_slug", "organization_slug = \"acme\""),
        ("google", "hd", "hd = \"acme.example\""),
    ] {
        let warned = |require: &str| {
            site.write("issuers.toml", &format!("[[issuer]]\npreset = \"{preset}\"\n{require}"));
            let checked = site.chancery("config check issuers.toml").run();
            assert_eq!(checked.code(), 0, "{}", checked.report());
            checked.stderr
        };
        let (open, closed) = (warned(""), warned(&format!("require = {{ {condition} }}\n")));
        assert!(open.starts_with("warning: https://") && open.contains(&format!("{{ {claim} = ")), "{open}");
        assert_eq!(closed, "", "{preset}");
    }
    // A server says it too, when it starts.
    let port = free_port();
    site.configure(&format!("http://localhost:{port}"), port, "");
    site.init();
    for (require, is_open) in [("", true), ("require = { repository_owner = \"acme\" }\n", false)] {
        site.write("issuers.toml", &format!("[[issuer]]\npreset = \"github\"\n{require}"));
        let server = site.serve();
        let logged = server.stderr();
        assert_eq!(logged.contains("any workflow on github.com is accepted"), is_open, "{logged}");
        stop(server);
    }
}

/// Serves the directory over TLS with `NAME.crt` until it is dropped.
fn serve_files(directory: &Path, name: &str, port: u16) -> Running {
    let openssl = Program::new("openssl", directory).env("PATH", env::var_os("PATH").unwrap());
    let openssl = openssl.args("s_server -quiet -WWW -accept").arg(port.to_string());
    let server = openssl.arg("-cert").arg(format!("{name}.crt")).arg("-key").arg(format!("{name}.key")).start();
    let deadline = Instant::now() + START_DEADLINE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "{}", server.stderr());
        thread::sleep(Duration::from_millis(20));
    }
    server
}

#[test]
fn the_authority_reaches_a_log_whose_certificate_is_named() {
    let (site, issuer, [ca, log]) = (Site::new(), TokenIssuer::start(), [free_port(), free_port()]);
    let people = issuer.url("people");
    let issuers = format!("[[issuer]]\nurl = \"{people}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n");
    site.write("issuers.toml", &issuers);
    self_signed(site.0.path(), "authority", "");
    self_signed(site.0.path(), "other", "");
    let configure = |file: &str, port: u16, tls: &str, named: &str| {
        let text = format!(
            "url = \"http://localhost:{ca}\"\norganization = \"Example\"\ndata = \"data\"\n\
             [listen]\naddress = \"127.0.0.1:{port}\"\n{tls}[ca]\nissuers = \"issuers.toml\"\n\
             [log]\nurl = \"https://localhost:{log}\"\nct_log_ca = \"{named}.crt\"\n"
        );
        site.write(file, &text);
    };
    let tls = "tls = { certificate = \"authority.crt\", key = \"authority.key\" }\n";
    configure("log.toml", log, tls, "authority");
    configure("chancery.toml", ca, "", "authority");
    site.init();
    let mut logs = site.chancery("serve --config log.toml --roles log").start();
    logs.wait_for(" ready ");
    for (named, is_issued) in [("authority", true), ("other", false)] {
        configure("chancery.toml", ca, "", named);
        let mut server = site.chancery("serve --config chancery.toml --roles ca,tsa,trust").start();
        let deadline = Instant::now() + START_DEADLINE;
        while Request::get(&format!("http://127.0.0.1:{ca}/healthz")).try_send().is_err() {
            assert!(server.is_running() && Instant::now() < deadline, "{}", server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
        let token = issuer.token("people", &json!({"sub": "1", "email": ALICE, "email_verified": true}));
        let request = Request::post(&format!("http://127.0.0.1:{ca}{SIGNING_CERT_V2}"));
        let request = request.header("Authorization", &format!("Bearer {token}"));
        let answer = request.json(&key_request(&Key::generate(), ALICE)).send();
        assert_eq!(answer.status == 200, is_issued, "{named}: {} {}", answer.status, answer.text());
        stop(server);
    }
    stop(logs);
}

#[test]
fn an_issuer_whose_certificate_signs_itself_is_used_when_it_is_named() {
    let (site, port, keys) = (Site::new(), free_port(), TokenIssuer::start());
    let url = format!("https://localhost:{port}");
    let document = json!({"issuer": url, "jwks_uri": format!("{url}/jwks")}).to_string();
    fs::create_dir(site.path(".well-known")).unwrap();
    site.write(".well-known/openid-configuration", &document);
    site.write("jwks", &Request::get(&format!("{}/keys", keys.url("x"))).send().expect(200).text());
    self_signed(site.0.path(), "authority", "");
    self_signed(site.0.path(), "server", "-addext basicConstraints=critical,CA:FALSE");
    self_signed(site.0.path(), "other", "");
    let test = |file: &str| {
        let issuers = format!(
            "[[issuer]]\nurl = \"{url}\"\ntype = \"email\"\ndevelopment_loopback_http = true\nca_file = \"{file}.crt\"\n"
        );
        site.write("issuers.toml", &issuers);
        site.chancery("config check issuers.toml").run().succeeds();
        let claims = json!({"iss": url, "sub": "1", "email": ALICE, "email_verified": true});
        site.chancery("identity test --config issuers.toml").arg(keys.token("x", &claims)).run()
    };
    for name in ["authority", "server"] {
        let _server = serve_files(site.0.path(), name, port);
        assert!(test(name).succeeds().contains(ALICE), "{name}");
        test("other").fails_with(&["certificate", "refused"]);
    }
}

#[test]
fn the_commands_ask_a_server_whose_certificate_is_named() {
    let (site, port) = (Site::new(), free_port());
    let url = format!("https://localhost:{port}");
    self_signed(site.0.path(), "authority", "");
    self_signed(site.0.path(), "other", "");
    let tls = "[listen.tls]\ncertificate = \"authority.crt\"\nkey = \"authority.key\"\n";
    site.configure(&url, port, tls);
    site.init();
    let server = site.serve();
    let ask = |command: &str| site.chancery(command).env("XDG_CACHE_HOME", site.path("cache"));
    let count = format!("search --log rekor --count --url {url}");
    eventually("the index is there", || ask(&format!("{count} --ca-file authority.crt")).run().code() == 0);
    let root = hex::encode(sha256(&fs::read(site.path("data/tuf/1.root.json")).unwrap()));
    let digest = format!("sha256:{}", "00".repeat(32));
    let tuf = format!("--tuf-url {url}/tuf --tuf-root sha256:{root}");
    // The command, its exit code with the certificate, and its exit code without.
    for (command, code, untrusted) in [
        (count, 0, 3),
        (format!("artifact {digest} --url {url} --trust data/trust"), 1, 3),
        (format!("artifact {digest} --url {url} {tuf}"), 1, 2),
        (format!("log check --url {url} --trust data/trust"), 0, 3),
        (format!("log checkpoint --url {url} --trust data/trust --out rekor.checkpoint"), 0, 3),
        (format!("search follow {url} --protocol rekor-v1 --trust data/trust --database log.db --once"), 0, 3),
        (format!("health --url {url}"), 0, 1),
    ] {
        for authorities in ["", "--ca-file other.crt"] {
            let refused = ask(&format!("{command} {authorities}")).run();
            assert_eq!(refused.code(), untrusted, "{}", refused.report());
            refused.fails_with(&["certificate"]);
        }
        ask(&format!("{command} --ca-file issuers.toml")).run().fails_with(&["no certificate in it"]);
        let trusted = ask(&format!("{command} --ca-file authority.crt")).run();
        assert_eq!(trusted.code(), code, "{}", trusted.report());
    }
    stop(server);
}
