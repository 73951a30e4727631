//! `chancery doctor`: an instance that is well has no error, and each fault that is planted is found with what to do about it.

use chancery_tests::{
    ALICE, Stack, TokenIssuer,
    configured::Configured,
    postgres,
    program::{Outcome, Program},
    proxy::{self, Proxy},
    stack::{chancery_binary, free_port},
    time_server::TimeServer,
    waiting::eventually,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use serde_json::{Value, json};
use std::{env, fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::TempDir;

/// Exit code for an error, and for warnings alone.
const ERRORS: i32 = 1;
const WARNINGS: i32 = 4;
/// What must be in no output.
const SECRET: &str = "hunter2";
/// A witness that nobody runs.
const WITNESS: &str = "witness.example.net/1+f24502f8+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
/// A copy of the data directory on a disk without any room, that only this process and its children see.
const ON_A_FULL_DISK: &str = r#"mount -t tmpfs -o size=32m tmpfs "$1" && cp -a "$2" "$1/data" && {
    dd if=/dev/zero of="$1/filler" bs=4096 2>/dev/null; shift 2; exec "$@"; }"#;

/// What one run has found.
struct Found {
    document: Value,
    code: i32,
}

impl Found {
    #[track_caller]
    fn of(outcome: &Outcome) -> Self {
        let document: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.report()));
        assert!(!outcome.stdout.contains(SECRET), "{}", outcome.report());
        let code = outcome.code();
        let expected = match document["verdict"].as_str().unwrap() {
            "errors" => ERRORS,
            "warnings" => WARNINGS,
            _ => 0,
        };
        assert_eq!(code, expected, "{}", outcome.report());
        Self { document, code }
    }

    /// Whether there is a finding of this check and severity, with these words in its message and in what to do.
    fn has(&self, check: &str, severity: &str, message: &str, action: &str) -> bool {
        let findings = self.document["findings"].as_array().unwrap();
        findings.iter().any(|finding| {
            finding["check"] == check
                && finding["severity"] == severity
                && finding["message"].as_str().unwrap().contains(message)
                && finding["action"].as_str().unwrap_or_default().contains(action)
        })
    }

    #[track_caller]
    fn demand(&self, check: &str, severity: &str, message: &str, action: &str) {
        let has = self.has(check, severity, message, action);
        assert!(has, "{check} {severity} {message:?} {action:?}: {:#}", self.document);
    }
}

/// A directory with a configuration, an issuer that it believes, and an instance that `init` has made.
struct Site {
    directory: Configured,
    address: String,
    issuer: TokenIssuer,
}

impl Site {
    fn new(scheme: &str, listen: &str) -> Self {
        let site = Self {
            directory: Configured::new(),
            address: format!("127.0.0.1:{}", free_port()),
            issuer: TokenIssuer::start(),
        };
        let issuer = site.issuer.url("people");
        site.directory.write("issuers.toml", &issuers(&issuer));
        site.directory.write("chancery.toml", &site.configuration(scheme, listen));
        site.directory.chancery("init --config chancery.toml").run().succeeds();
        site
    }

    /// The lines `listen` are part of its table.
    fn configuration(&self, scheme: &str, listen: &str) -> String {
        let address = &self.address;
        format!(
            "url = \"{scheme}://{address}\"\norganization = \"Example\"\ndata = \"data\"\n\
             [listen]\naddress = \"{address}\"\n{listen}\n[ca]\nissuers = \"issuers.toml\"\n"
        )
    }

    /// Runs the doctor on the configuration in a file.
    fn doctor(&self, file: &str, more: &str) -> Found {
        Found::of(&self.directory.chancery(&format!("doctor --json --config {file} {more}")).run())
    }

    /// The same with a configuration of its own.
    fn doctor_of(&self, configuration: &str) -> Found {
        self.directory.write("changed.toml", configuration);
        self.doctor("changed.toml", "")
    }
}

fn issuers(url: &str) -> String {
    format!("[[issuer]]\nurl = \"{url}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_instance_that_is_well_has_no_error_and_its_bundle_no_secret() {
    let stack = Stack::start();
    let directory = stack.data().parent().unwrap().to_owned();
    stack.token_command(ALICE).args("--out alice.token").run().succeeds();
    let doctor = || stack.chancery().args("doctor --data data --token alice.token --out doctor.tar.gz");
    let found = Found::of(&doctor().arg("--json").run());
    assert_eq!(found.document["errors"], 0, "{:#}", found.document);
    for (check, message) in [
        ("permissions", "readable by their owner only"),
        ("database", "SQLite"),
        ("certificates", "valid until"),
        ("readiness", "the server answers"),
        ("http", "a server of chancery answers"),
        ("headers", "16 KiB comes through"),
        ("bodies", "1 MiB comes through to the log"),
        ("tuf", "expires on"),
        ("tuf", "gets the trusted root"),
        ("issuers", "its keys can be fetched"),
        ("signing", "made, logged and verified"),
    ] {
        found.demand(check, "ok", message, "");
    }
    found.demand("clock", "note", "no time server", "[tsa] ntp");
    // As a person reads it: as many lines, and no colours where there is no terminal.
    let printed = doctor().run();
    assert!(printed.stdout.contains("a signature with this token is made") && !printed.stdout.contains('\x1b'));
    assert!(printed.stdout.contains("\n0 errors, "), "{}", printed.report());
    let tar = Program::new("tar", &directory).env("PATH", env::var_os("PATH").unwrap());
    tar.args("-xzf doctor.tar.gz").run().succeeds();
    let token = fs::read_to_string(directory.join("alice.token")).unwrap();
    for entry in fs::read_dir(directory.join("chancery-doctor")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("PRIVATE KEY") && !text.contains(&token), "{text}");
    }
    let mode = fs::metadata(directory.join("doctor.tar.gz")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}

#[test]
fn faults_of_a_stopped_instance_and_its_files_are_found() {
    let site = Site::new("http", "");
    let found = site.doctor("chancery.toml", "");
    found.demand("readiness", "error", "does not run", "chancery serve --config chancery.toml");
    found.demand("http", "error", "no server answers", "start the server");
    found.demand("issuers", "ok", "can be fetched", "");
    for (name, mode, severity, action) in
        [("data/keys/ca.pem", 0o640, "error", "chmod 600"), ("data/keys", 0o755, "warning", "chmod 700")]
    {
        let before = fs::metadata(site.directory.path(name)).unwrap().permissions().mode();
        set_mode(&site.directory.path(name), mode);
        let found = site.doctor("chancery.toml", "");
        found.demand("permissions", severity, &format!("{mode:04o}"), action);
        set_mode(&site.directory.path(name), before);
    }
    // Files that are gone.
    for (name, check, message) in [
        ("data/chancery.db", "database", "no database file"),
        ("data/keys/ca-chain.pem", "certificates", "cannot be used"),
    ] {
        fs::rename(site.directory.path(name), site.directory.path("aside")).unwrap();
        site.doctor("chancery.toml", "").demand(check, "error", message, "backup");
        fs::rename(site.directory.path("aside"), site.directory.path(name)).unwrap();
    }
}

#[test]
fn settings_that_lead_nowhere_are_found() {
    let site = Site::new("http", "");
    let good = site.configuration("http", "");
    // What is before the tables, what is after them, and what is found.
    let unreachable = format!(
        "[log]\nrekor2_witnesses = {{ quorum = 1, witnesses = [{{ key = \"{WITNESS}\", url = \"http://127.0.0.1:1\" }}] }}\n"
    );
    for (before, after, (check, message, action)) in [
        (
            "database = { url = \"postgres://me@127.0.0.1:1/log\" }",
            "",
            ("database", "cannot be used", "[database] url"),
        ),
        ("", unreachable.as_str(), ("witnesses", "the quorum is 1", "[log] rekor2_witnesses")),
        ("", "[log]\ntiles = { url = \"file:///nowhere/at/all\" }\n", ("mirror", "no directory", "[log] tiles")),
        (
            "database = { url = \"postgres://me:hunter2@a/b\" }",
            "",
            ("configuration", "password", "chancery config check"),
        ),
        ("password = \"hunter2\"", "", ("configuration", "unknown field", "chancery config check changed.toml")),
    ] {
        let changed = good.replace("[listen]", &format!("{before}\n[listen]")) + after;
        site.doctor_of(&changed).demand(check, "error", message, action);
    }
    let found = site.doctor_of(&good.replace("data = \"data\"", "data = \"elsewhere\""));
    found.demand("data", "error", "cannot be read", "chancery init");
    let found = site.doctor_of(&good.replace(&site.address, "127.0.0.1:1"));
    found.demand("http", "error", "no server answers", "firewall");
    let found = site.doctor_of(&good.replacen(&site.address, "sign.does-not-exist.invalid", 1));
    found.demand("dns", "error", "cannot be resolved", "A or AAAA record for sign.does-not-exist.invalid");
    let tls = site.configuration("https", "tls = { certificate = \"tls.crt\", key = \"tls.key\" }");
    site.doctor_of(&tls).demand("tls", "error", "tls.crt is missing", "[listen] tls");
    site.directory.write("issuers.toml", "[[issuer]]\npreset = \"nothing\"\n");
    site.doctor("chancery.toml", "").demand(
        "configuration",
        "error",
        "cannot use the list of issuers",
        "chancery config check",
    );
    site.directory.write("issuers.toml", &issuers("http://127.0.0.1:1/people"));
    let found = site.doctor("chancery.toml", "");
    found.demand("issuers", "error", "cannot be fetched", "curl -fsS http://127.0.0.1:1/people/.well-known");
    assert_eq!(found.code, ERRORS);
}

#[test]
fn a_clock_that_is_off_and_time_servers_that_are_silent_are_found() {
    let site = Site::new("http", "");
    let server = TimeServer::start();
    let text = format!("{}[tsa]\nntp = [\"{}\"]\n", site.configuration("http", ""), server.address());
    site.doctor_of(&text).demand("clock", "ok", "a quorum", "");
    server.show(10_000);
    let found = site.doctor_of(&text);
    found.demand("clock", "error", "clock.wrong", "timedatectl set-ntp true");
    found.demand("clock", "warning", "behind this time server", "[tsa] ntp");
    server.be_silent();
    let found = site.doctor_of(&text);
    found.demand("clock", "error", "clock.unconfirmed", "UDP port 123");
    found.demand("clock", "warning", "does not answer", "[tsa] ntp");
}

#[test]
fn a_proxy_that_eats_headers_or_bodies_and_a_foreign_server_are_found() {
    let stack = Stack::start();
    let server = stack.url().replace("http://", "");
    let doctor = |url: &str, more: &str| {
        let program = stack.chancery().args("doctor --json --data data --url").arg(url);
        Found::of(&program.args(more).run())
    };
    let small_headers = Proxy::start(&server, 1024, usize::MAX);
    let found = doctor(small_headers.url(), "");
    found.demand("headers", "error", "status 431", "large_client_header_buffers");
    found.demand("bodies", "ok", "comes through", "");
    let small_bodies = Proxy::start(&server, usize::MAX, 1 << 20);
    let found = doctor(small_bodies.url(), "");
    found.demand("bodies", "error", "status 413", "client_max_body_size");
    found.demand("headers", "ok", "comes through", "");
    // A server of something else, which answers every path.
    let other = TokenIssuer::start();
    let found = doctor(&other.url("people"), "");
    found.demand("http", "error", "something else than chancery", "have the proxy pass every path");
    found.demand("tuf", "error", "gets no trust", "serve /tuf/ unchanged");
    // A token of an issuer that is not configured, and a file without one.
    let token = other.token("strangers", &json!({"sub": "1", "email": ALICE, "email_verified": true}));
    let file = stack.data().parent().unwrap().join("token");
    fs::write(&file, token).unwrap();
    doctor(&stack.url(), "--token token").demand("signing", "error", "iss", "configured are: ");
    fs::write(&file, "two words").unwrap();
    doctor(&stack.url(), "--token token").demand("signing", "error", "a token and nothing else", "--token");
}

#[test]
fn a_tls_certificate_that_is_foreign_expired_or_for_another_name_is_found() {
    let site = Site::new("https", "tls = { certificate = \"tls.crt\", key = \"tls.key\" }");
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    site.directory.write("ca.pem", &authority.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(authority, key);
    let certify = |name: &str, expires: i32| {
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.not_after = date_time_ymd(expires, 1, 1);
        site.directory.write("tls.crt", &leaf.signed_by(&key, &issuer).unwrap().pem());
        site.directory.write("tls.key", &key.serialize_pem());
        set_mode(&site.directory.path("tls.key"), 0o600);
    };
    certify("127.0.0.1", 2090);
    let server = site.directory.serve("chancery.toml");
    site.doctor("chancery.toml", "").demand("tls", "error", "does not trust", "--ca-file FILE");
    let found = site.doctor("chancery.toml", "--ca-file ca.pem");
    assert_eq!(found.document["errors"], 0, "{:#}", found.document);
    found.demand("tls", "ok", "valid until 2090-01-01", "");
    for (name, expires, message, action) in [
        ("sign.example.org", 2090, "for another name than 127.0.0.1", "a certificate issued for 127.0.0.1"),
        ("127.0.0.1", 2024, "the TLS certificate has expired", "renew it"),
    ] {
        certify(name, expires);
        server.hang_up();
        let found = || site.doctor("chancery.toml", "--ca-file ca.pem");
        eventually(message, || found().has("tls", "error", message, action));
    }
    let found = site.doctor("chancery.toml", "--ca-file ca.pem");
    found.demand("tls", "error", "has expired on 2024-01-01", "renew it");
    server.terminate();
    server.finish().succeeds();
}

#[test]
fn tuf_metadata_that_has_expired_is_found() {
    let mut stack = Stack::start_with(&["--tuf-lifetime", "timestamp=10s"]);
    stack.terminate();
    let doctor = || Found::of(&stack.chancery().args("doctor --json --data data").run());
    eventually("the timestamp expires", || {
        doctor().has("tuf", "error", "has expired on", "chancery trust renew --data data")
    });
    doctor().demand("tuf", "error", "gets no trust", "see the findings about this URL");
}

#[test]
fn a_disk_without_room_is_found() {
    let site = Site::new("http", "");
    let disk = site.directory.path("disk");
    fs::create_dir(&disk).unwrap();
    let command = Program::new("/usr/bin/env", site.directory.root()).env("PATH", env::var_os("PATH").unwrap());
    let command = command.args("unshare --user --map-root-user --mount sh -c").arg(ON_A_FULL_DISK).arg("sh");
    let command = command.arg(&disk).arg(site.directory.path("data")).arg(chancery_binary());
    let found = Found::of(&command.args("doctor --json --data").arg(disk.join("data")).run());
    found.demand("disk", "error", "nothing can be written there", "make room");
}

#[test]
fn a_database_that_loses_commits_has_too_few_connections_or_is_pooled_is_found() {
    let site = Site::new("http", "");
    let (server, directory) = (postgres::Own::start(), TempDir::new().unwrap());
    let name = server.name();
    let with = |url: &str| {
        let table = format!("database = {{ url = \"{url}\" }}\n[listen]");
        site.doctor_of(&site.configuration("http", "").replace("[listen]", &table))
    };
    let url = server.url_at(server.socket().parent().unwrap(), &name);
    let found = with(&url);
    found.demand("database", "warning", "the schema is of version 0", "chancery serve");
    found.demand("database", "ok", "connections are open", "");
    server.execute(&format!("ALTER DATABASE {name} CONNECTION LIMIT 5"));
    with(&url).demand("database", "error", "CONNECTION LIMIT allows 5 connections", "raise ALTER DATABASE");
    proxy::pooler(directory.path(), server.socket());
    let pooled = server.url_at(directory.path(), &name);
    with(&pooled).demand("database", "error", "connection pooler", "pool_mode = session");
    server.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    with(&url).demand("database", "error", "synchronous_commit = off", "ALTER SYSTEM SET synchronous_commit = on");
    server.stop();
    with(&url).demand("database", "error", "cannot be used", "see that the database runs");
}
