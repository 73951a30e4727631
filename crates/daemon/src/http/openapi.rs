//! Descriptions of HTTP APIs in OpenAPI 3.1, made next to the code that answers.
//!
//! Each role describes its paths in a function next to its routes. Limits come from the constants that the code checks,
//! and schemas from the types that it serializes. A server puts the descriptions of its roles into one [`Document`],
//! and serves it at [`PATH`]. The manual's page is made from the same document. gRPC is not described here: its
//! description is its protobuf files.

mod operation;
mod shell;
mod status;
mod swagger;

pub use operation::{Content, Operation, flag, integer, list_of, pattern, reference, text};
pub use shell::{describe_metrics, describe_shell};
pub use status::schemas as status_schemas;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Path of the description.
pub const PATH: &str = "/openapi.json";
/// Path of a part of it in Swagger 2.0, as Rekor v1 and the timestamp authority have it upstream.
const SWAGGER_PATH: &str = "/swagger.json";
/// Version of the specification.
const VERSION: &str = "3.1.0";
/// Name, among the components, of the header that every answer has.
const REQUEST_ID: &str = "RequestId";

/// The description of a process, while it is being built.
#[derive(Debug)]
pub struct Document {
    title: String,
    version: String,
    about: Vec<String>,
    groups: Vec<Value>,
    operations: Vec<(String, Operation)>,
    schemas: Schemas,
    security_schemes: Map<String, Value>,
    everywhere: Vec<Everywhere>,
}

/// An answer by the code around all routes.
#[derive(Debug)]
struct Everywhere {
    status: u16,
    name: &'static str,
    answer: Value,
    only_with_body: bool,
}

/// The schemas of bodies: types as they are parsed, types as they are serialized, and bodies without a type.
#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) requests: SchemaGenerator,
    pub(super) answers: SchemaGenerator,
    written: Map<String, Value>,
}

impl Schemas {
    fn new() -> Self {
        let place = |settings: SchemaSettings| {
            settings.with(|settings| settings.definitions_path = "/components/schemas".into())
        };
        let requests = place(SchemaSettings::draft2020_12().for_deserialize()).into_generator();
        let answers = place(SchemaSettings::draft2020_12().for_serialize()).into_generator();
        Self { requests, answers, written: Map::new() }
    }

    /// All schemas. Two schemas of one name are a defect: one of them would be wrong. Tests notice it.
    fn into_components(mut self) -> Map<String, Value> {
        let mut all = self.written;
        for (name, schema) in
            self.requests.take_definitions(true).into_iter().chain(self.answers.take_definitions(true))
        {
            let known = all.insert(name.clone(), schema);
            debug_assert!(known.is_none(), "two schemas are called {name}");
        }
        all
    }
}

impl Document {
    /// An empty document.
    #[must_use]
    pub fn new(title: &str, version: &str) -> Self {
        Self {
            title: title.to_owned(),
            version: version.to_owned(),
            about: Vec::new(),
            groups: Vec::new(),
            operations: Vec::new(),
            schemas: Schemas::new(),
            security_schemes: Map::new(),
            everywhere: Vec::new(),
        }
    }

    /// Adds a paragraph about the whole API.
    pub fn about(&mut self, paragraph: impl Into<String>) {
        self.about.push(paragraph.into());
    }

    /// Begins a group of paths, with a name and a description of the group.
    pub fn group(&mut self, name: &'static str, about: impl Into<String>) -> Group<'_> {
        self.groups.push(json!({ "name": name, "description": about.into() }));
        Group { document: self, name }
    }

    /// Adds schemas of bodies that have no type, by their names. A second call has no effect.
    pub fn schemas(&mut self, named: Value) {
        if let Value::Object(named) = named {
            self.schemas.written.extend(named);
        }
    }

    /// Adds the security scheme `token`: an OIDC identity token in the Authorization header. A second call has no effect.
    pub fn token_scheme(&mut self) {
        let scheme = json!({
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An OIDC identity token of a configured issuer.",
        });
        self.security_schemes.insert("token".to_owned(), scheme);
    }

    /// Adds an answer that any path may give. It replaces an earlier one with the same status.
    pub fn everywhere(
        &mut self,
        status: u16,
        name: &'static str,
        about: &str,
        forms: impl IntoIterator<Item = Content>,
    ) {
        let answer = self.shared(about, forms);
        self.everywhere.retain(|known| known.status != status);
        self.everywhere.push(Everywhere { status, name, answer, only_with_body: false });
    }

    /// As [`Self::everywhere`], for requests that have a body.
    pub fn wherever_a_body_is(
        &mut self,
        status: u16,
        name: &'static str,
        about: &str,
        forms: impl IntoIterator<Item = Content>,
    ) {
        self.everywhere(status, name, about, forms);
        if let Some(added) = self.everywhere.last_mut() {
            added.only_with_body = true;
        }
    }

    fn shared(&mut self, about: &str, forms: impl IntoIterator<Item = Content>) -> Value {
        let forms = forms.into_iter().map(|form| form.written(&mut self.schemas.answers));
        let content: Map<String, Value> = forms.map(|(name, form)| (name.to_owned(), form)).collect();
        json!({ "description": about, "headers": request_id(), "content": content })
    }

    /// The finished document.
    #[must_use]
    pub fn into_json(self) -> Value {
        let Self { title, version, about, groups, operations, mut schemas, security_schemes, everywhere } = self;
        let mut paths: Map<String, Value> = Map::new();
        for (path, operation) in operations {
            let (method, is_in_shell, mut operation) = operation.written(&mut schemas);
            if is_in_shell {
                around(&mut operation, &everywhere);
            }
            let methods = paths.entry(path).or_insert_with(|| json!({}));
            methods[method] = operation;
        }
        let responses: Map<String, Value> =
            everywhere.into_iter().map(|answer| (answer.name.to_owned(), answer.answer)).collect();
        let request_id = json!({
            "description": "Name of this request, as in the audit log.",
            "schema": { "type": "string" },
        });
        json!({
            "openapi": VERSION,
            "info": {
                "title": title,
                "version": version,
                "description": about.join("\n\n"),
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "tags": groups,
            "paths": paths,
            "components": {
                "headers": { REQUEST_ID: request_id },
                "responses": responses,
                "schemas": schemas.into_components(),
                "securitySchemes": security_schemes,
            },
        })
    }
}

fn request_id() -> Value {
    json!({ "x-request-id": { "$ref": format!("#/components/headers/{REQUEST_ID}") } })
}

/// Status of a request that is refused before its operation is asked. The operation may answer it, too, in another form.
const FORBIDDEN: u16 = 403;

/// Adds the answers of the code around the routes, except for statuses that the operation describes itself.
fn around(operation: &mut Value, everywhere: &[Everywhere]) {
    let has_body = operation.get("requestBody").is_some();
    let Some(answers) = operation["responses"].as_object_mut() else { return };
    for answer in answers.values_mut() {
        for (name, header) in request_id().as_object().into_iter().flatten() {
            answer["headers"][name] = header.clone();
        }
    }
    for Everywhere { status, name, answer, only_with_body } in everywhere {
        if !has_body && *only_with_body {
            continue;
        }
        match answers.get_mut(&status.to_string()) {
            Some(own) if *status == FORBIDDEN => add_forms(own, answer),
            Some(_) => {}
            None => {
                let shared = json!({ "$ref": format!("#/components/responses/{name}") });
                answers.insert(status.to_string(), shared);
            }
        }
    }
}

/// Adds the forms of `other` to an answer. Where both have one media type, either schema holds.
fn add_forms(answer: &mut Value, other: &Value) {
    for (media_type, form) in other["content"].as_object().into_iter().flatten() {
        let own = &mut answer["content"][media_type];
        if own.is_null() {
            *own = form.clone();
        } else if own["schema"] != form["schema"] {
            own["schema"] = json!({ "anyOf": [own["schema"], form["schema"]] });
        }
    }
}

/// Paths that belong together.
#[derive(Debug)]
pub struct Group<'a> {
    document: &'a mut Document,
    name: &'static str,
}

impl Group<'_> {
    /// Has the group described at `/swagger.json` as well.
    pub fn also_in_swagger(&mut self) {
        if let Some(group) = self.document.groups.last_mut() {
            group[swagger::MARK] = true.into();
        }
    }

    /// Adds the operation for a path and a method. Parameters are in braces, as in routes. A parameter for the rest of
    /// a path is written without its asterisk.
    pub fn add(&mut self, path: &str, operation: Operation) {
        self.document.operations.push((path.to_owned(), operation.in_group(self.name)));
    }
}

/// Answers [`PATH`] with a finished document, and `/swagger.json` with the part of it that is also described there.
pub fn router(document: &Value) -> Router {
    let answer = |document: &Value| {
        let document = Bytes::from(document.to_string());
        get(move || async move { ([(header::CONTENT_TYPE, "application/json")], document) })
    };
    Router::new().route(PATH, answer(document)).route(SWAGGER_PATH, answer(&swagger::converted(document)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;

    /// What is read and written.
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Thing {
        /// Its size.
        size: u64,
    }

    fn document() -> Value {
        let mut document = Document::new("Test", "1");
        document.about("One.");
        document.about("Two.");
        document.everywhere(500, "Fault", "A fault.", [Content::text("text/plain")]);
        document.wherever_a_body_is(408, "Slow", "Too slow.", [Content::text("text/plain")]);
        let mut group = document.group("Things", "All things.");
        let body = Content::of_json("Written").max_bytes(10);
        let post = Operation::post("makeThing", "Makes one.").path("id", text(), "Which.").body([body]);
        group.add(
            "/things/{id}",
            post.answer(201, "It is made.", [Content::json::<Thing>()]).answer_header("location", "Where."),
        );
        let get = Operation::get("getThing", "Reads one.").path("id", text(), "Which.").query(
            "size",
            integer(1),
            "How large.",
        );
        group.add("/things/{id}", get.answer(500, "A fault of its own.", []));
        group.add(
            "/elsewhere",
            Operation::get("else", "Elsewhere.").on_another_listener("Beside.").answer(200, "Yes.", []),
        );
        document.schemas(json!({ "Written": { "type": "object" } }));
        document.into_json()
    }

    #[test]
    fn a_document_has_what_was_described() {
        let document = document();
        assert_eq!(document["info"]["description"], "One.\n\nTwo.");
        assert_eq!(document["tags"], json!([{ "name": "Things", "description": "All things." }]));
        let post = &document["paths"]["/things/{id}"]["post"];
        assert_eq!((&post["tags"], &post["operationId"]), (&json!(["Things"]), &json!("makeThing")));
        let content = &post["requestBody"]["content"]["application/json"];
        assert_eq!(
            (&content["schema"]["$ref"], &content["x-max-bytes"]),
            (&json!("#/components/schemas/Written"), &json!(10))
        );
        let created = &post["responses"]["201"];
        assert_eq!(created["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Thing");
        assert_eq!(created["headers"]["location"]["description"], "Where.");
        assert_eq!(document["components"]["schemas"]["Thing"]["properties"]["size"]["description"], "Its size.");
        let parameters = &document["paths"]["/things/{id}"]["get"]["parameters"];
        assert_eq!((&parameters[0]["in"], &parameters[1]["in"]), (&json!("path"), &json!("query")));
    }

    #[test]
    fn what_is_around_the_routes_answers_for_them() {
        let document = document();
        let shared = |method: &str, status: &str| {
            let answer = &document["paths"]["/things/{id}"][method]["responses"][status];
            answer["$ref"].as_str().map(str::to_owned)
        };
        assert_eq!(shared("post", "500").as_deref(), Some("#/components/responses/Fault"));
        assert_eq!(shared("post", "408").as_deref(), Some("#/components/responses/Slow"));
        // This operation has no body, and describes its fault itself.
        assert_eq!((shared("get", "408"), shared("get", "500")), (None, None));
        let created = &document["paths"]["/things/{id}"]["post"]["responses"]["201"];
        assert_eq!(created["headers"]["x-request-id"]["$ref"], "#/components/headers/RequestId");
        let elsewhere = &document["paths"]["/elsewhere"]["get"];
        assert_eq!(elsewhere["responses"], json!({ "200": { "description": "Yes." } }));
    }
}
