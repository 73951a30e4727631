//! Monitoring: the configuration of `chancery monitor`, and of a server that monitors its own logs.

mod configuration;
mod settings;

pub(crate) use configuration::{LogTable, MonitorConfiguration, MonitorListen};
