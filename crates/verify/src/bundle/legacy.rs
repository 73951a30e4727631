//! Skeleton.

use super::Bundle;
use crate::{Refusal, Rejection, Step};

pub(super) fn parse(_json: &[u8]) -> Result<Bundle, Refusal> {
    Err(Refusal::new(Rejection::BundleMalformed, Step::Formats))
}
