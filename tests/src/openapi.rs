//! What a server says that it answers (OpenAPI 3.1), as a test reads it: which requests there are, and whether an answer is
//! one of those that are promised.

use crate::{http::Response, manual, program::Program, stack::chancery_binary};
use serde_json::{Map, Value};

/// What `chancery reference` prints.
pub fn reference(page: &str) -> String {
    Program::new(chancery_binary(), &manual::root()).args("reference").arg(page).run().succeeds()
}

/// A server's description.
pub struct Description(pub Value);

/// A method of a path.
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    /// With parameters in braces.
    pub path: &'a str,
    /// In lower case.
    pub method: &'a str,
    pub object: &'a Value,
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().map(Map::iter).into_iter().flatten()
}

impl Operation<'_> {
    /// As it is named in messages.
    pub fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    /// Whether it is answered by the listener for clients.
    pub fn is_for_clients(&self) -> bool {
        self.object.get("servers").is_none()
    }

    /// Whether a parameter in the query must be there.
    pub fn demands_a_query(&self) -> bool {
        let mut parameters = self.object["parameters"].as_array().into_iter().flatten();
        parameters.any(|parameter| parameter["in"] == "query" && parameter["required"] == true)
    }

    /// The forms of a request's body, each with its limit in bytes.
    pub fn bodies(&self) -> Vec<(String, Option<usize>)> {
        let limit = |form: &Value| form["x-max-bytes"].as_u64().map(|limit| usize::try_from(limit).unwrap());
        let forms = members(&self.object["requestBody"]["content"]);
        forms.map(|(media_type, form)| (media_type.clone(), limit(form))).collect()
    }
}

impl Description {
    /// Every method of every path.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut found = Vec::new();
        for (path, methods) in members(&self.0["paths"]) {
            found.extend(members(methods).map(|(method, object)| Operation { path, method, object }));
        }
        assert!(!found.is_empty(), "the description has no paths");
        found
    }

    /// What is said about the group of paths that an operation belongs to.
    pub fn group(&self, operation: Operation<'_>) -> &str {
        let groups = self.0["tags"].as_array().unwrap();
        let of = |group: &&Value| group["name"] == operation.object["tags"][0];
        groups.iter().find(of).and_then(|group| group["description"].as_str()).expect("the group of an operation")
    }

    /// Why an answer is none that is promised.
    pub fn broken_promise(&self, operation: Operation<'_>, answer: &Response) -> Option<String> {
        let promised = self.resolved(&operation.object["responses"][answer.status.to_string()]);
        if promised["description"].as_str().is_none_or(str::is_empty) {
            return Some(format!("a status that is not described: {} {}", answer.status, answer.text()));
        }
        let Some(kind) = answer.header("content-type") else {
            let is_right = promised["content"].is_null() && answer.body.is_empty();
            return (!is_right).then(|| format!("{}: no content type", answer.status));
        };
        let Some(form) = promised["content"].get(kind) else {
            return Some(format!("{}: a media type that is not described: {kind} {}", answer.status, answer.text()));
        };
        if kind != "application/json" {
            return None;
        }
        let value = answer.json();
        self.misfit(&form["schema"], &value).map(|misfit| format!("{}: {misfit} in {value}", answer.status))
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).expect("what is referred to"),
            None => value,
        }
    }

    /// Why a value is not of a schema, by the part of JSON Schema that the document uses. A member without a name in the
    /// schema is a fault, unless the schema has no names or says that there are others.
    pub fn misfit(&self, schema: &Value, value: &Value) -> Option<String> {
        let schema = self.resolved(schema);
        for (word, most) in [("oneOf", 1), ("anyOf", usize::MAX)] {
            if let Some(variants) = schema[word].as_array() {
                let count = variants.iter().filter(|variant| self.misfit(variant, value).is_none()).count();
                return (count == 0 || count > most).then(|| format!("{count} variants of {word} fit {value}"));
            }
        }
        if let Some(constant) = schema.get("const") {
            return (constant != value).then(|| format!("{value} instead of {constant}"));
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let is_kind = match &schema["type"] {
            Value::Null => true,
            Value::Array(kinds) => kinds.iter().any(|one| one == kind),
            one => one == kind,
        };
        if !is_kind {
            return Some(format!("{value} is not of type {}", schema["type"]));
        }
        match value {
            Value::Array(items) => items.iter().find_map(|item| self.misfit(&schema["items"], item)),
            Value::Object(members) => self.misfit_of_members(schema, members),
            _ => None,
        }
    }

    fn misfit_of_members(&self, schema: &Value, members: &Map<String, Value>) -> Option<String> {
        let mut required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(missing) = required.find(|name| !members.contains_key(*name)) {
            return Some(format!("there is no {missing}"));
        }
        let others = schema.get("additionalProperties");
        members.iter().find_map(|(name, member)| match (schema["properties"].get(name), others) {
            (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => self.misfit(schema, member),
            (None, Some(_)) => None,
            (None, None) => schema.get("properties").map(|_| format!("nothing is said of {name}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_fits_a_schema_or_the_reason_is_said() {
        let schemas = json!({ "Thing": {
            "type": "object",
            "properties": { "size": { "type": "integer" }, "names": { "type": ["array", "null"], "items": { "type": "string" } } },
            "required": ["size"],
        } });
        let description = Description(json!({ "components": { "schemas": schemas } }));
        let thing = json!({ "$ref": "#/components/schemas/Thing" });
        let map = json!({ "type": "object", "additionalProperties": thing });
        let one = json!({ "oneOf": [thing, { "const": "none" }] });
        for (schema, value) in [
            (&thing, json!({ "size": 1 })),
            (&thing, json!({ "size": 1, "names": null })),
            (&map, json!({ "a": { "size": 1 } })),
            (&one, json!("none")),
            (&json!({ "type": "object" }), json!({ "anything": [1] })),
        ] {
            assert_eq!(description.misfit(schema, &value), None, "{value}");
        }
        for (schema, value, why) in [
            (&thing, json!({}), "there is no size"),
            (&thing, json!({ "size": "1" }), "is not of type"),
            (&thing, json!({ "size": 1, "names": [1] }), "is not of type"),
            (&thing, json!({ "size": 1, "other": 1 }), "nothing is said of other"),
            (&map, json!({ "a": {} }), "there is no size"),
            (&one, json!("some"), "0 variants"),
        ] {
            let misfit = description.misfit(schema, &value).unwrap_or_default();
            assert!(misfit.contains(why), "{value}: {misfit}");
        }
    }
}
