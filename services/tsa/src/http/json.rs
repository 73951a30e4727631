//! Requests in JSON, as sigstore-js sends them. They are converted to DER and handled as all others.

use crate::Error;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::timestamping::{Imprint, MAX_NONCE_BYTES, Request};
use chancery_verify::{HashAlgorithm, Rejection};
use const_oid::ObjectIdentifier;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Size of a request in JSON: upstream's limit, which also refuses a nonce of thousands of digits.
pub(super) const MAX_JSON_BYTES: usize = 1024;
/// Arcs of a policy's object identifier.
const MAX_ARCS: usize = 128;
/// Decimal digits of a nonce of [`MAX_NONCE_BYTES`].
const MAX_NONCE_DIGITS: usize = MAX_NONCE_BYTES * 5 / 2;

/// A request for a timestamp.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TimestampRequest")]
#[serde(rename_all = "camelCase")]
pub(super) struct JsonRequest<'a> {
    /// In base64.
    artifact_hash: String,
    /// `sha256`, `sha384` or `sha512`, in letters of any case.
    hash_algorithm: String,
    /// Whether the authority's certificates are in the answer.
    certificates: Option<bool>,
    /// A number of any size, which a JSON parser would round.
    #[serde(borrow)]
    #[schemars(with = "Option<serde_json::Number>")]
    nonce: Option<&'a RawValue>,
    /// An object identifier.
    #[serde(rename = "tsaPolicyOID")]
    policy: Option<String>,
}

/// The request in DER.
pub(super) fn to_der(body: &[u8]) -> Result<Vec<u8>, Error> {
    let asked: JsonRequest<'_> =
        serde_json::from_slice(body).map_err(|_| Error::Malformed { reason: "not the JSON of a timestamp request" })?;
    let name = asked.hash_algorithm.to_ascii_lowercase();
    let hash = HashAlgorithm::from_name(&name).ok_or_else(|| {
        let weak = ["sha1", "md5"].contains(&name.as_str());
        Error::Request(if weak { Rejection::TimestampHashWeak } else { Rejection::TimestampHash })
    })?;
    // Line ends do not count, as in Go, in which Sigstore's authority is written.
    let digest = STANDARD
        .decode(asked.artifact_hash.replace(['\r', '\n'], ""))
        .map_err(|_| Error::Malformed { reason: "the hash of the artifact is not base64" })?;
    if digest.len() != hash.size_bytes() {
        return Err(Error::Request(Rejection::DigestLength));
    }
    let policy = asked.policy.filter(|policy| !policy.is_empty()).map(|policy| identifier(&policy)).transpose()?;
    let nonce = asked.nonce.map(RawValue::get).map(integer).transpose()?;
    let request = Request {
        imprint: Imprint { hash, digest: &digest, null_parameters: true },
        policy: policy.as_ref().map(ObjectIdentifier::as_bytes),
        nonce: nonce.as_deref(),
        certificates: asked.certificates.unwrap_or_default(),
        extensions: None,
    };
    Ok(request.to_der())
}

fn identifier(text: &str) -> Result<ObjectIdentifier, Error> {
    if text.split('.').take(MAX_ARCS + 1).count() > MAX_ARCS {
        return Err(Error::PolicyMalformed);
    }
    ObjectIdentifier::new(text).map_err(|_| Error::PolicyMalformed)
}

/// Returns the contents of the INTEGER for a JSON number without sign, point and exponent.
fn integer(digits: &str) -> Result<Vec<u8>, Error> {
    let malformed = Error::Malformed { reason: "the nonce is not an integer of at most 512 bits" };
    if digits.len() > MAX_NONCE_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(malformed);
    }
    let mut little_endian: Vec<u8> = Vec::new();
    for digit in digits.bytes() {
        let mut carry = digit - b'0';
        for byte in &mut little_endian {
            let [high, low] = (u16::from(*byte) * 10 + u16::from(carry)).to_be_bytes();
            (*byte, carry) = (low, high);
        }
        if carry > 0 {
            little_endian.push(carry);
        }
    }
    // A leading zero if the number would be read as negative, and for the number zero.
    if little_endian.last().is_none_or(|top| *top >= 0x80) {
        little_endian.push(0);
    }
    little_endian.reverse();
    if little_endian.len() > MAX_NONCE_BYTES { Err(malformed) } else { Ok(little_endian) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_of_any_size_become_the_shortest_integer() {
        for (digits, bytes) in [
            ("0", &[0][..]),
            ("127", &[127]),
            ("128", &[0, 128]),
            ("256", &[1, 0]),
            ("18446744073709551615", &[0, 255, 255, 255, 255, 255, 255, 255, 255]),
            ("18446744073709551616", &[1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(integer(digits).unwrap(), bytes, "{digits}");
        }
        assert_eq!(integer(&"9".repeat(153)).unwrap().len(), 64);
        for bad in ["-1", "1.5", "1e3", "\"1\"", "null", &"9".repeat(154), &"9".repeat(1000)] {
            assert!(integer(bad).is_err(), "{bad}");
        }
    }
}
