//! Shorthands for GitHub Actions and GitLab CI: conditions on the certificate, in the terms of these services.
//!
//! The texts of a shorthand are globs. GitHub's identity is the workflow that ran the job. All repositories that call
//! the same reusable workflow have the same identity. So the calling repository is always required by its own claim,
//! and `signer` names the reusable workflow. Without `signer`, the workflow must be in the repository itself.
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
    /// `OWNER/REPOSITORY` of the workflow run.
    repository: String,
    /// The workflow: a file name in `.github/workflows`, or its whole path.
    workflow: Option<String>,
    /// The Git reference of the run, e.g. `refs/heads/main` or `refs/tags/v*`.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// The deployment environment of the job.
    environment: Option<String>,
    /// The event that triggered the run, e.g. `push`.
    event: Option<String>,
    /// `github-hosted` or `self-hosted`.
    runner: Option<String>,
    /// The reusable workflow, if one ran the job.
    signer: Option<ReusableWorkflow>,
    /// The number of the repository. Unlike its name, it is never given to another repository.
    repository_id: Option<String>,
    /// The number of the repository's owner.
    owner_id: Option<String>,
    /// `github.com`, `TENANT.ghe.com`, or the host of an Enterprise Server.
    host: Option<String>,
    /// The issuer, if it is not the default of `host`.
    issuer: Option<String>,
}

/// A reusable workflow. All texts are globs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct ReusableWorkflow {
    /// `OWNER/REPOSITORY` of the reusable workflow.
    repository: String,
    /// A file name in `.github/workflows`, or its whole path.
    workflow: String,
    /// The Git reference in the call, e.g. `refs/tags/v2.*`.
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
    /// The Git reference of the pipeline, e.g. `refs/heads/main`.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// The deployment environment of the job.
    environment: Option<String>,
    /// The event that triggered the pipeline, e.g. `push`.
    event: Option<String>,
    /// `gitlab-hosted` or `self-hosted`.
    runner: Option<String>,
    /// `gitlab.com`, or the host of an instance.
    host: Option<String>,
    /// The issuer, if it is not `https://HOST`.
    issuer: Option<String>,
}

impl GitHub {
    /// The conditions of this shorthand.
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
    /// The conditions of this shorthand. Project and file are checked in the identity, because older CAs wrote wrong
    /// claims for instances other than gitlab.com.
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
        return malformed("`host` must be a host name, e.g. `github.example.org`, without scheme, path or stars");
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

/// Checks a path: its number of segments is in the range, and none is empty.
fn path<'a>(key: &str, text: &'a str, segments: std::ops::RangeInclusive<usize>) -> Result<&'a str, String> {
    let count = text.split('/').count();
    if segments.contains(&count) && text.split('/').all(|segment| !segment.is_empty()) && !text.contains('@') {
        return Ok(text);
    }
    malformed(&format!("`{key}` must be OWNER/NAME, e.g. `acme/app`, without host and `@`"))
}

fn workflow_path(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('@') || text.starts_with('/') {
        return malformed("`workflow` must be a file name such as `release.yml`: write the part after `@` as `ref`");
    }
    if text.contains('/') { Ok(text.to_owned()) } else { Ok(format!(".github/workflows/{text}")) }
}

fn reference(text: Option<&str>) -> Result<&str, String> {
    match text {
        None => Ok("**"),
        Some(text) if text.starts_with("refs/") && !text.contains('@') => Ok(text),
        Some(_) => {
            malformed("`ref` must be a whole reference: `refs/heads/main` for a branch, `refs/tags/v*` for tags")
        }
    }
}
