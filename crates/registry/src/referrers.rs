//! Lists the referrers of a manifest: all pages of the referrers API, and the fallback tag that clients write if a
//! registry has no API (OCI distribution, «Listing Referrers» and «Unavailable Referrers API»).
//!
//! Both are always read: a registry may have got the API after signatures were pushed. A registry can always hide a
//! referrer. An error of either list is an error of the whole, and never means that there is no referrer.

use crate::{
    Client, Descriptor, Digest, Document, Error, ErrorKind, Repository, Tag,
    client::{is_index, refused},
    document::{IMAGE_INDEX, MAX_MANIFEST_BYTES},
    link,
    transport::{Answer, StatusCode, bare},
};
use std::collections::HashSet;
use url::Url;

/// A manifest that a registry lists as a referrer. Not verified: the manifest names its subject itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// The manifest.
    pub descriptor: Descriptor,
    /// Only the fallback tag lists it. Such a list can be stale: the manifest may have been deleted.
    pub only_tagged: bool,
}

/// All listed referrers of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Every referrer once. Those of the API are first.
    pub referrers: Vec<Referrer>,
    /// Whether the registry has the referrers API.
    pub api: bool,
}

impl Client {
    /// Lists the referrers of `digest` in `repository`. A list over the limits is an error: it is never truncated.
    pub async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Listing, Error> {
        let listed = self.pages(repository, digest).await?;
        let tag = Tag::of_digest(digest, "");
        let tagged = match self.fallback(repository, &tag).await {
            // The API has answered, so the repository exists. Some registries deny a repository without tags.
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

    /// Reads all pages of the API. `None` if the registry has no API.
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

    /// Reads the fallback tag. A tag that is not an index lists nothing, as the specification says.
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

/// Returns whether the answer to the first page is that of a registry without the API: there is no such path, or the
/// answer is not an index. Every other answer is an error: a busy registry has not said that there is no referrer.
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
