//! The description of this process's HTTP API in OpenAPI 3.1, from the descriptions of its roles. Each of them is next
//! to its routes.

use super::status;
use crate::{issuer, role::Role};
use chancery_daemon::http::openapi::{Document, describe_metrics, describe_shell};
use chancery_log::{ct, rekor_v1, rekor_v2};
use std::collections::BTreeSet;

/// The parts of a process that answer requests.
#[expect(clippy::struct_excessive_bools, reason = "each says whether a part is there, and has its name")]
pub(crate) struct Answering<'a> {
    pub(crate) roles: &'a BTreeSet<Role>,
    /// Whether it is also the issuer of a development server.
    pub(crate) is_development: bool,
    /// Whether it has the console, and if so, whether with a contact.
    pub(crate) console: Option<bool>,
    /// Whether it has a listener for metrics.
    pub(crate) has_metrics: bool,
    /// Whether it has a search index of the logs, if it has the logs.
    pub(crate) has_search: bool,
    /// Whether it shows the state of the instance to anybody.
    pub(crate) has_status: bool,
}

impl Answering<'_> {
    /// Describes all parts.
    pub(crate) fn description(&self) -> Document {
        let mut document = Document::new("Chancery", env!("CARGO_PKG_VERSION"));
        document.about(
            "All roles can share one address, because no path of one protocol is a path of another. A role that runs apart \
             has the same paths below its own URL. A server describes the roles that it has, at `/openapi.json`.",
        );
        for role in self.roles {
            match role {
                Role::Ca => chancery_ca::http::describe(&mut document),
                Role::Log => {
                    rekor_v1::describe(&mut document);
                    rekor_v2::describe(&mut document);
                    ct::describe(&mut document);
                    if self.has_search {
                        chancery_search::http::describe(&mut document);
                    }
                }
                Role::Tsa => chancery_tsa::http::describe(&mut document),
                Role::Trust => chancery_trust::http::describe(&mut document),
            }
        }
        if let Some(has_contact) = self.console {
            chancery_console::http::describe(&mut document, has_contact);
        }
        if self.has_status {
            status::describe(&mut document);
        }
        describe_shell(&mut document);
        if self.has_metrics {
            describe_metrics(&mut document);
        }
        if self.is_development {
            issuer::describe(&mut document);
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness;
    use serde_json::{Value, json};

    fn paths(answering: &Answering<'_>) -> BTreeSet<String> {
        let document = answering.description().into_json();
        document["paths"].as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn a_process_describes_the_roles_that_it_has_and_no_other() {
        let of = |roles: &[Role]| {
            let roles = roles.iter().copied().collect();
            let (is_development, console, has_metrics, has_search, has_status) = (false, None, false, true, false);
            paths(&Answering { roles: &roles, is_development, console, has_metrics, has_search, has_status })
        };
        let shell = BTreeSet::from(
            ["/healthz", "/livez", "/openapi.json", "/ping", "/readyz", "/swagger.json"].map(str::to_owned),
        );
        assert_eq!(of(&[]), shell);
        let timestamps = ["/api/v1/timestamp", "/api/v1/timestamp/certchain"].map(str::to_owned);
        assert_eq!(of(&[Role::Tsa]), shell.iter().cloned().chain(timestamps).collect());
        let apart: Vec<BTreeSet<String>> = Role::ALL.iter().map(|role| of(&[*role])).collect();
        let together = of(&Role::ALL);
        assert_eq!(apart.iter().flatten().cloned().collect::<BTreeSet<_>>(), together);
        // No path belongs to two roles.
        let own: usize = apart.iter().map(|paths| paths.len() - shell.len()).sum();
        assert_eq!(own + shell.len(), together.len());
    }

    #[test]
    fn what_is_switched_off_is_not_described() {
        let (roles, logs) = (BTreeSet::new(), BTreeSet::from([Role::Log]));
        let with = |is_development, console, has_metrics| {
            let (has_search, has_status) = (true, false);
            paths(&Answering { roles: &roles, is_development, console, has_metrics, has_search, has_status })
        };
        let search = |has_search| {
            let (is_development, console, has_metrics, has_status) = (false, None, false, false);
            paths(&Answering { roles: &logs, is_development, console, has_metrics, has_search, has_status })
        };
        assert!(search(true).contains("/api/search") && search(false).is_subset(&search(true)));
        assert!(!search(false).contains("/api/search"));
        let status = |has_status| {
            let (is_development, console, has_metrics, has_search) = (false, None, false, false);
            paths(&Answering { roles: &roles, is_development, console, has_metrics, has_search, has_status })
        };
        assert_eq!(status(true).difference(&status(false)).collect::<Vec<_>>(), ["/api/status"]);
        let all = with(true, Some(true), true);
        let without = |other: BTreeSet<String>| all.difference(&other).cloned().collect::<Vec<_>>();
        assert_eq!(without(with(true, Some(false), true)), ["/.well-known/security.txt"]);
        assert_eq!(without(with(true, None, true)), ["/", "/.well-known/security.txt", "/favicon.ico", "/robots.txt"]);
        assert_eq!(without(with(true, Some(true), false)), ["/metrics"]);
        let issuer = without(with(false, Some(true), true));
        assert!(issuer.len() == 8 && issuer.iter().all(|path| path.starts_with("/oidc/")), "{issuer:?}");
    }

    #[test]
    fn what_shows_entries_may_be_for_readers_with_a_token() {
        let roles = BTreeSet::from([Role::Log]);
        let (is_development, console, has_metrics, has_search, has_status) = (false, None, false, true, true);
        let answering = Answering { roles: &roles, is_development, console, has_metrics, has_search, has_status };
        let document = answering.description().into_json();
        assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        assert_eq!(document["paths"]["/api/status"]["get"]["security"], json!([{ "token": [] }]), "never without");
        for (method, path) in [
            ("get", "/api/v1/log/entries"),
            ("get", "/api/v1/log/entries/{entryUUID}"),
            ("post", "/api/v1/log/entries/retrieve"),
            ("post", "/api/v1/index/retrieve"),
            ("get", "/api/search"),
            ("post", "/api/search/digests"),
            ("get", "/api/artifacts/{digest}"),
            ("get", "/api/certificates"),
            ("get", "/api/search/consistency"),
        ] {
            let operation = &document["paths"][path][method];
            assert_eq!(operation["security"], json!([{ "token": [] }, {}]), "{path}");
            for status in ["401", "403"] {
                assert!(operation["responses"][status]["headers"]["www-authenticate"].is_object(), "{path} {status}");
            }
        }
        assert_eq!(document["paths"]["/api/v1/log"]["get"].get("security"), None);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(document: &Value, value: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                    }
                    for member in members.values() {
                        check(document, member);
                    }
                }
                Value::Array(items) => {
                    for item in items {
                        check(document, item);
                    }
                }
                _ => {}
            }
        }
        // Each role alone: it must not refer to schemas of another role.
        for role in Role::ALL {
            let roles = BTreeSet::from([role]);
            let (is_development, console, has_metrics, has_search, has_status) = (false, Some(true), true, true, true);
            let answering = Answering { roles: &roles, is_development, console, has_metrics, has_search, has_status };
            let document = answering.description().into_json();
            check(&document, &document);
        }
        let document = witness::description(true).into_json();
        check(&document, &document);
    }
}
