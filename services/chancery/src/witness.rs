//! Witnesses: asking those of other operators, and being one.

mod client;
mod configuration;
mod logs;
mod serve;

pub(crate) use client::HttpWitness;
pub(crate) use configuration::{WitnessConfiguration, WitnessListen};
pub(crate) use serve::{description, run};
