//! `chancery schema`: the JSON schemas of the documents that verbs print with `--json`.
//!
//! `schema/documents.json` has them, beside the code that prints; tests compare them with each verb's output. The
//! outputs of `chancery search` and `chancery status` are a server's answers, so their schemas are in the description of the server.

use super::reference;
use crate::output;
use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Not a verb that prints JSON.
const WRONG_USAGE: u8 = 2;
/// `verbs` has the name of each verb's document, `$defs` the documents and what they have in common.
const DOCUMENTS: &str = include_str!("schema/documents.json");
/// The verbs that print the answers of a server, each with the paths that it asks and a remark.
const ANSWERS: [(&str, &[&str], &str); 2] = [
    ("search", &["/api/search", "/api/certificates"], "With --all: one line for each entry."),
    ("status", &["/api/status"], "With --url, as the server says it."),
];
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Print the JSON schema of what a verb prints with --json
///
/// Members may be added in later versions; a program that reads the output should ignore what it does not know. Members are
/// removed or change their meaning only under another `version`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery schema verify blob
  chancery schema log check > log-check.schema.json
  chancery schema --list")]
pub(super) struct Arguments {
    /// The verb, as it is typed
    #[arg(value_name = "VERB", required_unless_present = "list", conflicts_with = "list")]
    verb: Vec<String>,
    /// List the verbs that have a schema
    #[arg(long)]
    list: bool,
}

pub(super) fn run(Arguments { verb, list }: &Arguments) -> anyhow::Result<ExitCode> {
    if *list {
        output::print(&format!("{}\n", verbs()?.join("\n")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (verb, known) = (verb.join(" "), verbs()?);
    if !known.contains(&verb) {
        let error = anyhow!("`chancery {verb}` prints no JSON; these verbs do: {}", known.join(", "));
        return Ok(output::failed(&error, WRONG_USAGE));
    }
    output::print_json(&schema(&verb)?)?;
    Ok(ExitCode::SUCCESS)
}

fn documents() -> anyhow::Result<Value> {
    serde_json::from_str(DOCUMENTS).context("this program is damaged: its JSON schemas cannot be read")
}

/// The verbs that have a schema, sorted.
fn verbs() -> anyhow::Result<Vec<String>> {
    let documents = documents()?;
    let named = documents["verbs"].as_object().into_iter().flatten().map(|(verb, _)| verb.clone());
    let mut verbs: Vec<String> = named.chain(ANSWERS.map(|(verb, ..)| verb.to_owned())).collect();
    verbs.sort_unstable();
    Ok(verbs)
}

/// The schema of a verb, with everything that it refers to.
fn schema(verb: &str) -> anyhow::Result<Value> {
    let title = format!("chancery {verb} --json");
    if let Some((_, paths, remark)) = ANSWERS.into_iter().find(|(asking, ..)| *asking == verb) {
        let server = reference::server();
        let content = |path: &&str| server["paths"][*path]["get"]["responses"]["200"]["content"].clone();
        let answers = paths.iter().map(|path| content(path)["application/json"]["schema"].clone());
        let answers: Vec<Value> = answers.collect();
        let document = json!({ "$schema": DIALECT, "title": title, "description": remark, "anyOf": answers });
        return Ok(complete(document, &server));
    }
    let documents = documents()?;
    let name = documents["verbs"][verb].as_str().with_context(|| format!("`chancery {verb}` prints no JSON"))?;
    let document = json!({ "$schema": DIALECT, "title": title, "$ref": format!("#/$defs/{name}") });
    Ok(complete(document, &documents))
}

/// The document with everything in `source` that it refers to, at the same places.
fn complete(mut document: Value, source: &Value) -> Value {
    let mut waiting = references(&document);
    while let Some(reference) = waiting.pop() {
        let pointer = reference.trim_start_matches('#');
        let Some(schema) = source.pointer(pointer) else { continue };
        if document.pointer(pointer).is_some() {
            continue;
        }
        waiting.extend(references(schema));
        let place = pointer.split('/').skip(1).fold(&mut document, |place, name| &mut place[name]);
        *place = schema.clone();
    }
    document
}

/// Everything that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(members) => members.iter().flat_map(|(name, member)| referred(name, member)).collect(),
        _ => Vec::new(),
    }
}

fn referred(name: &str, member: &Value) -> Vec<String> {
    match member {
        Value::String(reference) if name == "$ref" => vec![reference.clone()],
        member => references(member),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::{Command, CommandFactory as _};

    /// The words of every verb with `--json`.
    fn with_json(command: &Command, above: &str, found: &mut Vec<String>) {
        for verb in command.get_subcommands() {
            let name = format!("{above}{}", verb.get_name());
            if verb.get_arguments().any(|argument| argument.get_id().as_str() == "json") {
                found.push(name.clone());
            }
            with_json(verb, &format!("{name} "), found);
        }
    }

    #[test]
    fn every_verb_that_prints_json_has_a_schema_and_no_other() {
        let mut found = Vec::new();
        with_json(&Cli::command(), "", &mut found);
        found.sort_unstable();
        assert_eq!(verbs().unwrap(), found);
        for verb in found {
            let schema = schema(&verb).unwrap();
            for reference in references(&schema) {
                assert!(schema.pointer(reference.trim_start_matches('#')).is_some(), "{verb}: {reference}");
            }
        }
        assert!(schema("serve").unwrap_err().to_string().contains("prints no JSON"));
    }

    #[test]
    fn every_part_is_used() {
        let documents = documents().unwrap();
        let used = references(&documents);
        let verbs = documents["verbs"].as_object().unwrap();
        for name in documents["$defs"].as_object().unwrap().keys() {
            let is_document = verbs.values().any(|of| of.as_str() == Some(name));
            assert!(is_document || used.contains(&format!("#/$defs/{name}")), "{name}");
        }
    }
}
