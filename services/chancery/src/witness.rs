//! Witnesses: asking those of other operators, and being one.

mod client;
mod logs;
mod serve;

pub(crate) use client::HttpWitness;
pub(crate) use serve::{WitnessConfiguration, WitnessListen, description, run};
