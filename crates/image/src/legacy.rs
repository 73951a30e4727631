//! Items that cosign 1 and 2 attach to an image: manifests with a signature, or an envelope, in every layer.
//!
//! They are at the tags `.sig` and `.att`. cosign 2 can also write them as referrers. The signature, certificate and
//! log entry are in annotations of the layer. Such evidence has a promise of the log, but no inclusion proof.

use crate::kind::Kind;
use crate::referrer::{AT_ONCE, Opened, broken_or, could_be, open};
use crate::source::Source;
use crate::{Broken, Candidate, Found, MAX_EVIDENCE_BYTES, MAX_FETCHED, Place, Signed};
use chancery_registry::{Descriptor, Digest, Document, Error, ErrorKind, Manifest, Referrer};
use chancery_verify::bundle::{Bundle, CertificateText, Detached, SignatureText};
use futures_util::{StreamExt as _, stream};

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const ENTRY: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// Reads the items beside `target`: in a registry, at its tags.
pub(crate) async fn find(source: &impl Source, target: &Digest) -> Result<Found, Error> {
    let mut found = Found::default();
    for kind in Kind::ALL {
        let Some(fetched) = source.beside(target, kind).await? else { continue };
        let place = Place { layout: kind.layout(), manifest: fetched.digest.to_string(), layer: 0 };
        match fetched.document {
            Document::Manifest(manifest) => found.extend(layers(source, target, manifest, kind, &place).await?),
            Document::Index(_) => {
                let reason = format!("the {} is an index", kind.layout());
                found.broken.push(Broken::new(place, ErrorKind::Layout.code(), reason));
            }
        }
    }
    Ok(found)
}

/// Reads the items in manifests among `referrers` of `target`. Every manifest counts. cosign reads only the last one.
pub(crate) async fn referred(source: &impl Source, target: &Digest, referrers: &[Referrer]) -> Result<Found, Error> {
    let is_wanted = |artifact_type: &str| Kind::of_artifact(artifact_type).is_some();
    let referrers: Vec<&Referrer> = referrers.iter().filter(|referrer| could_be(referrer, is_wanted)).collect();
    if referrers.len() > MAX_FETCHED {
        return Err(too_many(target));
    }
    let mut found = Found::default();
    for referrer in referrers {
        let place = Place { layout: "signature referrer", manifest: referrer.descriptor.digest.to_string(), layer: 0 };
        let manifest = match open(source, target, referrer, &place, is_wanted).await? {
            Opened::Nothing => continue,
            Opened::Broken(broken) => {
                found.broken.push(broken);
                continue;
            }
            Opened::Manifest(manifest) => manifest,
        };
        let Some(kind) = Kind::of_artifact(manifest.artifact_type()) else { continue };
        found.extend(layers(source, target, *manifest, kind, &place).await?);
        if found.candidates.len() > MAX_FETCHED {
            return Err(too_many(target));
        }
    }
    Ok(found)
}

fn too_many(target: &Digest) -> Error {
    Error::too_many(target, format_args!("it has more than {MAX_FETCHED} signatures"))
}

/// Reads the layers of a manifest.
async fn layers(
    source: &impl Source,
    target: &Digest,
    manifest: Manifest,
    kind: Kind,
    place: &Place,
) -> Result<Found, Error> {
    if manifest.layers.len() > MAX_FETCHED {
        return Err(too_many(target));
    }
    let outcomes: Vec<_> = stream::iter(manifest.layers.into_iter().enumerate())
        .map(|(layer, descriptor)| {
            let place = Place { layer, ..place.clone() };
            async move { read(source, &descriptor, kind, place).await }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut found = Found::default();
    for outcome in outcomes {
        match outcome? {
            Ok(candidate) => found.candidates.push(candidate),
            Err(broken) => found.broken.push(broken),
        }
    }
    Ok(found)
}

async fn read(
    source: &impl Source,
    layer: &Descriptor,
    kind: Kind,
    place: Place,
) -> Result<Result<Candidate, Broken>, Error> {
    if layer.media_type != kind.media_type() {
        let reason = format!("the layer is not of type {}", kind.media_type());
        return Ok(Err(Broken::new(place, ErrorKind::MediaType.code(), reason)));
    }
    let contents = match source.blob(layer, MAX_EVIDENCE_BYTES).await {
        Ok(contents) => contents,
        Err(error) => return broken_or(&place, error).map(Err),
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
        // Cosign writes an empty one beside an envelope.
        signature: signature.filter(|_| kind == Kind::Signature),
        envelope: (kind == Kind::Attestation).then_some(contents),
        certificate: annotation(CERTIFICATE).map(CertificateText::Pem),
        chain: annotation(CHAIN),
        entry: annotation(ENTRY),
        timestamp: annotation(TIMESTAMP),
    }
    .into_bundle()
}
