//! JSON schemas as tables.

use super::cell;
use serde_json::Value;
use std::fmt::Write as _;

/// A table of keys for every table of a configuration file.
pub(super) fn tables(schema: &Value) -> String {
    let mut text = String::new();
    table(schema, schema, "", &mut Vec::new(), &mut text);
    text
}

/// `above`: the tables that this one is in. One that contains itself is described once.
fn table<'a>(root: &'a Value, schema: &'a Value, path: &str, above: &mut Vec<&'a Value>, text: &mut String) {
    above.push(schema);
    let mut below = Vec::new();
    let mut rows = String::new();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let (target, is_list) = resolve(root, property);
        let is_above = above.iter().any(|table| std::ptr::eq(*table, target));
        if target["properties"].is_object() && !is_above {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            below.push((path, is_list, property, target));
        } else {
            let default =
                if required.contains(&name.as_str().into()) { "required".to_owned() } else { default(property) };
            let described = property["description"].as_str().or(target["description"].as_str()).unwrap_or_default();
            let _ = writeln!(
                rows,
                "| `{name}` | {} | {default} | {} |",
                kind(root, property),
                cell(&(described.to_owned() + &values(target)))
            );
        }
    }
    if !rows.is_empty() {
        let _ = writeln!(text, "| key | value | default | meaning |\n|---|---|---|---|\n{rows}");
    }
    for (path, is_list, property, target) in below {
        let heading = if is_list { format!("[[{path}]]") } else { format!("[{path}]") };
        let described = property["description"].as_str().or(target["description"].as_str()).unwrap_or_default();
        let _ = writeln!(text, "## {heading}\n\n{}\n", described.trim());
        table(root, target, &path, above, text);
    }
    above.pop();
}

/// What a property is in the end, and whether it is a list of that.
fn resolve<'a>(root: &'a Value, property: &'a Value) -> (&'a Value, bool) {
    if let Some(reference) = property["$ref"].as_str() {
        return resolve(root, root.pointer(reference.trim_start_matches('#')).expect("a definition"));
    }
    let choices: Vec<&Value> = property["anyOf"].as_array().into_iter().flatten().collect();
    let is_optional = choices.iter().any(|one| one["type"] == "null");
    let not_null = choices.into_iter().find(|one| is_optional && one["$ref"].is_string());
    match not_null {
        Some(one) => resolve(root, one),
        None if property["items"]["$ref"].is_string() => (resolve(root, &property["items"]).0, true),
        None => (property, false),
    }
}

fn kind(root: &Value, property: &Value) -> String {
    let (target, _) = resolve(root, property);
    if target["oneOf"].is_array() {
        return "one of the values".to_owned();
    }
    if let Some(choices) = target["anyOf"].as_array() {
        let is_table = |one: &Value| one["$ref"].is_string() || one["type"] == "object";
        return if choices.iter().any(is_table) { "string or table" } else { "string or list" }.to_owned();
    }
    let types = target["type"].as_array().cloned().unwrap_or_else(|| vec![target["type"].clone()]);
    let kind = types.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("any").to_owned();
    match &*kind {
        "array" => format!("list of {}s", target["items"]["type"].as_str().unwrap_or("table")),
        "object" => "table".to_owned(),
        _ => kind,
    }
}

/// What a property is if nothing is said; empty where the description says so.
fn default(property: &Value) -> String {
    match &property["default"] {
        Value::Null => String::new(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        value => format!("`{value}`"),
    }
}

/// The values of an enumeration, each with its meaning.
fn values(target: &Value) -> String {
    let mut text = String::new();
    for one in target["oneOf"].as_array().into_iter().flatten() {
        let names = one["const"].as_str().map(|name| vec![name.to_owned()]);
        let names = names.unwrap_or_else(|| strings(&one["enum"]));
        for name in names {
            let meaning = one["description"].as_str().map(|meaning| format!(": {}", meaning.trim_end_matches('.')));
            let _ = write!(text, " `{name}`{};", meaning.unwrap_or_default());
        }
    }
    text.trim_end_matches(';').to_owned()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
