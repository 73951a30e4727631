//! A monitor follows logs in memory: honest ones, and such that lie in each way that a log can lie.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod crash;
mod gossip;
mod honest;
mod hostile;
mod log;
mod people;
mod slow;
mod watching;
mod webhook;
mod world;
