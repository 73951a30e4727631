//! What entries of these types prove by themselves, with what is in their bodies.
//!
//! A log has verified each signature when it took the entry. Whether it can be verified again depends on what was logged:
//!
//! | type | proven by the body |
//! |---|---|
//! | `tuf` | each signature by a key of the root, and that these are enough |
//! | `rfc3161` | the signature by the certificate in the timestamp. Whose certificate that is, is not checked |
//! | `cose` | with the message that the log keeps beside it: the signature, unless it covers other data as well |
//! | `rekord` of X.509 | read as a [`LoggedEntry`](crate::rekor::logged::LoggedEntry) |
//! | `rekord` of other formats | nothing: they hash the artifact in ways of their own |
//! | `helm`, `jar` | nothing: the text that is signed is not logged |
//! | `rpm`, `alpine` | nothing: the signature is in the package |

use super::signed::Signed;
use super::{cose, rfc3161, tuf};
use crate::rekor::logged::{LoggedSigner, signer_of_cose};
use crate::rekor::{EntryKind, KeyFormat, parse_spec};
use crate::{HashAlgorithm, Rejection};
use serde::Deserialize;

/// A signature that was verified, except that a certificate of its signer is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) signer: LoggedSigner,
    /// Of what was signed.
    pub(crate) digest: (HashAlgorithm, Vec<u8>),
}

/// The signatures of an entry, each verified, or why there is none. `None` for a type that is read as a digest with
/// signatures.
pub(in crate::rekor) fn proven(
    kind: &str,
    version: &str,
    spec: &str,
    attestation: Option<&[u8]>,
) -> Option<Vec<Result<Proven, Rejection>>> {
    let kind = EntryKind::named(kind).find(|known| known.version() == version)?;
    let nothing = |missing| Some(vec![Err(Rejection::EntryUnverifiable { missing })]);
    match kind {
        EntryKind::Tuf => Some(all(tuf::signers(spec))),
        EntryKind::Rfc3161 => Some(all(rfc3161::signers(spec))),
        EntryKind::Cose => Some(vec![by_cose(spec, attestation)]),
        EntryKind::Rekord => match format(spec).map(missing) {
            Ok(missing) => nothing(missing?),
            Err(rejection) => Some(vec![Err(rejection)]),
        },
        EntryKind::Helm => nothing("it is over the provenance file, which is not logged"),
        EntryKind::Jar => nothing("it is over a file in the archive, which is not logged"),
        EntryKind::Rpm | EntryKind::Alpine => nothing("the signature is in the package, which is not logged"),
        EntryKind::HashedRekord | EntryKind::Dsse | EntryKind::IntotoV001 | EntryKind::IntotoV002 => None,
    }
}

fn all(signed: Result<Signed, Rejection>) -> Vec<Result<Proven, Rejection>> {
    let Signed { sha256, keys } = match signed {
        Ok(signed) => signed,
        Err(rejection) => return vec![Err(rejection)],
    };
    let digest = (HashAlgorithm::Sha256, sha256.to_vec());
    let by = |key| Ok(Proven { signer: LoggedSigner::PublicKey(key), digest: digest.clone() });
    keys.into_iter().map(by).collect()
}

fn by_cose(spec: &str, message: Option<&[u8]>) -> Result<Proven, Rejection> {
    let payload = cose::verified(spec, message)?;
    Ok(Proven { signer: signer_of_cose(spec)?, digest: (HashAlgorithm::Sha256, payload.to_vec()) })
}

/// The part of a logged `rekord` that says what its signature is.
#[derive(Deserialize)]
struct Rekord {
    signature: RekordSignature,
}

#[derive(Deserialize)]
struct RekordSignature {
    format: KeyFormat,
}

fn format(spec: &str) -> Result<KeyFormat, Rejection> {
    parse_spec::<Rekord>(spec).map(|rekord| rekord.signature.format)
}

/// What is not logged of an artifact with a signature in this format. `None` if its hash is enough.
const fn missing(format: KeyFormat) -> Option<&'static str> {
    match format {
        KeyFormat::X509 => None,
        KeyFormat::Pgp => {
            Some("OpenPGP hashes the artifact together with data of its own, and only the SHA-256 is logged")
        }
        KeyFormat::Ssh => Some("SSH signs the SHA-512 of the artifact, and only the SHA-256 is logged"),
        KeyFormat::Minisign => Some("minisign signs the artifact or its BLAKE2b hash, and only the SHA-256 is logged"),
        KeyFormat::Tuf => Some("metadata of TUF signs no artifact"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str, spec: &str) -> Option<Vec<&'static str>> {
        let code = |proven: &Result<Proven, Rejection>| proven.as_ref().map_or_else(Rejection::code, |_| "proven");
        proven(kind, "0.0.1", spec, None).map(|signatures| signatures.iter().map(code).collect())
    }

    #[test]
    fn a_signature_over_what_is_not_logged_is_not_called_wrong() {
        for format in ["pgp", "ssh", "minisign"] {
            let spec = format!(r#"{{"signature":{{"format":"{format}"}}}}"#);
            assert_eq!(told("rekord", &spec), Some(vec!["entry.unverifiable"]), "{format}");
        }
        for kind in ["helm", "jar", "rpm", "alpine"] {
            assert_eq!(told(kind, "{}"), Some(vec!["entry.unverifiable"]), "{kind}");
        }
        assert_eq!(told("rekord", r#"{"signature":{"format":"x509"}}"#), None);
        assert_eq!(told("hashedrekord", "{}"), None);
        assert_eq!(told("unknown", "{}"), None);
    }

    #[test]
    fn what_cannot_be_read_proves_nothing() {
        for kind in ["tuf", "rfc3161", "cose", "rekord"] {
            for spec in ["{}", "[]", r#"{"tsr":{"content":"!"},"metadata":{"content":7},"root":{"content":7}}"#] {
                let told = told(kind, spec).unwrap();
                assert!(
                    matches!(told[..], [code] if code != "proven" && code != "entry.unverifiable"),
                    "{kind}: {told:?}"
                );
            }
        }
    }
}
