//! Certificates of authorities, to be changed and signed by rcgen. Nothing of the code under test makes them.

use chancery_verify::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose, date_time_ymd};

/// 2026-11-21T07:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_244_400);

/// An authority that is valid [`NOW`], and may have so many authorities below it.
pub(crate) fn authority(name: &str, path_length: u8) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2026, 1, 1);
    parameters.not_after = date_time_ymd(2030, 1, 1);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}
