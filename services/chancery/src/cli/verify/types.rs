//! The short names of predicate types that cosign has for `--type`.

/// What an attestation's type is called in full; a URI is its own name.
pub(super) fn predicate_type(text: &str) -> Result<String, String> {
    let uri = match text {
        "slsaprovenance" | "slsaprovenance02" => "https://slsa.dev/provenance/v0.2",
        "slsaprovenance1" => "https://slsa.dev/provenance/v1",
        "spdx" | "spdxjson" => "https://spdx.dev/Document",
        "cyclonedx" => "https://cyclonedx.org/bom",
        "vuln" => "https://cosign.sigstore.dev/attestation/vuln/v1",
        "openvex" => "https://openvex.dev/ns",
        "link" => "https://in-toto.io/Link/v1",
        "custom" => "https://cosign.sigstore.dev/attestation/v1",
        uri if uri.contains("://") => uri,
        _ => {
            return Err(
                "expected a URI, or one of slsaprovenance, slsaprovenance02, slsaprovenance1, spdx, spdxjson, \
                        cyclonedx, vuln, openvex, link, custom"
                    .to_owned(),
            );
        }
    };
    Ok(uri.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_uri_or_a_known_name() {
        assert_eq!(predicate_type("slsaprovenance1").as_deref(), Ok("https://slsa.dev/provenance/v1"));
        assert_eq!(predicate_type("https://example.org/a").as_deref(), Ok("https://example.org/a"));
        assert!(predicate_type("slsa").unwrap_err().contains("slsaprovenance1"));
    }
}
