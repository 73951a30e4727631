//! Filters on the command line. They are the parameters of the search API under the same names.

use anyhow::Context as _;
use clap::Args;

/// The filters.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(in crate::cli) struct FilterArguments {
    /// Name in the certificate: e-mail address, URI, username, host or IP address
    #[arg(long, value_name = "NAME")]
    identity: Vec<String>,
    /// Beginning of a name in the certificate
    #[arg(long, value_name = "TEXT")]
    identity_prefix: Vec<String>,
    /// Domain of a name in the certificate, with all domains below it
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// OIDC issuer of the identity
    #[arg(long, value_name = "URL")]
    issuer: Vec<String>,
    /// Digest of an artifact, or of an attestation or its payload
    #[arg(long, value_name = "ALGORITHM:HEX")]
    digest: Vec<String>,
    /// Serial number of the certificate
    #[arg(long, value_name = "HEX")]
    serial: Vec<String>,
    /// SHA-256 of the certificate
    #[arg(long, value_name = "HEX")]
    certificate: Vec<String>,
    /// SHA-256 of the public key
    #[arg(long, value_name = "HEX")]
    key: Vec<String>,
    /// Id of a PGP, SSH or minisign key
    #[arg(long, value_name = "ID")]
    key_id: Vec<String>,
    /// Entry id of Rekor v1, or leaf hash
    #[arg(long, value_name = "HEX")]
    id: Vec<String>,
    /// Kind of the entry, such as hashedrekord, dsse, intoto/0.0.2 or precertificate
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Type of the in-toto predicate
    #[arg(long, value_name = "URI")]
    predicate_type: Vec<String>,
    /// Source repository
    #[arg(long, value_name = "URL")]
    repository: Vec<String>,
    /// Owner of the source repository
    #[arg(long, value_name = "URL")]
    repository_owner: Vec<String>,
    /// Workflow with its version
    #[arg(long, value_name = "URL")]
    workflow_ref: Vec<String>,
    /// Git reference of the source
    #[arg(long = "ref", value_name = "REF")]
    git_ref: Vec<String>,
    /// Commit of the source
    #[arg(long, value_name = "HEX")]
    commit: Vec<String>,
    /// Run of the build
    #[arg(long, value_name = "URL")]
    run_url: Vec<String>,
    /// Environment the build deploys to
    #[arg(long, value_name = "NAME")]
    environment: Vec<String>,
    /// Any filter of the search API by its name, such as trigger=push
    #[arg(long = "where", value_name = "FILTER=VALUE")]
    other: Vec<String>,
    /// Ask only this log: rekor, rekor2 or ct; a later shard is rekor-2
    #[arg(long, value_name = "NAME")]
    log: Vec<String>,
    /// At or after this time: 2026-11-21T07:00:00Z, or a day (UTC)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time, or up to the end of this day (UTC)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// In each log only entries from this index on
    #[arg(long, value_name = "INDEX")]
    first_index: Option<u64>,
    /// In each log only entries before this index
    #[arg(long, value_name = "INDEX")]
    end_index: Option<u64>,
}

impl FilterArguments {
    /// As parameters of the search API.
    pub(in crate::cli) fn parameters(&self) -> anyhow::Result<Vec<(String, String)>> {
        let lists = [
            ("identity", &self.identity),
            ("identity-prefix", &self.identity_prefix),
            ("domain", &self.domain),
            ("issuer", &self.issuer),
            ("digest", &self.digest),
            ("serial", &self.serial),
            ("certificate", &self.certificate),
            ("key", &self.key),
            ("key-id", &self.key_id),
            ("id", &self.id),
            ("kind", &self.kind),
            ("predicate-type", &self.predicate_type),
            ("repository", &self.repository),
            ("repository-owner", &self.repository_owner),
            ("workflow-ref", &self.workflow_ref),
            ("ref", &self.git_ref),
            ("commit", &self.commit),
            ("run-url", &self.run_url),
            ("environment", &self.environment),
            ("log", &self.log),
        ];
        let mut parameters = Vec::new();
        for (name, values) in lists {
            parameters.extend(values.iter().map(|value| (name.to_owned(), value.clone())));
        }
        for filter in &self.other {
            let (name, value) = filter
                .split_once('=')
                .with_context(|| format!("--where {filter} is not FILTER=VALUE, for example --where trigger=push"))?;
            parameters.push((name.to_owned(), value.to_owned()));
        }
        let singles = [
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("first-index", self.first_index.map(|index| index.to_string())),
            ("end-index", self.end_index.map(|index| index.to_string())),
        ];
        parameters.extend(singles.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Ok(parameters)
    }
}
