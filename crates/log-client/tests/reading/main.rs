//! The client against logs of each protocol, honest and hostile. No other log is asked.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod certificates;
mod hostile;
mod rekor;
mod server;
mod tree;
