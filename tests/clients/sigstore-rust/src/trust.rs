//! Trust from a TUF repository: what `chancery trust export --for rust` prints, compiled. A test compares the two.

use sigstore_trust_root::{SigningConfig, TrustedRoot, TufBootstrap, TufConfig, fetch_trust_material};

pub async fn trust(mirror: &str, root: &[u8]) -> sigstore_trust_root::Result<(TrustedRoot, SigningConfig)> {
    let config = TufConfig::custom(mirror, TufBootstrap::trusted(root));
    fetch_trust_material(config).await
}
