//! `/openapi.json` says what the API does: every path is there, every answer is of the shape it promises.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use chancery_ca::transparency::Transparency;
use chancery_ca::{IssuerName, IssuerSettings, Rates};
use serde_json::{Value, json};
use std::num::NonZeroU32;
use world::{Behaviour, EMAIL, World};

/// What Fulcio documents (`fulcio.swagger.json` and `fulcio_legacy.swagger.json` of v1.8.5).
const OPERATIONS: [(&str, &str); 5] = [
    ("get", "/api/v1/rootCert"),
    ("post", "/api/v1/signingCert"),
    ("get", "/api/v2/configuration"),
    ("post", "/api/v2/signingCert"),
    ("get", "/api/v2/trustBundle"),
];

async fn document(world: &World) -> Value {
    let (status, kind, body) = world.get("/openapi.json").await;
    assert_eq!((status.as_u16(), kind.as_str()), (200, "application/json"));
    serde_json::from_slice(&body).unwrap()
}

/// Whether `value` is of `schema`: the part of JSON Schema the document uses. A member it does not name is a fault.
fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(document, document.pointer(reference.trim_start_matches('#')).unwrap(), value);
    }
    if let Some(variants) = schema["oneOf"].as_array() {
        return variants.iter().filter(|variant| fits(document, variant, value)).count() == 1;
    }
    if let Some(constant) = schema.get("const") {
        return constant == value;
    }
    match schema["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => {
            value.as_array().is_some_and(|items| items.iter().all(|item| fits(document, &schema["items"], item)))
        }
        "object" => value.as_object().is_some_and(|members| {
            let required = schema["required"].as_array().into_iter().flatten();
            required.map(|name| name.as_str().unwrap()).all(|name| members.contains_key(name))
                && members.iter().all(|(name, member)| {
                    schema["properties"].get(name).is_some_and(|schema| fits(document, schema, member))
                })
        }),
        other => panic!("{other}"),
    }
}

/// Asks, and demands that the answer is one the document promises; returns the status.
async fn ask(world: &World, document: &Value, (method, path): (&str, &str), token: &str, body: String) -> u16 {
    let request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
    let request = request.header("authorization", format!("Bearer {token}")).body(Body::from(body)).unwrap();
    let response = world.respond(request).await;
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let promised = &document["paths"][path][method]["responses"][status.to_string()];
    let schema = promised["content"].get(&kind).unwrap_or_else(|| panic!("{method} {path}: {status} {kind}"));
    let value = if kind == "application/json" {
        serde_json::from_slice(&body).unwrap()
    } else {
        Value::String(String::from_utf8(body.to_vec()).unwrap())
    };
    assert!(fits(document, &schema["schema"], &value), "{method} {path}: {status} {value}");
    status
}

#[tokio::test]
async fn it_names_what_fulcio_documents() {
    let world = World::new().await;
    let document = document(&world).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut named = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        named.extend(operations.as_object().unwrap().keys().map(|method| (method.as_str(), path.as_str())));
    }
    named.sort_by_key(|(_, path)| *path);
    assert_eq!(named, OPERATIONS);
}

#[tokio::test]
async fn every_answer_is_of_the_shape_it_promises() {
    let world = World::new().await;
    let document = document(&world).await;
    let token = world.token().await;
    let body = world.possession(EMAIL).await.to_string();
    for operation in OPERATIONS {
        let expected = if operation == ("post", "/api/v1/signingCert") { 400 } else { 200 };
        assert_eq!(ask(&world, &document, operation, &token, body.clone()).await, expected, "{operation:?}");
    }
    let sign = ("post", "/api/v2/signingCert");
    assert_eq!(ask(&world, &document, sign, "nonsense", body.clone()).await, 400);
    for (behaviour, expected) in [(Behaviour::Down, 503), (Behaviour::SignsWithAnotherKey, 500)] {
        *world.log.behaviour.lock().unwrap() = behaviour;
        assert_eq!(ask(&world, &document, sign, &token, body.clone()).await, expected);
    }
    let one = NonZeroU32::new(1);
    let world = World::limited(Rates { per_identity: one, per_issuer: one }).await;
    let (token, body) = (world.token().await, world.possession(EMAIL).await.to_string());
    assert_eq!(ask(&world, &document, sign, &token, body.clone()).await, 200);
    assert_eq!(ask(&world, &document, sign, &token, body).await, 429);
    for world in [
        World::with_transparency(|log| Transparency::Detached(log)).await,
        World::with_transparency(|_| Transparency::Unlogged).await,
    ] {
        let body = world.possession(EMAIL).await.to_string();
        assert_eq!(ask(&world, &document, sign, &world.token().await, body).await, 200);
    }
    assert!(!fits(&document, &document["components"]["schemas"]["Status"], &json!({"code": 3})), "the check can fail");
}

#[tokio::test]
async fn issuers_by_name_and_by_pattern_are_of_the_shape_it_promises_and_the_same_over_grpc() {
    let pattern = "https://*.ci.example.test/org/*";
    let by_pattern = IssuerSettings { name: IssuerName::Pattern(pattern.to_owned()), ..world::email_issuer() };
    let world = World::trusting(vec![world::email_issuer(), by_pattern]).await;
    let document = document(&world).await;
    assert_eq!(ask(&world, &document, ("get", "/api/v2/configuration"), "", String::new()).await, 200);
    let (_, _, answer) = world.get("/api/v2/configuration").await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let issuers = answer["issuers"].as_array().unwrap();
    assert_eq!((&issuers[0]["issuerUrl"], issuers[0].get("wildcardIssuerUrl")), (&json!(world::ISSUER), None));
    assert_eq!((&issuers[1]["wildcardIssuerUrl"], issuers[1].get("issuerUrl")), (&json!(pattern), None));
    let request =
        Request::post("/dev.sigstore.fulcio.v2.CA/GetConfiguration").header("content-type", "application/grpc");
    let response = world.respond(request.body(Body::from(vec![0; 5])).unwrap()).await;
    let message = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    // Fields of `OIDCIssuer` (fulcio.proto): 1 is the URL, 2 the wildcard.
    let field =
        |number: u8, text: &str| [&[number << 3 | 2, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let says = |field: &[u8]| message.windows(field.len()).any(|window| window == field);
    assert!(says(&field(1, world::ISSUER)) && says(&field(2, pattern)));
    assert!(!says(&field(1, pattern)) && !says(&field(2, world::ISSUER)));
}
