//! The archive for sites without a connection.

use super::Facts;
use crate::cli::archive::Archive;
use chancery_trust::{files::CLIENT_TRUST_CONFIG_MEDIA_TYPE, tuf::Repository};
use serde_json::{Value, json};
use std::path::Path;

/// The directory in the archive.
const TOP: &str = "chancery-trust";

/// Writes the archive whole or not at all. The same repository gives the same bytes.
pub(super) fn write(path: &Path, repository: &Repository, facts: &Facts) -> anyhow::Result<()> {
    let mut archive = Archive::new(TOP);
    archive.add("README.txt", readme(facts).as_bytes())?;
    archive.add("root.json", &facts.root)?;
    let config = json!({
        "mediaType": CLIENT_TRUST_CONFIG_MEDIA_TYPE,
        "trustedRoot": serde_json::from_str::<Value>(&facts.trusted_root)?,
        "signingConfig": serde_json::from_str::<Value>(&facts.signing_config)?,
    });
    archive.add("client_trust_config.json", format!("{config:#}\n").as_bytes())?;
    for name in repository.listed().keys() {
        archive.add(name.as_str(), repository.target(name.as_str()).unwrap_or_default())?;
    }
    for (name, contents) in repository.files() {
        archive.add(&format!("tuf/{name}"), contents)?;
    }
    Ok(archive.write(path)?)
}

fn readme(facts: &Facts) -> String {
    let (url, checksum, issuer) = (&facts.ca_url, facts.checksum(), &facts.issuer);
    format!(
        "Trust files for signatures made with {url}, for sites that cannot reach it.

To verify with files only:
  cosign verify-blob --trusted-root trusted_root.json --bundle B --certificate-identity I --certificate-oidc-issuer {issuer} FILE
  sigstore --trust-config client_trust_config.json verify identity --bundle B --cert-identity I --cert-oidc-issuer {issuer} FILE
  sigstore-go: root.NewTrustedRootFromPath(\"trusted_root.json\")
The files do not know keys that were rotated later: bring a new archive after each rotation.

tuf/ is the TUF repository, for clients that need one; any web server can serve it:
  (cd tuf && python3 -m http.server 8000)
  cosign initialize --mirror http://MIRROR:8000 --root root.json --root-checksum {checksum}
Its timestamp expires: bring a new archive before then; `cosign initialize` prints the date.

SHA-256 of root.json; compare it with the value from the operator: {checksum}
"
    )
}
