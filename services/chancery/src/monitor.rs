//! Monitoring: the configuration of `chancery monitor`, and of a server that monitors its own logs.

mod configuration;
mod settings;

pub(crate) use configuration::{LogTable, MonitorConfiguration, MonitorListen};

use chancery_daemon::health::State;
use chancery_monitor::LogStatus;

/// What a monitor says about itself: what it has told is a warning, for it and the logs do their work.
pub(crate) fn state_of(status: LogStatus) -> State {
    let lasting: Vec<String> = status.lasting.into_values().collect();
    if lasting.is_empty() { State::Passed } else { State::Warning(lasting.join("; ")) }
}
