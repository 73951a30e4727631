//! Who signs: people with an e-mail address, and builds of repositories. All of it follows from the number of a certificate.

use chancery_benches::draw::{scattered, skewed};
use chancery_verify::extension::Claim;
use chancery_verify::hash::sha256_parts;

/// Of so many certificates one is a person's.
const PERSON: u64 = 20;
/// Of so many builds one is of a tag.
const RELEASE: u64 = 5;
/// Tags of a repository.
const RELEASES: u64 = 40;
/// Repositories of an organisation.
const REPOSITORIES: u64 = 10;
/// Companies, each with a domain.
const COMPANIES: u64 = 7;
/// Certificates that follow each other and, where they are of one repository, are of one commit.
const SAME_COMMIT: u64 = 4096;
/// Issuer of the builds' tokens.
const BUILDS: &str = "https://token.actions.githubusercontent.com";
/// Issuer of the people's tokens.
const PEOPLE: &str = "https://accounts.example.com";

/// How many there are of whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    repositories: u64,
    people: u64,
}

impl World {
    /// Those who make so many entries.
    pub(crate) fn of(entries: u64) -> Self {
        Self { repositories: (entries / 500).clamp(20, 20_000), people: (entries / 1000).clamp(10, 10_000) }
    }

    /// Who has the certificate with this number.
    pub(crate) fn identity(self, number: u64) -> Identity {
        let random = scattered(number);
        let drawn = scattered(random);
        if random.is_multiple_of(PERSON) {
            return Identity::Person { number: skewed(drawn, self.people) };
        }
        let release = if (random >> 8).is_multiple_of(RELEASE) { Some((random >> 16) % RELEASES) } else { None };
        Identity::Build { repository: skewed(drawn, self.repositories), release, run: number }
    }
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A person with an e-mail address.
    Person {
        /// Which one.
        number: u64,
    },
    /// A workflow.
    Build {
        /// Of which repository.
        repository: u64,
        /// Of which tag, if not of the main branch.
        release: Option<u64>,
        /// Number of the run.
        run: u64,
    },
}

impl Identity {
    /// The subject alternative name.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Person { number } => {
                format!("person{number}@team{}.company{}.example.com", number % 97, number % COMPANIES)
            }
            Self::Build { .. } => self.workflow().unwrap_or_default(),
        }
    }

    /// Domain of a company, of which every seventh person is.
    pub(crate) fn company(number: u64) -> String {
        format!("company{}.example.com", number % COMPANIES)
    }

    /// Whether it is someone of this company.
    pub(crate) const fn is_of_company(&self, company: u64) -> bool {
        match self {
            Self::Person { number } => *number % COMPANIES == company % COMPANIES,
            Self::Build { .. } => false,
        }
    }

    /// URL of a build's repository.
    pub(crate) fn repository(&self) -> Option<String> {
        match self {
            Self::Person { .. } => None,
            Self::Build { repository, .. } => {
                Some(format!("{}app-{repository}", Self::organisation(repository / REPOSITORIES)))
            }
        }
    }

    /// What URLs of an organisation's repositories begin with.
    pub(crate) fn organisation(number: u64) -> String {
        format!("https://github.com/organisation-{number}/")
    }

    /// Whether it is a build of this organisation.
    pub(crate) const fn is_of_organisation(&self, organisation: u64) -> bool {
        match self {
            Self::Person { .. } => false,
            Self::Build { repository, .. } => *repository / REPOSITORIES == organisation,
        }
    }

    fn git_ref(release: Option<u64>) -> String {
        release.map_or_else(|| "refs/heads/main".to_owned(), |release| format!("refs/tags/v1.{release}.0"))
    }

    fn workflow(&self) -> Option<String> {
        let Self::Build { release, .. } = self else { return None };
        Some(format!("{}/.github/workflows/release.yml@{}", self.repository()?, Self::git_ref(*release)))
    }

    /// The claims, in the order of a certificate.
    pub(crate) fn claims(&self) -> Vec<(Claim, String)> {
        let Self::Build { repository, release, run } = self else {
            return vec![(Claim::IssuerV1, PEOPLE.to_owned()), (Claim::Issuer, PEOPLE.to_owned())];
        };
        let numbers = [repository.to_be_bytes(), (run / SAME_COMMIT).to_be_bytes()];
        let commit: String = hex::encode(sha256_parts(&[&numbers[0], &numbers[1]])).chars().take(40).collect();
        let (url, git_ref) = (self.repository().unwrap_or_default(), Self::git_ref(*release));
        let (workflow, organisation) = (self.name(), repository / REPOSITORIES);
        let short = url.trim_start_matches("https://github.com/").to_owned();
        let event = if release.is_some() { "release" } else { "push" };
        let owner = Self::organisation(organisation).trim_end_matches('/').to_owned();
        let subject = format!("repo:{short}:ref:{git_ref}");
        vec![
            (Claim::IssuerV1, BUILDS.to_owned()),
            (Claim::GithubWorkflowTrigger, event.to_owned()),
            (Claim::GithubWorkflowSha, commit.clone()),
            (Claim::GithubWorkflowName, "Release".to_owned()),
            (Claim::GithubWorkflowRepository, short),
            (Claim::GithubWorkflowRef, git_ref.clone()),
            (Claim::Issuer, BUILDS.to_owned()),
            (Claim::BuildSignerUri, workflow.clone()),
            (Claim::BuildSignerDigest, commit.clone()),
            (Claim::RunnerEnvironment, "github-hosted".to_owned()),
            (Claim::SourceRepositoryUri, url.clone()),
            (Claim::SourceRepositoryDigest, commit.clone()),
            (Claim::SourceRepositoryRef, git_ref),
            (Claim::SourceRepositoryIdentifier, (600_000_000 + repository).to_string()),
            (Claim::SourceRepositoryOwnerUri, owner),
            (Claim::SourceRepositoryOwnerIdentifier, (100_000_000 + organisation).to_string()),
            (Claim::BuildConfigUri, workflow),
            (Claim::BuildConfigDigest, commit),
            (Claim::BuildTrigger, event.to_owned()),
            (Claim::RunInvocationUri, format!("{url}/actions/runs/{}/attempts/1", 14_000_000_000 + run)),
            (Claim::SourceRepositoryVisibilityAtSigning, "public".to_owned()),
            (Claim::TokenSubject, subject),
        ]
    }
}
