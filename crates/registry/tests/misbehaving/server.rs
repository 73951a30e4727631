//! A registry whose every answer the test writes.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, Response, StatusCode, Uri},
};
use chancery_registry::{Client, Descriptor, Digest, Error, Options, Repository};
use chancery_verify::HashAlgorithm;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What was asked.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Bytes,
    /// How often the same path was asked before.
    pub(crate) before: usize,
}

/// Paths, and what was said in `Authorization`.
type Log = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A registry on a port of its own; it ends with the test.
pub(crate) struct Registry {
    pub(crate) address: String,
    asked: Log,
}

impl Registry {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Log::default();
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        let handle = move |uri: Uri, headers: HeaderMap, request: Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let path = uri.path_and_query().unwrap().to_string();
                let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
                let body = axum::body::to_bytes(request.into_body(), 65536).await.unwrap();
                let before = {
                    let mut log = log.lock().unwrap();
                    let before = log.iter().filter(|(known, _)| *known == path).count();
                    log.push((path.clone(), authorization.clone()));
                    before
                };
                answer(&Asked { path, authorization, body, before })
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await });
        Self { address, asked }
    }

    pub(crate) fn repository(&self) -> Repository {
        format!("{}/team/app", self.address).parse().unwrap()
    }

    /// Paths in the order they were asked.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    /// What was said in `Authorization`, in order.
    pub(crate) fn authorizations(&self) -> Vec<Option<String>> {
        self.asked.lock().unwrap().iter().map(|(_, authorization)| authorization.clone()).collect()
    }
}

pub(crate) fn options() -> Options {
    Options { connect: Duration::from_secs(2), request: Duration::from_millis(700), ..Options::default() }
}

pub(crate) fn client() -> Client {
    Client::new(options()).unwrap()
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

pub(crate) fn not_found(code: &str) -> Response<Body> {
    answer(404, &[], format!(r#"{{"errors":[{{"code":"{code}","message":"no","detail":null}}]}}"#))
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes)
}

pub(crate) fn descriptor(bytes: &[u8]) -> Descriptor {
    let json = format!(r#"{{"mediaType":"x","digest":"{}","size":{}}}"#, sha256(bytes), bytes.len());
    serde_json::from_str(&json).unwrap()
}

/// An index of the manifests whose bytes are `contents`.
pub(crate) fn index(contents: &[&str]) -> String {
    let one = |bytes: &&str| {
        format!(r#"{{"mediaType":"{MANIFEST}","digest":"{}","size":{}}}"#, sha256(bytes.as_bytes()), bytes.len())
    };
    let list: Vec<String> = contents.iter().map(one).collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, list.join(","))
}

/// The code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    result.unwrap_err().code()
}
