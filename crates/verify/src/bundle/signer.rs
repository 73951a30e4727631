//! Parses the signer's certificate or key from a chain or a PEM text.

use super::Material;
use crate::certificate::{Certificate, MAX_CHAIN, verify_issued_by};
use crate::{PublicKey, Refusal, Rejection, Step, pem};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Whether a chain may end in a root.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// A root is an error.
    Refused,
    /// A root is ignored. Older signers included it: npm's attestations of version 0.1, and cosign's files.
    Tolerated,
}

/// Returns the first certificate of a chain. The others are checked and not kept, because issuers come only from the
/// trust root: each must issue its predecessor, and only a tolerated root may issue itself.
pub(super) fn leaf_of(chain: Vec<Certificate>, root: Root, path: &str) -> Result<Certificate, Refusal> {
    let refuse = |index: usize, expected: &str, found: &str| {
        let refusal = Refusal::new(Rejection::BundleChain, Step::Formats).at(format!("{path}[{index}]"));
        Err(refusal.expected(expected, found))
    };
    for (index, certificate) in chain.iter().enumerate() {
        let self_issued = !certificate.subject().is_empty() && certificate.issuer() == certificate.subject();
        let may_be_root = root == Root::Tolerated && index > 0 && index + 1 == chain.len();
        if self_issued && !may_be_root {
            return refuse(index, "a certificate below the root", "one that issues itself");
        }
        let Some(issuer) = chain.get(index + 1) else { continue };
        if let Err(rejection) = verify_issued_by(certificate, issuer) {
            return refuse(index + 1, "the issuer of the certificate before it", &rejection.to_string());
        }
    }
    let missing = || Refusal::new(Rejection::BundleMissing, Step::Formats).at(path);
    chain.into_iter().next().ok_or_else(|| missing().expected("at least one certificate", "none"))
}

/// Parses PEM: certificates with the signer's first, or one public key. The key's fingerprint becomes the hint.
pub(super) fn certificate_or_key(text: &[u8], path: &str) -> Result<Material, Refusal> {
    let blocks = pem::decode_all(text, MAX_CHAIN).map_err(|rejection| at(rejection, path))?;
    if let [block] = blocks.as_slice()
        && block.label == pem::PUBLIC_KEY
    {
        let key = PublicKey::from_spki_der(&block.der).map_err(|rejection| at(rejection, path))?;
        return Ok(Material::PublicKey { hint: Some(STANDARD.encode(key.fingerprint())) });
    }
    let mut chain = Vec::new();
    for block in &blocks {
        if block.label != pem::CERTIFICATE {
            return Err(at(Rejection::Pem, path).expected("a certificate", &block.label));
        }
        chain.push(Certificate::from_der(&block.der).map_err(|rejection| at(rejection, path))?);
    }
    Ok(Material::Certificate(Box::new(leaf_of(chain, Root::Tolerated, path)?)))
}

fn at(rejection: Rejection, path: &str) -> Refusal {
    Refusal::new(rejection, Step::Formats).at(path)
}
