//! What the TUF repository of the instance gives to clients, as the processes that rotate keys ask for it: the one in this process, or
//! at its URL that of another process.
//!
//! Over HTTP the metadata is followed from the timestamp to the trusted root by versions and hashes, as clients follow it. Its
//! signatures are not verified: the question is what is served, and nothing is trusted because of the answer.

use super::{Addresses, tuf::Tuf};
use crate::rotation::{Answer, Served, Serving};
use anyhow::Context as _;
use chancery_daemon::clock::Clock;
use chancery_outbound::causes;
use chancery_trust::{
    BaseUrl, FileName,
    tuf::{
        InvalidMetadata, Metadata, Role, Service,
        metadata::{FileFacts, listed_metadata, listed_targets},
        publisher::Published,
    },
};
use reqwest::{Client, Response, StatusCode};
use std::{future::ready, sync::Arc, time::Duration};

/// For connecting, and for one file.
const DEADLINES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));
/// Largest file that is read.
const MAX_BYTES: usize = 5_000_000;

/// Where clients fetch trust: from `tuf`, if the repository is in this process, or else at its URL.
pub(super) fn serving(
    tuf: Option<&Tuf>,
    addresses: &Addresses,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Serving>> {
    if let Some(tuf) = tuf {
        return Ok(Arc::new(Here(tuf.service())));
    }
    let (url, authorities) = addresses.trust_inside()?;
    let client = chancery_outbound::client(DEADLINES.0, DEADLINES.1);
    let client = chancery_outbound::trusting_file(client, authorities).context("cannot ask for the TUF repository")?;
    let client = client.build().context("TLS cannot be set up")?;
    Ok(Arc::new(Elsewhere { client, url: url.clone(), clock: Arc::clone(clock) }))
}

/// In this process.
struct Here(Arc<Service>);

impl Here {
    fn look(&self) -> Result<Served, String> {
        // Clients refuse what has expired.
        if let Some(obstacle) = self.0.obstacle() {
            return Err(obstacle);
        }
        let repository = self.0.repository();
        let target = repository.target(FileName::TrustedRoot.as_str());
        let trusted_root = target.ok_or_else(|| "the TUF repository has no trusted root".to_owned())?.to_vec();
        let behind = match self.0.published() {
            Published::Served => self.0.failure(),
            Published::WaitsForSignatures => Some(
                "the new trust files wait for signatures of the TUF targets keys; see: chancery trust metadata export --role targets"
                    .to_owned(),
            ),
        };
        Ok(Served { trusted_root, behind })
    }
}

impl Serving for Here {
    fn served(&self) -> Answer<'_> {
        Box::pin(ready(self.look()))
    }
}

/// In another process, at the URL without `/tuf`.
struct Elsewhere {
    client: Client,
    url: BaseUrl,
    clock: Arc<dyn Clock>,
}

impl Serving for Elsewhere {
    fn served(&self) -> Answer<'_> {
        Box::pin(async move {
            let trusted_root = self.trusted_root().await.map_err(|reason| {
                format!(
                    "the TUF repository at {}/tuf does not give it to clients: {reason}. If this process reaches that elsewhere, or by \
                     another certificate, set internal_url or internal_ca_file in [trust]",
                    self.url
                )
            })?;
            let behind = format!(
                "the TUF repository at {}/tuf does not have it yet; its server, or the holders of offline keys, must publish it; see: \
                 chancery trust status",
                self.url
            );
            Ok(Served { trusted_root, behind: Some(behind) })
        })
    }
}

impl Elsewhere {
    async fn trusted_root(&self) -> Result<Vec<u8>, String> {
        let timestamp = self.metadata("timestamp.json").await?;
        let (version, facts) = listed(listed_metadata(&timestamp, "snapshot.json"))?;
        let snapshot = self.metadata_of(Role::Snapshot, version, &facts).await?;
        let (version, facts) = listed(listed_metadata(&snapshot, "targets.json"))?;
        let targets = self.metadata_of(Role::Targets, version, &facts).await?;
        let targets = listed(listed_targets(&targets))?;
        let found = targets.into_iter().find(|(name, _)| name.as_str() == FileName::TrustedRoot.as_str());
        let (name, facts) = found.ok_or_else(|| "it has no trusted root".to_owned())?;
        self.checked(&name.path(&facts), &facts).await
    }

    async fn metadata_of(&self, role: Role, version: u64, facts: &FileFacts) -> Result<Metadata, String> {
        let path = role.path(version);
        let bytes = self.checked(&path, facts).await?;
        self.parsed(&path, &bytes)
    }

    async fn metadata(&self, path: &str) -> Result<Metadata, String> {
        let bytes = self.fetch(path).await?;
        self.parsed(path, &bytes)
    }

    fn parsed(&self, path: &str, bytes: &[u8]) -> Result<Metadata, String> {
        let metadata = Metadata::parse(bytes).map_err(|error| format!("{path}: {error}"))?;
        if metadata.expires <= self.clock.now() {
            return Err(format!("{path} expired on {}, so clients refuse it", metadata.expires.rfc3339()));
        }
        Ok(metadata)
    }

    /// A file that other metadata describes.
    async fn checked(&self, path: &str, facts: &FileFacts) -> Result<Vec<u8>, String> {
        let bytes = self.fetch(path).await?;
        if FileFacts::of(&bytes) == *facts { Ok(bytes) } else { Err(format!("{path} is not the file that it lists")) }
    }

    async fn fetch(&self, path: &str) -> Result<Vec<u8>, String> {
        let request = self.client.get(format!("{}/tuf/{path}", self.url));
        let response = request.send().await.map_err(|error| causes(&error.without_url()))?;
        if response.status() != StatusCode::OK {
            return Err(format!("{path}: it answers {}", response.status().as_u16()));
        }
        bounded(response).await.map_err(|reason| format!("{path}: {reason}"))
    }
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| causes(&error.without_url()))? {
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err("it is larger than any file of a repository".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn listed<T>(found: Result<T, InvalidMetadata>) -> Result<T, String> {
    found.map_err(|error| error.to_string())
}
