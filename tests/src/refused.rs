//! Which check must refuse a changed bundle: tables of the first words of codes, by the member that was changed, and by the part
//! that was taken from another bundle. A change that is refused by another check was refused by luck.

use crate::mutation::Mutation;

/// By the changed member: the first line counts whose text is in its pointer. The parser (`bundle.…`) may refuse every change.
const BY_MEMBER: [(&str, &[&str]); 24] = [
    ("/mediaType", &[]),
    ("/timestampVerificationData", &["timestamp", "time", "algorithm", "digest", "certificate", "chain", "key"]),
    ("/inclusionPromise", &["promise", "time"]),
    ("/checkpoint", &["note", "checkpoint"]),
    ("/inclusionProof", &["proof", "checkpoint", "entry"]),
    ("/canonicalizedBody", &["promise", "entry"]),
    ("/kindVersion", &["entry"]),
    ("/logId", &["log"]),
    ("/logIndex", &["promise", "entry"]),
    ("/integratedTime", &["promise", "time"]),
    ("/tlogEntries", &["log", "time"]),
    ("/publicKey", &["policy"]),
    ("/x509CertificateChain", &["certificate", "chain", "key"]),
    ("/certificate", &["certificate", "chain", "key"]),
    ("/messageDigest", &["artifact", "algorithm"]),
    ("/signatures", &["dsse", "entry", "timestamp", "signature"]),
    ("/payloadType", &["entry", "signature"]),
    ("/payload", &["entry", "signature", "statement", "subject"]),
    ("/messageSignature", &["entry", "timestamp"]),
    // cosign's older bundle.
    ("/base64Signature", &["entry"]),
    ("/cert", &["certificate", "chain", "key", "pem", "policy"]),
    ("/logID", &["log"]),
    ("/rekorBundle", &["promise", "log", "time"]),
    ("", &[]),
];

/// Parts that are exchanged between two bundles, each with the checks that may find out. A time outside the certificate's
/// validity or the authority's window is found before the entry is looked at.
pub const PARTS: [(&str, &[&str]); 10] = [
    ("/verificationMaterial/certificate", &["entry", "time", "chain"]),
    ("/verificationMaterial/x509CertificateChain", &["entry", "time", "chain"]),
    ("/verificationMaterial/tlogEntries", &["entry", "time", "chain", "log"]),
    ("/verificationMaterial/tlogEntries/0/inclusionPromise", &["promise"]),
    ("/verificationMaterial/tlogEntries/0/inclusionProof", &["proof", "checkpoint", "note", "entry"]),
    ("/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint", &["note", "checkpoint"]),
    ("/verificationMaterial/tlogEntries/0/canonicalizedBody", &["promise", "entry"]),
    ("/verificationMaterial/timestampVerificationData", &["timestamp"]),
    ("/messageSignature/signature", &["entry", "timestamp"]),
    ("/dsseEnvelope", &["entry", "timestamp"]),
];

/// Whether a refusal with `code` is by one of these checks, or by the parser.
pub fn is_by(code: &str, checks: &[&str]) -> bool {
    let check = code.split_once('.').map_or(code, |(check, _)| check);
    check == "bundle" || checks.contains(&check)
}

/// Whether this change must be refused with `code`.
pub fn is_expected(mutation: &Mutation, code: &str) -> bool {
    let pointer = mutation.pointer.as_str();
    let is_member = pointer.rsplit('/').next().is_some_and(|name| name.parse::<usize>().is_err());
    match mutation.change.as_str() {
        // No member has this type, and no list such elements.
        "true instead" | "1.5 instead" | "in another list" => code == "bundle.malformed",
        // Two members of one name; a list may hold an element twice, for the parser.
        "doubled" if is_member => code == "bundle.malformed",
        _ => BY_MEMBER.iter().find(|(text, _)| pointer.contains(text)).is_some_and(|(_, checks)| is_by(code, checks)),
    }
}
