//! Our authorities: whose certificates are ours. A look-alike says the same in every field, and chains elsewhere.
//!
//! Only who issued whom is checked, by signature. Time and purpose are not: a certificate of ours that has expired, or that should
//! never have been issued, is what a monitor is for.

use chancery_verify::certificate::{Certificate, verify_path};
use chancery_verify::{Hash, Rejection};

/// The certificates of authorities. Each is trusted by itself, whatever has issued it.
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    certificates: Vec<Certificate>,
    /// SHA-256 of their keys, which precertificates in logs name.
    keys: Vec<Hash>,
    /// Whether there are some whose certificates are not known yet.
    is_unread: bool,
}

impl Authorities {
    /// Those with these certificates.
    #[must_use]
    pub fn new(certificates: Vec<Certificate>) -> Self {
        let keys = certificates.iter().map(|certificate| certificate.public_key().fingerprint()).collect();
        Self { certificates, keys, is_unread: false }
    }

    /// Some whose certificates are yet to be made: with them it can be checked whether a watch is one. They have issued nothing.
    #[must_use]
    pub fn unread() -> Self {
        Self { is_unread: true, ..Self::default() }
    }

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.certificates.is_empty() && !self.is_unread
    }

    /// Returns whether one of them has issued the first certificate of `chain`, perhaps through the others. All are in DER.
    pub(crate) fn issued(&self, chain: &[Vec<u8>]) -> bool {
        let parse = |certificates: &[Vec<u8>]| -> Result<Vec<Certificate>, Rejection> {
            certificates.iter().map(|der| Certificate::from_der(der)).collect()
        };
        let Some((leaf, issuers)) = chain.split_first() else { return false };
        let Ok(leaf) = Certificate::from_der(leaf) else { return false };
        let is_on_path = |issuers: &[Certificate]| verify_path(&leaf, issuers, &self.certificates).is_ok();
        // The issuers in an entry are the signer's word, and may be missing or odd.
        is_on_path(&[]) || (!issuers.is_empty() && parse(issuers).is_ok_and(|issuers| is_on_path(&issuers)))
    }

    /// Returns whether one of them has the key with this SHA-256.
    pub(crate) fn has_key(&self, fingerprint: &[u8]) -> bool {
        self.keys.iter().any(|key| key == fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
    use std::slice;

    struct Authority(Issuer<'static, KeyPair>, Vec<u8>);

    fn params(name: &str, is_ca: bool) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }
        params
    }

    fn root(name: &str) -> Authority {
        let (key, params) = (KeyPair::generate().unwrap(), params(name, true));
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Authority(Issuer::new(params, key), der)
    }

    impl Authority {
        fn intermediate(&self, name: &str) -> Self {
            let (key, params) = (KeyPair::generate().unwrap(), params(name, true));
            let der = params.signed_by(&key, &self.0).unwrap().der().to_vec();
            Self(Issuer::new(params, key), der)
        }

        fn leaf(&self) -> Vec<u8> {
            let mut params = params("leaf", false);
            params.subject_alt_names = vec![SanType::Rfc822Name("alice@example.test".try_into().unwrap())];
            params.signed_by(&KeyPair::generate().unwrap(), &self.0).unwrap().der().to_vec()
        }

        fn certificate(&self) -> Certificate {
            Certificate::from_der(&self.1).unwrap()
        }
    }

    #[test]
    fn a_certificate_is_ours_by_signature_and_not_by_name() {
        let (ours, forged) = (root("Acme CA"), root("Acme CA"));
        let issuing = ours.intermediate("Acme issuing");
        let only_root = Authorities::new(vec![ours.certificate()]);
        let whole = Authorities::new(vec![issuing.certificate(), ours.certificate()]);
        let leaf = issuing.leaf();
        assert!(
            whole.issued(slice::from_ref(&leaf)) && whole.issued(&[leaf.clone(), issuing.1.clone(), ours.1.clone()])
        );
        assert!(only_root.issued(&[leaf.clone(), issuing.1.clone()]), "through the chain in the entry");
        assert!(!only_root.issued(slice::from_ref(&leaf)), "nothing says who issued it");
        assert!(whole.issued(&[leaf, b"no certificate".to_vec()]), "what is beside it is not needed");
        let look_alike = forged.intermediate("Acme issuing").leaf();
        for chain in
            [vec![look_alike.clone()], vec![look_alike, issuing.1.clone(), ours.1.clone()], vec![], vec![vec![0]]]
        {
            assert!(!whole.issued(&chain));
        }
        assert!(whole.has_key(&ours.certificate().public_key().fingerprint()));
        assert!(!whole.has_key(&forged.certificate().public_key().fingerprint()));
    }
}
