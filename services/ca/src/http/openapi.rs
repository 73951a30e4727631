//! The description of the authority's HTTP API: Fulcio's documents (`fulcio.swagger.json`,
//! `fulcio_legacy.swagger.json`), and the answers here. A test compares it with the answers.

use super::MAX_REQUEST_BYTES;
use chancery_daemon::http::openapi::{Content, Document, Operation, list_of, reference, status_schemas, text};
use serde_json::{Value, json};

/// Chains of certificates, in answers.
const PEM_CHAIN: &str = "application/pem-certificate-chain";
/// Description of the proof of possession.
const PROOF: &str = "Signature by the key over the token's email, or over its subject.";

/// Describes every path of the authority.
pub fn describe(document: &mut Document) {
    document.schemas(status_schemas());
    document.schemas(requests());
    document.schemas(answers());
    document.token_scheme();
    let mut group = document.group(
        "Certificate authority",
        "Fulcio's API, v2 and v1. A verified OIDC token and a key become a code-signing certificate that is valid for ten \
         minutes. The same calls are there over gRPC (`dev.sigstore.fulcio.v2.CA`) on the same port, over HTTP/2 without TLS \
         too.\n\nUnknown members of requests are ignored, names may be in lowerCamelCase or snake_case, and neither \
         Content-Type nor Accept matters. Another method than the path's is answered 501 with a `Status`.",
    );
    let sign = Operation::post("createSigningCertificate", "A certificate for a verified identity.")
        .describe(
            "The token may be in the body or in the Authorization header. If it is in both, the one in the body is used.",
        )
        .security(json!([{ "token": [] }, {}]))
        .body([Content::of_json("CreateSigningCertificateRequest").max_bytes(MAX_REQUEST_BYTES)])
        .answer(200, "The certificate with its issuers.", [Content::of_json("SigningCertificate")]);
    group.add("/api/v2/signingCert", refusals(sign));
    let bundle = Operation::get("getTrustBundle", "The authority's own certificates.");
    let chains = [Content::of_json("TrustBundle")];
    group.add(
        "/api/v2/trustBundle",
        bundle.answer(200, "Every chain, issuing certificate first.", chains).readable_anywhere(),
    );
    let configuration = Operation::get("getConfiguration", "The trusted issuers.");
    let issuers = [Content::of_json("Configuration")];
    group.add("/api/v2/configuration", configuration.answer(200, "Every issuer.", issuers));
    let sign =
        Operation::post("createSigningCertificateV1", "A certificate for a verified identity, for older clients.")
            .security(json!([{ "token": [] }]))
            .body([Content::of_json("CreateSigningCertificateRequestV1").max_bytes(MAX_REQUEST_BYTES)])
            .answer(201, "The certificate and its issuers, leaf first.", [Content::text(PEM_CHAIN)])
            .answer_header("sct", "The log's timestamp in base64, if it is not in the certificate.");
    group.add("/api/v1/signingCert", refusals(sign));
    let root = Operation::get("getRootCertificate", "All certificates of the authority, intermediates included.");
    group.add(
        "/api/v1/rootCert",
        root.answer(200, "Issuing certificate first.", [Content::text(PEM_CHAIN)]).readable_anywhere(),
    );
}

fn refusals(operation: Operation) -> Operation {
    let status = || [Content::of_json("Status")];
    operation
        .answer(400, "The token, the key or the request is refused, or the body is too large.", status())
        .answer(429, "Too many requests of this identity or its issuer.", status())
        .retry_after()
        .answer(500, "A fault of the authority, or an answer of the certificate log that does not verify.", status())
        .answer(
            503,
            "The certificate log, or the key of the authority, cannot be reached, or the server has too many requests in \
             flight. The same request may succeed later.",
            status(),
        )
        .retry_after()
}

fn requests() -> Value {
    let proof = json!({ "type": "string", "contentEncoding": "base64", "description": PROOF });
    let signing_request = |about: &str| json!({ "type": "string", "contentEncoding": "base64", "description": about });
    json!({
        "CreateSigningCertificateRequest": {
            "type": "object",
            "description": "Either a public key with a proof, or a signing request, but not both.",
            "properties": {
                "credentials": {
                    "type": "object",
                    "properties": {
                        "oidcIdentityToken": { "type": "string", "description": "The token, if it is not in the header." },
                    },
                },
                "publicKeyRequest": reference("PublicKeyRequest"),
                "certificateSigningRequest": signing_request("A PKCS#10 request in PEM. Only its key is used."),
            },
        },
        "PublicKeyRequest": {
            "type": "object",
            "properties": {
                "publicKey": {
                    "type": "object",
                    "properties": {
                        "algorithm": { "description": "Ignored: the key decides it." },
                        "content": { "type": "string", "description": "The key in PEM." },
                    },
                },
                "proofOfPossession": proof,
            },
        },
        "CreateSigningCertificateRequestV1": {
            "type": "object",
            "description": "If both are given, the signing request is used.",
            "properties": {
                "publicKey": {
                    "type": "object",
                    "properties": {
                        "algorithm": { "description": "Ignored." },
                        "content": { "type": "string", "contentEncoding": "base64", "description": "The key in PEM or DER." },
                    },
                },
                "signedEmailAddress": proof,
                "certificateSigningRequest": signing_request("A PKCS#10 request in PEM."),
            },
        },
    })
}

fn answers() -> Value {
    let certificates = list_of(json!({ "type": "string", "description": "PEM." }));
    json!({
        "SigningCertificate": signing_certificate(),
        "CertificateChain": {
            "type": "object", "properties": { "certificates": certificates }, "required": ["certificates"],
        },
        "TrustBundle": {
            "type": "object", "properties": { "chains": list_of(reference("CertificateChain")) }, "required": ["chains"],
        },
        "Configuration": {
            "type": "object", "properties": { "issuers": list_of(reference("Issuer")) }, "required": ["issuers"],
        },
        "Issuer": {
            "type": "object",
            "properties": {
                "issuerUrl": {
                    "type": "string",
                    "description": "Must equal the token's `iss` exactly. Either this or `wildcardIssuerUrl` is set.",
                },
                "wildcardIssuerUrl": {
                    "type": "string",
                    "description": "A pattern for the token's `iss`. An asterisk stands for one label of the host or one \
                                    segment of the path.",
                },
                "audience": { "type": "string", "description": "Must be among the token's `aud`." },
                "challengeClaim": {
                    "type": "string",
                    "description": "The claim whose value the proof of possession must sign.",
                },
                "spiffeTrustDomain": text(),
                "issuerType": text(),
                "subjectDomain": text(),
                "skipEmailVerification": { "type": "boolean" },
            },
            "required": [
                "audience", "challengeClaim", "spiffeTrustDomain", "issuerType", "subjectDomain", "skipEmailVerification",
            ],
        },
    })
}

fn signing_certificate() -> Value {
    let chain = || reference("CertificateChain");
    let sct = json!({
        "type": "string",
        "contentEncoding": "base64",
        "description": "The answer of add-chain (RFC 6962). Empty if the authority is configured to issue without a log.",
    });
    let variant = |name: &str, about: &str, properties: Value, required: &[&str]| {
        let object = json!({ "type": "object", "description": about, "properties": properties, "required": required });
        json!({ "type": "object", "properties": { name: object }, "required": [name] })
    };
    let embedded = variant(
        "signedCertificateEmbeddedSct",
        "The log's timestamp is in the certificate.",
        json!({ "chain": chain() }),
        &["chain"],
    );
    let detached = variant(
        "signedCertificateDetachedSct",
        "The log's timestamp is beside the certificate, or there is none.",
        json!({ "chain": chain(), "signedCertificateTimestamp": sct }),
        &["chain", "signedCertificateTimestamp"],
    );
    json!({ "description": "Exactly one of the two.", "oneOf": [embedded, detached] })
}
