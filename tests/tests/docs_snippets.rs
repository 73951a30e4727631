//! The manual's parts of configuration files are what the program reads: each block that says of which file it is goes
//! through the program's own check.
//!
//! The second word after the fence says it: `toml,issuers` is a whole file of issuers, `toml,server` a whole file of a
//! server, `toml,witness` one of a witness, `toml,policy` a policy, and `toml,TABLE` is a table of a server's file
//! (`toml,log`), which is read with the least there must be besides. Also here: the runbook has a section for every alert.

use chancery_tests::{
    http::Request,
    program::Program,
    stack::{chancery_binary, free_port},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A witness is there after this time.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// Tables of a server's file that may stand alone in the manual.
const TABLES: [&str; 5] = ["database", "ca", "log", "tsa", "trust"];
/// The least a server's file has.
const SERVER: &str = "url = \"https://sign.example.org\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\n\
                      address = \"127.0.0.1:8443\"\n[ca]\nissuers = \"issuers.toml\"\n";
const ISSUERS: &str = "[[issuer]]\npreset = \"google\"\n";
/// Any certificate, in place of the one a pod has of its cluster.
const CERTIFICATE: &str = "tests/golden/data-schema-1/keys/ca-chain.pem";
/// A key set, for issuers whose keys are in a file.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn pages(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// A block of the manual that is part of a configuration file.
struct Snippet {
    /// Page and line, for a person.
    place: String,
    /// Of which file.
    kind: String,
    text: String,
}

fn snippets() -> Vec<Snippet> {
    let mut found = Vec::new();
    pages(&root().join("docs/src"), &mut found);
    found.sort();
    found.iter().flat_map(|page| snippets_of(page, &fs::read_to_string(page).unwrap())).collect()
}

fn snippets_of(page: &Path, text: &str) -> Vec<Snippet> {
    let mut snippets = Vec::new();
    let mut open: Option<Snippet> = None;
    for (number, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                let kind = language.strip_prefix("toml,").unwrap_or_default().to_owned();
                let place = format!("{}:{}", page.display(), number + 1);
                open = Some(Snippet { place, kind, text: String::new() });
            }
            (Some(_), Some(_)) => snippets.extend(open.take().filter(|snippet| !snippet.kind.is_empty())),
            (Some(snippet), None) => snippet.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    snippets
}

/// What the block is, as whole files, and the one to check.
fn files(snippet: &Snippet) -> Result<BTreeMap<&'static str, String>, String> {
    let server = |text: String| BTreeMap::from([("issuers.toml", ISSUERS.to_owned()), ("check.toml", text)]);
    match snippet.kind.as_str() {
        "issuers" => {
            let certificate = format!("in_cluster = true\nca_file = \"{}\"", root().join(CERTIFICATE).display());
            Ok(BTreeMap::from([("check.toml", snippet.text.replace("in_cluster = true", &certificate))]))
        }
        "server" => Ok(server(snippet.text.clone())),
        "policy" => Ok(BTreeMap::from([("check.toml", snippet.text.clone())])),
        table if TABLES.contains(&table) => {
            let mut whole: toml::Table = SERVER.parse().unwrap();
            let part: toml::Table = snippet.text.parse().map_err(|error| format!("{}: {error}", snippet.place))?;
            for (name, value) in part {
                match (whole.get_mut(&name), value) {
                    (Some(toml::Value::Table(table)), toml::Value::Table(more)) => table.extend(more),
                    (_, value) => {
                        whole.insert(name, value);
                    }
                }
            }
            Ok(server(whole.to_string()))
        }
        other => Err(format!("{}: no kind of configuration is called {other}", snippet.place)),
    }
}

fn check(snippet: &Snippet) -> Result<(), String> {
    let directory = TempDir::new().unwrap();
    for (name, text) in files(snippet)? {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let named = snippet.text.lines().filter_map(|line| line.strip_prefix("jwks_file")?.split('"').nth(1));
    named.for_each(|name| fs::write(directory.path().join(name), KEYS).unwrap());
    let line =
        if snippet.kind == "policy" { "policy check check.toml --deny-warnings" } else { "config check check.toml" };
    let outcome = Program::new(chancery_binary(), directory.path()).args(line).run();
    if outcome.status.success() { Ok(()) } else { Err(format!("{}\n{}", snippet.place, outcome.report())) }
}

/// Starts a witness with the block, on an address and in a directory of this test.
fn check_witness(snippet: &Snippet) -> Result<(), String> {
    let directory = TempDir::new().unwrap();
    let mut file: toml::Table = snippet.text.parse().map_err(|error| format!("{}: {error}", snippet.place))?;
    file.insert("data".to_owned(), "data".into());
    let listen = file.get_mut("listen").and_then(toml::Value::as_table_mut).expect("[listen]");
    let address = format!("127.0.0.1:{}", free_port());
    listen.insert("address".to_owned(), address.clone().into());
    listen.remove("metrics");
    listen.remove("tls");
    fs::write(directory.path().join("witness.toml"), file.to_string()).unwrap();
    let serve = Program::new(chancery_binary(), directory.path()).args("witness serve --config witness.toml");
    let mut witness = serve.start();
    let deadline = Instant::now() + START_DEADLINE;
    while Request::get(&format!("http://{address}/")).try_send().is_err() {
        if !witness.is_running() || Instant::now() > deadline {
            return Err(format!("{}\n{}", snippet.place, witness.stderr()));
        }
        thread::sleep(Duration::from_millis(5));
    }
    witness.terminate();
    witness.finish().succeeds();
    Ok(())
}

#[test]
fn every_configuration_in_the_manual_is_what_the_program_reads() {
    let (witnesses, others): (Vec<_>, Vec<_>) = snippets().into_iter().partition(|snippet| snippet.kind == "witness");
    assert!(others.len() > 20 && !witnesses.is_empty(), "{} and {}", others.len(), witnesses.len());
    let faults: Vec<String> = others
        .iter()
        .filter_map(|snippet| check(snippet).err())
        .chain(witnesses.iter().filter_map(|snippet| check_witness(snippet).err()))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_setting_that_does_not_exist_is_found() {
    let page = "text\n```toml,log\n[log]\nno_such_setting = 1\n```\n```toml,nothing\n```\n```toml\nx\n```\n\
                ```toml,policy\nversion = 1\n[require]\nidentiti = \"a\"\n```\n";
    let snippets = snippets_of(Path::new("x.md"), page);
    let [unknown, nothing, policy] = snippets.as_slice() else { panic!("three, not {}", snippets.len()) };
    let said = check(policy).unwrap_err();
    assert!(said.starts_with("x.md:11\n") && said.contains("identiti"), "{said}");
    let said = check(unknown).unwrap_err();
    assert!(said.starts_with("x.md:2\n") && said.contains("no_such_setting"), "{said}");
    assert_eq!(check(nothing).unwrap_err(), "x.md:6: no kind of configuration is called nothing");
}

/// The words after `marker` at the beginnings of lines.
fn headings(text: &str, marker: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix(marker)).map(|name| name.trim().to_owned()).collect()
}

#[test]
fn the_runbook_has_a_section_for_every_alert_and_for_no_other() {
    let runbook = fs::read_to_string(root().join("docs/src/operate/runbook.md")).unwrap();
    let alerts = fs::read_to_string(root().join("deploy/alerts.yml")).unwrap();
    assert_eq!(headings(&runbook, "## "), headings(&alerts, "- alert: "));
}

/// The names of tests in the manual's page of promises, each with the file it is said to be in.
fn promised(text: &str) -> Vec<(String, String)> {
    let mut promised = Vec::new();
    let mut files = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cell = line.trim_matches('|').rsplit('|').next().unwrap_or_default();
        if !cell.contains("the same") {
            files.clear();
        }
        let mut last_was_file = false;
        for name in cell.split('`').skip(1).step_by(2) {
            let path = if name.contains('/') { name.to_owned() } else { format!("tests/tests/{name}.rs") };
            let is_file = root().join(&path).is_file();
            if is_file {
                if !last_was_file {
                    files.clear();
                }
                files.push(path);
            } else {
                promised.extend(files.iter().map(|file| (file.clone(), name.to_owned())));
            }
            last_was_file = is_file;
        }
    }
    promised
}

#[test]
fn the_tests_that_hold_the_promises_exist() {
    let page = fs::read_to_string(root().join("docs/src/security/promises.md")).unwrap();
    let promised = promised(&page);
    assert!(promised.len() > 40, "{}", promised.len());
    for (file, test) in promised {
        let source = fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(source.contains(&format!("fn {test}(")), "{file} has no test {test}");
    }
}
