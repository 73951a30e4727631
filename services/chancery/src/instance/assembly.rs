//! What the parts of a process add to it: routes, and checks.

use super::readiness::Checked;
use crate::role::Role;
use axum::Router;
use chancery_daemon::http::answered_by;

/// What a role adds to a process: its routes, and its checks.
pub(super) type Part = (Router, Checked);

/// What the parts of a process answer, and what may be in their way.
pub(super) struct Assembly {
    pub(super) routes: Router,
    pub(super) checked: Checked,
}

impl Assembly {
    /// Adds the part that does this role's work, if it is there.
    pub(super) fn add(&mut self, role: Role, part: Option<Part>) {
        if let Some((routes, checked)) = part {
            self.routes = std::mem::take(&mut self.routes).merge(answered_by(routes, role.name()));
            self.checked.extend(checked);
        }
    }

    /// Adds routes that belong to no role, or are never in the way of one.
    pub(super) fn merge(&mut self, routes: impl IntoIterator<Item = Option<Router>>) {
        let routes = routes.into_iter().flatten();
        self.routes = routes.fold(std::mem::take(&mut self.routes), Router::merge);
    }
}
