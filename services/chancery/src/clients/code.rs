//! The texts for programmers: commands, and code that the tests compile and run as it is printed.

use super::Facts;

pub(super) fn js(facts: &Facts) -> String {
    let Facts { ca_url, rekor_url, mirror, issuer, .. } = facts;
    format!(
        "# Once per directory
{}
// Library (sigstore 5): sign.mjs; sigstore-js sends whole envelopes, so statements need signing_config_rekor_v1.v0.2.json
import {{ readFileSync, writeFileSync }} from 'node:fs';
import {{ bundleToJSON }} from '@sigstore/bundle';
import {{ SigningConfig }} from '@sigstore/protobuf-specs';
import {{ bundleBuilderFromSigningConfig }} from '@sigstore/sign';
import {{ initTUF }} from '@sigstore/tuf';
const tuf = await initTUF({{ mirrorURL: '{mirror}', rootPath: 'root.json', cachePath: 'tuf-cache' }});
const signingConfig = SigningConfig.fromJSON(JSON.parse(await tuf.getTarget('signing_config.v0.2.json')));
const identityProvider = {{ getToken: async () => process.env.SIGSTORE_ID_TOKEN }};
const fetchOptions = {{ timeout: 30000, retry: {{ retries: 2 }} }};
const builder = bundleBuilderFromSigningConfig({{ signingConfig, identityProvider, fetchOptions, bundleType: 'messageSignature' }});
const bundle = await builder.create({{ data: readFileSync('artifact') }});
writeFileSync('artifact.sigstore.json', JSON.stringify(bundleToJSON(bundle)));

# Command line (@sigstore/cli): verify
npx sigstore verify artifact.sigstore.json --blob-file artifact \\
  --certificate-identity-email WHO --certificate-issuer {issuer} \\
  --tuf-mirror-url {mirror} --tuf-root-path root.json --tuf-cache-path \"$PWD/tuf-cache\"

# Command line: statements, into Rekor v1; with CI=true it takes the token from $SIGSTORE_ID_TOKEN
CI=true npx sigstore attest statement.json --output-file statement.sigstore.json --fulcio-url {ca_url} --rekor-url {rekor_url}
npx sigstore verify statement.sigstore.json --certificate-identity-email WHO --certificate-issuer {issuer} \\
  --tuf-mirror-url {mirror} --tuf-root-path root.json --tuf-cache-path \"$PWD/tuf-cache\"

// Library: verify.mjs
import {{ readFileSync }} from 'node:fs';
import {{ verify }} from 'sigstore';
await verify(JSON.parse(readFileSync('artifact.sigstore.json', 'utf8')), readFileSync('artifact'), {{
  tufMirrorURL: '{mirror}', tufRootPath: 'root.json', tufCachePath: 'tuf-cache',
  certificateIssuer: '{issuer}', certificateIdentityEmail: 'WHO',
}});
",
        facts.fetch_root()
    )
}

pub(super) fn go(facts: &Facts) -> String {
    let Facts { files, mirror, issuer, .. } = facts;
    format!(
        "# Once per directory
{}
# Command line (sigstore-go's examples)
curl -fsS {files}/signing_config.json -o signing_config.json
sigstore-go-signing -signing-config signing_config.json -rekor -tsa -id-token \"$SIGSTORE_ID_TOKEN\" artifact \\
  | sed -n '/^{{/,$p' > artifact.sigstore.json
sigstore-go-verification -artifact artifact -tufRootURL {mirror} -tufTrustedRoot root.json \\
  -expectedIssuer {issuer} -expectedSAN WHO artifact.sigstore.json

// Library: trust(\"{mirror}\", tufRoot), with the contents of root.json
{GO}",
        facts.fetch_root()
    )
}

/// The same for every instance.
const GO: &str = r#"import (
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
)

func trust(mirror string, tufRoot []byte) (*root.TrustedRoot, *root.SigningConfig, error) {
	options := tuf.DefaultOptions()
	options.RepositoryBaseURL = mirror
	options.Root = tufRoot
	client, err := tuf.New(options)
	if err != nil {
		return nil, nil, err
	}
	trustedRoot, err := root.GetTrustedRoot(client)
	if err != nil {
		return nil, nil, err
	}
	signingConfig, err := root.GetSigningConfig(client)
	return trustedRoot, signingConfig, err
}
"#;

pub(super) fn rust(facts: &Facts) -> String {
    let mirror = &facts.mirror;
    format!(
        "# Beside the source, compared with its checksum
{}
// sigstore-trust-root 0.15, for sigstore-sign and sigstore-verify: trust(\"{mirror}\", include_bytes!(\"root.json\"))
{RUST}",
        facts.fetch_root()
    )
}

/// The same for every instance.
const RUST: &str = r"use sigstore_trust_root::{SigningConfig, TrustedRoot, TufBootstrap, TufConfig, fetch_trust_material};

pub async fn trust(mirror: &str, root: &[u8]) -> sigstore_trust_root::Result<(TrustedRoot, SigningConfig)> {
    let config = TufConfig::custom(mirror, TufBootstrap::trusted(root));
    fetch_trust_material(config).await
}
";
