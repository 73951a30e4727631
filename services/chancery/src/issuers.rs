//! A file of issuers: read at the start, followed while the program runs.
//!
//! The file is read again every two seconds, and at once on SIGHUP. A file that is broken changes nothing: it is logged, and the
//! issuers of before stay trusted. Keys are never read again.

use anyhow::Context as _;
use chancery_ca::{
    IssuerSettings,
    config::{self, ConfigError},
    identity::Condition,
    oidc::InvalidIssuer,
};
use chancery_daemon::reload::Looks;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::task::JoinHandle;

/// How long a change may go unnoticed.
const PERIOD: Duration = Duration::from_secs(2);

/// Services that give tokens to everyone, who their users are, and the condition that keeps others out.
const PUBLIC: [(&str, &str, &str); 4] = [
    ("https://token.actions.githubusercontent.com", "any workflow on github.com", "repository_owner"),
    ("https://gitlab.com", "any pipeline on gitlab.com", "namespace_path"),
    ("https://agent.buildkite.com", "any job of Buildkite", "organization_slug"),
    ("https://accounts.google.com", "any Google account", "hd"),
];

/// Claims that say how a job was started, and not whose it is: every user of such a service chooses them.
const CHOSEN: [&str; 19] = [
    "base_ref",
    "build_branch",
    "build_tag",
    "deployment_tier",
    "email_verified",
    "environment",
    "environment_protected",
    "event_name",
    "head_ref",
    "pipeline_source",
    "project_visibility",
    "ref",
    "ref_path",
    "ref_protected",
    "ref_type",
    "repository_visibility",
    "runner_environment",
    "step_key",
    "workflow",
];

/// Warns of a service that is open to everyone, without a condition. `may` is what its users do.
pub(crate) fn open_to_all(settings: &IssuerSettings, may: &str) -> Option<String> {
    let name = settings.name.as_str();
    // A family of a service's issuers, such as those of all enterprises, is as open.
    let is_of = |url: &str| name.strip_prefix(url).is_some_and(|rest| rest.is_empty() || rest.starts_with("/*"));
    let (_, who, claim) = PUBLIC.into_iter().find(|(url, ..)| is_of(url))?;
    let is_limited = settings.conditions.iter().any(limits);
    (!is_limited)
        .then(|| format!("{name}: {who} {may}; to accept only your own, add `require = {{ {claim} = \"…\" }}`"))
}

/// Whether a condition says whose a token is.
fn limits(condition: &Condition) -> bool {
    // The preset of GitLab requires the second pattern itself: it says that the pipeline is one of gitlab.com.
    let takes_any = |pattern: &String| pattern.bytes().all(|byte| byte == b'*') || pattern == "gitlab.com/*";
    !CHOSEN.contains(&condition.claim.as_str()) && !condition.any_of.iter().any(takes_any)
}

/// The file, if there is one, and what it said when it was last read.
pub(crate) struct ConfiguredIssuers {
    file: Option<PathBuf>,
    read: Vec<IssuerSettings>,
}

impl ConfiguredIssuers {
    /// Reads the file; a missing one is an error.
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let read = file.map(config::check).transpose().context("cannot use the list of issuers")?.unwrap_or_default();
        Ok(Self { file: file.map(Path::to_owned), read })
    }

    /// The issuers of the file.
    pub(crate) fn all(&self) -> &[IssuerSettings] {
        &self.read
    }

    /// The issuers of the file, after `own` if there is one.
    pub(crate) fn beside(&self, own: Option<&IssuerSettings>) -> Vec<IssuerSettings> {
        own.into_iter().chain(&self.read).cloned().collect()
    }

    /// Has `believe` told what the file says whenever that changes, after `own`. Ends when it is aborted.
    pub(crate) fn follow(
        mut self,
        own: Option<IssuerSettings>,
        believe: impl Fn(Vec<IssuerSettings>) -> Result<(), InvalidIssuer> + Send + 'static,
    ) -> anyhow::Result<Option<JoinHandle<()>>> {
        let Some(file) = self.file.clone() else { return Ok(None) };
        warn(&self.read);
        let mut looks = Looks::every(PERIOD).context("cannot wait for SIGHUP")?;
        Ok(Some(tokio::spawn(async move {
            loop {
                looks.next().await;
                match self.reload(&file, own.as_ref(), &believe) {
                    Ok(changed) => {
                        if looks.is_good_news(changed) {
                            let (file, issuers) = (file.display(), self.read.len());
                            tracing::info!(%file, issuers, changed, "the list of issuers was read again");
                        }
                    }
                    Err(error) => {
                        let error = error.to_string();
                        if looks.is_bad_news(&error) {
                            tracing::error!(
                                file = %file.display(),
                                error,
                                "cannot use the changed list of issuers; the earlier list stays in use"
                            );
                        }
                    }
                }
            }
        })))
    }

    /// Takes what the file says now. Whether that is something else than before.
    fn reload(
        &mut self,
        file: &Path,
        own: Option<&IssuerSettings>,
        believe: &impl Fn(Vec<IssuerSettings>) -> Result<(), InvalidIssuer>,
    ) -> Result<bool, ConfigError> {
        let read = config::load(file)?;
        if read == self.read {
            return Ok(false);
        }
        believe(own.into_iter().chain(&read).cloned().collect())?;
        warn(&read);
        self.read = read;
        Ok(true)
    }
}

/// Says in the log which services are open to everyone.
fn warn(issuers: &[IssuerSettings]) {
    for warning in issuers.iter().filter_map(|issuer| open_to_all(issuer, "is accepted")) {
        tracing::warn!("{warning}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_ca::config::IssuersFile;

    /// The warning of an issuer as it is written.
    fn warning(issuer: &str) -> Option<String> {
        let file: IssuersFile = toml::from_str(&format!("[[issuer]]\n{issuer}")).unwrap();
        let settings = file.settings(Path::new("")).unwrap();
        open_to_all(&settings[0], "gets a certificate")
    }

    #[test]
    fn a_service_of_everyone_needs_a_condition_that_says_whose_a_token_is() {
        let github = "preset = \"github\"\n";
        assert_eq!(
            warning(github).unwrap(),
            "https://token.actions.githubusercontent.com: any workflow on github.com gets a certificate; to accept only your own, \
             add `require = { repository_owner = \"…\" }`"
        );
        for condition in [
            "repository_owner = \"*\"",
            "repository_owner = [\"acme\", \"**\"]",
            "event_name = \"push\", ref = \"refs/heads/main\"",
            "runner_environment = \"github-hosted\"",
        ] {
            assert!(warning(&format!("{github}require = {{ {condition} }}")).is_some(), "{condition}");
        }
        for condition in [
            "repository_owner = \"acme\"",
            "ref = \"refs/heads/main\", repository = \"acme/*\"",
            "repository_owner_id = [\"1\", \"2\"]",
            "sub = \"repo:acme/*\"",
        ] {
            assert_eq!(warning(&format!("{github}require = {{ {condition} }}")), None, "{condition}");
        }
        let at_github = "type = \"github-workflow\"\nbase_url = \"https://github.com\"\n";
        let all = format!("{at_github}url_pattern = \"https://token.actions.githubusercontent.com/*\"");
        assert!(warning(&all).unwrap().starts_with("https://token.actions.githubusercontent.com/*: any workflow"));
        for own in [
            format!("{at_github}url = \"https://token.actions.githubusercontent.com/acme\""),
            "preset = \"ghes\"\nurl = \"https://github.example.org/_services/token\"".to_owned(),
        ] {
            assert_eq!(warning(&own), None, "{own}");
        }
    }
}
