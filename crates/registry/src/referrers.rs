//! What refers to a manifest: the referrers API with all of its pages, and the tag that clients write where there is none
//! (OCI distribution, «Listing Referrers» and «Unavailable Referrers API»).
//!
//! Both are always read: a registry that got the API later still has what was pushed before. What neither lists may still
//! exist; a registry can always hide a signature. Neither is an error that reads as «none».

use crate::{
    Client, Descriptor, Digest, Document, Error, ErrorKind, Repository, Tag,
    client::{is_index, refused},
    document::{IMAGE_INDEX, MAX_MANIFEST_BYTES},
    link,
    transport::{Answer, StatusCode, bare},
};
use std::collections::HashSet;
use url::Url;

/// A manifest that is said to refer to another. The registry's word: the manifest itself says it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// The manifest.
    pub descriptor: Descriptor,
    /// Only the tag lists it. Such a list can be stale: what it names may be gone.
    pub only_tagged: bool,
}

/// Everything that is said to refer to a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Each manifest once, those of the API first.
    pub referrers: Vec<Referrer>,
    /// The registry has the referrers API.
    pub api: bool,
}

impl Client {
    /// What refers to `digest` in `repository`. Refused: lists longer than the limits, never cut.
    pub async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Listing, Error> {
        let listed = self.pages(repository, digest).await?;
        let tag = Tag::of_digest(digest, "");
        let tagged = match self.fallback(repository, &tag).await {
            // The API has answered, so the repository exists: some registries forget one without tags.
            Err(error) if error.kind() == ErrorKind::NotFound && listed.is_some() => Vec::new(),
            tagged => tagged?,
        };
        let api = listed.is_some();
        let mut known = HashSet::new();
        let mut referrers = Vec::new();
        let listed = listed.unwrap_or_default().into_iter().map(|descriptor| (descriptor, false));
        for (descriptor, only_tagged) in listed.chain(tagged.into_iter().map(|descriptor| (descriptor, true))) {
            if known.insert(descriptor.digest.clone()) {
                referrers.push(Referrer { descriptor, only_tagged });
            }
        }
        if referrers.len() > self.limits().referrers {
            return Err(self.too_many(format_args!("{repository}@{digest}")));
        }
        Ok(Listing { referrers, api })
    }

    /// All pages of the API; `None` where the registry has none.
    async fn pages(&self, repository: &Repository, digest: &Digest) -> Result<Option<Vec<Descriptor>>, Error> {
        let mut url = self.url(repository, &format!("referrers/{digest}"))?;
        let mut seen = HashSet::<Url>::new();
        let mut found = Vec::new();
        loop {
            let refuse = |reason: &str| Error::new(ErrorKind::Protocol, bare(&url), reason);
            if !seen.insert(url.clone()) {
                return Err(refuse("its pages form a loop"));
            }
            if seen.len() > self.limits().pages {
                let reason = format!("it has more than {} pages", self.limits().pages);
                return Err(Error::new(ErrorKind::TooMany, bare(&url), reason));
            }
            let answer = self.get(repository, &url, Some(IMAGE_INDEX), MAX_MANIFEST_BYTES).await?;
            if seen.len() == 1 && is_unsupported(&answer) {
                return Ok(None);
            }
            if answer.status != StatusCode::OK {
                return Err(refused(&url, &answer));
            }
            if !is_index(&answer) {
                return Err(refuse("a page is not an index"));
            }
            match Document::parse(&bare(&url), answer.header("content-type"), &answer.body)? {
                Document::Index(index) => found.extend(index.manifests),
                Document::Manifest(_) => return Err(refuse("a page is not an index")),
            }
            if found.len() > self.limits().referrers {
                return Err(self.too_many(bare(&url)));
            }
            match link::next(&url, answer.header("link")).map_err(refuse)? {
                Some(next) => url = next,
                None => return Ok(Some(found)),
            }
        }
    }

    /// What the tag lists. A tag that is something else than an index lists nothing, as the specification says.
    async fn fallback(&self, repository: &Repository, tag: &Tag) -> Result<Vec<Descriptor>, Error> {
        match self.tagged(repository, tag).await {
            Ok(Some(fetched)) => match fetched.document {
                Document::Index(index) => Ok(index.manifests),
                Document::Manifest(_) => Ok(Vec::new()),
            },
            Ok(None) => Ok(Vec::new()),
            Err(error) if error.kind() == ErrorKind::MediaType => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn too_many(&self, subject: impl std::fmt::Display) -> Error {
        let reason = format!("more than {} manifests refer to it", self.limits().referrers);
        Error::new(ErrorKind::TooMany, subject, reason)
    }
}

/// Whether the answer is that of a registry without the API: the first page is not there, or is no list at all. Everything
/// else is an error; a registry that is busy has not said that there is nothing.
fn is_unsupported(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::NOT_FOUND
        | StatusCode::BAD_REQUEST
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::NOT_ACCEPTABLE => true,
        StatusCode::OK => !is_index(answer),
        _ => false,
    }
}
