//! Cosign's tags beside an image: `.sig` has a signature in every layer, `.att` an envelope.
//!
//! What belongs to a signature stands in its layer's annotations. Such evidence has a promise of the log and no proof.

use crate::{Broken, Candidate, Found, MAX_EVIDENCE_BYTES, MAX_FETCHED, Place, Signed};
use chancery_registry::{Client, Descriptor, Digest, Document, Error, ErrorKind, Repository, Tag};
use chancery_verify::bundle::{Bundle, CertificateText, Detached, SignatureText};
use futures_util::{StreamExt as _, stream};

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const ENTRY: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
/// Layers that are fetched at a time; the client has a bound of its own for all images together.
const AT_ONCE: usize = 8;

/// One of the tags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Signature,
    Attestation,
}

impl Kind {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Signature => ".sig",
            Self::Attestation => ".att",
        }
    }

    const fn layout(self) -> &'static str {
        match self {
            Self::Signature => "signature tag",
            Self::Attestation => "attestation tag",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Signature => "application/vnd.dev.cosign.simplesigning.v1+json",
            Self::Attestation => "application/vnd.dsse.envelope.v1+json",
        }
    }
}

pub(crate) async fn find(client: &Client, repository: &Repository, target: &Digest) -> Result<Found, Error> {
    let mut found = tagged(client, repository, target, Kind::Signature).await?;
    found.extend(tagged(client, repository, target, Kind::Attestation).await?);
    Ok(found)
}

async fn tagged(client: &Client, repository: &Repository, target: &Digest, kind: Kind) -> Result<Found, Error> {
    let tag = Tag::of_digest(target, kind.suffix());
    let Some(fetched) = client.tagged(repository, &tag).await? else { return Ok(Found::default()) };
    let digest = fetched.digest.to_string();
    let place = |layer| Place { layout: kind.layout(), manifest: digest.clone(), layer };
    let mut found = Found::default();
    let Document::Manifest(manifest) = fetched.document else {
        found.broken.push(Broken::new(place(0), ErrorKind::Layout.code(), format!("the tag {tag} is an index")));
        return Ok(found);
    };
    if manifest.layers.len() > MAX_FETCHED {
        let reason = format_args!("the tag {tag} has more than {MAX_FETCHED} signatures");
        return Err(Error::too_many(repository, reason));
    }
    let outcomes: Vec<_> = stream::iter(manifest.layers.into_iter().enumerate())
        .map(|(position, layer)| {
            let place = place(position);
            async move { read(client, repository, &layer, kind, place).await }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    for outcome in outcomes {
        match outcome? {
            Ok(candidate) => found.candidates.push(candidate),
            Err(broken) => found.broken.push(broken),
        }
    }
    Ok(found)
}

async fn read(
    client: &Client,
    repository: &Repository,
    layer: &Descriptor,
    kind: Kind,
    place: Place,
) -> Result<Result<Candidate, Broken>, Error> {
    if layer.media_type != kind.media_type() {
        let reason = format!("the layer is not of type {}", kind.media_type());
        return Ok(Err(Broken::new(place, ErrorKind::MediaType.code(), reason)));
    }
    let contents = match client.blob(repository, layer, MAX_EVIDENCE_BYTES).await {
        Ok(contents) => contents,
        Err(error) if error.kind().is_undecided() && error.kind() != ErrorKind::NotFound => return Err(error),
        Err(error) => return Ok(Err(Broken::of_error(place, &error))),
    };
    let signed = match kind {
        Kind::Signature => Signed::Payload(contents.to_vec()),
        Kind::Attestation => Signed::Manifest,
    };
    Ok(match bundle(layer, kind, &contents) {
        Ok(bundle) => Ok(Candidate { place, bundle, signed }),
        Err(refusal) => Err(Broken::of_refusal(place, &refusal)),
    })
}

fn bundle(layer: &Descriptor, kind: Kind, contents: &[u8]) -> Result<Bundle, chancery_verify::Refusal> {
    let annotation = |name: &str| {
        let value = layer.annotations.get(name).map(String::as_bytes);
        value.filter(|value| !value.is_empty())
    };
    let signature = annotation(SIGNATURE).map(SignatureText::Base64);
    Detached {
        // Cosign leaves an empty one beside an envelope.
        signature: signature.filter(|_| kind == Kind::Signature),
        envelope: (kind == Kind::Attestation).then_some(contents),
        certificate: annotation(CERTIFICATE).map(CertificateText::Pem),
        chain: annotation(CHAIN),
        entry: annotation(ENTRY),
        timestamp: annotation(TIMESTAMP),
    }
    .into_bundle()
}
