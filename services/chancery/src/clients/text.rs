//! The text for each client. Which version accepts what was measured with the clients: see the project's reference.

use super::{Client, Facts, code};

/// The commands, code or YAML, complete except for the trusted identity (WHO) and the artifact.
pub(crate) fn text(client: Client, facts: &Facts) -> String {
    match client {
        Client::Cosign => cosign(facts),
        Client::Python => python(facts),
        Client::Js => code::js(facts),
        Client::Go => code::go(facts),
        Client::Rust => code::rust(facts),
        Client::Kyverno => kyverno(facts),
        Client::KyvernoClusterPolicy => kyverno_cluster_policy(facts),
        Client::PolicyController => policy_controller(facts),
        Client::Flux => flux(facts),
        Client::Gitsign => gitsign(facts),
    }
}

fn initialize(program: &str, facts: &Facts) -> String {
    let (mirror, checksum) = (&facts.mirror, facts.checksum());
    format!("{program} initialize --mirror {mirror} --root {mirror}/root.json --root-checksum {checksum}\n")
}

/// A block indented for YAML.
fn indented(text: &str, columns: usize) -> String {
    let margin = " ".repeat(columns);
    text.lines().map(|line| [&margin, line, "\n"].concat()).collect()
}

fn cosign(facts: &Facts) -> String {
    let Facts { ca_url, rekor_url, files, issuer, .. } = facts;
    format!(
        "# Once per home directory ($TUF_ROOT, ~/.sigstore/root). Later changes come from the repository.
{}
# cosign 3
cosign sign-blob --yes --bundle artifact.sigstore.json artifact
cosign verify-blob --bundle artifact.sigstore.json --certificate-identity WHO --certificate-oidc-issuer {issuer} artifact

# cosign 2.6
cosign sign-blob --yes --use-signing-config --new-bundle-format --bundle artifact.sigstore.json artifact
cosign verify-blob --new-bundle-format --use-signed-timestamps --bundle artifact.sigstore.json --certificate-identity WHO --certificate-oidc-issuer {issuer} artifact

# Statements and images: cosign 2.6 and 3.0 send them to Rekor v1, which this file selects
curl -fsS {files}/signing_config_rekor_v1.json -o signing_config_rekor_v1.json
cosign attest-blob --yes --signing-config signing_config_rekor_v1.json --new-bundle-format \\
  --predicate predicate.json --type slsaprovenance1 --bundle statement.sigstore.json artifact
cosign verify-blob-attestation --new-bundle-format --bundle statement.sigstore.json --type slsaprovenance1 \\
  --certificate-identity WHO --certificate-oidc-issuer {issuer} artifact

# cosign 2.4 and 2.5 sign by URL
cosign sign-blob --yes --fulcio-url {ca_url} --rekor-url {rekor_url} --oidc-issuer {issuer} --bundle artifact.cosign.json artifact
cosign verify-blob --rekor-url {rekor_url} --bundle artifact.cosign.json --certificate-identity WHO --certificate-oidc-issuer {issuer} artifact
",
        initialize("cosign", facts)
    )
}

fn python(facts: &Facts) -> String {
    let Facts { mirror, issuer, .. } = facts;
    format!(
        "# Once per home directory
{}sigstore --instance {mirror} trust-instance root.json

sigstore --instance {mirror} sign artifact
sigstore --instance {mirror} verify identity --cert-identity WHO --cert-oidc-issuer {issuer} artifact
",
        facts.fetch_root()
    )
}

fn kyverno(facts: &Facts) -> String {
    let Facts { mirror, issuer, .. } = facts;
    format!(
        "# Kyverno 1.18 and newer; for older versions: --for kyverno-cluster-policy. Verifies signatures of any format and any Rekor.
# Kyverno follows the repository: this policy stays valid after a rotation.
apiVersion: policies.kyverno.io/v1
kind: ImageValidatingPolicy
metadata:
  name: signed-by-our-people
spec:
  validationActions: [Deny]
  matchConstraints:
    resourceRules:
    - apiGroups: [\"\"]
      apiVersions: [v1]
      operations: [CREATE, UPDATE]
      resources: [pods]
  matchImageReferences:
  - glob: \"REGISTRY/*\"
  attestors:
  - name: chancery
    cosign:
      keyless:
        identities:
        - issuer: {issuer}
          subject: WHO
      tuf:
        mirror: {mirror}
        root:
          data: {}
  validations:
  - expression: >-
      (images.containers + images.initContainers + images.ephemeralContainers)
      .map(image, verifyImageSignatures(image, [attestors.chancery])).all(found, found > 0)
    message: not signed by one of our people
",
        facts.root_base64()
    )
}

fn kyverno_cluster_policy(facts: &Facts) -> String {
    let Facts { rekor_url, issuer, .. } = facts;
    let timestamps = match facts.timestamps.as_str() {
        "" => String::new(),
        chain => format!("              tsaCertChain: |-\n{}", indented(chain, 16)),
    };
    format!(
        "# Kyverno 1.13 and newer. Finds only signatures as cosign 2 attaches them by default, and as cosign 3 does with
# --new-bundle-format=false --use-signing-config=false and the URLs. Contains copies of the keys: export it again after a rotation.
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: signed-by-our-people
spec:
  rules:
  - name: signature
    match:
      any:
      - resources:
          kinds: [Pod]
    verifyImages:
    - imageReferences: [\"REGISTRY/*\"]
      failureAction: Enforce
      attestors:
      - entries:
        - keyless:
            issuer: {issuer}
            subject: WHO
            roots: |-
{}            rekor:
              url: {rekor_url}
              pubkey: |-
{}            ctlog:
              pubkey: |-
{}{timestamps}",
        indented(&facts.chain, 14),
        indented(&facts.rekor, 16),
        indented(&facts.ct, 16),
    )
}

fn policy_controller(facts: &Facts) -> String {
    let Facts { ca_url, rekor_url, mirror, issuer, .. } = facts;
    format!(
        "# Verifies signatures as cosign 2 attaches them by default, and as cosign 3 does with --new-bundle-format=false
# --use-signing-config=false and the URLs. For bundles, policy-controller (up to 0.15) finds no log in a TrustRoot.
apiVersion: policy.sigstore.dev/v1alpha1
kind: TrustRoot
metadata:
  name: chancery
spec:
  remote:
    mirror: {mirror}
    root: {}
---
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: signed-by-our-people
spec:
  images:
  - glob: \"REGISTRY/**\"
  authorities:
  - keyless:
      url: {ca_url}
      trustRootRef: chancery
      identities:
      - issuer: {issuer}
        subject: WHO
    ctlog:
      url: {rekor_url}
      trustRootRef: chancery
",
        facts.root_base64()
    )
}

fn flux(facts: &Facts) -> String {
    let pattern = facts.issuer.replace('.', "\\.");
    format!(
        "# Flux 2.9 and newer. Contains a copy of the trusted root: export it again after a rotation.
apiVersion: v1
kind: Secret
metadata:
  name: chancery-trusted-root
  namespace: flux-system
stringData:
  trusted_root.json: |
{}---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: app
  namespace: flux-system
spec:
  interval: 10m
  url: oci://REGISTRY/app
  ref:
    tag: latest
  verify:
    provider: cosign
    trustedRootSecretRef:
      name: chancery-trusted-root
    matchOIDCIdentity:
    - issuer: '^{pattern}$'
      subject: '^WHO$'
",
        indented(&facts.trusted_root, 4)
    )
}

/// gitsign verifies commits with the trusted root, and signs with keys in files of their own. The repository has both, but
/// gitsign does not look for the keys where its `initialize` puts them.
fn gitsign(facts: &Facts) -> String {
    let Facts { ca_url, rekor_url, mirror, issuer, .. } = facts;
    let file = |name: &str, contents: &str| format!("cat > ~/.sigstore/chancery/{name} <<'EOF'\n{contents}EOF\n");
    let keys = [("fulcio.pem", &facts.chain), ("rekor.pub", &facts.rekor), ("ctfe.pub", &facts.ct)];
    let files: String = keys.into_iter().map(|(name, contents)| file(name, contents)).collect();
    format!(
        "# Copies of the keys: export them again after a rotation
mkdir -p ~/.sigstore/chancery
{files}
# Once per home directory ($TUF_ROOT, ~/.sigstore/root)
{}gitsign initialize --mirror {mirror} --root root.json
git config --global gpg.format x509
git config --global gpg.x509.program gitsign
git config --global commit.gpgsign true
git config --global gitsign.fulcio {ca_url}
git config --global gitsign.rekor {rekor_url}
git config --global gitsign.rekorMode offline
git config --global gitsign.issuer {issuer}

# In every shell
export SIGSTORE_ROOT_FILE=~/.sigstore/chancery/fulcio.pem SIGSTORE_REKOR_PUBLIC_KEY=~/.sigstore/chancery/rekor.pub
export SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=~/.sigstore/chancery/ctfe.pub
gitsign verify --certificate-identity WHO --certificate-oidc-issuer {issuer} HEAD
",
        facts.fetch_root()
    )
}
