//! What the manual's reference says is made from what the program is made of, and so never typed twice.
//!
//! A page has `<!-- generated: NAME -->` above and `<!-- end of generated -->` below each part that is not written by hand.

mod schema;
mod source;

use super::root;
use crate::{program::Program, stack::chancery_binary};
use chancery_verify::Rejection;
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _};

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end of generated -->";

/// The page with every generated part as it should be.
pub fn page(text: &str) -> String {
    let mut page = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->").expect("the name of the part");
        let (_, after) = after.split_once(END).expect("the end of the part");
        let _ = write!(page, "{before}{BEGIN}{name} -->\n\n{}\n\n{END}", part(name).trim());
        rest = after;
    }
    page + rest
}

/// A part by its name.
fn part(name: &str) -> String {
    match name {
        "commands" => chancery(&["reference"]),
        "settings" => schema::tables(&json(&chancery(&["config", "schema"]))),
        "issuers" => schema::tables(&json(&chancery(&["config", "schema", "--issuers"]))),
        "policy" => schema::tables(&json(&chancery(&["policy", "schema"]))),
        "http" => chancery(&["reference", "http"]),
        "metrics" => metrics(),
        "rejections" => rejections(),
        "refusals" => refusals("services/ca/src"),
        "log errors" => refusals("services/log/src"),
        "clock faults" => refusals("crates/daemon/src/clock"),
        "image errors" => codes(&["crates/registry/src", "services/chancery/src/cli/verify"]),
        _ => panic!("there is nothing to generate that is called {name:?}"),
    }
}

fn chancery(arguments: &[&str]) -> String {
    let program = Program::new(chancery_binary(), &root());
    arguments.iter().fold(program, Program::arg).run().succeeds()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;")
}

/// Every metric that the source registers.
fn metrics() -> String {
    let mut table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in source::metrics(&root()) {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ =
            writeln!(table, "| `{}` | {} | {} | {} |", metric.name, metric.kind, labels.join(" "), cell(&metric.help));
    }
    table
}

/// The names of all metrics on the page.
pub fn metric_names() -> BTreeSet<String> {
    source::metrics(&root()).into_iter().map(|metric| metric.name).collect()
}

/// The paths that the page about HTTP should have.
pub fn paths() -> Vec<String> {
    source::paths(&root())
}

fn rejections() -> String {
    let mut table = "| code | meaning | sentence |\n|---|---|---|\n".to_owned();
    for (code, meaning, sentence) in Rejection::ALL {
        let _ = writeln!(table, "| `{code}` | {} | {} |", cell(&unlinked(meaning)), cell(sentence));
    }
    table
}

fn refusals(directory: &str) -> String {
    let mut table = "| code | meaning | sentence |\n|---|---|---|\n".to_owned();
    for refusal in source::refusals(&root().join(directory)) {
        let is_whole = !refusal.meaning.is_empty() && !refusal.sentence.is_empty();
        assert!(is_whole, "{directory}: {} has no documentation or no message: {refusal:?}", refusal.code);
        let _ = writeln!(
            table,
            "| `{}` | {} | {} |",
            refusal.code,
            cell(&unlinked(&refusal.meaning)),
            cell(&refusal.sentence)
        );
    }
    table
}

/// Codes whose sentence depends on what has happened.
fn codes(places: &[&str]) -> String {
    let mut table = "| code | meaning |\n|---|---|\n".to_owned();
    for refusal in places.iter().flat_map(|place| source::refusals(&root().join(place))) {
        assert!(!refusal.meaning.is_empty(), "{} has no documentation", refusal.code);
        let _ = writeln!(table, "| `{}` | {} |", refusal.code, cell(&unlinked(&refusal.meaning)));
    }
    table
}

/// Rust's documentation with links to items, without the links.
fn unlinked(text: &str) -> String {
    text.replace("[`crate::", "`").replace("[`", "`").replace("`]", "`")
}
