//! The alerts of `deploy/alerts.yml` are what Prometheus takes, fire when they should, and ask for metrics that exist.

use chancery_tests::{person::client, program::Program};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn promtool(arguments: &str) -> String {
    Program::new(client("bin/promtool"), &root()).args(arguments).run().succeeds()
}

#[test]
fn the_rules_have_no_findings_and_do_what_they_say() {
    promtool("check rules --lint=all --lint-fatal deploy/alerts.yml");
    promtool("test rules tests/deploy/alerts.test.yaml");
}

/// Every `.rs` file below a directory, as one text.
fn code(directory: &Path) -> String {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: PathBuf| match path.extension() {
        _ if path.is_dir() => code(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(path).unwrap(),
        _ => String::new(),
    };
    entries.map(text).collect()
}

#[test]
fn every_metric_in_the_rules_is_registered_by_the_program() {
    let rules = fs::read_to_string(root().join("deploy/alerts.yml")).unwrap();
    let words = rules.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let prefixes = ["chancery_", "fulcio_", "rekor_", "timestamp_authority_"];
    let asked: BTreeSet<_> = words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))).collect();
    assert!(asked.len() > 5, "{asked:?}");
    let code = code(&root().join("crates")) + &code(&root().join("services"));
    for series in asked {
        // A histogram has several series.
        let metric = ["_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix)).unwrap_or(series);
        assert!(code.contains(&format!("\"{metric}\"")), "nothing registers {metric}");
    }
}
