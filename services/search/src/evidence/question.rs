//! The question that an answer is compared with, as a server reads it.

use super::documents::{Entry, Place};
use super::fault::Fault;
use crate::answer::entry::Traits;
use crate::query::parameters::Parameters;
use crate::query::{Query, Unusable};
use crate::source::LogKind;
use chancery_verify::merkle::leaf_hash;
use url::form_urlencoded;

/// Filters of the search, read.
#[derive(Debug)]
pub struct Question(Query);

impl Question {
    /// Reads filters by name.
    ///
    /// # Errors
    /// What is wrong with the first one that a server would refuse.
    pub fn read(filters: &[(String, String)]) -> Result<Self, String> {
        Self::parse(filters).map_err(|unusable| unusable.to_string())
    }

    /// As [`Self::read`], of filters in this member.
    pub(super) fn of_member(member: &str, filters: &[(String, String)]) -> Result<Self, Fault> {
        let unreadable = |unusable: Unusable| Fault::of(member, format!("its question cannot be read: {unusable}"));
        Self::parse(filters).map_err(unreadable)
    }

    fn parse(filters: &[(String, String)]) -> Result<Self, Unusable> {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(filters).finish();
        let mut parameters = Parameters::parse(&text)?;
        let query = Query::read(&mut parameters, None)?;
        parameters.finish().map(|()| Self(query))
    }

    /// Whether an entry at this place, with these traits, answers it.
    pub(super) fn is_met_by(&self, Place { log, index }: &Place, Traits { terms, logged }: &Traits) -> bool {
        let Self(query) = self;
        let is_of_log = query.logs.is_empty() || query.logs.contains(log);
        is_of_log && query.indices.contains(index) && query.is_met_by(terms, *logged)
    }

    /// Whether an entry of a log of signatures answers it only together with the statement that the log keeps beside it.
    #[must_use]
    pub fn needs_statement(&self, place: &Place, entry: &Entry) -> bool {
        // One that cannot be decoded answers nothing, with whatever is beside it.
        let Ok(decoded) = entry.decoded("") else { return false };
        let parts = (decoded.leaf.as_slice(), decoded.extra.as_slice());
        let traits = Traits::of(LogKind::Rekor, parts, &leaf_hash(&decoded.leaf), decoded.time);
        !self.is_met_by(place, &traits)
    }
}
