//! Who may write to the logs and read their entries, as `[log.write]` and `[log.read]` say: with real clients, which know nothing of
//! either.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, Person, TokenIssuer,
    client::Signer,
    configured::Configured,
    fulcio::{self, SIGNING_CERT_V2, key_request_with_token},
    http::{Request, Response},
    key::{Key, sha256, unique},
    program::{Program, Running},
    rekor::{self, ENTRIES, Entry, envelope, hashedrekord},
    rekor_v2,
    search::{RETRIEVE, SEARCH},
    stack::free_port,
    waiting::eventually,
};
use serde_json::{Value, json};
use std::path::Path;

const V1: &str = "signing_config_rekor_v1.json";
const V2: &str = "signing_config_rekor_v2.json";

/// An instance with a configuration, and an issuer of many names.
struct Site {
    directory: Configured,
    issuer: TokenIssuer,
    address: String,
    metrics: String,
}

impl Site {
    /// `log` is what its configuration says about the logs.
    fn new(log: impl Fn(&TokenIssuer) -> String) -> Self {
        let [address, metrics] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let site = Self { directory: Configured::new(), issuer: TokenIssuer::start(), address, metrics };
        let signers = ["people", "robots"].map(|name| {
            let url = site.issuer.url(name);
            format!("[[issuer]]\nurl = \"{url}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n")
        });
        site.directory.write("issuers.toml", &signers.concat());
        let Self { address, metrics, .. } = &site;
        let text = format!(
            "url = \"http://{address}\"\norganization = \"Example\"\ndata = \"data\"\n\
             [listen]\naddress = \"{address}\"\nmetrics = \"{metrics}\"\n[ca]\nissuers = \"issuers.toml\"\n{}",
            log(&site.issuer)
        );
        site.directory.write("chancery.toml", &text);
        site
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn post(&self, path: &str, body: &Value) -> Response {
        Request::post(&self.at(path)).json(body).send()
    }

    fn get(&self, path: &str) -> Response {
        Request::get(&self.at(path)).send()
    }

    fn get_with(&self, path: &str, token: &str) -> Response {
        Request::get(&self.at(path)).header("Authorization", &format!("Bearer {token}")).send()
    }

    fn alice(&self) -> Person {
        let alice = Person::at(&self.at(""), self.directory.path("data/trust"), ALICE);
        alice.write("artifact", "hello");
        alice
    }

    /// A token of one of the issuers of signers.
    fn token(&self, issuer: &str, email: &str) -> String {
        self.issuer.token(issuer, &json!({"sub": "1", "email": email, "email_verified": true}))
    }

    /// cosign 3 signs `artifact` into the Rekor that a signing configuration names.
    fn sign(alice: &Person, config: &str, token: &str) -> Program {
        let sign =
            alice.cosign3().args("sign-blob --yes --bundle bundle.json --signing-config").arg(alice.trust(config));
        let sign = sign.arg("--trusted-root").arg(alice.trust("trusted_root.json"));
        // cosign takes a token that is not RS256 for the name of a file.
        sign.arg("--identity-token").arg(alice.write("token", token)).arg("artifact")
    }

    /// Every client verifies what was signed last, and needs nothing but the bundle.
    fn verify(&self, alice: &Person) {
        let signer = Signer { identity: ALICE.to_owned(), issuer: self.issuer.url("people") };
        for client in Client::ALL {
            client.verify(alice, "artifact", "bundle.json", &signer).run().succeeds();
        }
    }

    /// How many requests were refused for a reason.
    fn refused(&self, operation: &str, reason: &str) -> u64 {
        let text = Request::get(&format!("http://{}/metrics", self.metrics)).send().expect(200).text();
        let start = format!("chancery_log_refused_total{{operation=\"{operation}\",reason=\"{reason}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |count| count.parse().unwrap())
    }

    /// Stops the server and derives every tree of its data again.
    fn stop(&self, server: Running) {
        server.terminate();
        server.finish().succeeds();
        self.directory.chancery("log check --data data").run().succeeds();
    }
}

/// A refusal of Rekor v1 in its own words, with this in them.
#[track_caller]
fn refused_v1(response: Response, why: &str) {
    let body = response.expect(403).json();
    assert_eq!(body["code"], 403, "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(message.starts_with("error processing entry: this log ") && message.contains(why), "{message}");
}

/// A certificate that the instance has issued to Alice, with its issuers and its key.
fn certificate(site: &Site) -> (Key, Vec<String>) {
    let (key, token) = (Key::generate(), site.token("people", ALICE));
    let answer = site.post(SIGNING_CERT_V2, &key_request_with_token(&key, ALICE, &token)).expect(200).json();
    (key, fulcio::chain(&answer))
}

/// A `hashedrekord` of something new by the holder of this certificate.
fn certified((key, chain): &(Key, Vec<String>)) -> Value {
    let mut proposal = hashedrekord(key, unique("artifact").as_bytes());
    proposal["spec"]["signature"]["publicKey"]["content"] = STANDARD.encode(&chain[0]).into();
    proposal
}

fn rules(issuer: &TokenIssuer) -> String {
    format!(
        "[[log.write.allow]]\nown_certificates = true\nissuer = \"{}\"\nidentity = {{ glob = \"*@example.test\" }}\n\
         [[log.write.allow]]\nkeys = [\"release.pub\"]\nkinds = [\"dsse\"]\n",
        issuer.url("people")
    )
}

#[test]
fn only_signers_that_a_rule_allows_are_logged() {
    let (site, release, other) = (Site::new(rules), Key::generate(), Key::generate());
    site.directory.write("release.pub", &release.public_pem());
    let server = site.directory.start();
    let alice = site.alice();
    for config in [V1, V2] {
        Site::sign(&alice, config, &site.token("people", ALICE)).run().succeeds();
        site.verify(&alice);
        let robots = Site::sign(&alice, config, &site.token("robots", ALICE)).run();
        robots.fails_with(&["403", "does not accept identities of the issuer"]);
        let stranger = Site::sign(&alice, config, &site.token("people", "mallory@evil.test")).run();
        stranger.fails_with(&["403", "does not accept the identity"]);
    }
    assert!(site.refused("write", "write.issuer") >= 2 && site.refused("write", "write.identity") >= 2);

    // A key without a certificate, in each protocol.
    refused_v1(site.post(ENTRIES, &hashedrekord(&other, b"artifact")), "by this key");
    refused_v1(site.post(ENTRIES, &hashedrekord(&release, b"artifact")), "by this key");
    let request = rekor_v2::hashedrekord(&other, b"artifact");
    let body = site.post(rekor_v2::ENTRIES, &request).expect(403).json();
    assert_eq!((&body["code"], &body["details"][0]["reason"]), (&json!(7), &json!("write.key")), "{body}");
    let file = alice.write("request.json", request.to_string());
    let told: Value = serde_json::from_str(&alice.rekor_grpc().arg(file).run().succeeds()).unwrap();
    assert_eq!(told["entryRefused"]["code"], 7, "{told}");
    assert_eq!(told["entryRefused"]["message"], body["message"], "{told}");
    alice.write("signature", other.sign(b"hello"));
    alice.write("key.pub", other.public_pem());
    let upload = alice.rekor_cli().args("upload --artifact artifact --signature signature --public-key key.pub");
    upload.args("--type hashedrekord").run().fails_with(&["403", "by this key"]);
    assert!(site.refused("write", "write.key") >= 5);

    // The key that a rule names, for the kind that the rule names.
    let statement = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[]}"#;
    let signed = |key: &Key| envelope(key, "application/vnd.in-toto+json", statement).to_string();
    site.post(ENTRIES, &rekor::dsse(&release, &signed(&release))).expect(201);
    refused_v1(site.post(ENTRIES, &rekor::dsse(&other, &signed(&other))), "by this key");
    refused_v1(site.post(ENTRIES, &rekor::intoto_v001(&release, &signed(&release))), "by this key");
    site.stop(server);
}

#[test]
fn certificates_of_this_instance_are_those_of_its_present_keys() {
    let site = Site::new(|_| "[log.write]\nallow = [{ own_certificates = true }]\n".to_owned());
    let server = site.directory.start();
    let alice = site.alice();
    let first = certificate(&site);
    site.post(ENTRIES, &certified(&first)).expect(201);
    site.directory.chancery("keys rotate ca --data data stage").run().succeeds();
    site.directory.chancery("keys rotate ca --data data activate --overlap 0s").run().succeeds();
    eventually("the new key does not issue", || certificate(&site).1[1] != first.1[1]);
    let second = certificate(&site);
    for (config, certificate) in [(V1, &first), (V2, &second)] {
        site.post(ENTRIES, &certified(certificate)).expect(201);
        Site::sign(&alice, config, &site.token("people", ALICE)).run().succeeds();
    }
    site.directory.chancery("keys rotate ca --data data retire").run().succeeds();
    let is_refused = || site.post(ENTRIES, &certified(&first)).status == 403;
    eventually("certificates of a retired key are still accepted", is_refused);
    refused_v1(site.post(ENTRIES, &certified(&first)), "of this authority");
    site.post(ENTRIES, &certified(&second)).expect(201);
    site.stop(server);
}

/// Writes the list of issuers whose tokens may read: those of staff in this group.
fn readers(site: &Site, group: &str) {
    let url = site.issuer.url("staff");
    let text = format!(
        "[[issuer]]\nurl = \"{url}\"\ntype = \"email\"\naudiences = [\"log\"]\ndevelopment_loopback_http = true\n\
         require = {{ groups = \"{group}\" }}\n"
    );
    site.directory.write("readers.toml", &text);
}

fn reader(site: &Site, audience: &str, group: &str) -> String {
    let claims = json!({"aud": audience, "sub": "1", "email": ALICE, "email_verified": true, "groups": ["all", group]});
    site.issuer.token("staff", &claims)
}

/// The last tile or bundle below a log's path, which is not full.
fn partial(site: &Site, log: &str, level: &str) -> String {
    let checkpoint = site.get(&format!("{log}/checkpoint")).expect(200).text();
    format!("{log}/tile/{level}/000.p/{}", checkpoint.lines().nth(1).unwrap())
}

/// What shows entries, of every protocol.
fn closed(site: &Site, entry: &Entry) -> Vec<String> {
    let bundle = |log, level| partial(site, log, level);
    vec![
        format!("{ENTRIES}?logIndex={}", entry.log_index()),
        format!("{ENTRIES}/{}", entry.id),
        format!("{ENTRIES}/{}/", &entry.id[16..]),
        bundle("/tlog/rekor", "entries"),
        bundle("", "entries"),
        bundle("/api/v2", "entries"),
        bundle("/ct/main", "data"),
        "/ct/main/ct/v1/get-entries?start=0&end=0".to_owned(),
        "/ct/main/ct/v1/get-entry-and-proof?leaf_index=0&tree_size=1".to_owned(),
    ]
}

/// What proves them, and what clients trust.
fn open(site: &Site) -> Vec<String> {
    let tile = |log| partial(site, log, "0");
    let hash = STANDARD.encode(&site.get(&tile("/ct/main")).expect(200).body[..32]).replace('+', "%2B");
    let mut paths = vec![
        tile("/tlog/rekor"),
        tile(""),
        tile("/api/v2"),
        tile("/ct/main"),
        format!("/ct/main/ct/v1/get-proof-by-hash?tree_size=1&hash={hash}"),
        "/ct/main/ct/v1/get-sth-consistency?first=1&second=1".to_owned(),
        "/api/v1/log/proof?firstSize=1&lastSize=1".to_owned(),
    ];
    let fixed = ["/api/v1/log", "/api/v1/log/publicKey", "/checkpoint", "/api/v2/checkpoint", "/tlog/rekor/checkpoint"];
    paths.extend(fixed.map(str::to_owned));
    let fixed = ["/ct/main/checkpoint", "/ct/main/ct/v1/get-sth", "/ct/main/ct/v1/get-roots", "/tuf/root.json"];
    paths.extend(fixed.map(str::to_owned));
    paths.extend(["/trust/trusted_root.json", "/api/v2/trustBundle"].map(str::to_owned));
    paths
}

fn log_check(site: &Site, token: Option<&Path>) -> Program {
    let check = site.directory.chancery("log check --trust data/trust --url").arg(site.at(""));
    token.into_iter().fold(check, |check, file| check.arg("--token-file").arg(file))
}

/// An entry that is proposed whole is answered to everybody; ids and indexes, and what is asked together with them, to readers.
fn whoever_has_an_entry_may_retrieve_it(site: &Site, proposal: &Value, entry: &Entry, token: &str) {
    let retrieve = |query: &Value| site.post(&format!("{ENTRIES}/retrieve"), query);
    let found = retrieve(&json!({"entries": [proposal]})).expect(200).json();
    assert_eq!(Entry::parse(&found[0]).id, entry.id);
    for query in [
        json!({"logIndexes": [0]}),
        json!({"entryUUIDs": [entry.id]}),
        json!({"entries": [proposal], "logIndexes": [0]}),
    ] {
        let body = retrieve(&query).expect(401).json();
        assert_eq!(body["code"], 401, "{body}");
        let request = Request::post(&site.at(&format!("{ENTRIES}/retrieve"))).json(&query);
        request.header("Authorization", &format!("Bearer {token}")).send().expect(200);
    }
}

#[test]
fn entries_are_for_readers_and_proofs_for_everybody() {
    let site = Site::new(|_| "[log.read]\nissuers = \"readers.toml\"\n".to_owned());
    readers(&site, "auditors");
    let server = site.directory.start();
    let (alice, key) = (site.alice(), Key::generate());
    // Everybody may still write, and gets what is written.
    let proposal = hashedrekord(&key, b"artifact");
    let entry = Entry::parse(&site.post(ENTRIES, &proposal).expect(201).json());
    for config in [V1, V2] {
        Site::sign(&alice, config, &site.token("people", ALICE)).run().succeeds();
        site.verify(&alice);
    }
    let (good, paths) = (reader(&site, "log", "auditors"), closed(&site, &entry));
    for path in &paths {
        let refused = site.get(path).expect(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"entries\""), "{path}");
        assert!(refused.header("cache-control").unwrap().contains("no-store"), "{path}");
        let answered = site.get_with(path, &good).expect(200);
        let cached = answered.header("cache-control").unwrap();
        assert!(cached.contains("private") && !cached.contains("public"), "{path}: {cached}");
        for (token, status) in [
            ("nonsense", 401),
            (reader(&site, "sigstore", "auditors").as_str(), 401),
            (site.token("people", ALICE).as_str(), 401),
            (reader(&site, "log", "interns").as_str(), 403),
        ] {
            site.get_with(path, token).expect(status);
        }
    }
    for path in open(&site) {
        site.get(&path).expect(200);
    }
    for reason in ["token.missing", "token.malformed", "token.audience", "token.issuer_unknown", "token.condition"] {
        assert!(site.refused("read", reason) >= u64::try_from(paths.len()).unwrap(), "{reason}");
    }

    whoever_has_an_entry_may_retrieve_it(&site, &proposal, &entry, &good);

    // Clients that know no tokens do what they can.
    alice.write("signature", key.sign(b"hello"));
    alice.write("key.pub", key.public_pem());
    let what = "--artifact artifact --signature signature --public-key key.pub --type hashedrekord";
    alice.rekor_cli().arg("upload").args(what).run().succeeds();
    alice.rekor_cli().arg("verify").args(what).run().succeeds();
    alice.rekor_cli().arg("loginfo").run().succeeds();
    alice.rekor_cli().args("get --uuid").arg(&entry.id).run().fails_with(&["401"]);
    log_check(&site, None).run().fails_with(&["401", "need a token", "--token-file"]);
    let file = site.directory.path("token");
    site.directory.write("token", &good);
    log_check(&site, Some(&file)).run().succeeds();

    // A token that was accepted is not, once the list says otherwise.
    readers(&site, "board");
    eventually("the changed list is not used", || site.get_with(&paths[0], &good).status == 403);
    log_check(&site, Some(&file)).run().fails_with(&["403", "does not give the right"]);
    site.get_with(&paths[0], &reader(&site, "log", "board")).expect(200);
    site.stop(server);
}

/// What finds entries of what was signed, of every protocol.
fn questions(site: &Site, digest: &str) -> [Request; 9] {
    let get = |path: &str| Request::get(&site.at(path));
    let post = |path: &str, body: Value| Request::post(&site.at(path)).json(&body);
    [
        get(SEARCH),
        get(&format!("{SEARCH}/?format=ndjson")),
        get(&format!("{SEARCH}?count=1")),
        get("/api/certificates"),
        get("/api/search/consistency?log=rekor&first=1&second=1"),
        get(&format!("/api/artifacts/{digest}")),
        post("/api/search/digests", json!({"digests": [digest]})),
        post(RETRIEVE, json!({"email": ALICE})),
        post(&format!("{RETRIEVE}/"), json!({"email": ALICE})),
    ]
}

#[test]
fn searches_are_for_readers() {
    let site = Site::new(|_| "[log.read]\nissuers = \"readers.toml\"\n".to_owned());
    readers(&site, "auditors");
    let server = site.directory.start();
    let alice = site.alice();
    Site::sign(&alice, V1, &site.token("people", ALICE)).run().succeeds();
    let digest = format!("sha256:{}", hex::encode(sha256(b"hello")));
    let (good, intern) = (reader(&site, "log", "auditors"), reader(&site, "log", "interns"));
    for question in questions(&site, &digest) {
        let refused = question.send().expect(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"entries\""), "{}", refused.text());
        assert!(refused.json()["message"].as_str().unwrap().contains("need a token"), "{}", refused.text());
    }
    let with = |question: Request, token: &str| question.header("Authorization", &format!("Bearer {token}")).send();
    for question in questions(&site, &digest) {
        with(question, &intern).expect(403);
    }
    for question in questions(&site, &digest) {
        assert_eq!(with(question, &good).expect(200).header("cache-control"), Some("no-store"));
    }

    // Our own commands say what to do, and send what they are given.
    site.directory.write("token", &good);
    site.directory.write("intern", &intern);
    let ask = |command: &str, file: Option<&str>| {
        let program = site.directory.chancery(command).arg("--url").arg(site.at(""));
        file.into_iter().fold(program, |program, file| program.arg("--token-file").arg(file)).run()
    };
    let artifact = format!("artifact {digest} --trust data/trust");
    eventually("the entry is not found", || ask(&artifact, Some("token")).code() == 0);
    for command in [&artifact, &format!("search --digest {digest}")] {
        assert!(ask(command, Some("token")).succeeds().contains(ALICE), "{command}");
        ask(command, None).fails_with(&["need a token", "--token-file"]);
        let refused = ask(command, Some("intern"));
        assert!(!refused.report().contains("give a file"), "{}", refused.report());
        refused.fails_with(&["does not give the right"]);
        ask(command, Some("no")).fails_with(&["cannot read no"]);
    }
    site.stop(server);
}
