//! Shorthands for GitHub Actions and GitLab CI: what a person knows of a build, as conditions on the certificate.
//!
//! The texts of a shorthand are globs. GitHub's identity is the workflow that ran the job. Where that is a reusable workflow,
//! every repository that calls it has the same identity; so the calling repository is always demanded by its own claim, and
//! `signer` names the reusable workflow. Without `signer` the workflow must be one of the repository itself.
//!
//! Specification: Fulcio's `docs/oid-info.md`; GitHub's and GitLab's descriptions of their OIDC tokens.

use super::condition::Condition;
use super::parse::fault;
use super::pattern::{Pattern, glob};
use crate::Rejection;
use crate::extension::Claim;
use serde::Deserialize;

/// A build of GitHub Actions. All texts are globs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct GitHub {
    /// `OWNER/REPOSITORY` that the workflow ran for.
    repository: String,
    /// The workflow: a file name in `.github/workflows`, or its whole path.
    workflow: Option<String>,
    /// The reference it ran on, e.g. `refs/heads/main` or `refs/tags/v*`.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// The deployment environment of the job.
    environment: Option<String>,
    /// The event that started it, e.g. `push`.
    event: Option<String>,
    /// `github-hosted` or `self-hosted`.
    runner: Option<String>,
    /// The reusable workflow that ran the job, where it is one.
    signer: Option<ReusableWorkflow>,
    /// The number of the repository, which nobody else can get when the name becomes free.
    repository_id: Option<String>,
    /// The number of the repository's owner.
    owner_id: Option<String>,
    /// `github.com`, `TENANT.ghe.com`, or the host of an Enterprise Server.
    host: Option<String>,
    /// The issuer, where it is not the usual one of `host`.
    issuer: Option<String>,
}

/// A reusable workflow. All texts are globs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct ReusableWorkflow {
    /// `OWNER/REPOSITORY` that the reusable workflow is in.
    repository: String,
    /// A file name in `.github/workflows`, or its whole path.
    workflow: String,
    /// The reference it was called by, e.g. `refs/tags/v2.*`.
    #[serde(rename = "ref")]
    reference: Option<String>,
}

/// A pipeline of GitLab CI. All texts are globs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct GitLab {
    /// `GROUP/PROJECT`, with subgroups.
    project: String,
    /// The configuration file of the pipeline, usually `.gitlab-ci.yml`.
    file: Option<String>,
    /// The reference it ran on, e.g. `refs/heads/main`.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// The deployment environment of the job.
    environment: Option<String>,
    /// What started the pipeline, e.g. `push`.
    event: Option<String>,
    /// `gitlab-hosted` or `self-hosted`.
    runner: Option<String>,
    /// `gitlab.com`, or the host of an instance.
    host: Option<String>,
    /// The issuer, where it is not `https://HOST`.
    issuer: Option<String>,
}

impl GitHub {
    /// The conditions this stands for.
    pub(super) fn conditions(&self) -> Result<Vec<Condition>, String> {
        let host = host(self.host.as_deref(), "github.com")?;
        let repository = path("repository", &self.repository, 2..=2)?;
        let reference = reference(self.reference.as_deref())?;
        let base = format!("https://{host}/{repository}");
        let workflow =
            self.workflow.as_deref().map(workflow_path).transpose()?.unwrap_or(".github/workflows/*".to_owned());
        let own = format!("{base}/{workflow}@{reference}");
        let issuer = self.issuer.clone().unwrap_or_else(|| usual_issuer(host));
        let mut conditions = vec![
            Condition::Issuer(Pattern::exact(issuer)),
            Condition::Claim(Claim::SourceRepositoryUri, pattern(&base)?),
        ];
        match &self.signer {
            None => {
                conditions.push(Condition::Identity(pattern(&own)?));
                conditions.push(Condition::IdentityBelow(Claim::SourceRepositoryUri));
            }
            Some(signer) => {
                conditions.push(Condition::Identity(pattern(&signer.identity(host)?)?));
                conditions.push(Condition::IdentityIs(Claim::BuildSignerUri));
            }
        }
        if self.workflow.is_some() {
            conditions.push(Condition::Claim(Claim::BuildConfigUri, pattern(&own)?));
        }
        claims(
            &mut conditions,
            &[
                (Claim::SourceRepositoryRef, &self.reference),
                (Claim::DeploymentEnvironment, &self.environment),
                (Claim::BuildTrigger, &self.event),
                (Claim::RunnerEnvironment, &self.runner),
                (Claim::SourceRepositoryIdentifier, &self.repository_id),
                (Claim::SourceRepositoryOwnerIdentifier, &self.owner_id),
            ],
        )?;
        Ok(conditions)
    }
}

impl ReusableWorkflow {
    fn identity(&self, host: &str) -> Result<String, String> {
        let repository = path("signer.repository", &self.repository, 2..=2)?;
        let reference = reference(self.reference.as_deref())?;
        Ok(format!("https://{host}/{repository}/{}@{reference}", workflow_path(&self.workflow)?))
    }
}

impl GitLab {
    /// The conditions this stands for. Project and file are in the identity: an older CA wrote wrong claims for instances
    /// that are not gitlab.com.
    pub(super) fn conditions(&self) -> Result<Vec<Condition>, String> {
        let host = host(self.host.as_deref(), "gitlab.com")?;
        let project = path("project", &self.project, 2..=32)?;
        let file = self.file.as_deref().unwrap_or("**").trim_start_matches('/');
        let reference = reference(self.reference.as_deref())?;
        let issuer = self.issuer.clone().unwrap_or_else(|| format!("https://{host}"));
        let mut conditions = vec![
            Condition::Issuer(Pattern::exact(issuer)),
            Condition::Identity(pattern(&format!("https://{host}/{project}//{file}@{reference}"))?),
            Condition::IdentityOneFile,
        ];
        claims(
            &mut conditions,
            &[
                (Claim::SourceRepositoryRef, &self.reference),
                (Claim::DeploymentEnvironment, &self.environment),
                (Claim::BuildTrigger, &self.event),
                (Claim::RunnerEnvironment, &self.runner),
            ],
        )?;
        Ok(conditions)
    }
}

fn claims(conditions: &mut Vec<Condition>, wanted: &[(Claim, &Option<String>)]) -> Result<(), String> {
    for (claim, text) in wanted {
        if let Some(text) = text {
            conditions.push(Condition::Claim(*claim, pattern(text)?));
        }
    }
    Ok(())
}

fn pattern(text: &str) -> Result<Pattern, String> {
    glob(text).map_err(|reason| fault(Rejection::PolicyPattern, &reason))
}

fn malformed<T>(reason: &str) -> Result<T, String> {
    Err(fault(Rejection::PolicyMalformed, reason))
}

fn host<'a>(host: Option<&'a str>, usual: &'a str) -> Result<&'a str, String> {
    let host = host.unwrap_or(usual);
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    if host.is_empty() || !host.bytes().all(fit) {
        return malformed("`host` is a host name, e.g. `github.example.org`, without scheme, path or stars");
    }
    Ok(host)
}

fn usual_issuer(host: &str) -> String {
    match host.strip_suffix(".ghe.com") {
        _ if host == "github.com" => "https://token.actions.githubusercontent.com".to_owned(),
        Some(tenant) => format!("https://token.actions.{tenant}.ghe.com"),
        None => format!("https://{host}/_services/token"),
    }
}

/// A path of so many segments, none of them empty.
fn path<'a>(key: &str, text: &'a str, segments: std::ops::RangeInclusive<usize>) -> Result<&'a str, String> {
    let count = text.split('/').count();
    if segments.contains(&count) && text.split('/').all(|segment| !segment.is_empty()) && !text.contains('@') {
        return Ok(text);
    }
    malformed(&format!("`{key}` is written as OWNER/NAME, e.g. `acme/app`, without host and `@`"))
}

fn workflow_path(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('@') || text.starts_with('/') {
        return malformed("`workflow` is a file name such as `release.yml`; write what comes after `@` as `ref`");
    }
    if text.contains('/') { Ok(text.to_owned()) } else { Ok(format!(".github/workflows/{text}")) }
}

fn reference(text: Option<&str>) -> Result<&str, String> {
    match text {
        None => Ok("**"),
        Some(text) if text.starts_with("refs/") && !text.contains('@') => Ok(text),
        Some(_) => malformed("`ref` is a whole reference: `refs/heads/main` for a branch, `refs/tags/v*` for tags"),
    }
}
