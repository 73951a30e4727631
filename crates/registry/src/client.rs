//! Manifests, blobs and referrers, from any registry.
//!
//! Content requested by digest has that digest, or is an error. Content counts as missing only if the registry says so.

use crate::{
    Descriptor, Digest, Document, Error, ErrorKind, Limits, Options, Reference, Repository, Tag,
    address::{self, Reach},
    authorization::Authorizations,
    document::{self, MAX_MANIFEST_BYTES},
    transport::{Answer, Ask, HeaderValue, StatusCode, Transport, bare},
};
use bytes::Bytes;
use chancery_verify::HashAlgorithm;
use std::fmt;
use url::Url;

/// Maximum redirects of one blob.
const MAX_REDIRECTS: usize = 5;
/// The accepted media types of manifests.
pub(crate) const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// A manifest or index that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// The bytes as received.
    pub bytes: Bytes,
    /// The parsed bytes.
    pub document: Document,
}

/// A client of registries. Make it once and share it: it keeps connections and tokens.
pub struct Client {
    transport: Transport,
    authorizations: Authorizations,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client, and sends no request.
    ///
    /// # Errors
    /// If `options.authorities` is not PEM.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self { transport: Transport::new(options)?, authorizations: Authorizations::default() })
    }

    /// The limits of lists.
    pub(crate) const fn limits(&self) -> Limits {
        self.transport.options().limits
    }

    /// Fetches the manifest or index that `reference` names. A tag is resolved once: use the digest of the result afterwards.
    pub async fn resolve(&self, reference: &Reference) -> Result<Fetched, Error> {
        let repository = reference.repository();
        let found = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => self.manifest(repository, digest).await,
            (None, Some(tag)) => self.tagged(repository, tag).await,
            (None, None) => self.tagged(repository, &"latest".parse()?).await,
        };
        found
            .map_err(|error| error.about(reference))?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, reference, "the registry has no such image"))
    }

    /// Fetches the manifest or index of `digest`. `None` if the repository does not have it.
    pub async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Fetched>, Error> {
        let subject = format!("{repository}@{digest}");
        let Some(answer) = self.manifest_answer(repository, &digest.to_string()).await? else { return Ok(None) };
        if !digest.is_of(&answer.body) {
            return Err(Error::new(ErrorKind::Digest, subject, "the registry's answer has another digest"));
        }
        let document = Document::parse(&subject, answer.header("content-type"), &answer.body)?;
        Ok(Some(Fetched { digest: digest.clone(), bytes: answer.body, document }))
    }

    /// Fetches the manifest or index of a tag. `None` if the tag does not exist.
    pub async fn tagged(&self, repository: &Repository, tag: &Tag) -> Result<Option<Fetched>, Error> {
        let subject = format!("{repository}:{tag}");
        let Some(answer) = self.manifest_answer(repository, tag.as_str()).await? else { return Ok(None) };
        // The stated digest is used if it is right: a registry may use another hash than SHA-256.
        let said: Option<Digest> = answer.header("docker-content-digest").parse().ok();
        let digest = said.unwrap_or_else(|| Digest::of(HashAlgorithm::Sha256, &answer.body));
        if !digest.is_of(&answer.body) {
            let reason = "the registry's answer does not have the digest that it states";
            return Err(Error::new(ErrorKind::Digest, subject, reason));
        }
        let document = Document::parse(&subject, answer.header("content-type"), &answer.body)?;
        Ok(Some(Fetched { digest, bytes: answer.body, document }))
    }

    async fn manifest_answer(&self, repository: &Repository, name: &str) -> Result<Option<Answer>, Error> {
        let url = self.url(repository, &format!("manifests/{name}"))?;
        let answer = self.get(repository, &url, Some(MANIFESTS), MAX_MANIFEST_BYTES).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer)),
            // A repository that does not exist is no proof that there is no signature.
            StatusCode::NOT_FOUND if answer.has_code("NAME_UNKNOWN") => {
                Err(Error::new(ErrorKind::NotFound, repository, "the registry has no such repository"))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(&url, &answer)),
        }
    }

    /// Fetches the content of `descriptor`, at most `limit` bytes.
    pub async fn blob(&self, repository: &Repository, descriptor: &Descriptor, limit: usize) -> Result<Bytes, Error> {
        let subject = format!("{repository}@{}", descriptor.digest);
        let refuse = |kind, reason: String| Err(Error::new(kind, &subject, reason));
        let size = usize::try_from(descriptor.size).unwrap_or(usize::MAX);
        if size > limit {
            return refuse(
                ErrorKind::TooLarge,
                format!("the blob has {} bytes; the limit is {limit}", descriptor.size),
            );
        }
        let url = self.url(repository, &format!("blobs/{}", descriptor.digest))?;
        let longer = |error: Error| match error.kind() {
            // The limit of the request was the size in the manifest.
            ErrorKind::TooLarge => Error::new(
                ErrorKind::Digest,
                &subject,
                format!("the blob has more than the {size} bytes its manifest says"),
            ),
            _ => error,
        };
        let answer = self.follow(repository, &url, size).await.map_err(longer)?;
        match answer.status {
            StatusCode::OK if answer.body.len() != size => {
                let reason = format!("the blob has {} bytes; its manifest says {size}", answer.body.len());
                refuse(ErrorKind::Digest, reason)
            }
            StatusCode::OK if !descriptor.digest.is_of(&answer.body) => {
                refuse(ErrorKind::Digest, "the registry's answer has another digest".to_owned())
            }
            StatusCode::OK => Ok(answer.body),
            StatusCode::NOT_FOUND => refuse(ErrorKind::NotFound, "the registry has no such blob".to_owned()),
            _ => Err(refused(&url, &answer)),
        }
    }

    /// Sends a GET and follows redirects, as registries use them for blobs in a store. A redirect must lead to HTTPS and
    /// must not lead from a public registry to a private address. Credentials are not sent to other hosts.
    async fn follow(&self, repository: &Repository, first: &Url, limit: usize) -> Result<Answer, Error> {
        let mut answer = self.get(repository, first, None, limit).await?;
        let mut url = first.clone();
        let mut reach = None;
        for _ in 0..MAX_REDIRECTS {
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let refuse = |reason: &str| Error::new(ErrorKind::Redirect, bare(&url), reason);
            let target =
                url.join(answer.header("location")).map_err(|_| refuse("its redirect has no valid address"))?;
            if answer.header("location").is_empty() {
                return Err(refuse("its redirect has no valid address"));
            }
            if target.origin() == first.origin() {
                answer = self.get(repository, &target, None, limit).await?;
                url = target;
                continue;
            }
            let from = match reach {
                Some(reach) => reach,
                None => *reach.insert(address::reach(first).await.unwrap_or(Reach::Public)),
            };
            if !self.transport.may_lead_to(from, &target) {
                let place = bare(&target);
                return Err(refuse(&format!(
                    "it redirects to {place}, which is not HTTPS, or an address that a registry may not lead to"
                )));
            }
            answer = self.transport.ask(&Ask { led_from: Some(from), ..Ask::get(&target, limit) }).await?;
            url = target;
        }
        if answer.status.is_redirection() {
            return Err(Error::new(ErrorKind::Redirect, bare(first), "it redirects more than 5 times"));
        }
        Ok(answer)
    }

    /// Sends a GET to the registry itself, with authorization if the registry requires it.
    pub(crate) async fn get(
        &self,
        repository: &Repository,
        url: &Url,
        accept: Option<&str>,
        limit: usize,
    ) -> Result<Answer, Error> {
        let ask = Ask { accept, ..Ask::get(url, limit) };
        let send = async |authorization: Option<&HeaderValue>| self.transport.ask(&Ask { authorization, ..ask }).await;
        let sent = self.authorizations.known(repository);
        let answer = send(sent.as_ref()).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let header = self.authorizations.answer(&self.transport, repository, url, &answer, sent.as_ref()).await?;
        send(Some(&header)).await
    }

    /// Makes a URL below the repository.
    pub(crate) fn url(&self, repository: &Repository, path: &str) -> Result<Url, Error> {
        let registry = repository.registry();
        let scheme = if self.transport.is_plain(registry) { "http" } else { "https" };
        let malformed = |_| Error::new(ErrorKind::Reference, repository, "the registry is not a host");
        format!("{scheme}://{registry}/v2/{}/{path}", repository.name()).parse().map_err(malformed)
    }
}

/// Makes the error for an answer that is neither the content nor «there is none».
pub(crate) fn refused(url: &Url, answer: &Answer) -> Error {
    let (kind, reason) = match answer.status {
        StatusCode::UNAUTHORIZED => (ErrorKind::Unauthorized, "the registry refused the credentials"),
        StatusCode::FORBIDDEN => (ErrorKind::Denied, "the registry refused the request"),
        status if status.is_redirection() => {
            (ErrorKind::Redirect, "the registry redirects, but only requests for blobs may be redirected")
        }
        _ => (ErrorKind::Protocol, "the registry answered with an unexpected status"),
    };
    Error::new(kind, bare(url), format_args!("{reason}: {}", answer.reason()))
}

/// Returns whether an answer has the content type of an index.
pub(crate) fn is_index(answer: &Answer) -> bool {
    document::essence(answer.header("content-type")) == document::IMAGE_INDEX
}
