//! What is asked.

use crate::entry::Entries;
use crate::expected::{Filter, Place};
use crate::kind::Kind;
use crate::log::SyntheticLog;
use anyhow::Context as _;
use chancery_benches::draw::scattered;
use chancery_verify::Hash;
use chancery_verify::hash::sha256;
use serde_json::{Value, json};
use std::sync::Arc;

/// Entries of a page.
pub(crate) const PAGE: usize = 50;
/// Digests of a batch, and of how many one is unknown.
const BATCH: u64 = 1000;
const UNKNOWN: u64 = 5;

/// A kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Entries with a digest.
    Digest,
    /// The same, of one that nobody has signed.
    Nothing,
    /// The newest entries of an identity.
    Identity,
    /// Those of a domain.
    Domain,
    /// Those of which the repository begins with something.
    Prefix,
    /// Those that meet two conditions.
    Two,
    /// Who signed this, with proofs.
    Artifact,
    /// A batch of digests.
    Batch,
    /// Rekor v1's search by hash.
    Retrieve,
}

impl Question {
    pub(crate) const ALL: [Self; 9] = [
        Self::Digest,
        Self::Nothing,
        Self::Identity,
        Self::Domain,
        Self::Prefix,
        Self::Two,
        Self::Artifact,
        Self::Batch,
        Self::Retrieve,
    ];

    /// What the table calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Digest => "exact digest",
            Self::Nothing => "a digest that is in no log",
            Self::Identity => "page of 50 of an identity",
            Self::Domain => "page of 50 of a domain",
            Self::Prefix => "page of 50 of a prefix",
            Self::Two => "page of 50, repository and issuer",
            Self::Artifact => "artifacts/, proven, no trust root",
            Self::Batch => "1,000 digests in a batch",
            Self::Retrieve => "index/retrieve by hash",
        }
    }

    /// Milliseconds in which all but one in a hundred must be answered.
    pub(crate) const fn asked_ms(self) -> u32 {
        match self {
            Self::Digest | Self::Nothing | Self::Retrieve => 10,
            Self::Identity | Self::Domain | Self::Prefix | Self::Two => 50,
            Self::Artifact => 30,
            Self::Batch => 250,
        }
    }

    /// Of so many questions of another kind one of this kind is asked.
    pub(crate) const fn share(self) -> u64 {
        if matches!(self, Self::Batch) { 20 } else { 1 }
    }
}

/// A question with its number: which entry it is about.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) question: Question,
    pub(crate) number: u64,
    pub(crate) logs: &'a [Arc<SyntheticLog>],
}

impl Asked<'_> {
    /// One of the logs of signatures, and the index of an entry of it.
    pub(crate) fn drawn(&self, more: u64) -> anyhow::Result<(&Entries, u64)> {
        let random = scattered(self.number ^ (more << 32) ^ 0x5ea7_c000_0000_0000);
        let kind = if random % 7 == 6 { Kind::V2 } else { Kind::V1 };
        let log = self.logs.iter().find(|log| log.entries.kind == kind).context("both logs of signatures")?;
        Ok((&log.entries, (random >> 8) % log.entries.size))
    }

    /// The digest that is asked for.
    pub(crate) fn digest(&self) -> anyhow::Result<Hash> {
        let (entries, index) = self.drawn(0)?;
        Ok(if self.question == Question::Nothing { sha256(&self.number.to_be_bytes()) } else { entries.digest(index) })
    }

    /// The digests of a batch, with the log and index of the entry of those that have one.
    pub(crate) fn batch(&self) -> anyhow::Result<Vec<(Hash, Option<Place>)>> {
        (0..BATCH)
            .map(|more| {
                let (entries, index) = self.drawn(more)?;
                Ok(if more.is_multiple_of(UNKNOWN) {
                    (sha256(&[self.number.to_be_bytes(), more.to_be_bytes()].concat()), None)
                } else {
                    (entries.digest(index), Some((entries.kind.name().to_owned(), index)))
                })
            })
            .collect()
    }

    /// The entries that are asked for.
    pub(crate) fn filter(&self) -> anyhow::Result<Filter> {
        // A key alone has no identity; the signer of the next entry has.
        let (entries, index) = self.drawn(0)?;
        let mut following = (index..entries.size).chain(0..index);
        let identity = following.find_map(|index| entries.identity(index)).context("a certificate")?;
        Ok(match self.question {
            Question::Domain => Filter::Company(self.number),
            Question::Prefix => Filter::Organisation(self.number % 8),
            Question::Two => {
                identity.repository().map_or_else(|| Filter::Identity(identity.name()), Filter::Repository)
            }
            _ => Filter::Identity(identity.name()),
        })
    }

    /// The path, and the body if it is posted.
    pub(crate) fn request(&self) -> anyhow::Result<(String, Option<Value>)> {
        let digest = || Ok::<_, anyhow::Error>(format!("sha256:{}", hex::encode(self.digest()?)));
        Ok(match self.question {
            Question::Digest | Question::Nothing => (format!("/api/search?digest={}", digest()?), None),
            Question::Artifact => (format!("/api/artifacts/{}", digest()?), None),
            Question::Retrieve => ("/api/v1/index/retrieve".to_owned(), Some(json!({ "hash": digest()? }))),
            Question::Batch => {
                let digests: Vec<String> = self.batch()?.iter().map(|(digest, _)| hex::encode(digest)).collect();
                ("/api/search/digests".to_owned(), Some(json!({ "digests": digests })))
            }
            _ => (format!("/api/search?limit={PAGE}&{}", self.filter()?.parameters()), None),
        })
    }
}
