//! SLSA provenance: the builder, source and build type of an artifact.
//!
//! Both versions in use are read into a [`Provenance`]. Every value is only the attester's claim. For provenance by
//! GitHub's attestation action, GitHub confirms some of the values in the certificate, and they must agree.
//!
//! Specification: slsa.dev/provenance/v0.2 and /v1; GitHub's build type `workflow/v1`.

use super::Statement;
use crate::claims::Claims;
use crate::extension::Claim;
use crate::{Refusal, Rejection, Step};
use serde_json::Value;

/// Predicate type of version 0.2.
pub const PROVENANCE_V0_2: &str = "https://slsa.dev/provenance/v0.2";
/// Predicate type of version 1.
pub const PROVENANCE_V1: &str = "https://slsa.dev/provenance/v1";
/// The build type of GitHub's attestation action.
const GITHUB_BUILD_TYPE: &str = "https://actions.github.io/buildtypes/workflow/v1";
/// Maximum materials of a provenance.
const MAX_MATERIALS: usize = 65_536;

/// A material, or resolved dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material<'a> {
    /// Its origin, as the attester writes it.
    pub uri: Option<&'a str>,
    /// Its digests by algorithm, as the attester writes them.
    pub digests: Vec<(&'a str, &'a str)>,
}

/// A provenance of either version.
#[derive(Debug, Clone, Copy)]
pub struct Provenance<'a> {
    predicate: &'a Value,
    names: &'static Names,
}

/// JSON pointers to the values. Sources are tried in order.
#[derive(Debug)]
struct Names {
    builder: &'static str,
    build_type: &'static str,
    sources: &'static [&'static str],
    materials: &'static str,
}

const V0_2: Names = Names {
    builder: "/builder/id",
    build_type: "/buildType",
    sources: &["/invocation/configSource/uri"],
    materials: "/materials",
};
const V1: Names = Names {
    builder: "/runDetails/builder/id",
    build_type: "/buildDefinition/buildType",
    sources: &[
        "/buildDefinition/externalParameters/workflow/repository",
        "/buildDefinition/externalParameters/source",
        "/buildDefinition/externalParameters/source/uri",
        "/buildDefinition/externalParameters/source/repository",
        "/buildDefinition/externalParameters/configSource/uri",
        "/buildDefinition/externalParameters/configSource/repository",
    ],
    materials: "/buildDefinition/resolvedDependencies",
};

impl<'a> Provenance<'a> {
    /// The provenance of a statement. `None` for other predicates.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(statement: &'a Statement) -> Result<Option<Self>, Refusal> {
        Self::read(statement.predicate_type(), statement.predicate())
    }

    /// Reads a predicate. `None` if its type is not provenance.
    ///
    /// # Errors
    /// [`Rejection::PredicateMalformed`] without a builder or build type, or if the materials are not a list.
    pub fn read(predicate_type: &str, predicate: &'a Value) -> Result<Option<Self>, Refusal> {
        let names = match predicate_type {
            PROVENANCE_V0_2 => &V0_2,
            PROVENANCE_V1 => &V1,
            _ => return Ok(None),
        };
        let malformed = |field, place: &str| {
            Refusal::new(Rejection::PredicateMalformed { field }, Step::Statement).at(format!("predicate{place}"))
        };
        let text = |pointer: &str| predicate.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        text(names.builder).ok_or_else(|| malformed("builder.id", names.builder).expected("a URI", "none"))?;
        text(names.build_type).ok_or_else(|| malformed("buildType", names.build_type).expected("a URI", "none"))?;
        match predicate.pointer(names.materials) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) if list.len() <= MAX_MATERIALS && list.iter().all(Value::is_object) => {}
            Some(_) => {
                let expected = format!("a list of at most {MAX_MATERIALS} objects");
                return Err(malformed("materials", names.materials).expected(expected, "another value"));
            }
        }
        Ok(Some(Self { predicate, names }))
    }

    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.predicate.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The id of the builder. Trust in all other values depends on it.
    #[must_use]
    pub fn builder_id(&self) -> &'a str {
        self.text(self.names.builder).unwrap_or_default()
    }

    /// The build type. It defines the meaning of the parameters.
    #[must_use]
    pub fn build_type(&self) -> &'a str {
        self.text(self.names.build_type).unwrap_or_default()
    }

    /// The source, including any prefix or suffix of the build type (`git+…`, `…@refs/…`).
    #[must_use]
    pub fn source(&self) -> Option<&'a str> {
        self.names.sources.iter().find_map(|pointer| self.text(pointer))
    }

    /// The inputs of the build that the attester names.
    pub fn materials(&self) -> impl Iterator<Item = Material<'a>> {
        let list = self.predicate.pointer(self.names.materials).and_then(Value::as_array);
        list.into_iter().flatten().map(|material| Material {
            uri: material.get("uri").and_then(Value::as_str),
            digests: material
                .get("digest")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter_map(|(algorithm, value)| Some((algorithm.as_str(), value.as_str()?)))
                .collect(),
        })
    }

    /// Compares a provenance of GitHub's attestation action with the certificate, in which GitHub confirms the same
    /// values: repository, workflow with its ref, and builder. Other provenance is not compared.
    ///
    /// # Errors
    /// [`Rejection::PredicateMalformed`] with the value that differs.
    pub fn agrees_with(&self, claims: &Claims) -> Result<(), Refusal> {
        if self.build_type() != GITHUB_BUILD_TYPE || self.names.builder != V1.builder {
            return Ok(());
        }
        let workflow =
            |name: &str| self.text(&format!("/buildDefinition/externalParameters/workflow/{name}")).unwrap_or_default();
        let (repository, path, reference) = (workflow("repository"), workflow("path"), workflow("ref"));
        let agree = |field, claim: Claim, found: &str| {
            let certified = claims.get(claim).unwrap_or_default();
            if !certified.is_empty() && certified == found {
                return Ok(());
            }
            Err(Refusal::new(Rejection::PredicateMalformed { field }, Step::Policy)
                .at("predicate")
                .expected(format!("the certificate's {}: {}", claim.name(), crate::shown(certified)), found))
        };
        agree("workflow.repository", Claim::SourceRepositoryUri, repository)?;
        agree("workflow", Claim::BuildConfigUri, &format!("{repository}/{path}@{reference}"))?;
        // The action's first releases named the runner instead of the workflow.
        let host = repository.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let runner = claims.get(Claim::RunnerEnvironment).map(|runner| format!("{host}/actions/runner/{runner}"));
        if runner.as_deref() == Some(self.builder_id()) {
            return Ok(());
        }
        agree("builder.id", Claim::BuildSignerUri, self.builder_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Identity;
    use serde_json::json;

    #[test]
    fn both_versions_give_the_same_answers() {
        let old = json!({
            "builder": { "id": "https://builder.example/v2" }, "buildType": "https://type.example",
            "invocation": { "configSource": { "uri": "git+https://github.com/acme/app@refs/heads/main" } },
            "materials": [{ "uri": "git+https://github.com/acme/app", "digest": { "sha1": "aa" } }],
        });
        let new = json!({
            "buildDefinition": {
                "buildType": "https://type.example",
                "externalParameters": { "source": { "uri": "git+https://github.com/acme/app@refs/heads/main" } },
                "resolvedDependencies": [{ "uri": "git+https://github.com/acme/app", "digest": { "sha1": "aa" } }],
            },
            "runDetails": { "builder": { "id": "https://builder.example/v2" } },
        });
        for (kind, predicate) in [(PROVENANCE_V0_2, &old), (PROVENANCE_V1, &new)] {
            let provenance = Provenance::read(kind, predicate).unwrap().unwrap();
            assert_eq!(provenance.builder_id(), "https://builder.example/v2");
            assert_eq!(provenance.build_type(), "https://type.example");
            assert_eq!(provenance.source(), Some("git+https://github.com/acme/app@refs/heads/main"));
            let uri = Some("git+https://github.com/acme/app");
            assert_eq!(provenance.materials().collect::<Vec<_>>(), [Material { uri, digests: vec![("sha1", "aa")] }]);
        }
        assert!(Provenance::read("https://slsa.dev/provenance/v2", &new).unwrap().is_none());
        let crossed = Provenance::read(PROVENANCE_V0_2, &new).unwrap_err();
        assert_eq!(crossed.rejection(), Rejection::PredicateMalformed { field: "builder.id" });
        assert_eq!(Provenance::read(PROVENANCE_V1, &json!({})).unwrap_err().path(), "predicate/runDetails/builder/id");
    }

    #[test]
    fn an_attestation_of_github_must_say_what_the_certificate_says() {
        let workflow = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";
        let claims = Claims::new(
            Identity::Uri(workflow.to_owned()),
            [
                (Claim::Issuer, "https://token.actions.githubusercontent.com"),
                (Claim::SourceRepositoryUri, "https://github.com/acme/app"),
                (Claim::BuildConfigUri, workflow),
                (Claim::BuildSignerUri, workflow),
                (Claim::RunnerEnvironment, "github-hosted"),
            ]
            .map(|(claim, value)| (claim, value.to_owned())),
        )
        .unwrap();
        let predicate = |repository: &str, path: &str, builder: &str| {
            json!({
                "buildDefinition": {
                    "buildType": GITHUB_BUILD_TYPE,
                    "externalParameters": {
                        "workflow": { "ref": "refs/tags/v1", "repository": repository, "path": path }
                    },
                },
                "runDetails": { "builder": { "id": builder } },
            })
        };
        let verdict = |predicate: &Value| {
            let provenance = Provenance::read(PROVENANCE_V1, predicate).unwrap().unwrap();
            provenance.agrees_with(&claims).map_err(|refusal| refusal.rejection())
        };
        let (ours, path) = ("https://github.com/acme/app", ".github/workflows/release.yml");
        let differs = |field| Err(Rejection::PredicateMalformed { field });
        assert_eq!(verdict(&predicate(ours, path, workflow)), Ok(()));
        assert_eq!(verdict(&predicate(ours, path, "https://github.com/actions/runner/github-hosted")), Ok(()));
        assert_eq!(verdict(&predicate(ours, path, "https://evil.example")), differs("builder.id"));
        assert_eq!(verdict(&predicate("https://github.com/evil/app", path, workflow)), differs("workflow.repository"));
        assert_eq!(verdict(&predicate(ours, ".github/workflows/other.yml", workflow)), differs("workflow"));
        let mut other = predicate("https://github.com/evil/app", path, workflow);
        other["buildDefinition"]["buildType"] = "https://type.example".into();
        assert_eq!(verdict(&other), Ok(()));
    }
}
