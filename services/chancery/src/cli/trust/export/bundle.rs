//! The archive for sites without a connection.

use super::Facts;
use chancery_daemon::durable;
use chancery_trust::{files::CLIENT_TRUST_CONFIG_MEDIA_TYPE, tuf::Repository};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::{io, path::Path};
use tar::{Builder, Header};

/// The directory in the archive.
const TOP: &str = "chancery-trust";

/// Writes the archive whole or not at all. The same repository gives the same bytes.
pub(super) fn write(path: &Path, repository: &Repository, facts: &Facts) -> anyhow::Result<()> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    let mut add = |name: &str, contents: &[u8]| -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_size(u64::try_from(contents.len()).map_err(io::Error::other)?);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, format!("{TOP}/{name}"), contents)
    };
    add("README.txt", readme(facts).as_bytes())?;
    add("root.json", &facts.root)?;
    let config = json!({
        "mediaType": CLIENT_TRUST_CONFIG_MEDIA_TYPE,
        "trustedRoot": serde_json::from_str::<Value>(&facts.trusted_root)?,
        "signingConfig": serde_json::from_str::<Value>(&facts.signing_config)?,
    });
    add("client_trust_config.json", format!("{config:#}\n").as_bytes())?;
    for name in repository.listed().keys() {
        add(name.as_str(), repository.target(name.as_str()).unwrap_or_default())?;
    }
    for (name, contents) in repository.files() {
        add(&format!("tuf/{name}"), contents)?;
    }
    let contents = archive.into_inner()?.finish()?;
    Ok(durable::write(path, &contents)?)
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
