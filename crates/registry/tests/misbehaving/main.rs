//! The client against a registry that hangs, throttles, lies and leads away. No other registry is asked.

mod authorization;
mod content;
mod referrers;
mod server;
