//! Questions to the index itself, without what is read of the logs and without HTTP.

use crate::entry::Entries;
use crate::expected::Filter;
use crate::identity::Identity;
use crate::kind::Kind;
use crate::questions::{Asked, PAGE, Question};
use anyhow::Context as _;
use chancery_search::{Index, Order};
use chancery_verify::Hash;
use chancery_verify::terms::{Term, TermKind};

impl Asked<'_> {
    /// Asks the index itself, where the question is one for it alone. Returns whether it is.
    pub(crate) async fn ask_index(&self, index: &Index) -> anyhow::Result<bool> {
        let signatures =
            || self.logs.iter().map(|log| &log.entries).filter(|entries| entries.kind != Kind::Certificates);
        match self.question {
            Question::Digest | Question::Nothing => {
                let term = Term::digest("sha256", &self.digest()?);
                for Entries { kind, size, .. } in signatures() {
                    index.postings(kind.log_id(), &term, 0..*size, Order::Newest, PAGE).await?;
                }
            }
            Question::Domain | Question::Prefix => {
                for log in self.logs {
                    let (log_id, range) = (log.entries.kind.log_id(), 0..log.entries.size);
                    if let Filter::Organisation(number) = self.filter()? {
                        let prefix = term(TermKind::Repository, &Identity::organisation(number))?;
                        index.prefix(log_id, &prefix, range, Order::Newest, PAGE).await?;
                    } else {
                        let domain = term(TermKind::Domain, &Identity::company(self.number))?;
                        index.postings(log_id, &domain, range, Order::Newest, PAGE).await?;
                    }
                }
            }
            Question::Batch => {
                let batch = self.batch()?;
                let kinds = [TermKind::ArtifactDigest, TermKind::AttestationDigest];
                let of = |digest: &Hash| kinds.map(|kind| Term::of_digest(kind, "sha256", digest));
                let terms: Vec<Term> = batch.iter().flat_map(|(digest, _)| of(digest)).collect();
                for Entries { kind, size, .. } in signatures() {
                    index.postings_of_each(kind.log_id(), &terms, 0..*size, Order::Newest, 2).await?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn term(kind: TermKind, text: &str) -> anyhow::Result<Term> {
    Term::of_text(kind, text).context("a term")
}
