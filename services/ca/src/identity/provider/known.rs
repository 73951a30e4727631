//! The common services, and the mapping of their claims.
//!
//! `BASE` is the URL of the service's own pages: a constant of the configuration, never taken from a token. Claims
//! without a question mark are required: a token without one is not of this service.

use super::super::template::Template;
use super::{InvalidProvider, Provider};

/// A service with a built-in mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// GitHub Actions, at github.com, GitHub Enterprise Cloud or an Enterprise Server.
    GitHub,
    /// GitLab CI, at gitlab.com or self-managed.
    GitLab,
    /// Buildkite.
    Buildkite,
    /// Codefresh.
    Codefresh,
    /// `CircleCI`.
    CircleCi,
    /// Jenkins with its OpenID Connect provider plug-in.
    Jenkins,
}

/// One mapping: the name, then the extensions.
type Mapping = (&'static str, &'static [(&'static str, &'static str)]);

impl Known {
    /// Returns the provider for an instance whose pages are at `base_url`.
    ///
    /// # Errors
    /// If `base_url` cannot be the beginning of a name.
    pub fn provider(self, base_url: &str) -> Result<Provider, InvalidProvider> {
        let base = Template::escape(base_url.trim_end_matches('/'));
        let (subject, extensions) = self.mapping();
        let with_base = |text: &str| text.replace("BASE", &base);
        let extensions: Vec<(&str, String)> = extensions.iter().map(|(name, text)| (*name, with_base(text))).collect();
        let extensions = extensions.iter().map(|(name, text)| (*name, text.as_str()));
        Provider::build(self.kind_name(), &with_base(subject), extensions)
    }

    /// Fulcio's name of the kind of issuer.
    const fn kind_name(self) -> &'static str {
        match self {
            Self::GitHub => "github-workflow",
            Self::GitLab => "gitlab-pipeline",
            Self::Buildkite => "buildkite-job",
            Self::Codefresh => "codefresh-workflow",
            Self::CircleCi | Self::Jenkins => "ci-provider",
        }
    }

    /// Returns the URL of the pages of the service whose tokens come from `issuer` (a URL or pattern). Known only for
    /// the service's own issuer: another issuer makes names of the public service only if the operator configures it.
    #[must_use]
    pub fn default_base_url(self, issuer: &str) -> Option<String> {
        let (own_issuer, base) = match self {
            Self::GitHub => ("token.actions.githubusercontent.com", "https://github.com"),
            Self::Buildkite => ("agent.buildkite.com", "https://buildkite.com"),
            Self::Codefresh => ("oidc.codefresh.io", "https://g.codefresh.io"),
            Self::CircleCi => ("oidc.circleci.com", "https://circleci.com/api/v2"),
            // An instance is its own issuer. A family of instances has no single URL.
            Self::GitLab => return (!issuer.contains('*')).then(|| issuer.to_owned()),
            Self::Jenkins => return None,
        };
        let host = issuer.strip_prefix("https://")?.split('/').next()?;
        (host == own_issuer).then(|| base.to_owned())
    }

    const fn mapping(self) -> Mapping {
        match self {
            Self::GitHub => GITHUB,
            Self::GitLab => GITLAB,
            Self::Buildkite => BUILDKITE,
            Self::Codefresh => CODEFRESH,
            Self::CircleCi => CIRCLECI,
            Self::Jenkins => JENKINS,
        }
    }
}

const GITHUB: Mapping = (
    "BASE/{job_workflow_ref}",
    &[
        ("github-workflow-trigger", "{event_name}"),
        ("github-workflow-sha", "{sha}"),
        ("github-workflow-name", "{workflow}"),
        ("github-workflow-repository", "{repository}"),
        ("github-workflow-ref", "{ref}"),
        ("build-signer-uri", "BASE/{job_workflow_ref}"),
        ("build-signer-digest", "{job_workflow_sha}"),
        ("runner-environment", "{runner_environment}"),
        ("source-repository-uri", "BASE/{repository}"),
        ("source-repository-digest", "{sha}"),
        ("source-repository-ref", "{ref}"),
        ("source-repository-identifier", "{repository_id}"),
        ("source-repository-owner-uri", "BASE/{repository_owner}"),
        ("source-repository-owner-identifier", "{repository_owner_id}"),
        ("build-config-uri", "BASE/{workflow_ref}"),
        ("build-config-digest", "{workflow_sha}"),
        ("build-trigger", "{event_name}"),
        ("run-invocation-uri", "BASE/{repository}/actions/runs/{run_id}/attempts/{run_attempt}"),
        ("source-repository-visibility-at-signing", "{repository_visibility}"),
        ("deployment-environment", "{environment?}"),
    ],
);

// `ci_config_ref_uri` begins with the instance's host. The preset requires that it is this instance's.
const GITLAB: Mapping = (
    "https://{ci_config_ref_uri}",
    &[
        ("build-signer-uri", "https://{ci_config_ref_uri}"),
        ("build-signer-digest", "{ci_config_sha?}"),
        ("runner-environment", "{runner_environment}"),
        ("source-repository-uri", "BASE/{project_path}"),
        ("source-repository-digest", "{sha}"),
        ("source-repository-ref", "refs/{if ref_type == \"branch\"}heads{else}tags{end}/{ref}"),
        ("source-repository-identifier", "{project_id}"),
        ("source-repository-owner-uri", "BASE/{namespace_path}"),
        ("source-repository-owner-identifier", "{namespace_id}"),
        ("build-config-uri", "https://{ci_config_ref_uri}"),
        ("build-config-digest", "{ci_config_sha?}"),
        ("build-trigger", "{pipeline_source}"),
        ("run-invocation-uri", "BASE/{project_path}/-/jobs/{job_id}"),
        ("source-repository-visibility-at-signing", "{project_visibility?}"),
        ("deployment-environment", "{environment?}"),
    ],
);

const BUILDKITE: Mapping = (
    "BASE/{organization_slug}/{pipeline_slug}",
    &[
        ("runner-environment", "{runner_environment?}"),
        ("source-repository-digest", "{build_commit?}"),
        ("build-trigger", "{build_source?}"),
        ("run-invocation-uri", "BASE/{organization_slug}/{pipeline_slug}/builds/{build_number}#{job_id}"),
    ],
);

const CODEFRESH: Mapping = (
    "BASE/{account_name}/{pipeline_name}:{account_id}/{pipeline_id}",
    &[
        ("build-signer-uri", "BASE/build/{workflow_id}"),
        ("runner-environment", "{runner_environment?}"),
        ("source-repository-uri", "{scm_repo_url?}"),
        ("source-repository-ref", "{scm_ref?}"),
        ("build-config-uri", "BASE/api/pipelines/{pipeline_id}"),
        ("run-invocation-uri", "BASE/build/{workflow_id}"),
    ],
);

const CIRCLECI: Mapping = (
    "BASE/projects/{oidc.circleci.com/project-id}/pipeline-definitions/{oidc.circleci.com/pipeline-definition-id}",
    &[
        (
            "build-signer-uri",
            "BASE/projects/{oidc.circleci.com/project-id}/pipeline-definitions/{oidc.circleci.com/pipeline-definition-id}",
        ),
        // Two quotation marks, as Fulcio's public instance writes them: policies written for it expect them.
        ("runner-environment", "{if oidc.circleci.com/ssh-rerun? == \"true\"}ssh-rerun{else}\"\"{end}"),
        ("source-repository-uri", "{oidc.circleci.com/vcs-origin?}"),
        ("source-repository-ref", "{oidc.circleci.com/vcs-ref?}"),
        ("build-config-uri", "BASE/pipeline/{oidc.circleci.com/pipeline-id}/config"),
        (
            "run-invocation-uri",
            "https://app.circleci.com//workflow/{oidc.circleci.com/workflow-id}/job/{oidc.circleci.com/job-id}",
        ),
    ],
);

// The plug-in's `sub` is the URL of the job. The preset requires that it is below this instance's URL.
const JENKINS: Mapping = ("{sub}", &[("build-signer-uri", "{sub}"), ("run-invocation-uri", "{sub}{build_number}/")]);
