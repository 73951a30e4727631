//! Changes to a JSON document, one at a time: whatever it holds, each member is dropped, doubled, nulled, made another type,
//! blown up, and each base64 text loses a bit. Knows nothing of what the members mean.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Elements of a list that was blown up.
const MANY: usize = 1_000;
/// Bytes of a text that was blown up, unless it was longer.
const LONG: usize = 200_000;
/// Places within a base64 text at which a bit is changed.
const PLACES: usize = 7;

/// One changed document.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// Where: a JSON pointer.
    pub pointer: String,
    /// What was done there.
    pub change: String,
    /// The document.
    pub json: Vec<u8>,
}

/// Every change to this document.
pub fn mutations(document: &Value) -> Vec<Mutation> {
    let mut all = Vec::new();
    for pointer in pointers(document) {
        let value = document.pointer(&pointer).unwrap();
        let mut add = |change: String, json: String| {
            all.push(Mutation { pointer: pointer.clone(), change, json: json.into_bytes() });
        };
        add("dropped".into(), without(document, &pointer).to_string());
        add("null".into(), with(document, &pointer, Value::Null).to_string());
        add("doubled".into(), doubled(document, &pointer));
        for (change, other) in replacements(value) {
            add(change, with(document, &pointer, other).to_string());
        }
    }
    all
}

/// Pointers to every value below the document itself.
pub fn pointers(document: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match document {
        Value::Object(members) => members.iter().map(|(name, value)| (format!("/{name}"), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, value)| (format!("/{index}"), value)).collect(),
        _ => Vec::new(),
    };
    let below = |(name, value): (String, &Value)| {
        let below = pointers(value).into_iter().map(|pointer| format!("{name}{pointer}")).collect::<Vec<_>>();
        std::iter::once(name).chain(below).collect::<Vec<_>>()
    };
    children.into_iter().flat_map(below).collect()
}

/// The document with this value there instead; its parent must exist.
pub fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let (mut document, (parent, name)) = (document.clone(), pointer.rsplit_once('/').unwrap());
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    document
}

/// The document without that.
pub fn without(document: &Value, pointer: &str) -> Value {
    let (mut document, (parent, name)) = (document.clone(), pointer.rsplit_once('/').unwrap());
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) => drop(list.remove(name.parse().unwrap())),
        parent => drop(parent.as_object_mut().unwrap().remove(name)),
    }
    document
}

/// The text of the document with that member, or that element, twice.
fn doubled(document: &Value, pointer: &str) -> String {
    const MARK: &str = "a mark that occurs nowhere";
    let value = document.pointer(pointer).unwrap().to_string();
    let marked = with(document, pointer, MARK.into()).to_string();
    let mark = json!(MARK).to_string();
    let name = pointer.rsplit('/').next().unwrap();
    let again =
        if name.parse::<usize>().is_ok() { format!("{value},{value}") } else { format!("{value},\"{name}\":{value}") };
    marked.replacen(&mark, &again, 1)
}

fn replacements(value: &Value) -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = [json!(true), json!(1.5), json!(-1), json!("!"), json!([]), json!({})]
        .into_iter()
        .map(|other| (format!("{other} instead"), other))
        .collect();
    match value {
        Value::Array(list) => {
            let many = list.iter().cycle().take(if list.is_empty() { 0 } else { MANY }).cloned().collect();
            all.push(("blown up".into(), Value::Array(many)));
            all.push(("in another list".into(), json!([value])));
        }
        Value::String(text) => all.extend(of_text(text)),
        Value::Number(number) => all.extend(number.as_i64().into_iter().flat_map(of_number)),
        _ => {}
    }
    all.retain(|(_, other)| other != value);
    all
}

fn of_text(text: &str) -> Vec<(String, Value)> {
    let mut all = vec![("blown up".to_owned(), json!(text.repeat(LONG / text.len().max(1) + 2)))];
    if let Ok(number) = text.parse::<i64>() {
        all.extend(of_number(number).into_iter().map(|(change, other)| (change, json!(other.to_string()))));
    } else if let Ok(bytes) = STANDARD.decode(text)
        && !bytes.is_empty()
    {
        for bit in bits(bytes.len()) {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            all.push((format!("bit {bit} changed"), json!(STANDARD.encode(bytes))));
        }
        all.push(("cut".into(), json!(STANDARD.encode(&bytes[..bytes.len() - 1]))));
        all.push(("lengthened".into(), json!(STANDARD.encode([&bytes[..], &[0]].concat()))));
    } else {
        all.push(("extended".into(), json!(format!("{text}x"))));
        all.push(("with a space".into(), json!(format!("{text} "))));
    }
    all
}

/// Which bits of that many bytes are changed: the first, the last and some between.
fn bits(length: usize) -> Vec<usize> {
    let mut bits: Vec<usize> = (0..PLACES).map(|place| place * (length * 8 - 1) / (PLACES - 1)).collect();
    bits.dedup();
    bits
}

fn of_number(number: i64) -> Vec<(String, Value)> {
    let others = [Some(0), number.checked_add(1), number.checked_sub(1), Some(i64::MAX)];
    others.into_iter().flatten().map(|other| (format!("{other} instead"), json!(other))).collect()
}
