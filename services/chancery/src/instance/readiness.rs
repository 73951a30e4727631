//! The checks of this process: collected from its parts, run together, and answered over gRPC.
//!
//! Each part knows its own checks. [`chancery_daemon::health`] makes a verdict of them.

use crate::{role::Role, rotation::status::Statuses};
use axum::Router;
use chancery_daemon::{
    expiry::End,
    health::{Checks, Finding, Health, Known, Probe, Probes, State},
    http::grpc,
    metrics::Metrics,
    signer::Signer,
};
use chancery_log::rekor_v2;
use chancery_verify::{Timestamp, counted};
use std::{collections::BTreeSet, sync::Arc};

/// The checks of a part of a process.
#[derive(Default)]
pub(super) struct Checked {
    known: Vec<Known>,
    probes: Vec<Probes>,
}

impl Checked {
    /// Checks of what is in memory.
    pub(super) fn known(known: impl Fn() -> Vec<Finding> + Send + Sync + 'static) -> Self {
        Self { known: vec![Box::new(known)], probes: Vec::new() }
    }

    /// The same, with checks that need I/O.
    pub(super) fn and_probes(mut self, probes: impl Fn() -> Vec<Probe> + Send + Sync + 'static) -> Self {
        self.probes.push(Box::new(probes));
        self
    }

    /// Adds the checks of another part behind these.
    pub(super) fn extend(&mut self, other: Self) {
        self.known.extend(other.known);
        self.probes.extend(other.probes);
    }

    /// Runs the first round, so that there is a verdict from the first request on.
    pub(super) async fn start(self, metrics: Option<&Metrics>) -> anyhow::Result<Arc<Health>> {
        let health = Health::new(self.known, self.probes);
        health.refresh().await;
        if let Some(metrics) = metrics {
            health.measure(metrics)?;
        }
        Ok(health)
    }
}

/// What gRPC clients ask about the health of these roles.
pub(super) fn health_service(roles: &BTreeSet<Role>, checks: Checks) -> Router {
    let services = [(Role::Ca, chancery_ca::GRPC_SERVICE), (Role::Log, rekor_v2::GRPC_SERVICE)];
    let services = services.into_iter().filter(|(role, _)| roles.contains(role));
    grpc::health(&services.map(|(role, service)| (service, role.name())).collect::<Vec<_>>(), checks)
}

/// Whether the certificates of a role come to their end.
pub(crate) fn certificates(role: Role, expires: Timestamp, now: Timestamp) -> Finding {
    let (role, date) = (role.name(), expires.rfc3339());
    let replace = format!("replace it: chancery keys rotate {role}");
    let state = match End::of(expires, now) {
        End::Far => State::Passed,
        End::Near { days_left } => {
            let days = counted(days_left, "day", "days");
            State::Warning(format!("a certificate of the role {role} expires in {days}, on {date}; {replace}"))
        }
        End::Passed => State::Failed(format!(
            "a certificate of the role {role} has expired on {date}, so it signs nothing; {replace}"
        )),
    };
    Finding::new(role, "certificates", state)
}

/// Whether the key of a role can be used. Only one whose last signature failed is asked to sign.
pub(super) fn key(role: Role, signer: Arc<Signer>) -> Probe {
    Probe {
        role: role.name(),
        check: "key".to_owned(),
        fault: format!("the key of the role {role} cannot sign"),
        advice: "see what its key service says, and run chancery keys test",
        asking: Box::pin(async move { signer.verify_usable().await.map_err(|error| error.to_string()) }),
    }
}

/// The generations of keys that cannot be used.
pub(super) fn of_keys(statuses: Statuses) -> Checked {
    Checked::known(move || statuses.findings())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_warn_before_their_end_and_fail_after_it() {
        let end = Timestamp::from_seconds(1_800_000_000);
        let found = |seconds: u64| certificates(Role::Ca, end, Timestamp::from_seconds(seconds));
        let (far, near, passed) = (found(1_700_000_000), found(1_799_900_000), found(1_800_000_000));
        assert_eq!(far.state, State::Passed);
        assert!(near.obstacle().is_none() && near.warning().unwrap().contains("expires in 1 day,"), "{near}");
        let obstacle = passed.obstacle().unwrap();
        assert!(obstacle.contains("has expired on") && obstacle.contains("chancery keys rotate ca"), "{obstacle}");
    }

    #[tokio::test]
    async fn an_instance_without_probes_is_what_its_parts_say() {
        let mut checked = Checked::known(|| vec![Finding::unless("log", "disk", None)]);
        checked.extend(Checked::known(|| vec![Finding::unless("ca", "audit", Some("it is full".to_owned()))]));
        let health = checked.start(None).await.unwrap();
        let lines: Vec<String> = health.findings().iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["[+]log disk ok", "[-]ca audit failed: it is full"]);
    }
}
