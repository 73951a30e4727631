//! `chancery init` and `chancery serve`: an instance as its configuration file says, in one process or in several.

use chancery_tests::{
    ALICE, Client, Person, TokenIssuer,
    client::Signer,
    configured::Configured,
    http::Request,
    person::client,
    program::{Program, Running},
    stack::{chancery_binary, free_port},
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};
use tempfile::TempDir;

/// Longest a change in a file may take until a server has noticed it.
const NOTICED: Duration = Duration::from_secs(20);

/// A directory with a configuration, and an issuer that it believes.
struct Site {
    directory: Configured,
    issuer: TokenIssuer,
}

impl Site {
    fn new() -> Self {
        let site = Self { directory: Configured::new(), issuer: TokenIssuer::start() };
        let url = site.issuer.url("people");
        let issuers = format!("[[issuer]]\nurl = \"{url}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n");
        site.directory.write("issuers.toml", &issuers);
        site
    }

    fn token(&self) -> String {
        self.issuer.token("people", &json!({"sub": "1", "email": ALICE, "email_verified": true}))
    }

    fn alice(&self, url: &str) -> Person {
        Person::at(url, self.directory.path("data/trust"), ALICE)
    }

    fn signer(&self) -> Signer {
        Signer { identity: ALICE.to_owned(), issuer: self.issuer.url("people") }
    }

    /// Signs with one client and has every client verify it.
    fn sign(&self, person: &Person, client: Client, bundle: &str) {
        person.write("artifact", "hello");
        client.sign_with_token(person, &self.token_for(person, client), "artifact", bundle).run().succeeds();
        self.verify(person, bundle);
    }

    /// A token as this client takes it: cosign takes one that is not RS256 for the name of a file.
    fn token_for(&self, person: &Person, client: Client) -> String {
        let token = self.token();
        match client {
            Client::Cosign3 | Client::Cosign2 => person.write("token", token).to_str().unwrap().to_owned(),
            Client::SigstorePython => token,
        }
    }

    fn verify(&self, person: &Person, bundle: &str) {
        for verifier in Client::ALL {
            verifier.verify(person, "artifact", bundle, &self.signer()).run().succeeds();
        }
    }
}

/// Waits until the audit log has a line of this event with all of these members.
fn is_recorded(site: &Site, event: &str, members: &Value) {
    let has = |line: &Value| {
        line["event"] == event && members.as_object().unwrap().iter().all(|(name, value)| line[name] == *value)
    };
    let deadline = Instant::now() + NOTICED;
    loop {
        let text = fs::read_to_string(site.directory.path("data/audit.jsonl")).unwrap_or_default();
        if text.lines().any(|line| has(&serde_json::from_str(line).unwrap())) {
            return;
        }
        assert!(Instant::now() < deadline, "{event} {members}:\n{text}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn private(path: &Path) {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Where the three processes listen: certificate authority, logs, and the rest.
struct Apart {
    ca: String,
    log: String,
    rest: String,
}

impl Apart {
    /// Writes a configuration for each process, `NAME.toml`, with the keys of each role in a directory of its own.
    fn configure(site: &Site) -> Self {
        let [ca, log, rest] = [free_port(), free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        for role in ["ca", "log", "tsa"] {
            private(&site.directory.path(role));
            site.directory.write(&format!("{role}/password"), "correct horse battery staple\n");
        }
        let key = |role: &str, name: &str| {
            let place = site.directory.path(role);
            format!("\"file:{0}/{name}.pem?password-file={0}/password\"", place.display())
        };
        for (name, listen) in [("ca.toml", &ca), ("log.toml", &log), ("rest.toml", &rest)] {
            let text = format!(
                "url = \"http://{log}\"\norganization = \"Example\"\ndata = \"data\"\n\
                 [listen]\naddress = \"{listen}\"\n\
                 [ca]\nurl = \"http://{ca}\"\nissuers = \"issuers.toml\"\nkey = {}\n\
                 [log]\nrekor_key = {}\nrekor2_key = {}\nct_key = {}\n\
                 [tsa]\nurl = \"http://{rest}\"\nkey = {}\n[trust]\nurl = \"http://{rest}\"\n",
                key("ca", "ca"),
                key("log", "rekor"),
                key("log", "rekor2"),
                key("log", "ct"),
                key("tsa", "tsa"),
            );
            site.directory.write(name, &text);
        }
        Self { ca, log, rest }
    }

    /// Starts a process that finds the keys of `own` and no others.
    fn start(site: &Site, line: &str, own: &str) -> Running {
        let others: Vec<_> = ["ca", "log", "tsa"].into_iter().filter(|role| *role != own).collect();
        let aside = |role: &str| site.directory.path(&format!("{role}-elsewhere"));
        for role in &others {
            fs::rename(site.directory.path(role), aside(role)).unwrap();
        }
        let server = site.directory.serve(line);
        for role in &others {
            fs::rename(aside(role), site.directory.path(role)).unwrap();
        }
        server
    }
}

#[test]
fn roles_apart_have_each_their_own_keys_and_are_one_instance() {
    let site = Site::new();
    let Apart { ca, log, rest } = Apart::configure(&site);
    site.directory.chancery("serve --config ca.toml").run().fails_with(&["chancery init"]);
    site.directory.chancery("init --config ca.toml").run().succeeds();
    // The roots have signed what they are for, and their keys are nowhere.
    for root in ["ca-root.pem", "tsa-root.pem"] {
        assert!(!site.directory.path("data/keys").join(root).exists(), "{root}");
    }
    let roles = [("log.toml --roles log", "log"), ("ca.toml --roles ca", "ca"), ("rest.toml --roles tsa,trust", "tsa")];
    let servers = roles.map(|(line, own)| Apart::start(&site, line, own));
    site.directory.chancery("serve --config log.toml --roles log").run().fails_with(&["another chancery"]);
    assert_eq!(Request::get(&format!("http://{log}/api/v2/trustBundle")).send().status, 404, "another process's");

    let alice = site.alice(&format!("http://{ca}"));
    site.sign(&alice, Client::Cosign3, "first.json");
    site.sign(&alice, Client::SigstorePython, "python.json");
    each_role_has_its_url(&site, &alice, &Apart { ca, log, rest: rest.clone() });
    // Another key: the certificate log and the trust files follow what the authority's process does.
    site.directory.chancery("keys rotate ca --data data --wait 40s stage").run().succeeds();
    site.directory.chancery("keys rotate ca --data data activate --overlap 0s").run().succeeds();
    let trusted_root = || Request::get(&format!("http://{rest}/trust/trusted_root.json")).send().text();
    let deadline = Instant::now() + NOTICED;
    while trusted_root().matches("intermediate").count() < 2 {
        assert!(Instant::now() < deadline, "{}", trusted_root());
        thread::sleep(Duration::from_millis(50));
    }
    for (generation, state) in [(1, "outgoing"), (2, "staged"), (2, "active")] {
        is_recorded(&site, "key", &json!({"role": "ca", "generation": generation, "state": state}));
    }
    // By the process that has the trust root.
    is_recorded(&site, "tuf", &json!({"role": "targets", "version": 2}));
    site.sign(&alice, Client::Cosign3, "second.json");
    // So do the keys of the logs' process and of the timestamp authority's.
    for (role, list) in [("ct", "ctlogs"), ("tsa", "timestampAuthorities")] {
        let count = || serde_json::from_str::<Value>(&trusted_root()).unwrap()[list].as_array().unwrap().len();
        site.directory.chancery(&format!("keys rotate {role} --data data --wait 40s stage")).run().succeeds();
        let deadline = Instant::now() + NOTICED;
        while count() < 2 {
            assert!(Instant::now() < deadline, "{}", trusted_root());
            thread::sleep(Duration::from_millis(50));
        }
        site.directory.chancery(&format!("keys rotate {role} --data data activate --overlap 0s")).run().succeeds();
        site.sign(&alice, Client::Cosign3, &format!("{role}.json"));
        site.directory.chancery(&format!("keys rotate {role} --data data retire")).run().succeeds();
        site.sign(&alice, Client::SigstorePython, &format!("{role}-retired.json"));
    }
    site.verify(&alice, "first.json");
    for server in servers {
        server.terminate();
        server.finish().succeeds();
    }
    site.directory.chancery("log check --data data").run().succeeds();
    let keys = site.directory.chancery("keys list --data data").run().succeeds();
    assert!(keys.contains("rekor2.pem?password-file=") && !keys.contains("tsa-root.pem"), "{keys}");
}

#[test]
fn a_key_is_published_when_the_process_with_the_trust_root_serves_it() {
    let site = Site::new();
    let Apart { rest, .. } = Apart::configure(&site);
    site.directory.chancery("init --config ca.toml").run().succeeds();
    let roles = [("log.toml --roles log", "log"), ("ca.toml --roles ca", "ca")];
    let mut servers = Vec::from(roles.map(|(line, own)| Apart::start(&site, line, own)));
    let said = site.directory.chancery("keys rotate ca --data data stage").run().succeeds();
    let unreached = format!("the TUF repository at http://{rest}/tuf does not give it to clients");
    assert!(said.contains(&format!("it is not published yet: {unreached}")), "{said}");
    site.directory
        .chancery("keys rotate ca --data data activate --overlap 0s")
        .run()
        .fails_with(&[&unreached, "--now"]);
    servers.push(Apart::start(&site, "rest.toml --roles tsa,trust", "tsa"));
    let deadline = Instant::now() + NOTICED;
    while !site.directory.chancery("keys list --data data").run().succeeds().contains("(published since ") {
        assert!(Instant::now() < deadline, "the key is not published");
        thread::sleep(Duration::from_millis(100));
    }
    site.directory.chancery("keys rotate ca --data data activate --overlap 0s").run().succeeds();
    for server in servers {
        server.terminate();
        server.finish().succeeds();
    }
}

/// What `trust export` prints names each role by its own URL, and works.
fn each_role_has_its_url(site: &Site, alice: &Person, Apart { ca, log, rest }: &Apart) {
    let export =
        |client: &str| site.directory.chancery(&format!("trust export --data data --for {client}")).run().succeeds();
    let cosign = export("cosign");
    for (text, expected) in [
        (&cosign, format!("--mirror http://{rest}/tuf --root http://{rest}/tuf/root.json")),
        (&cosign, format!("http://{rest}/trust/signing_config_rekor_v1.json")),
        (&cosign, format!("--fulcio-url http://{ca} --rekor-url http://{log} ")),
        (&export("js"), format!("--fulcio-url http://{ca} --rekor-url http://{log}\n")),
        (&export("go"), format!("curl -fsS http://{rest}/trust/signing_config.json")),
        (&export("rust"), format!("trust(\"http://{rest}/tuf\"")),
        (&export("python"), format!("--instance http://{rest}/tuf ")),
        (&export("kyverno"), format!("mirror: http://{rest}/tuf\n")),
        (&export("kyverno-cluster-policy"), format!("url: http://{log}\n")),
        (&export("policy-controller"), format!("mirror: http://{rest}/tuf\n")),
        (&export("policy-controller"), format!("- keyless:\n      url: http://{ca}\n")),
        (&export("policy-controller"), format!("ctlog:\n      url: http://{log}\n")),
        (&export("gitsign"), format!("gitsign.fulcio http://{ca}\n")),
        (&export("gitsign"), format!("gitsign.rekor http://{log}\n")),
    ] {
        assert!(text.contains(&expected), "{expected}\n{text}");
    }
    let initialize = cosign.lines().find(|line| line.starts_with("cosign initialize ")).unwrap();
    let initialize = initialize.replacen("cosign", client("bin/cosign3").to_str().unwrap(), 1);
    alice.program("bash").arg("-c").arg(initialize).run().succeeds();
    // A repository that an earlier version has made, before its server was started.
    let settings = site.directory.path("data/tuf.json");
    let recorded = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, "{}").unwrap();
    site.directory.chancery("trust export --data data --for cosign").run().fails_with(&["start the server on it once"]);
    fs::write(&settings, recorded).unwrap();
}

/// A certificate for 127.0.0.1 that signs itself, in `tls.crt` and `tls.key`.
fn certificate(site: &Site, name: &str) {
    Program::new("openssl", site.directory.root())
        .env("PATH", std::env::var_os("PATH").unwrap())
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout new.key -out new.crt")
        .args("-addext subjectAltName=IP:127.0.0.1 -subj")
        .arg(format!("/CN={name}"))
        .run()
        .succeeds();
    for (from, to) in [("new.key", "tls.key"), ("new.crt", "tls.crt")] {
        fs::rename(site.directory.path(from), site.directory.path(to)).unwrap();
    }
}

#[test]
fn tls_from_files_that_are_renewed_while_it_serves() {
    let site = Site::new();
    let address = format!("127.0.0.1:{}", free_port());
    site.directory.write(
        "chancery.toml",
        &format!(
            "url = \"https://{address}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = \"{address}\"\n\
             tls = {{ certificate = \"tls.crt\", key = \"tls.key\" }}\n[ca]\nissuers = \"issuers.toml\"\n"
        ),
    );
    site.directory.chancery("init --config chancery.toml").run().succeeds();
    site.directory.chancery("serve --config chancery.toml").run().fails_with(&["tls.crt"]);
    certificate(&site, "one");
    site.directory.chancery("health --config chancery.toml").run().fails_with(&["no server answers", &address]);
    let server = site.directory.serve("chancery.toml");
    // The certificate is nobody's that this machine knows.
    site.directory.chancery("health --config chancery.toml").run().succeeds();
    site.directory.chancery("health --url").arg(format!("https://{address}")).run().fails_with(&["no server answers"]);
    let alice = site.alice(&format!("https://{address}"));
    alice.write("artifact", "hello");
    let trusting = |program: Program| program.env("SSL_CERT_FILE", site.directory.path("tls.crt"));
    // Without an issuer in the signing configuration, as here, a client must bring its token.
    let sign = |bundle: &str| {
        let token = site.token_for(&alice, Client::Cosign3);
        trusting(Client::Cosign3.sign_with_token(&alice, &token, "artifact", bundle)).run().succeeds();
        Client::Cosign3.verify(&alice, "artifact", bundle, &site.signer()).run().succeeds();
    };
    sign("one.json");
    // Its versions differ in where they put spaces.
    let subject = || {
        let openssl = Program::new("openssl", site.directory.root()).env("PATH", std::env::var_os("PATH").unwrap());
        openssl.args("s_client -alpn h2,http/1.1 -connect").arg(&address).run().succeeds().replace(' ', "")
    };
    assert!(subject().contains("CN=one") && subject().contains("ALPNprotocol:h2"), "{}", subject());
    certificate(&site, "two");
    let deadline = Instant::now() + NOTICED;
    while !subject().contains("CN=two") {
        assert!(Instant::now() < deadline, "{}", subject());
        thread::sleep(Duration::from_millis(200));
    }
    sign("two.json");
    // At once where an operator asks for it.
    certificate(&site, "three");
    let asked = Instant::now();
    server.hang_up();
    while !subject().contains("CN=three") {
        assert!(asked.elapsed() < NOTICED, "{}", subject());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    server.terminate();
    server.finish().succeeds();
}

/// What a server says when it was asked to read its files again.
const READING_AGAIN: &str = "reading the files again";

#[test]
fn sighup_ends_no_server_whatever_its_roles() {
    let site = Site::new();
    let address = format!("127.0.0.1:{}", free_port());
    site.directory.write(
        "chancery.toml",
        &format!(
            "url = \"http://{address}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = \"{address}\"\n\
             [ca]\nissuers = \"issuers.toml\"\n"
        ),
    );
    site.directory.chancery("init --config chancery.toml").run().succeeds();
    for roles in ["trust", "tsa", "log", "ca", "tsa,trust", "ca,log,tsa,trust"] {
        let mut server = site.directory.serve(&format!("chancery.toml --roles {roles}"));
        server.hang_up();
        server.wait_for(READING_AGAIN);
        server.hang_up();
        Request::get(&format!("http://{address}/healthz")).send().expect(200);
        server.terminate();
        server.finish().succeeds();
    }
}

#[test]
fn the_trust_root_s_keys_and_lifetimes_are_as_configured() {
    let site = Site::new();
    let address = format!("127.0.0.1:{}", free_port());
    private(&site.directory.path("trust"));
    site.directory.write("trust/password", "correct horse battery staple\n");
    let root = site.directory.path("trust/root.pem").display().to_string();
    let configure = |trust: &str| {
        let text = format!(
            "url = \"http://{address}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = \"{address}\"\n\
             [ca]\nissuers = \"issuers.toml\"\n[trust]\n{trust}\n"
        );
        site.directory.write("chancery.toml", &text);
    };
    let keys = format!(
        "keys = {{ root = \"file:{root}?password-file={}\" }}",
        site.directory.path("trust/password").display()
    );
    configure("lifetimes = { timestamp = \"soon\" }");
    site.directory.chancery("init --config chancery.toml").run().fails_with(&["[trust] lifetimes, timestamp"]);
    configure("lifetimes = { root = \"1s\" }");
    for verb in ["config check chancery.toml", "init --config chancery.toml"] {
        site.directory.chancery(verb).run().fails_with(&["[trust] lifetimes, root", "1s is not between 1d and 3650d"]);
    }
    configure(&format!("{keys}\nlifetimes = {{ root = \"100d\", timestamp = \"2d\" }}"));
    site.directory.chancery("init --config chancery.toml").run().succeeds();
    assert!(fs::read_to_string(&root).unwrap().contains("ENCRYPTED PRIVATE KEY"));
    assert!(
        !site.directory.path("data/keys/tuf-root.pem").exists()
            && site.directory.path("data/keys/tuf-targets.pem").exists()
    );
    let days = |role: &str| {
        let document = Request::get(&format!("http://{address}/tuf/{role}.json")).send().expect(200).json();
        let expires: der::DateTime = document["signed"]["expires"].as_str().unwrap().parse().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        // Rounded: it was signed a moment ago.
        (expires.unix_duration().checked_sub(now).unwrap() + Duration::from_hours(1)).as_secs() / 86_400
    };
    let server = site.directory.serve("chancery.toml");
    assert_eq!((days("root"), days("timestamp")), (100, 2));
    // The root's key is used where it is.
    site.directory.chancery("trust rotate --role timestamp --data data").run().succeeds();
    is_recorded(&site, "tuf", &json!({"role": "root", "version": 2}));
    site.directory.chancery("trust status --data data").run().succeeds();
    let keys: Value =
        serde_json::from_str(&site.directory.chancery("keys list --data data --json").run().succeeds()).unwrap();
    let of_timestamp = keys.as_array().unwrap().iter().filter(|key| key["role"] == "tuf-timestamp");
    let states: Vec<_> = of_timestamp.map(|key| json!([key["generation"], key["state"], key["signing"]])).collect();
    assert_eq!(states, [json!([1, "retired", false]), json!([2, "active", true])], "{keys}");
    server.terminate();
    server.finish().succeeds();
    // What is not said any more counts no more: the next metadata has the usual lifetime.
    configure("");
    let server = site.directory.serve("chancery.toml");
    site.directory.chancery("trust renew --role timestamp --data data").run().succeeds();
    let deadline = Instant::now() + NOTICED;
    while days("timestamp") != 7 {
        assert!(Instant::now() < deadline, "{}", days("timestamp"));
        thread::sleep(Duration::from_millis(100));
    }
    server.terminate();
    server.finish().succeeds();
}

#[test]
fn the_configurations_in_deploy_are_what_a_server_reads() {
    let directory = TempDir::new().unwrap();
    for file in ["chancery.toml", "compose/config/chancery.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(file);
        let checked = Program::new(chancery_binary(), directory.path()).args("config check").arg(path).run().succeeds();
        assert!(checked.contains("sign.example.org"), "{checked}");
    }
    let schema = Program::new(chancery_binary(), directory.path()).args("config schema").run().succeeds();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["additionalProperties"], false);
}
