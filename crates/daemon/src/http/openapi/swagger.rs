//! A part of a description in Swagger 2.0, the form in which Rekor v1 and Sigstore's timestamp authority serve theirs.
//!
//! Converts a finished document. Only groups of paths with the mark [`MARK`] are in the result, and only the schemas that
//! they need. What Swagger cannot say is left out: variants of a schema, limits of bodies, and bearer tokens.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Extension of a group that is described in Swagger as well.
pub(super) const MARK: &str = "x-swagger";
/// Where schemas are, before and after.
const SCHEMAS: [&str; 2] = ["#/components/schemas/", "#/definitions/"];
/// Where shared answers are, before and after.
const ANSWERS: [&str; 2] = ["#/components/responses/", "#/responses/"];
/// Words of a schema that mean the same in both.
const SAME: [&str; 15] = [
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
    "required",
    "title",
    "uniqueItems",
];

/// The marked part of a document.
pub(super) fn converted(document: &Value) -> Value {
    let marked = |tag: &&Value| tag[MARK] == true;
    let tags: Vec<&Value> = items(&document["tags"]).filter(marked).collect();
    let is_marked = |operation: &Value| tags.iter().any(|tag| tag["name"] == operation["tags"][0]);
    let mut paths = Map::new();
    for (path, methods) in members(&document["paths"]) {
        let methods = members(methods).filter(|(_, operation)| is_marked(operation));
        let methods: Map<String, Value> =
            methods.map(|(method, object)| (method.clone(), operation(document, object))).collect();
        if !methods.is_empty() {
            paths.insert(path.clone(), methods.into());
        }
    }
    let paths = Value::from(paths);
    let answers = needed(&paths, ANSWERS[1], |name| answer(document, &document["components"]["responses"][name]));
    let of_both = json!([paths, answers]);
    let schemas = needed(&of_both, SCHEMAS[1], |name| schema(&document["components"]["schemas"][name]));
    let tag = |tag: &&Value| json!({ "name": tag["name"], "description": tag["description"] });
    let info = &document["info"];
    json!({
        "swagger": "2.0",
        "info": {
            "title": info["title"],
            "version": info["version"],
            "description": info["description"],
            "license": { "name": info["license"]["name"] },
        },
        "basePath": "/",
        "tags": tags.iter().map(tag).collect::<Vec<_>>(),
        "paths": paths,
        "responses": answers,
        "definitions": schemas,
    })
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What `value` refers to below `place`, and what that refers to, by its names.
fn needed(value: &Value, place: &str, find: impl Fn(&str) -> Value) -> Value {
    let mut waiting = references(value, place);
    let mut found = Map::new();
    while let Some(name) = waiting.pop_first() {
        let object = find(&name);
        waiting.extend(references(&object, place).into_iter().filter(|name| !found.contains_key(name)));
        waiting.remove(&name);
        found.insert(name, object);
    }
    found.into()
}

fn references(value: &Value, place: &str) -> BTreeSet<String> {
    let own = value["$ref"].as_str().and_then(|reference| reference.strip_prefix(place)).map(str::to_owned);
    let below = members(value).map(|(_, member)| member).chain(items(value));
    below.flat_map(|member| references(member, place)).chain(own).collect()
}

fn operation(document: &Value, object: &Value) -> Value {
    let mut converted = json!({ "responses": {} });
    for name in ["operationId", "summary", "description", "tags"] {
        if let Some(value) = object.get(name) {
            converted[name] = value.clone();
        }
    }
    let mut parameters: Vec<Value> = items(&object["parameters"]).map(parameter).collect();
    let request = &object["requestBody"]["content"];
    if request.is_object() {
        converted["consumes"] = members(request).map(|(kind, _)| kind.as_str()).collect();
        parameters.push(json!({ "name": "body", "in": "body", "required": true, "schema": body(request) }));
    }
    if !parameters.is_empty() {
        converted["parameters"] = parameters.into();
    }
    let kinds: BTreeSet<&str> = members(&object["responses"])
        .flat_map(|(_, answer)| members(&answer["content"]).map(|(kind, _)| kind.as_str()))
        .collect();
    if !kinds.is_empty() {
        converted["produces"] = kinds.into_iter().collect();
    }
    for (status, said) in members(&object["responses"]) {
        converted["responses"][status] = answer(document, said);
    }
    converted
}

/// A parameter other than a body, which has the words of its schema itself.
fn parameter(object: &Value) -> Value {
    let mut converted = schema(&object["schema"]);
    for name in ["name", "in", "required", "description"] {
        converted[name] = object[name].clone();
    }
    converted
}

fn answer(document: &Value, object: &Value) -> Value {
    if let Some(reference) = object["$ref"].as_str() {
        return json!({ "$ref": reference.replace(ANSWERS[0], ANSWERS[1]) });
    }
    let mut converted = json!({ "description": object["description"] });
    if object["content"].is_object() {
        converted["schema"] = body(&object["content"]);
    }
    for (name, header) in members(&object["headers"]) {
        let reference = header["$ref"].as_str().map(|reference| reference.trim_start_matches('#'));
        let header = reference.and_then(|reference| document.pointer(reference)).unwrap_or(header);
        converted["headers"][name] = schema(&header["schema"]);
        converted["headers"][name]["description"] = header["description"].clone();
    }
    converted
}

/// The schema of a body: that of its JSON form, if there is one.
fn body(content: &Value) -> Value {
    let json = content.get("application/json");
    let first = json.or_else(|| members(content).map(|(_, form)| form).next());
    match first.and_then(|form| form.get("schema")) {
        Some(form) => schema(form),
        None => json!({ "type": "string", "format": "binary" }),
    }
}

/// A schema of Swagger's.
fn schema(value: &Value) -> Value {
    if let Some(reference) = value["$ref"].as_str() {
        return json!({ "$ref": reference.replace(SCHEMAS[0], SCHEMAS[1]) });
    }
    let mut converted = json!({});
    for name in SAME {
        if let Some(same) = value.get(name).filter(|same| !same.is_null()) {
            converted[name] =
                if name == "additionalProperties" && same.is_object() { schema(same) } else { same.clone() };
        }
    }
    if let Some(constant) = value.get("const") {
        converted["enum"] = json!([constant]);
        converted["type"] = json!(if constant.is_string() { "string" } else { "integer" });
    }
    if value["contentEncoding"] == "base64" {
        converted["format"] = json!("byte");
    }
    let kind = &value["type"];
    if let Some(kind) = items(kind).chain([kind]).find(|kind| kind.is_string() && **kind != "null") {
        converted["type"] = kind.clone();
    }
    let mut is_nullable = items(kind).any(|kind| kind == "null");
    for (name, member) in members(&value["properties"]) {
        converted["properties"][name] = schema(member);
    }
    if let Some(item) = value.get("items") {
        converted["items"] = schema(item);
    }
    let variants = || items(&value["anyOf"]).chain(items(&value["oneOf"]));
    let mut others = variants().filter(|variant| variant["type"] != "null");
    if let (Some(only), None) = (others.next(), others.next()) {
        is_nullable |= variants().count() > 1;
        converted["allOf"] = json!([schema(only)]);
    }
    if is_nullable {
        converted["x-nullable"] = true.into();
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Document, Operation, integer, reference, text};
    use super::*;
    use schemars::JsonSchema;

    /// What is answered.
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Thing {
        /// Its size.
        size: Option<u64>,
        part: Option<Part>,
        names: Vec<String>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Part {
        whole: bool,
    }

    fn swagger() -> Value {
        let mut document = Document::new("Test", "1");
        document.everywhere(500, "Fault", "A fault.", [Content::of_json("Status")]);
        document.schemas(json!({
            "Status": { "type": "object", "properties": { "code": { "const": 5 } } },
            "Unused": { "type": "object" },
            "Written": {
                "type": "object",
                "properties": {
                    "digest": { "type": "string", "contentEncoding": "base64" },
                    "either": { "oneOf": [reference("Status"), text()] },
                },
            },
        }));
        let mut group = document.group("Things", "All things.");
        group.also_in_swagger();
        let body = [Content::bytes("application/x-thing"), Content::of_json("Written").max_bytes(10)];
        let post = Operation::post("makeThing", "Makes one.").path("id", text(), "Which.").body(body);
        let post = post.answer(201, "It is made.", [Content::json::<Thing>()]).answer_header("location", "Where.");
        group.add("/things/{id}", post.answer(404, "There is none.", []));
        let get = Operation::get("getThing", "Reads one.").query("size", integer(1), "How large.");
        group.add("/things", get.answer(200, "Its bytes.", [Content::bytes("application/x-thing")]));
        let mut other = document.group("Others", "All others.");
        other.add("/others", Operation::get("getOther", "Reads one.").answer(200, "Yes.", []));
        converted(&document.into_json())
    }

    #[test]
    fn only_what_is_marked_is_converted_with_what_it_needs() {
        let swagger = swagger();
        assert_eq!((&swagger["swagger"], &swagger["info"]["title"]), (&json!("2.0"), &json!("Test")));
        assert_eq!(swagger["tags"], json!([{ "name": "Things", "description": "All things." }]));
        let names = |value: &Value| members(value).map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
        let expected = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(names(&swagger["paths"]), expected(&["/things", "/things/{id}"]));
        assert_eq!(names(&swagger["responses"]), expected(&["Fault"]));
        assert_eq!(names(&swagger["definitions"]), expected(&["Part", "Status", "Thing", "Written"]));
        assert!(!swagger.to_string().contains("#/components/"), "{swagger}");
    }

    #[test]
    fn operations_have_swagger_s_form() {
        let swagger = swagger();
        let post = &swagger["paths"]["/things/{id}"]["post"];
        assert_eq!(post["consumes"], json!(["application/json", "application/x-thing"]));
        assert_eq!(post["produces"], json!(["application/json"]));
        let path = json!({ "name": "id", "in": "path", "required": true, "type": "string", "description": "Which." });
        let body =
            json!({ "name": "body", "in": "body", "required": true, "schema": { "$ref": "#/definitions/Written" } });
        assert_eq!(post["parameters"], json!([path, body]));
        let created = &post["responses"]["201"];
        assert_eq!(created["schema"], json!({ "$ref": "#/definitions/Thing" }));
        assert_eq!(created["headers"]["location"], json!({ "type": "string", "description": "Where." }));
        assert_eq!(created["headers"]["x-request-id"]["type"], "string");
        assert_eq!(post["responses"]["404"].get("schema"), None);
        assert_eq!(post["responses"]["500"], json!({ "$ref": "#/responses/Fault" }));
        let get = &swagger["paths"]["/things"]["get"];
        assert_eq!((&get["parameters"][0]["minimum"], &get["parameters"][0]["type"]), (&json!(1), &json!("integer")));
        assert_eq!(get["responses"]["200"]["schema"], json!({ "type": "string", "format": "binary" }));
    }

    #[test]
    fn schemas_have_swagger_s_words() {
        let definitions = &swagger()["definitions"];
        let size = &definitions["Thing"]["properties"]["size"];
        assert_eq!((&size["type"], &size["x-nullable"]), (&json!("integer"), &json!(true)));
        assert_eq!(size["description"], "Its size.");
        let part = json!({ "allOf": [{ "$ref": "#/definitions/Part" }], "x-nullable": true });
        assert_eq!(definitions["Thing"]["properties"]["part"], part);
        assert_eq!(definitions["Thing"]["properties"]["names"]["items"], json!({ "type": "string" }));
        assert_eq!(definitions["Status"]["properties"]["code"], json!({ "enum": [5], "type": "integer" }));
        let written = &definitions["Written"]["properties"];
        assert_eq!(written["digest"], json!({ "type": "string", "format": "byte" }));
        assert_eq!(written["either"], json!({}), "variants are left out");
    }
}
