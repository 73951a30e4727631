//! gRPC as routes of the listener all roles share, and the form grpc-gateway gives its errors over HTTP.
//!
//! tonic does framing and status. The roles decide which methods exist and what they mean. An unknown method is the
//! shell's 404, which gRPC reads as `UNIMPLEMENTED`. So is health's `Watch`, as in Sigstore's servers.

mod messages;

use super::receive::{NotReceived, Received, receive_body};
use super::request_id::RequestId;
use crate::health::{Checks, Finding, obstacle};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use messages::{Any, ErrorInfo, HealthCheckRequest, HealthCheckResponse, RequestInfo, RpcStatus};
use prost::Message;
use serde_json::{Value, json};
use std::future::{Ready, ready};
use std::sync::Arc;
use tonic::server::Grpc;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

/// Largest message, and largest body of the same requests over HTTP: gRPC's default, and that of Sigstore's servers.
pub const MAX_MESSAGE_BYTES: usize = 1 << 22;
/// Largest question about health: the name of a service.
const MAX_HEALTH_BYTES: usize = 1024;
/// What gRPC sends before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
/// The domain of our reasons.
pub(super) const DOMAIN: &str = "chancery";
/// Prefix of the type URLs of details.
pub(super) const TYPE_URL: &str = "type.googleapis.com";
/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: i32 = 1;
/// `HealthCheckResponse.ServingStatus.NOT_SERVING`.
const NOT_SERVING: i32 = 2;

/// Receives and decodes a request message of at most `limit_bytes`, and encodes a response message or a status.
///
/// The [`Load`](crate::budget::Load) of the message is in the extensions of the request that `handle` gets. It counts until
/// `handle` drops the extensions.
pub async fn unary<Q, A, F>(
    request: Request,
    limit_bytes: usize,
    mut handle: impl FnMut(tonic::Request<Q>) -> F,
) -> Response
where
    Q: Message + Default + 'static,
    A: Message + 'static,
    F: Future<Output = Result<A, Status>>,
{
    let (mut parts, body) = request.into_parts();
    let request = match receive_body(&parts, body, limit_bytes.saturating_add(PREFIX_BYTES)).await {
        Ok(Received { bytes, load }) => {
            parts.extensions.insert(load);
            Request::from_parts(parts, Body::from(bytes))
        }
        Err(refusal) => return not_received(refusal, limit_bytes).into_http(),
    };
    let service = tower::service_fn(move |request| {
        let answer = handle(request);
        async move { answer.await.map(tonic::Response::new) }
    });
    let mut grpc = Grpc::new(ProstCodec::<A, Q>::default()).max_decoding_message_size(limit_bytes);
    grpc.unary(service, request).await.map(Body::new)
}

/// The status for a message that was not received.
fn not_received(refusal: NotReceived, limit_bytes: usize) -> Status {
    match refusal {
        // As tonic says it of a message that is announced.
        NotReceived::TooLarge => {
            Status::out_of_range(format!("Error, decoded message length too large: the limit is: {limit_bytes} bytes"))
        }
        NotReceived::Busy(busy) => Status::unavailable(busy.to_string()),
        NotReceived::Incomplete => Status::cancelled("the request was not complete"),
    }
}

/// `grpc.health.v1.Health` for the process, which is asked for without a name, and for `services`: the name of each, and
/// the role whose verdict it has. A process with a role that does not do all of its work is `NOT_SERVING`.
pub fn health(services: &[(&'static str, &'static str)], checks: Checks) -> Router {
    let services: Arc<[(&str, &str)]> = services.into();
    let check = move |request: Request| {
        let (services, checks) = (Arc::clone(&services), Arc::clone(&checks));
        unary(request, MAX_HEALTH_BYTES, move |request: tonic::Request<HealthCheckRequest>| {
            ready(serving(&services, request.get_ref().service.as_str(), &checks()))
        })
    };
    Router::new().route("/grpc.health.v1.Health/Check", post(check))
}

/// The verdict about the service that is asked for.
fn serving(services: &[(&str, &str)], asked: &str, findings: &[Finding]) -> Result<HealthCheckResponse, Status> {
    let role = match services.iter().find(|(service, _)| *service == asked) {
        Some((_, role)) => Some(*role),
        None if asked.is_empty() => None,
        None => return Err(Status::not_found("unknown service")),
    };
    let status = if obstacle(findings, role).is_none() { SERVING } else { NOT_SERVING };
    Ok(HealthCheckResponse { status })
}

/// Why a request was refused, in `google.rpc`'s terms, for both forms of an answer.
pub struct Refusal<'a> {
    /// gRPC's code.
    pub code: Code,
    /// Text for a person.
    pub message: &'a str,
    /// Our stable name for the reason; empty if there is none.
    pub reason: &'a str,
    /// The request's id, if it has one.
    pub request_id: Option<&'a RequestId>,
}

impl Refusal<'_> {
    /// The status over gRPC. `details` are added to ours: full names of messages, and the messages.
    #[must_use]
    pub fn status(&self, details: Vec<(&str, Vec<u8>)>) -> Status {
        let mut all = Vec::new();
        if !self.reason.is_empty() {
            let info = ErrorInfo { reason: self.reason.to_owned(), domain: DOMAIN.to_owned() };
            all.push(("google.rpc.ErrorInfo", info.encode_to_vec()));
        }
        if let Some(id) = self.request_id {
            let info = RequestInfo { request_id: id.as_str().to_owned() };
            all.push(("google.rpc.RequestInfo", info.encode_to_vec()));
        }
        all.extend(details);
        let any = |(name, value)| Any { type_url: format!("{TYPE_URL}/{name}"), value };
        let details = all.into_iter().map(any).collect();
        let status = RpcStatus { code: self.code.into(), message: self.message.to_owned(), details };
        Status::with_details(self.code, self.message, Bytes::from(status.encode_to_vec()))
    }

    /// The answer as grpc-gateway gives it over HTTP. `details` are added to ours: full names of messages, and their
    /// fields.
    #[must_use]
    pub fn response(&self, status: StatusCode, details: Vec<(&str, Value)>) -> Response {
        let mut all = Vec::new();
        if !self.reason.is_empty() {
            let info = json!({ "reason": self.reason, "domain": DOMAIN, "metadata": {} });
            all.push(("google.rpc.ErrorInfo", info));
        }
        if let Some(id) = self.request_id {
            all.push(("google.rpc.RequestInfo", json!({ "requestId": id.as_str(), "servingData": "" })));
        }
        all.extend(details);
        let any = |(name, mut fields): (&str, Value)| {
            if let Some(fields) = fields.as_object_mut() {
                fields.insert("@type".to_owned(), format!("{TYPE_URL}/{name}").into());
            }
            fields
        };
        let details: Vec<Value> = all.into_iter().map(any).collect();
        let body = json!({ "code": i32::from(self.code), "message": self.message, "details": details }).to_string();
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// Returns grpc-gateway's HTTP status for a code.
#[must_use]
pub const fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Answers a known path with the wrong method.
pub fn method_not_allowed() -> Ready<Response> {
    let refusal = Refusal { code: Code::Unimplemented, message: "Method Not Allowed", reason: "", request_id: None };
    ready(refusal.response(http_status(refusal.code), Vec::new()))
}
