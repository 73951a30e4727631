//! One method of one path: its parameters, the bodies of its requests, and its answers.

use super::Schemas;
use crate::http::READABLE_ANYWHERE;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A method of a path.
#[derive(Debug)]
pub struct Operation {
    method: &'static str,
    id: String,
    summary: String,
    description: Option<String>,
    group: &'static str,
    parameters: Vec<Value>,
    request: Vec<Content>,
    answers: BTreeMap<u16, Answer>,
    /// The last status that was described.
    last: u16,
    security: Option<Value>,
    listener: Option<&'static str>,
}

#[derive(Debug)]
struct Answer {
    about: String,
    content: Vec<Content>,
    headers: Map<String, Value>,
}

/// A body: its media type, its shape, and its limit.
#[derive(Debug)]
pub struct Content {
    media_type: &'static str,
    shape: Shape,
    max_bytes: Option<usize>,
}

#[derive(Debug)]
enum Shape {
    /// The schema of a type.
    Typed(fn(&mut SchemaGenerator) -> Schema),
    /// This schema.
    Written(Value),
    /// Bytes.
    Opaque,
}

impl Content {
    /// JSON of a type: as it is parsed in a request, as it is serialized in an answer.
    #[must_use]
    pub fn json<T: JsonSchema>() -> Self {
        Self::typed::<T>("application/json")
    }

    /// A form with the fields of a type.
    #[must_use]
    pub fn form<T: JsonSchema>() -> Self {
        Self::typed::<T>("application/x-www-form-urlencoded")
    }

    fn typed<T: JsonSchema>(media_type: &'static str) -> Self {
        Self::new(media_type, Shape::Typed(SchemaGenerator::subschema_for::<T>))
    }

    /// JSON of the schema of this name. It must be added with [`super::Document::schemas`].
    #[must_use]
    pub fn of_json(name: &str) -> Self {
        Self::written_json(reference(name))
    }

    /// JSON of this schema.
    #[must_use]
    pub const fn written_json(schema: Value) -> Self {
        Self::new("application/json", Shape::Written(schema))
    }

    /// Text of this media type.
    #[must_use]
    pub fn text(media_type: &'static str) -> Self {
        Self::new(media_type, Shape::Written(text()))
    }

    /// Bytes of this media type.
    #[must_use]
    pub const fn bytes(media_type: &'static str) -> Self {
        Self::new(media_type, Shape::Opaque)
    }

    const fn new(media_type: &'static str, shape: Shape) -> Self {
        Self { media_type, shape, max_bytes: None }
    }

    /// The same, with a limit that the code checks.
    #[must_use]
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes: Some(max_bytes), ..self }
    }

    /// Its media type and its object in a document.
    pub(super) fn written(self, schemas: &mut SchemaGenerator) -> (&'static str, Value) {
        let mut object = match self.shape {
            Shape::Typed(schema) => json!({ "schema": schema(schemas) }),
            Shape::Written(schema) => json!({ "schema": schema }),
            Shape::Opaque => json!({}),
        };
        if let Some(limit) = self.max_bytes {
            object["x-max-bytes"] = limit.into();
        }
        (self.media_type, object)
    }
}

/// The schema of a string.
#[must_use]
pub fn text() -> Value {
    json!({ "type": "string" })
}

/// The schema of a string that matches a regular expression.
#[must_use]
pub fn pattern(expression: &str) -> Value {
    json!({ "type": "string", "pattern": expression })
}

/// The schema of an integer that is not below `minimum`.
#[must_use]
pub fn integer(minimum: u64) -> Value {
    json!({ "type": "integer", "minimum": minimum })
}

/// The schema of a value that must be this one.
#[must_use]
pub fn flag(value: &str) -> Value {
    json!({ "const": value })
}

/// The schema of this name.
#[must_use]
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schema of a list.
#[must_use]
pub fn list_of(items: Value) -> Value {
    let mut list = json!({ "type": "array" });
    list["items"] = items;
    list
}

impl Operation {
    /// A read. `id` is unique among all operations of a server.
    #[must_use]
    pub fn get(id: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new("get", id.into(), summary.into())
    }

    /// A write.
    #[must_use]
    pub fn post(id: impl Into<String>, summary: impl Into<String>) -> Self {
        Self::new("post", id.into(), summary.into())
    }

    const fn new(method: &'static str, id: String, summary: String) -> Self {
        Self {
            method,
            id,
            summary,
            description: None,
            group: "",
            parameters: Vec::new(),
            request: Vec::new(),
            answers: BTreeMap::new(),
            last: 0,
            security: None,
            listener: None,
        }
    }

    /// Adds details that the summary does not have.
    #[must_use]
    pub fn describe(self, description: impl Into<String>) -> Self {
        Self { description: Some(description.into()), ..self }
    }

    /// A parameter in the path.
    #[must_use]
    pub fn path(self, name: &str, schema: Value, about: impl Into<String>) -> Self {
        self.parameter("path", name, true, schema, about.into())
    }

    /// A parameter in the query.
    #[must_use]
    pub fn query(self, name: &str, schema: Value, about: impl Into<String>) -> Self {
        self.parameter("query", name, true, schema, about.into())
    }

    /// An optional parameter in the query.
    #[must_use]
    pub fn optional_query(self, name: &str, schema: Value, about: impl Into<String>) -> Self {
        self.parameter("query", name, false, schema, about.into())
    }

    /// A required header of a request.
    #[must_use]
    pub fn request_header(self, name: &str, schema: Value, about: impl Into<String>) -> Self {
        self.parameter("header", name, true, schema, about.into())
    }

    /// An optional header of a request.
    #[must_use]
    pub fn optional_request_header(self, name: &str, about: impl Into<String>) -> Self {
        self.parameter("header", name, false, text(), about.into())
    }

    fn parameter(mut self, place: &str, name: &str, required: bool, schema: Value, about: String) -> Self {
        let mut parameter = json!({ "name": name, "in": place, "required": required });
        parameter["schema"] = schema;
        parameter["description"] = about.into();
        self.parameters.push(parameter);
        self
    }

    /// The body of a request, in one of these forms.
    #[must_use]
    pub fn body(self, forms: impl IntoIterator<Item = Content>) -> Self {
        Self { request: forms.into_iter().collect(), ..self }
    }

    /// Describes a status, and the forms of the answer's body. No form means no body.
    #[must_use]
    pub fn answer(mut self, status: u16, about: impl Into<String>, forms: impl IntoIterator<Item = Content>) -> Self {
        let answer = Answer { about: about.into(), content: forms.into_iter().collect(), headers: Map::new() };
        self.answers.insert(status, answer);
        self.last = status;
        self
    }

    /// Adds a header to the last described answer.
    #[must_use]
    pub fn answer_header(self, name: &str, about: &str) -> Self {
        self.header(name, about, &text())
    }

    fn header(mut self, name: &str, about: &str, schema: &Value) -> Self {
        if let Some(answer) = self.answers.get_mut(&self.last) {
            answer.headers.insert(name.to_owned(), json!({ "description": about, "schema": schema }));
        }
        self
    }

    /// Marks the last described answer as readable for web pages of every origin: [`READABLE_ANYWHERE`].
    #[must_use]
    pub fn readable_anywhere(self) -> Self {
        let (name, value) = READABLE_ANYWHERE;
        self.answer_header(name.as_str(), &format!("`{}`.", value.to_str().unwrap_or_default()))
    }

    /// Adds `Retry-After` to the last described answer.
    #[must_use]
    pub fn retry_after(self) -> Self {
        self.header("retry-after", "Seconds to wait.", &integer(0))
    }

    /// Sets how the request is authenticated: OpenAPI's security requirements.
    #[must_use]
    pub fn security(self, requirements: Value) -> Self {
        Self { security: Some(requirements), ..self }
    }

    /// Describes an operation that answers with entries of logs, which may be for readers with a token. `form` is the body of its
    /// errors. The document needs [`Document::token_scheme`](super::Document::token_scheme).
    #[must_use]
    pub fn for_readers(self, form: impl Fn() -> [Content; 1]) -> Self {
        self.security(json!([{ "token": [] }, {}])).refusals(
            "With `[log.read]`: there is no token, or it is not accepted.",
            "With `[log.read]`: the token does not give the right to read entries.",
            form,
        )
    }

    /// As [`Self::for_readers`], for an operation that is never without a token.
    #[must_use]
    pub fn only_for_readers(self, form: impl Fn() -> [Content; 1]) -> Self {
        self.security(json!([{ "token": [] }])).refusals(
            "There is no token, or it is not accepted.",
            "The token does not give the right to read this.",
            form,
        )
    }

    /// The answers to a token that is missing or not accepted, and to one that does not give the right.
    fn refusals(self, unauthorized: &str, forbidden: &str, form: impl Fn() -> [Content; 1]) -> Self {
        let challenge = "`Bearer`, and what is wrong with the token.";
        self.answer(401, unauthorized, form())
            .answer_header("www-authenticate", challenge)
            .answer(403, forbidden, form())
            .answer_header("www-authenticate", challenge)
    }

    /// Marks an operation of another listener. It does not have the answers around all routes.
    #[must_use]
    pub fn on_another_listener(self, about: &'static str) -> Self {
        Self { listener: Some(about), ..self }
    }

    pub(super) fn in_group(self, group: &'static str) -> Self {
        Self { group, ..self }
    }

    /// Its method, whether it also has the answers around all routes, and its object in a document.
    pub(super) fn written(self, schemas: &mut Schemas) -> (&'static str, bool, Value) {
        let mut object = json!({ "operationId": self.id, "summary": self.summary, "tags": [self.group] });
        if let Some(description) = self.description {
            object["description"] = description.into();
        }
        if !self.parameters.is_empty() {
            object["parameters"] = self.parameters.into();
        }
        if !self.request.is_empty() {
            object["requestBody"] = json!({ "required": true, "content": forms(self.request, &mut schemas.requests) });
        }
        if let Some(security) = self.security {
            object["security"] = security;
        }
        if let Some(about) = self.listener {
            let listener = json!({ "default": "127.0.0.1:9090", "description": about });
            object["servers"] = json!([{ "url": "http://{listener}", "variables": { "listener": listener } }]);
        }
        let answers: Map<String, Value> = self
            .answers
            .into_iter()
            .map(|(status, answer)| (status.to_string(), answer.written(&mut schemas.answers)))
            .collect();
        object["responses"] = answers.into();
        (self.method, self.listener.is_none(), object)
    }
}

impl Answer {
    fn written(self, schemas: &mut SchemaGenerator) -> Value {
        let mut object = json!({ "description": self.about });
        if !self.headers.is_empty() {
            object["headers"] = self.headers.into();
        }
        if !self.content.is_empty() {
            object["content"] = forms(self.content, schemas).into();
        }
        object
    }
}

fn forms(content: Vec<Content>, schemas: &mut SchemaGenerator) -> Map<String, Value> {
    content
        .into_iter()
        .map(|content| content.written(schemas))
        .map(|(name, object)| (name.to_owned(), object))
        .collect()
}
