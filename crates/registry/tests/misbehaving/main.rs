//! The client against a registry that hangs, throttles, lies and leads away. No other registry is asked.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod authorization;
mod content;
mod referrers;
mod server;
