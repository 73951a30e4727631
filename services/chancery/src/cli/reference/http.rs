//! The page about HTTP, from the documents that a server and a witness serve. Writing to a String cannot fail.

use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt::Write as _};

/// Every group of paths of a server, those that only a witness has, and every object in them.
pub(super) fn page(server: &Value, witness: &Value) -> String {
    let mut text = format!("{}\n\n", server["info"]["description"].as_str().unwrap_or_default());
    shared_answers(server, &mut text);
    groups(server, &[], &mut text);
    // What both have is described once.
    let known: Vec<&str> = names(server).collect();
    groups(witness, &known, &mut text);
    let _ = writeln!(text, "## Objects\n");
    for (name, schema) in members(&server["components"]["schemas"]) {
        object(name, schema, &mut text);
    }
    text
}

fn names(document: &Value) -> impl Iterator<Item = &str> {
    document["tags"].as_array().into_iter().flatten().filter_map(|group| group["name"].as_str())
}

/// The answers that many paths have in common, by their statuses.
fn shared_answers(document: &Value, text: &mut String) {
    let mut statuses: BTreeMap<&str, &Value> = BTreeMap::new();
    let operations = members(&document["paths"]).flat_map(|(_, methods)| members(methods));
    for (status, answer) in operations.flat_map(|(_, operation)| members(&operation["responses"])) {
        if let Some(shared) = answer["$ref"].as_str().and_then(|path| document.pointer(path.trim_start_matches('#'))) {
            statuses.insert(status, shared);
        }
    }
    let _ = writeln!(text, "Any path may answer:\n");
    answers(statuses, text);
}

fn groups(document: &Value, known: &[&str], text: &mut String) {
    for group in document["tags"].as_array().into_iter().flatten() {
        let name = group["name"].as_str().unwrap_or_default();
        if known.contains(&name) {
            continue;
        }
        let _ = writeln!(text, "## {name}\n\n{}\n", group["description"].as_str().unwrap_or_default());
        for (path, methods) in members(&document["paths"]) {
            for (method, operation) in members(methods) {
                if operation["tags"][0] == *name {
                    describe(path, method, operation, text);
                }
            }
        }
    }
}

fn describe(path: &str, method: &str, operation: &Value, text: &mut String) {
    let words = [&operation["summary"], &operation["description"]].into_iter().filter_map(Value::as_str);
    let words = words.collect::<Vec<_>>().join(" ");
    let _ = writeln!(text, "### {} {path}\n\n{words}\n", method.to_uppercase());
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        let _ = writeln!(text, "| parameter | in | value | meaning |\n|---|---|---|---|");
        for parameter in parameters {
            let word = |name: &str| parameter[name].as_str().unwrap_or_default();
            let optional = if parameter["required"] == true { "" } else { " Optional." };
            let about = cell(&format!("{}{optional}", word("description")));
            let _ =
                writeln!(text, "| `{}` | {} | {} | {about} |", word("name"), word("in"), value(&parameter["schema"]));
        }
        text.push('\n');
    }
    let forms: Vec<String> =
        members(&operation["requestBody"]["content"]).map(|(kind, form)| limited(kind, form)).collect();
    if !forms.is_empty() {
        let _ = writeln!(text, "Request: {}.\n", forms.join("; or "));
    }
    let own = members(&operation["responses"]).filter(|(_, answer)| answer["$ref"].is_null());
    answers(own.map(|(status, answer)| (status.as_str(), answer)), text);
}

/// A body of a request, with its limit.
fn limited(kind: &str, form: &Value) -> String {
    let described = match &form["schema"] {
        schema if kind.ends_with("json") && !schema.is_null() => format!("`{kind}` ({})", value(schema)),
        schema if schema["$ref"].is_string() => format!("`{kind}` ({})", value(schema)),
        _ => format!("`{kind}`"),
    };
    match form["x-max-bytes"].as_u64() {
        Some(limit) => format!("{described}, at most {limit} bytes"),
        None => described,
    }
}

fn answers<'a>(answers: impl IntoIterator<Item = (&'a str, &'a Value)>, text: &mut String) {
    let _ = writeln!(text, "| status | answer | meaning |\n|---|---|---|");
    for (status, answer) in answers {
        let forms: Vec<String> =
            members(&answer["content"]).map(|(kind, form)| form_of(kind, &form["schema"])).collect();
        let mut about = answer["description"].as_str().unwrap_or_default().to_owned();
        for (name, header) in members(&answer["headers"]).filter(|(_, header)| header["$ref"].is_null()) {
            let _ = write!(about, " `{name}`: {}", header["description"].as_str().unwrap_or_default());
        }
        let _ = writeln!(text, "| {status} | {} | {} |", forms.join(" or "), cell(&about));
    }
    text.push('\n');
}

/// A body of an answer: JSON by its object, everything else by its media type.
fn form_of(kind: &str, schema: &Value) -> String {
    let is_plain = schema.is_null() || schema["type"] == "object" && schema.get("additionalProperties").is_none();
    if kind == "application/json" && !is_plain { value(schema) } else { format!("`{kind}`") }
}

fn object(name: &str, schema: &Value, text: &mut String) {
    let _ = writeln!(text, "### {name}\n");
    if let Some(about) = schema["description"].as_str() {
        let _ = writeln!(text, "{}\n", words(about));
    }
    let _ = writeln!(text, "| member | value | meaning |\n|---|---|---|");
    rows(schema, "", text);
    text.push('\n');
}

/// The members of an object, and of the objects in it.
fn rows(schema: &Value, above: &str, text: &mut String) {
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        rows(one, above, text);
    }
    for (name, member) in members(&schema["properties"]) {
        let path = format!("{above}{name}");
        let about = cell(member["description"].as_str().unwrap_or_default());
        let _ = writeln!(text, "| `{path}` | {} | {about} |", value(member));
        rows(member, &format!("{path}."), text);
        rows(&member["items"], &format!("{path}[]."), text);
    }
}

/// What a value is, in a few words.
fn value(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[`{name}`](#{})", name.to_lowercase());
    }
    if let Some(constant) = schema.get("const") {
        return format!("`{}`", constant.as_str().map_or_else(|| constant.to_string(), str::to_owned));
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            return choices.iter().map(value).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", value(items));
    }
    if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
        return format!("map of {}", value(values));
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    match (schema["contentEncoding"].as_str(), schema["pattern"].as_str()) {
        (Some(encoding), _) => format!("{kind}, {encoding}"),
        (None, Some(pattern)) => format!("`{}`", pattern.replace('|', "\\|")),
        (None, None) => kind,
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().map(Map::iter).into_iter().flatten()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    words(text).replace('|', "\\|")
}
