//! `chancery`: one program that seals and enrols.
//!
//! This crate is the command line and the composition of roles into processes. What the roles do is in `chancery-ca`,
//! `chancery-log` and `chancery-trust`; what is true is in `chancery-verify`.

mod cli;
mod clients;
mod command;
mod configuration;
mod dev;
mod durable;
mod duration;
mod instance;
mod issuer;
mod issuers;
mod loopback;
mod rotation;
mod serve;
mod witness;

use clap::Parser as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::Cli::parse().run().await {
        Ok(code) => code,
        Err(error) => {
            // One line with its causes: the first sentence says what failed, the last one why.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
