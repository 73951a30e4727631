//! Where things may appear: the design's rules that neither the compiler nor clippy can hold.
//!
//! Reads the tree as text. A rule names the places where something is allowed; everywhere else it is a failure that
//! shows file and line.

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/paths.rs"]
mod paths;
#[path = "architecture/tokens.rs"]
mod tokens;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Directories of code that is part of the product.
const PRODUCT: [&str; 2] = ["crates", "services"];
/// Directories of code.
const EVERYTHING: [&str; 4] = ["crates", "services", "tests", "benches"];
/// A file over this many lines has two subjects.
const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the tree: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines with their numbers, without what stands in line comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = |line: &'_ str| line.find("//").map_or(line.len(), |start| start);
        self.text.lines().enumerate().map(move |(number, line)| (number + 1, &line[..code(line)]))
    }

    /// As [`Self::code`], up to where a module of unit tests begins; nothing of a file that is only compiled for tests.
    fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.lines().position(|line| line == "#[cfg(test)]").unwrap_or(usize::MAX);
        let is_test = self.path.contains("/tests/") || self.path.ends_with("/tests.rs");
        self.code().filter(move |(number, _)| !is_test && *number <= end)
    }
}

/// Every text file below `directories`, sorted; without what is built or generated.
fn sources(directories: &[&str], extension: Option<&str>) -> Vec<Source> {
    let root = root();
    let mut waiting: Vec<PathBuf> = directories.iter().map(|directory| root.join(directory)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let skipped = ["target", ".git", "chancery-dev", "node_modules"].contains(&name.as_str());
            if !skipped || path == root {
                waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if extension.is_none_or(|extension| path.extension().is_some_and(|found| found == extension)) {
            let path_text = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            // What is not text has no rules.
            if let Ok(text) = fs::read_to_string(&path) {
                found.push(Source { path: path_text, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty());
    found
}

fn product() -> Vec<Source> {
    sources(&PRODUCT, Some("rs"))
}

/// Demands that `word` appears in product code only in files for which `allowed` says so. Tests inside the product may
/// do as they like.
fn only_in(word: &str, allowed: impl Fn(&str) -> bool) {
    let mut violations = String::new();
    for source in product().iter().filter(|source| !allowed(&source.path)) {
        for (number, line) in source.product_code().filter(|(_, line)| line.contains(word)) {
            writeln!(violations, "{}:{number}: {}", source.path, line.trim()).unwrap();
        }
    }
    assert!(violations.is_empty(), "{word} must not appear here:\n{violations}");
}

fn in_directory_or_module(path: &str, name: &str) -> bool {
    path.contains(&format!("/{name}/")) || path.ends_with(&format!("/{name}.rs"))
}

#[test]
fn sql_is_in_the_stores() {
    let allowed = |path: &str| {
        let in_a_store = path.starts_with("services/") && in_directory_or_module(path, "store");
        in_a_store || path.starts_with("crates/daemon/") && in_directory_or_module(path, "database")
    };
    only_in("sqlx", allowed);
}

/// Files that speak HTTP: the `http` modules, the guard in front of the development issuer, and what puts routers
/// together.
fn speaks_http(path: &str) -> bool {
    in_directory_or_module(path, "http")
        || path.starts_with("crates/daemon/src/http")
        || path == "crates/daemon/src/problem.rs"
        || path == "services/chancery/src/loopback.rs"
        || path.starts_with("services/chancery/src/dev")
}

#[test]
fn http_is_at_the_edge() {
    // A role hands its router on; that type alone may pass through other modules.
    for module in ["http", "extract", "response", "routing", "middleware", "body", "Json", "{"] {
        only_in(&format!("axum::{module}"), speaks_http);
    }
    only_in("StatusCode", |path| speaks_http(path) || asks_others(path));
}

/// Files that make requests: to key services, to registries, to logs elsewhere, for the keys of OIDC issuers, to a certificate
/// log elsewhere, for a token of the development issuer, for what a server's logs hold, for cosignatures, for a server's own
/// health, for what reaches it through proxies, for what its TUF repository serves, and to tell a receiver of new entries or of
/// alarms.
fn asks_others(path: &str) -> bool {
    path.starts_with("crates/keys/src/")
        || path.starts_with("crates/registry/src/")
        || path.starts_with("crates/outbound/src/")
        || [
            "crates/log-client/src/fetch.rs",
            "services/ca/src/oidc/fetcher.rs",
            "services/ca/src/transparency/rfc6962.rs",
            "services/chancery/src/cli/conformance/sign_bundle/services.rs",
            "services/chancery/src/cli/doctor/web.rs",
            "services/chancery/src/cli/health.rs",
            "services/chancery/src/cli/search/server.rs",
            "services/chancery/src/cli/token.rs",
            "services/chancery/src/cli/verify/trust/repository.rs",
            "services/chancery/src/dev/demo/client.rs",
            "services/chancery/src/instance/events/webhook.rs",
            "services/chancery/src/instance/served.rs",
            "services/chancery/src/witness/client.rs",
            "services/monitor/src/client.rs",
        ]
        .contains(&path)
}

#[test]
fn requests_go_out_of_few_places() {
    only_in("reqwest", asks_others);
}

#[test]
fn whom_tls_trusts_is_decided_in_one_place() {
    // A verifier of our own, or a certificate that is added beside it, would be a second opinion.
    for word in ["ServerCertVerifier", "tls_certs_only", "tls_certs_merge", "add_root_certificate", "tls_backend_"] {
        only_in(word, |path| path == "crates/outbound/src/authorities.rs");
    }
    // Certificates that an operator names replace the system's authorities, everywhere.
    for word in ["extra_roots", "webpki_roots", "load_native_certs"] {
        only_in(word, |_| false);
    }
    // No secret is sent to a server of one's own that is asked whether it is ready.
    only_in("danger_accept_invalid", |path| path == "services/chancery/src/cli/health.rs");
}

#[test]
fn object_stores_are_written_by_the_mirror() {
    // Which store it is, the command line says.
    let allowed = |path: &str| {
        // Key services take the same credentials and signatures of requests as buckets do.
        in_directory_or_module(path, "mirror")
            || in_directory_or_module(path, "destination")
            || path == "services/chancery/src/instance/tiles.rs"
            || path.starts_with("crates/keys/src/")
    };
    only_in("object_store::", allowed);
}

#[test]
fn the_clock_is_read_in_one_place() {
    for word in ["SystemTime::now", "UtcDateTime::now", "OffsetDateTime::now", "Utc::now"] {
        only_in(word, |path| path == "crates/daemon/src/clock.rs");
    }
}

#[test]
fn randomness_is_drawn_in_one_place() {
    for word in ["SystemRandom::new", "OsRng", "getrandom", "rand::rng"] {
        only_in(word, |path| path == "crates/daemon/src/random.rs" || path == "crates/daemon/src/signer/local.rs");
    }
}

#[test]
fn private_keys_stay_behind_the_signer() {
    for word in ["KeyPair::generate", "from_pkcs8", "Ed25519KeyPair", "EcdsaKeyPair", "RsaKeyPair"] {
        only_in(word, |path| path.starts_with("crates/daemon/src/signer"));
    }
}

#[test]
fn the_environment_is_not_read() {
    // A key URI may name a variable that has a secret; where credentials for registries are, only variables say.
    for word in ["env::var", "env::vars", "option_env!"] {
        let allowed = [
            "crates/daemon/src/config.rs",
            "crates/keys/src/secret.rs",
            "services/chancery/src/cli/verify/environment.rs",
        ];
        only_in(word, |path| allowed.contains(&path));
    }
}

#[test]
fn commands_print_in_one_way() {
    // The macros panic if nobody reads, as after `| head`.
    for word in ["print!(", "println!(", "stdout()", "stderr()"] {
        only_in(word, |path| {
            path == "services/chancery/src/output.rs"
                || path.starts_with("crates/daemon/src/telemetry")
                || path.contains("/examples/")
        });
    }
}

#[test]
fn nothing_is_unsafe_unfinished_or_left_out() {
    let mut violations = String::new();
    // Put together here so that this file does not contain them.
    let words = ["unsafe ", "todo!(", "unimplemented!(", "dbg!("].map(str::to_owned);
    let ignored = format!("#[{}", "ignore");
    for source in sources(&EVERYTHING, Some("rs")) {
        if source.path == "tests/tests/architecture.rs" {
            continue;
        }
        for (number, line) in source.code() {
            if words.iter().any(|word| line.contains(word.as_str())) || line.contains(&ignored) {
                writeln!(violations, "{}:{number}: {}", source.path, line.trim()).unwrap();
            }
        }
    }
    assert!(violations.is_empty(), "{violations}");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

#[test]
fn every_crate_has_the_lints() {
    for manifest in sources(&PRODUCT, Some("toml")).iter().filter(|source| source.path.ends_with("Cargo.toml")) {
        assert!(manifest.text.contains("[lints]\nworkspace = true"), "{} does not inherit the lints", manifest.path);
    }
}

#[test]
fn every_module_says_what_it_is_and_fits() {
    let mut violations = String::new();
    for source in sources(&EVERYTHING, Some("rs")) {
        if !source.text.starts_with("//!") {
            writeln!(violations, "{}: does not start with //!", source.path).unwrap();
        }
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            writeln!(violations, "{}: {lines} lines", source.path).unwrap();
        }
    }
    assert!(violations.is_empty(), "{violations}");
}

#[test]
fn names_say_something() {
    for source in product() {
        let name = Path::new(&source.path).file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            !["utils", "util", "common", "helpers", "helper", "manager", "misc"].contains(&name.as_str()),
            "{}",
            source.path
        );
    }
}

#[test]
fn no_file_names_a_package_registry_or_this_machine() {
    // Put together here so that this file does not contain them.
    let hosts = [["crates", "io"], ["proxy.golang", "org"], ["sum.golang", "org"], ["pypi", "org"], ["npmjs", "org"]];
    let hosts = hosts.map(|parts| parts.join("."));
    let home = root().to_str().unwrap().to_owned();
    let mut violations = String::new();
    for source in sources(&[""], None).iter().filter(|source| !source.path.ends_with("Cargo.lock")) {
        for (number, line) in source.text.lines().enumerate() {
            if hosts.iter().any(|host| line.contains(host.as_str())) || line.contains(&home) {
                writeln!(violations, "{}:{}: {}", source.path, number + 1, line.trim()).unwrap();
            }
        }
    }
    assert!(violations.is_empty(), "{violations}");
}

/// The names of all crates that `package` is built from.
fn dependencies(package: &str) -> BTreeSet<String> {
    let name = |line: String| line.split(' ').next().map(str::to_owned);
    tree(package, &[]).into_iter().filter_map(name).collect()
}

/// Names and versions of all crates that `package` is built from, itself among them, with these options of `cargo tree`.
fn tree(package: &str, options: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--package",
            package,
        ])
        .args(options)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let crate_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    tree.lines().filter(|line| !line.is_empty()).map(crate_and_version).collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let forbidden = |package: &str, names: &[&str]| {
        let dependencies = dependencies(package);
        for name in names {
            assert!(!dependencies.contains(*name), "{package} must not depend on {name}");
        }
    };
    let servers = ["chancery-ca", "chancery-log", "chancery-tsa", "chancery-trust", "chancery"];
    forbidden("chancery-verify", &["tokio", "axum", "sqlx", "reqwest", "hyper", "rand", "chancery-daemon"]);
    forbidden("chancery-verify", &servers);
    forbidden("chancery-daemon", &servers);
    forbidden("chancery-keys", &servers);
    // It reads what a log shows; what is kept of that is not its subject.
    forbidden("chancery-log-client", &servers);
    forbidden("chancery-log-client", &["chancery-daemon", "chancery-keys", "sqlx", "axum", "clap"]);
    // It reads what a registry has; what that means, and how it is shown, is not its subject.
    forbidden("chancery-registry", &servers);
    forbidden("chancery-registry", &["chancery-daemon", "chancery-keys", "clap"]);
    // Between the registry and the verifier, and below everything that reads images.
    forbidden("chancery-image", &servers);
    forbidden("chancery-image", &["chancery-daemon", "chancery-keys", "clap"]);
    // They make no requests, for keys neither.
    for package in ["chancery-log", "chancery-tsa", "chancery-trust", "chancery-daemon"] {
        forbidden(package, &["chancery-keys"]);
    }
    // The log exists to catch the certificate authority.
    forbidden("chancery-ca", &["chancery-log", "chancery-tsa", "chancery-trust", "chancery"]);
    forbidden("chancery-log", &["chancery-ca", "chancery-tsa", "chancery-trust", "chancery", "reqwest"]);
    forbidden("chancery-tsa", &["chancery-ca", "chancery-log", "chancery-trust", "chancery", "reqwest"]);
    // It knows logs by what it asks of them, wherever they are.
    forbidden(
        "chancery-search",
        &["chancery-ca", "chancery-log", "chancery-tsa", "chancery-trust", "chancery", "reqwest"],
    );
    // It exists to catch logs and authorities, wherever they are.
    forbidden("chancery-monitor", &["chancery-ca", "chancery-log", "chancery-tsa", "chancery-trust", "chancery"]);
    // It exists to catch logs, and asks nobody.
    forbidden("chancery-witness", &["chancery-ca", "chancery-log", "chancery-tsa", "chancery", "reqwest"]);
    forbidden("chancery-trust", &["chancery-ca", "chancery-log", "chancery-tsa", "chancery", "reqwest"]);
    forbidden("chancery", &["openssl-sys", "native-tls", "ring"]);
    for package in servers.iter().filter(|package| **package != "chancery") {
        assert!(dependencies(package).contains("chancery-verify"), "{package} must be verified by chancery-verify");
    }
}

/// Within a package, too, modules depend in one direction; [`circles`] says what counts.
#[test]
fn modules_depend_in_one_direction() {
    let sources = product();
    let sources: Vec<(&str, &str)> =
        sources.iter().map(|source| (source.path.as_str(), source.text.as_str())).collect();
    let ties = circles::ties(&sources);
    // A reader that sees nothing would find no circle, either. There were 4700 when the rule began to follow re-exports.
    assert!(ties.len() > 3000, "only {} ties between modules were read", ties.len());
    let circles = circles::circles(&ties);
    assert!(circles.is_empty(), "move what both need below them:\n{}", circles.join("\n"));
}

/// The verification crate, and no other, can be published: with what a registry of crates asks for, and what it shows.
#[test]
fn the_verification_crate_can_be_published() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    // `publish = false` is an empty list of registries.
    let published = |package: &&serde_json::Value| package["publish"] != serde_json::json!([]);
    let packages: Vec<_> = metadata["packages"].as_array().unwrap().iter().filter(published).collect();
    assert_eq!(packages.iter().map(|package| &package["name"]).collect::<Vec<_>>(), ["chancery-verify"]);
    let package = packages[0];
    for field in ["description", "license", "repository", "readme", "rust_version"] {
        assert!(package[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    for (list, most) in [("keywords", 5), ("categories", 5)] {
        let count = package[list].as_array().unwrap().len();
        assert!((1..=most).contains(&count), "{count} {list}");
    }
    // A crate of this workspace would have to be published first. Its own name is only a development dependency.
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    let local = dependencies.filter(|dependency| dependency["path"].is_string() && dependency["kind"] != "dev");
    assert_eq!(local.count(), 0);
}

/// A project that verifies takes on few crates, and none that has a network, a runtime, a database or randomness.
#[test]
fn a_verifier_is_light() {
    for options in [&["--no-default-features"][..], &[]] {
        let tree = tree("chancery-verify", options);
        let dependencies = tree.iter().filter(|found| !found.starts_with("chancery-verify ")).count();
        assert!((20..60).contains(&dependencies), "{dependencies}: {tree:?}");
        for name in ["tokio", "reqwest", "hyper", "sqlx", "rand", "axum", "futures-util", "getrandom", "schemars"] {
            let found = tree.iter().find(|found| found.split(' ').next() == Some(name));
            assert_eq!(found, None, "a verifier must not carry {name}");
        }
    }
}
