//! The description of the development issuer's paths. A server that is not for development has none of them.

use super::{MAX_BODY_BYTES, STYLE_TYPE, authorize, device, token, token_for};
use chancery_daemon::http::openapi::{Content, Document, Group, Operation, flag, reference, text};
use serde_json::json;

/// Media type of pages.
const HTML: &str = "text/html; charset=utf-8";

/// Describes every path of the issuer, and what a development server answers to other machines.
pub(crate) fn describe(document: &mut Document) {
    document.schemas(json!({
        "OAuthError": {
            "type": "object",
            "description": "Why there is no token (RFC 6749 §5.2, RFC 8628 §3.5).",
            "properties": {
                "error": { "type": "string", "description": "Stable code of the error, such as `invalid_grant`." },
                "error_description": { "type": "string", "description": "A sentence for a person." },
            },
            "required": ["error", "error_description"],
        },
    }));
    let about = "The server is for development, and the request names another host than this machine, or comes from a web page \
                 of another origin and wants to write.";
    let forms = [Content::of_json("Status"), Content::text("text/plain; charset=utf-8")];
    document.everywhere(403, "Forbidden", about, forms);
    let mut group = document.group(
        "Development issuer",
        "An OpenID Connect issuer in which anybody may sign in as anybody. `chancery dev` has it, `chancery serve` never. A \
         browser signs in at `/oidc/authorize` or, with a code from a terminal, at `/oidc/device`. Another method than the \
         path's is answered 405 without a body.",
    );
    discovery(&mut group);
    pages(&mut group);
    tokens(&mut group);
}

fn discovery(group: &mut Group<'_>) {
    let document = || [Content::written_json(json!({ "type": "object" }))];
    let configuration =
        Operation::get("getOpenIdConfiguration", "URLs and capabilities of the issuer (OpenID Connect Discovery).");
    group.add(
        "/oidc/.well-known/openid-configuration",
        configuration.answer(200, "Endpoints and abilities.", document()),
    );
    let keys = Operation::get("getIssuerKeys", "The key that tokens are signed with, as a JWK set.");
    let keys = keys.answer(200, "The set.", document()).answer(
        500,
        "The key is not of a kind that tokens are signed with.",
        [],
    );
    group.add("/oidc/keys", keys);
    let style = Operation::get("getIssuerStyle", "The style of the pages.");
    group.add("/oidc/style.css", style.answer(200, "The style.", [Content::text(STYLE_TYPE)]));
}

fn pages(group: &mut Group<'_>) {
    let page = || [Content::text(HTML)];
    let authorize = Operation::get("getAuthorization", "The page to sign in (RFC 6749 §4.1.1, with PKCE).")
        .query("response_type", flag("code"), "The client requests a code.")
        .query("client_id", text(), "The client.")
        .query("redirect_uri", text(), "On `http://localhost` or `http://127.0.0.1`, or `urn:ietf:wg:oauth:2.0:oob`.")
        .query("code_challenge", text(), "Hash of the client's code verifier (RFC 7636 §4.2).")
        .query("code_challenge_method", flag("S256"), "Kind of the hash.")
        .optional_query("state", text(), "Returned to the client.")
        .optional_query("nonce", text(), "A claim of the token.");
    group.add("/oidc/authorize", authorizing(authorize.answer(200, "The page.", page())));
    let submit = Operation::post("submitAuthorization", "Takes the page's form.")
        .body([Content::form::<authorize::Parameters>().max_bytes(MAX_BODY_BYTES)])
        .answer(200, "A page with the code, for `urn:ietf:wg:oauth:2.0:oob`.", page());
    group.add("/oidc/authorize", authorizing(submit));
    let device = Operation::get("getDevicePage", "The page that confirms a code of a terminal (RFC 8628).")
        .optional_query("user_code", text(), "The code, filled into the form.");
    group.add("/oidc/device", device.answer(200, "The page.", page()));
    let submit = Operation::post("submitDevicePage", "Takes the page's form.")
        .body([Content::form::<device::PageParameters>().max_bytes(MAX_BODY_BYTES)])
        .answer(200, "The terminal may go on.", page())
        .answer(400, "The form again, with the error.", page());
    group.add("/oidc/device", submit);
}

fn authorizing(operation: Operation) -> Operation {
    operation
        .answer(303, "To the client, with a code or an error.", [])
        .answer_header("location", "The client's redirect URI.")
        .answer(400, "A page with the error, if the redirect URI cannot be used.", [Content::text(HTML)])
}

fn tokens(group: &mut Group<'_>) {
    let error = || [Content::of_json("OAuthError")];
    let start = Operation::post("startDeviceAuthorization", "Codes for a device without a browser (RFC 8628 §3.1).")
        .body([Content::form::<device::StartParameters>().max_bytes(MAX_BODY_BYTES)])
        .answer(200, "The codes.", [Content::json::<device::Started>()])
        .answer(400, "The form or its challenge is malformed.", error())
        .answer(401, "The request names no client.", error())
        .answer(503, "Too many sign-ins wait.", error());
    group.add("/oidc/device_authorization", start);
    let redeem = Operation::post("redeemToken", "A token for a code (RFC 6749 §4.1.3, RFC 8628 §3.4).")
        .describe("The client is named in the form, or by HTTP basic authentication without regard to the password.")
        .body([Content::form::<token::Parameters>().max_bytes(MAX_BODY_BYTES)])
        .answer(200, "The token.", [Content::json::<token::Tokens>()])
        .answer(400, "The form is malformed, the code is not valid, or the sign-in is not complete yet.", error())
        .answer(401, "The request names no client.", error())
        .answer(500, "The token could not be signed.", error());
    group.add("/oidc/token", redeem);
    let issue = Operation::post(
        "issueToken",
        "A token with any identity, for users of this machine. `chancery token` requests it.",
    )
    .request_header(
        super::DEV_HEADER,
        flag("1"),
        "Web pages cannot send it: a browser asks the server first, and the server refuses.",
    )
    .body([Content::json::<token_for::Request>().max_bytes(MAX_BODY_BYTES)])
    .answer(200, "The token.", [Content::json::<token_for::Answer>()])
    .answer(400, "The body is not such a request.", error())
    .answer(
        403,
        "The header is missing, or the request comes from a web page or for another host.",
        [
            Content::written_json(json!({ "oneOf": [reference("OAuthError"), reference("Status")] })),
            Content::text("text/plain; charset=utf-8"),
        ],
    )
    .answer(500, "The token could not be signed.", error());
    group.add("/oidc/token-for", issue);
}
