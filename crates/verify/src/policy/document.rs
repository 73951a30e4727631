//! The policy file: strict TOML. An unknown key is an error. Errors name their line.

use super::distrust::Distrust;
use super::layout::ImagesTable;
use super::parse::ParseError;
use super::period::{Moment, Period};
use super::requirement::Requirement;
use super::thresholds::ThresholdsTable;
use super::{MAX_DEPTH, MAX_POLICY_BYTES, MAX_RULES, Policy};
use crate::Rejection;
use serde::Deserialize;

/// The version of the file format.
const VERSION: i64 = 1;

/// A policy of `chancery verify`: rules for the signatures that an artifact must have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct PolicyTable {
    /// Version of this format: 1.
    version: Option<i64>,
    /// The required signers.
    require: Option<Requirement>,
    /// Signatures that never count.
    #[serde(default)]
    distrust: Vec<Distrust>,
    /// Only signatures made at this time or later count.
    not_before: Option<Moment>,
    /// Only signatures made at this time or earlier count.
    not_after: Option<Moment>,
    /// Evidence that each signature must have.
    #[serde(default)]
    thresholds: ThresholdsTable,
    /// Settings for images.
    #[serde(default)]
    images: ImagesTable,
}

pub(super) fn read(text: &str) -> Result<Policy, ParseError> {
    if text.len() > MAX_POLICY_BYTES {
        let reason = format!("the policy has {} bytes, at most {MAX_POLICY_BYTES} are allowed", text.len());
        return Err(ParseError::new(Rejection::PolicyMalformed, reason));
    }
    let table: PolicyTable = toml::from_str(text).map_err(|error| ParseError::from_toml(&error, text))?;
    let malformed = |reason: &str| ParseError::new(Rejection::PolicyMalformed, reason);
    let requirement = table.require.ok_or_else(|| {
        ParseError::new(
            Rejection::PolicyEmpty,
            "the policy asks for no signer: add `[require]` with `identity` and `issuer`; it has no default",
        )
    })?;
    match table.version {
        Some(VERSION) => {}
        Some(other) => {
            return Err(malformed(&format!("version {other} of policy files is unknown: write `version = 1`")));
        }
        None => return Err(malformed("the version is missing: write `version = 1` at the top")),
    }
    if requirement.depth() > MAX_DEPTH {
        return Err(malformed(&format!(
            "`require` is nested {} deep, at most {MAX_DEPTH} are allowed",
            requirement.depth()
        )));
    }
    if requirement.rules() + table.distrust.len() > MAX_RULES {
        return Err(malformed(&format!("the policy has more than {MAX_RULES} rules")));
    }
    let (thresholds, authorities) = table.thresholds.read().map_err(|reason| malformed(&reason))?;
    let period = Period::new(table.not_before, table.not_after, ["not_before", "not_after"])
        .map_err(|_| malformed("`not_after` is before `not_before`: exchange them"))?;
    Ok(Policy { requirement, distrust: table.distrust, period, thresholds, authorities, layout: table.images.layout })
}

#[cfg(feature = "schema")]
pub(super) fn schema() -> serde_json::Value {
    schemars::schema_for!(PolicyTable).to_value()
}
