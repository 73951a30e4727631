//! `chancery`: certificate authority, transparency logs, timestamps and trust root in one program.
//!
//! This crate has the command line and combines roles into processes. The roles are in `chancery-ca`, `chancery-log`,
//! `chancery-tsa` and `chancery-trust`. The parts beside them are in `chancery-search`, `chancery-monitor`, `chancery-console`
//! and `chancery-witness`. The checks of signatures and proofs are in `chancery-verify`.

mod backup;
mod cli;
mod clients;
mod command;
mod configuration;
mod data_directory;
mod database_url;
mod dev;
mod durable;
mod duration;
mod instance;
mod issuer;
mod issuers;
mod listening;
mod logging;
mod loopback;
mod monitor;
mod one_role;
mod output;
mod role;
mod rotation;
mod serve;
mod web_origin;
mod witness;

use chancery_daemon::telemetry;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let code = match cli::Cli::read() {
        Ok(command) => command.run().await.unwrap_or_else(|error| output::failed(&error, 1)),
        Err(code) => code,
    };
    telemetry::flush();
    code
}
