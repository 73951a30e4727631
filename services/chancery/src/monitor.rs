//! Monitoring: the configuration of `chancery monitor`, and of a server that monitors its own logs.

mod configuration;
mod settings;

pub(crate) use configuration::{LogTable, MonitorConfiguration, MonitorListen};

use chancery_daemon::health::State;
use chancery_monitor::LogStatus;
use chancery_verify::counted;

/// What a monitor says about itself: what it has told is a warning, for it and the logs do their work.
pub(crate) fn state_of(status: LogStatus) -> State {
    let refused = (status.refused > 0).then(|| {
        let alarms = counted(status.refused, "alarm", "alarms");
        format!("{alarms} put aside, because a webhook refuses them")
    });
    let lasting: Vec<String> = status.lasting.into_values().chain(refused).collect();
    if lasting.is_empty() { State::Passed } else { State::Warning(lasting.join("; ")) }
}
