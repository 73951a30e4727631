//! Records in the audit log what clients of the TUF repository newly receive, signed by this server or by a command
//! beside it.
//!
//! A version that is replaced within a second has no line of its own; the next one's number shows it.

use chancery_ca::audit::AuditLog;
use chancery_daemon::clock::Clock;
use chancery_trust::tuf::{Repository, Role, Service};
use serde_json::json;
use std::{io, sync::Arc, time::Duration};
use tokio::time::interval;

/// How often the versions are compared.
const PERIOD: Duration = Duration::from_secs(1);

/// Records until it is aborted what is served after `recorded`. What cannot be written is tried again.
pub(super) async fn record(
    audit: Arc<AuditLog>,
    mut recorded: Arc<Repository>,
    service: Arc<Service>,
    clock: Arc<dyn Clock>,
) {
    let mut looks = interval(PERIOD);
    let mut is_failing = false;
    loop {
        looks.tick().await;
        let served = service.repository();
        match compare(&audit, &recorded, &served, &*clock) {
            Ok(()) => (recorded, is_failing) = (served, false),
            Err(error) if !is_failing => {
                tracing::error!(%error, "the audit log cannot be written");
                is_failing = true;
            }
            Err(_) => {}
        }
    }
}

fn compare(audit: &AuditLog, before: &Repository, now: &Repository, clock: &dyn Clock) -> io::Result<()> {
    for role in Role::ALL {
        let metadata = now.metadata(role);
        if metadata.version > before.metadata(role).version {
            let (version, expires) = (metadata.version, metadata.expires.rfc3339());
            let members = json!({ "role": role.as_str(), "version": version, "expires": expires });
            audit.changed("tuf", members, clock.now())?;
        }
    }
    Ok(())
}
