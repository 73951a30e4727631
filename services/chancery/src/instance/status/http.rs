//! `GET /api/status`: the state of the instance, for readers with a token of an issuer that the configuration names.
//!
//! Without such a setting the path says what to configure, and nothing else.

use super::{document::InstanceStatus, process::Process};
use axum::{
    Json, Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use chancery_daemon::http::{
    grpc::method_not_allowed,
    openapi::{Content, Document, Operation, status_schemas},
};
use chancery_log::reader::{Admission, Reader, Readers, RefusalKind, Refused, readers_only};
use std::sync::Arc;

/// Where it is.
const PATH: &str = "/api/status";

/// The route, for `readers`; if there are none, it is refused to everybody.
pub(in crate::instance) fn router(process: Process, readers: Option<&Readers>) -> Router {
    let readers = readers.cloned().unwrap_or_else(|| Readers::only(Arc::new(Nobody)));
    let routes = Router::new().route(PATH, get(show).fallback(method_not_allowed)).with_state(Arc::new(process));
    readers_only(routes, &readers)
}

async fn show(State(process): State<Arc<Process>>) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(process.status().await)).into_response()
}

/// Admits nobody, and says what to configure.
struct Nobody;

impl Reader for Nobody {
    fn admit<'a>(&'a self, _token: &'a str) -> Admission<'a> {
        let message = "this server shows its status to nobody; to show it, name a list of issuers in its configuration: \
                       [status.read] issuers = \"FILE\"";
        let (kind, code, realm) = (RefusalKind::Forbidden, "status.closed", "status");
        Box::pin(async move { Err(Refused { kind, code, realm, message: message.to_owned() }) })
    }
}

/// Describes it.
pub(in crate::instance) fn describe(document: &mut Document) {
    document.schemas(status_schemas());
    document.token_scheme();
    let mut group = document.group(
        "State of the instance",
        "What `chancery status` prints, from one process, for readers with a token of an issuer in `[status.read]`. Without that \
         setting the path is answered 403 with what to configure. Another method than GET and HEAD is answered 501 with a \
         `Status`, after the token was accepted.",
    );
    let status = || [Content::of_json("Status")];
    let state = Operation::get("getStatus", "The state of the instance.")
        .describe(
            "Roles and checks of this process; logs with their sizes, copies and witnesses; generations of keys; TUF metadata; \
             certificates. Only reads. A process that does not have a role says nothing of it.",
        )
        .only_for_readers(status)
        .answer(200, "The state as this process knows it.", [Content::json::<InstanceStatus>()])
        .answer(503, "The token cannot be verified at the moment.", status())
        .retry_after();
    group.add(PATH, state);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_setting_nobody_is_admitted_and_told_what_to_configure() {
        for token in ["", "a.b.c"] {
            let refused = Nobody.admit(token).await.unwrap_err();
            assert_eq!(
                (refused.kind, refused.code, refused.realm),
                (RefusalKind::Forbidden, "status.closed", "status")
            );
            assert!(refused.message.contains("[status.read] issuers"), "{refused}");
        }
    }
}
