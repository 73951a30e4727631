//! What must be answered.

use crate::expected::places;
use crate::kind::Kind;
use crate::questions::{Asked, PAGE, Question};
use anyhow::{Context as _, ensure};
use chancery_verify::merkle::leaf_hash;
use serde_json::{Value, json};
use std::slice;

/// Digits of a leaf hash at the end of an entry's name.
const LEAF_DIGITS: usize = 64;

impl Asked<'_> {
    /// Demands that the answer is right.
    pub(crate) fn verify(&self, answer: &Value) -> anyhow::Result<()> {
        let (entries, index) = self.drawn(0)?;
        let place = (entries.kind.name().to_owned(), index);
        match self.question {
            Question::Digest => {
                ensure!(places(&answer["entries"])? == slice::from_ref(&place), "{answer} instead of {place:?}");
            }
            Question::Nothing => ensure!(places(&answer["entries"])?.is_empty(), "{answer} instead of nothing"),
            Question::Artifact => {
                let entry = &answer["signatures"][0]["entry"];
                ensure!(places(&json!([entry]))? == slice::from_ref(&place), "{answer} instead of {place:?}");
                ensure!(entry["proof"]["hashes"].is_array(), "{answer} has no proof");
            }
            Question::Retrieve => {
                // Of Rekor v2 it finds nothing.
                let leaf = hex::encode(leaf_hash(&entries.entry(index)?.leaf));
                let ids = answer.as_array().context("ids")?.iter().map(|id| id.as_str().unwrap_or_default());
                let ids: Vec<&str> =
                    ids.map(|id| id.get(id.len().saturating_sub(LEAF_DIGITS)..).unwrap_or(id)).collect();
                let expected: Vec<&str> = (entries.kind == Kind::V1).then_some(leaf.as_str()).into_iter().collect();
                ensure!(ids == expected, "{answer} instead of {expected:?}");
            }
            Question::Batch => {
                let known = answer["digests"].as_array().context("digests")?;
                let expected = self.batch()?;
                ensure!(known.len() == expected.len(), "{} digests are answered", known.len());
                for (known, (_, place)) in known.iter().zip(&expected) {
                    let found = places(&known["entries"])?;
                    ensure!(found.first() == place.as_ref() && found.len() < 2, "{known} instead of {place:?}");
                }
            }
            _ => self.filter()?.verify(self.logs, PAGE, answer)?,
        }
        Ok(())
    }
}
