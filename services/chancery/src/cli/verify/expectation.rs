//! The expected signers: flags with cosign's names, or a policy file. Flags become a policy of one rule, so that there
//! is only one evaluation.

use super::types::predicate_type;
use crate::output;
use anyhow::{Context as _, bail, ensure};
use chancery_verify::{
    PublicKey, Refusal,
    policy::{MAX_POLICY_BYTES, Policy},
    verifier::SignerKey,
};
use clap::{Args, ValueEnum};
use std::{
    collections::BTreeSet,
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The expected signer. Without any of these, every verified signer is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Expected signer")]
pub(in crate::cli) struct SignerArguments {
    /// Require the signatures that this policy file asks for; deploy/policy.toml explains every key
    #[arg(long, value_name = "FILE", conflicts_with_all = ["certificate_identity", "certificate_identity_regexp",
        "certificate_oidc_issuer", "certificate_oidc_issuer_regexp", "key", "claim", "annotations", "at_least"])]
    policy: Option<PathBuf>,
    /// Require exactly this identity in the certificate: a mail address, URI or username
    #[arg(long, value_name = "IDENTITY")]
    certificate_identity: Option<String>,
    /// Require an identity that this regular expression matches from beginning to end
    #[arg(long, value_name = "REGEXP", conflicts_with = "certificate_identity")]
    certificate_identity_regexp: Option<String>,
    /// Require exactly this OIDC issuer in the certificate
    #[arg(long, value_name = "URL")]
    certificate_oidc_issuer: Option<String>,
    /// Require an issuer that this regular expression matches from beginning to end
    #[arg(long, value_name = "REGEXP", conflicts_with = "certificate_oidc_issuer")]
    certificate_oidc_issuer_regexp: Option<String>,
    #[command(flatten)]
    github: GitHubArguments,
    /// Require this claim in the certificate, e.g. `source-repository-uri=https://github.com/me/app`; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    claim: Vec<(String, String)>,
    /// Accept signatures of this public key (PEM), which have no certificate; repeatable: one of the keys must have signed, or the identity if one is given
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Signature scheme of the keys, if it is not the usual one of their kind
    #[arg(long, value_name = "ALGORITHM", requires = "key")]
    key_algorithm: Option<KeyAlgorithm>,
    /// Require this signed annotation; repeatable
    #[arg(long, short = 'a', value_name = "NAME=VALUE", value_parser = pair)]
    annotations: Vec<(String, String)>,
    /// Require this many different expected signers; in a policy file: `at_least`
    #[arg(long, value_name = "K", default_value = "1")]
    at_least: NonZeroUsize,
}

/// Claims in the certificate of a GitHub workflow, with cosign's names.
#[derive(Debug, Args)]
struct GitHubArguments {
    /// Require this event of the GitHub workflow, e.g. push
    #[arg(long = "certificate-github-workflow-trigger", value_name = "EVENT")]
    trigger: Option<String>,
    /// Require this commit of the workflow
    #[arg(long = "certificate-github-workflow-sha", value_name = "SHA")]
    sha: Option<String>,
    /// Require this name of the workflow
    #[arg(long = "certificate-github-workflow-name", value_name = "NAME")]
    name: Option<String>,
    /// Require this repository of the workflow, e.g. me/app
    #[arg(long = "certificate-github-workflow-repository", value_name = "REPOSITORY")]
    repository: Option<String>,
    /// Require this Git reference of the workflow, e.g. refs/heads/main
    #[arg(long = "certificate-github-workflow-ref", value_name = "REF")]
    reference: Option<String>,
}

/// Maximum of `--at-least`. No more signatures of an artifact are read.
const MAX_SIGNERS: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeyAlgorithm {
    /// RSASSA-PSS with SHA-256
    RsaPss,
    /// Ed25519 over the file itself, not prehashed
    Ed25519Pure,
}

/// The requested kinds: signatures, or attestations of certain types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Wanted {
    /// Signatures and attestations.
    Anything,
    /// Signatures of the artifact itself.
    Signatures,
    /// Attestations of these types. With `signatures`, signatures too.
    Types { types: BTreeSet<String>, signatures: bool },
}

impl Wanted {
    /// The kinds that `--type` names. `sign` means a signature.
    pub(in crate::cli) fn of_types(types: &[String]) -> anyhow::Result<Self> {
        if types.is_empty() {
            return Ok(Self::Signatures);
        }
        let signatures = types.iter().any(|name| name == "sign");
        let types = types.iter().filter(|name| *name != "sign");
        let types = types.map(|name| predicate_type(name)).collect::<Result<_, _>>();
        let types = types.map_err(|reason| anyhow::anyhow!("--type: {reason}"))?;
        Ok(Self::Types { types, signatures })
    }

    /// The kinds to read for a policy file: all, unless types are named. The rules of the policy require their own
    /// kinds.
    fn under_policy(self) -> Self {
        if self == Self::Signatures { Self::Anything } else { self }
    }

    /// The kind for a rule without conditions on predicates.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Signatures => "signature",
            Self::Anything | Self::Types { signatures: true, .. } => "any",
            Self::Types { signatures: false, .. } => "attestation",
        }
    }

    /// Returns whether a signature (`None`) or an attestation of this type counts.
    pub(super) fn takes(&self, predicate_type: Option<&str>) -> bool {
        match (self, predicate_type) {
            (Self::Anything, _) | (Self::Signatures, None) => true,
            (Self::Signatures, Some(_)) => false,
            (Self::Types { signatures, .. }, None) => *signatures,
            (Self::Types { types, .. }, Some(found)) => types.contains(found),
        }
    }
}

/// Rules over the predicate of an attestation.
#[derive(Debug, Default)]
pub(super) struct PredicateRules {
    /// The builder of SLSA provenance.
    pub(super) builder: Option<String>,
    /// JSON pointers and values.
    pub(super) fields: Vec<(String, serde_json::Value)>,
    /// The predicate type that they apply to.
    pub(super) kind: Option<String>,
}

/// The expected signers and kinds.
#[derive(Debug)]
pub(in crate::cli) struct Expectation {
    /// `None`: every verified signer is shown.
    pub(in crate::cli) policy: Option<Policy>,
    /// Whether the policy is a file, and not made of flags.
    pub(in crate::cli) is_file: bool,
    /// Keys that are trusted without a certificate.
    pub(in crate::cli) keys: Vec<SignerKey>,
    /// The requested kinds.
    pub(in crate::cli) wanted: Wanted,
}

impl Expectation {
    /// The reason of a refusal by the policy. Users of flags do not know that flags become a policy.
    pub(super) fn reason(&self, refusal: &Refusal) -> String {
        let (expected, found) = refusal.comparison();
        let is_about_signer = matches!(refusal.code(), "policy.identity" | "policy.issuer" | "policy.key");
        if self.is_file || !is_about_signer {
            return refusal.to_string();
        }
        let rule = refusal.path().trim_start_matches("policy: ");
        format!("not the expected signer: {rule}: expected {expected}, found {found}")
    }

    /// Returns whether only keys are expected, and no certificate.
    pub(in crate::cli) fn only_keys(&self) -> bool {
        !self.keys.is_empty() && self.policy.as_ref().is_some_and(|policy| !policy.takes_certificates())
    }
}

impl SignerArguments {
    /// Reads the policy and keys.
    pub(in crate::cli) fn read(&self, wanted: Wanted) -> anyhow::Result<Expectation> {
        self.read_with(wanted, &PredicateRules::default())
    }

    /// The same with rules over the predicate.
    pub(super) fn read_with(&self, wanted: Wanted, rules: &PredicateRules) -> anyhow::Result<Expectation> {
        let (policy, wanted) = match &self.policy {
            Some(path) => {
                ensure!(
                    self.claims().is_empty() && rules.fields.is_empty() && rules.builder.is_none(),
                    "--policy cannot be combined with rules on the command line: put claims and rules over predicates into {}",
                    path.display()
                );
                (Some(read_policy(path)?), wanted.under_policy())
            }
            None => (self.rules(rules, &wanted)?, wanted),
        };
        for warning in policy.iter().flat_map(Policy::warnings) {
            output::note(&format!("note: {warning}"));
        }
        let keys =
            policy.iter().flat_map(Policy::keys).map(|key| self.signer_key(key)).collect::<anyhow::Result<_>>()?;
        ensure!(
            self.at_least.get() == 1 || policy.is_some(),
            "--at-least counts expected signers: name them with --certificate-identity, --key or --policy"
        );
        Ok(Expectation { policy, is_file: self.policy.is_some(), keys, wanted })
    }

    fn signer_key(&self, key: &PublicKey) -> anyhow::Result<SignerKey> {
        let key = SignerKey::new(key.clone());
        match self.key_algorithm {
            None => Ok(key),
            Some(KeyAlgorithm::RsaPss) => key.with_pss().context("--key-algorithm rsa-pss needs an RSA key"),
            Some(KeyAlgorithm::Ed25519Pure) => {
                key.with_pure_ed25519().context("--key-algorithm ed25519-pure needs an Ed25519 key")
            }
        }
    }

    /// Makes the policy from the flags. `None` if no flag names a signer.
    fn rules(&self, predicate: &PredicateRules, wanted: &Wanted) -> anyhow::Result<Option<Policy>> {
        let mut rules = Vec::new();
        let pattern = |exact: &Option<String>, regexp: &Option<String>| match (exact, regexp) {
            (Some(exact), _) => Some(Value::String(exact.clone())),
            (None, Some(regexp)) => {
                Some(Value::Table(Table::from_iter([("regex".to_owned(), Value::String(regexp.clone()))])))
            }
            (None, None) => None,
        };
        let identity = pattern(&self.certificate_identity, &self.certificate_identity_regexp);
        let issuer = pattern(&self.certificate_oidc_issuer, &self.certificate_oidc_issuer_regexp);
        match (identity, issuer) {
            (Some(identity), Some(issuer)) => {
                let mut rule = Table::from_iter([("identity".to_owned(), identity), ("issuer".to_owned(), issuer)]);
                if !self.claims().is_empty() {
                    rule.insert("claims".to_owned(), Value::Table(self.claims()));
                }
                rules.push(rule);
            }
            (None, None) => {
                ensure!(self.claims().is_empty(), "claims need --certificate-identity and --certificate-oidc-issuer");
            }
            (Some(_), None) => {
                bail!("--certificate-identity needs --certificate-oidc-issuer, because anyone can run an issuer")
            }
            (None, Some(_)) => {
                bail!(
                    "--certificate-oidc-issuer needs --certificate-identity, because every account of an issuer can sign"
                )
            }
        }
        for path in &self.key {
            let pem = fs::read_to_string(path).with_context(|| format!("cannot read the key {}", path.display()))?;
            PublicKey::from_pem(pem.as_bytes())
                .with_context(|| format!("{} is not a public key in PEM", path.display()))?;
            rules.push(Table::from_iter([("key".to_owned(), Value::String(pem))]));
        }
        if rules.is_empty() {
            let rest = self.annotations.is_empty() && predicate.fields.is_empty() && predicate.builder.is_none();
            ensure!(
                rest,
                "rules for annotations and predicates need a signer: add --certificate-identity, --key or --policy"
            );
            return Ok(None);
        }
        for rule in &mut rules {
            self.conditions(rule, predicate, wanted)?;
        }
        let require = self.combined(rules)?;
        let document = Table::from_iter([
            ("version".to_owned(), Value::Integer(1)),
            ("require".to_owned(), Value::Table(require)),
        ]);
        Policy::parse(&document.to_string()).map(Some).map_err(|error| anyhow::anyhow!("the expected signer: {error}"))
    }

    /// Requires one of the rules. With `--at-least K`, requires K different signers that each meet one of the rules.
    fn combined(&self, rules: Vec<Table>) -> anyhow::Result<Table> {
        let rules = match (self.at_least.get(), <[Table; 1]>::try_from(rules)) {
            (1, Ok([rule])) => return Ok(rule),
            (_, Ok([rule])) => vec![rule],
            (_, Err(rules)) => rules,
        };
        let at_least = self.at_least.get();
        if at_least == 1 {
            let rules = rules.into_iter().map(Value::Table).collect();
            return Ok(Table::from_iter([("any_of".to_owned(), Value::Array(rules))]));
        }
        ensure!(at_least <= MAX_SIGNERS, "--at-least asks for at most {MAX_SIGNERS} signers");
        // All of them may meet the same rule.
        let copies = (1..=at_least).flat_map(|number| rules.iter().map(move |rule| (number, rule.clone())));
        let copies = copies.map(|(number, mut rule)| {
            rule.insert("name".to_owned(), Value::String(format!("signer {number}")));
            Value::Table(rule)
        });
        let table = Table::from_iter([
            ("count".to_owned(), Value::Integer(i64::try_from(at_least)?)),
            ("of".to_owned(), Value::Array(copies.collect())),
        ]);
        Ok(Table::from_iter([("at_least".to_owned(), Value::Table(table))]))
    }

    /// The conditions of every rule in addition to the signer.
    fn conditions(&self, rule: &mut Table, predicate: &PredicateRules, wanted: &Wanted) -> anyhow::Result<()> {
        if predicate.fields.is_empty() && predicate.builder.is_none() {
            rule.insert("kind".to_owned(), Value::String(wanted.kind().to_owned()));
        }
        if !self.annotations.is_empty() {
            let texts = self.annotations.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
            rule.insert("annotations".to_owned(), Value::Table(texts.collect()));
        }
        if let Some(builder) = &predicate.builder {
            let builder = Table::from_iter([("builder".to_owned(), Value::String(builder.clone()))]);
            rule.insert("slsa".to_owned(), Value::Table(builder));
        }
        if predicate.fields.is_empty() {
            return Ok(());
        }
        let kind = predicate.kind.clone().context("--predicate needs exactly one --type")?;
        let fields = predicate.fields.iter().map(|(pointer, value)| {
            let value = Value::try_from(value).context("a predicate's value cannot be null")?;
            Ok(Value::Table(Table::from_iter([
                ("path".to_owned(), Value::String(pointer.clone())),
                ("equals".to_owned(), value),
            ])))
        });
        let fields = fields.collect::<anyhow::Result<Vec<_>>>()?;
        let table =
            Table::from_iter([("type".to_owned(), Value::String(kind)), ("fields".to_owned(), Value::Array(fields))]);
        rule.insert("predicate".to_owned(), Value::Table(table));
        Ok(())
    }

    fn claims(&self) -> Table {
        let github = &self.github;
        let named = [
            ("github-workflow-trigger", &github.trigger),
            ("github-workflow-sha", &github.sha),
            ("github-workflow-name", &github.name),
            ("github-workflow-repository", &github.repository),
            ("github-workflow-ref", &github.reference),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        named.chain(self.claim.iter().cloned()).map(|(name, value)| (name, Value::String(value))).collect()
    }
}

impl Expectation {
    /// The expectation of a policy file.
    pub(super) fn of_policy(path: &Path, wanted: Wanted) -> anyhow::Result<Self> {
        let policy = read_policy(path)?;
        let keys = policy.keys().into_iter().cloned().map(SignerKey::new).collect();
        Ok(Self { policy: Some(policy), is_file: true, keys, wanted: wanted.under_policy() })
    }
}

/// Reads a policy file. The error names the file and the line.
pub(in crate::cli) fn read_policy(path: &Path) -> anyhow::Result<Policy> {
    let shown = path.display();
    let length = fs::metadata(path).with_context(|| format!("cannot read the policy {shown}"))?.len();
    ensure!(length <= MAX_POLICY_BYTES as u64, "the policy {shown} has more than {MAX_POLICY_BYTES} bytes");
    let text = fs::read_to_string(path).with_context(|| format!("cannot read the policy {shown}"))?;
    Policy::parse(&text).map_err(|error| anyhow::anyhow!("the policy {shown}: {error}"))
}

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests;
