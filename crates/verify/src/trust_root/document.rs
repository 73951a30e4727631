//! Skeleton.

use super::TrustRoot;
use crate::{Refusal, Rejection, Step};

pub(super) fn parse(_json: &[u8]) -> Result<TrustRoot, Refusal> {
    Err(Refusal::new(Rejection::RootMalformed, Step::Formats))
}
