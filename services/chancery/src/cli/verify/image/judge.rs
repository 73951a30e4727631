//! The verdict on one image, wherever it is and whatever is found about it.

use super::super::{
    code::Code,
    decision::{Collected, Context},
    outcome::{Genuine, Outcome, PassedOver, Status, shown},
};
use chancery_image::{Broken, Established, Found, children};
use chancery_registry::{Digest, Error, Fetched};
use chancery_verify::verifier::AnySigner;
use std::sync::Arc;

/// One image, and what belongs to it. An error means that the question is open, unless it says that the image is wrong.
pub(super) trait Image: Sync {
    /// The image, or the index of its platforms.
    fn resolve(&self) -> impl Future<Output = Result<Fetched, Error>> + Send;

    /// A manifest of its index.
    fn manifest(&self, digest: &Digest) -> impl Future<Output = Result<Fetched, Error>> + Send;

    /// What could be signatures of `digest`, or attestations about it.
    fn found(&self, digest: &Digest) -> impl Future<Output = Result<Arc<Found>, Error>> + Send;

    /// Its name with this digest in the place of a tag.
    fn pinned(&self, digest: &Digest) -> String;

    /// What to do where nothing is found.
    fn none(&self) -> String;
}

/// Judges `image`, whose name is `subject`: itself, or the manifest for `platform`, or those of each.
pub(super) async fn judge(context: &Context, image: &impl Image, subject: &str, platform: Option<&str>) -> Outcome {
    decide(context, image, subject, platform).await.unwrap_or_else(|error| of_error(subject, &error))
}

/// The outcome about an image of which something could not be read, or is wrong.
fn of_error(subject: &str, error: &Error) -> Outcome {
    let status = if error.kind().is_undecided() { Status::Undecided } else { Status::Refused };
    Outcome::failed(subject, status, error.code(), error.to_string())
}

async fn decide(
    context: &Context,
    image: &impl Image,
    subject: &str,
    platform: Option<&str>,
) -> Result<Outcome, Error> {
    let resolved = image.resolve().await?;
    let pinned = image.pinned(&resolved.digest);
    let platform = match platform {
        None => {
            let outcome = one(context, image, &resolved, subject).await?;
            return Ok(Outcome { pinned: Some(pinned), ..outcome });
        }
        Some("each") => None,
        named => named,
    };
    let manifests = match children(&resolved, platform) {
        Ok(manifests) if !manifests.is_empty() => manifests,
        Ok(_) => return Ok(refused(subject, pinned, "the index has no manifest for any platform")),
        Err(error) => return Ok(refused(subject, pinned, &error.to_string())),
    };
    let mut whole: Option<Outcome> = None;
    for descriptor in manifests {
        let digest = &descriptor.digest;
        let outcome = match image.manifest(digest).await {
            Ok(child) => one(context, image, &child, subject).await,
            Err(error) => Err(error),
        };
        // A manifest that cannot be read leaves the others what they are: one that is refused is the answer.
        let outcome = outcome.unwrap_or_else(|error| of_error(subject, &error));
        // With a platform the answer is about its manifest; with all of them, about the index that has nothing else.
        let name = if platform.is_some() { image.pinned(digest) } else { pinned.clone() };
        whole = Some(join(whole, Outcome { pinned: Some(name), ..outcome }));
    }
    Ok(whole.unwrap_or_else(|| refused(subject, pinned, "the index has no manifest")))
}

/// Decides over what is found about one manifest. What is signed is the digest of its bytes.
async fn one(context: &Context, image: &impl Image, manifest: &Fetched, subject: &str) -> Result<Outcome, Error> {
    let found = image.found(&manifest.digest).await?;
    let mut collected = Collected::default();
    collected.passed_over.extend(found.broken.iter().map(PassedOver::of_broken));
    let empty = found.candidates.is_empty() && found.broken.is_empty();
    for candidate in &found.candidates {
        let place = shown(&candidate.place);
        match candidate.verify(&context.verifier, &manifest.digest, &manifest.bytes, &AnySigner, context.now) {
            Ok(Established { verified, purpose, .. }) => {
                collected.add(context, Genuine::new(place, Some(candidate.place.layout), purpose, verified));
            }
            Err(refusal) => collected.passed_over.push(PassedOver::of_refusal(place, &refusal)),
        }
    }
    let mut outcome = collected.decide(context, subject);
    if empty {
        outcome.reason = Some(image.none());
    }
    Ok(open_if_missing(outcome, &found.broken))
}

/// A refusal is open if the registry lists a signature and does not have it, as a mirror that copies in parts: that
/// signature could have been enough.
fn open_if_missing(outcome: Outcome, broken: &[Broken]) -> Outcome {
    match broken.iter().find(|broken| broken.is_missing()) {
        Some(missing) if outcome.status == Status::Refused => Outcome {
            status: Status::Undecided,
            code: Some(missing.code),
            reason: Some(format!("{}: {}", shown(&missing.place), missing.reason)),
            ..outcome
        },
        _ => outcome,
    }
}

fn refused(subject: &str, pinned: String, reason: &str) -> Outcome {
    Outcome { pinned: Some(pinned), ..Outcome::failed(subject, Status::Refused, Code::ImagePlatform.code(), reason) }
}

/// The answer about several manifests: the worst, with all signatures.
fn join(first: Option<Outcome>, mut second: Outcome) -> Outcome {
    let Some(mut first) = first else { return second };
    first.signatures.append(&mut second.signatures);
    first.passed_over.append(&mut second.passed_over);
    let worse = matches!((first.status, second.status), (Status::Verified, _) | (Status::Undecided, Status::Refused));
    if worse && second.status != Status::Verified {
        (first.status, first.code, first.reason) = (second.status, second.code, second.reason);
        first.decision = second.decision;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::verify::expectation::{Expectation, Wanted};
    use chancery_image::Place;
    use chancery_registry::Document;
    use chancery_verify::{
        HashAlgorithm, Timestamp,
        trust_root::TrustRoot,
        verifier::{Options, Verifier},
    };

    /// An index of manifests that nobody has signed. Those of these digests cannot be read.
    struct Index {
        fetched: Fetched,
        unreadable: Vec<Digest>,
    }

    impl Index {
        fn new(manifests: &[Digest], unreadable: Vec<Digest>) -> Self {
            let list: Vec<_> =
                manifests.iter().map(|digest| serde_json::json!({ "digest": digest.to_string(), "size": 1 })).collect();
            let body = serde_json::json!({ "schemaVersion": 2, "manifests": list }).to_string();
            let document = Document::parse("index", "", body.as_bytes()).unwrap();
            let digest = Digest::of(HashAlgorithm::Sha256, body.as_bytes());
            Self { fetched: Fetched { digest, bytes: body.into(), document }, unreadable }
        }
    }

    impl Image for Index {
        async fn resolve(&self) -> Result<Fetched, Error> {
            Ok(self.fetched.clone())
        }

        async fn manifest(&self, digest: &Digest) -> Result<Fetched, Error> {
            if self.unreadable.contains(digest) {
                return Err(Error::unreadable(digest, "no answer"));
            }
            Ok(Fetched { digest: digest.clone(), ..self.fetched.clone() })
        }

        async fn found(&self, _: &Digest) -> Result<Arc<Found>, Error> {
            Ok(Arc::default())
        }

        fn pinned(&self, digest: &Digest) -> String {
            digest.to_string()
        }

        fn none(&self) -> String {
            "none".to_owned()
        }
    }

    #[tokio::test]
    async fn one_manifest_that_is_refused_decides_whatever_the_others_are() {
        let expectation = Expectation { policy: None, is_file: false, keys: Vec::new(), wanted: Wanted::Anything };
        let verifier = Verifier::new(TrustRoot::default(), Options::default());
        let context = Context { verifier, expectation, now: Timestamp::from_seconds(0) };
        let digests = [b"a", b"b"].map(|bytes| Digest::of(HashAlgorithm::Sha256, bytes));
        for (unreadable, expected) in [
            (vec![], (Status::Refused, Some("image.none"))),
            (vec![digests[0].clone()], (Status::Refused, Some("image.none"))),
            (vec![digests[1].clone()], (Status::Refused, Some("image.none"))),
            (digests.to_vec(), (Status::Undecided, Some("file.unreadable"))),
        ] {
            let index = Index::new(&digests, unreadable);
            let outcome = judge(&context, &index, "image", Some("each")).await;
            assert_eq!((outcome.status, outcome.code), expected);
            assert_eq!(outcome.pinned, Some(index.fetched.digest.to_string()));
        }
    }

    /// A signature that is listed, with what is wrong with it.
    fn broken(code: &'static str) -> Broken {
        let place = Place { layout: "referrer", manifest: "sha256:00".to_owned(), layer: 0 };
        Broken { place, code, reason: "the reason".to_owned() }
    }

    #[test]
    fn a_signature_that_is_listed_and_missing_leaves_a_refusal_open() {
        let refused = || Outcome::failed("image", Status::Refused, "policy.quorum", "too few");
        let open = open_if_missing(refused(), &[broken("image.layout"), broken("registry.not_found")]);
        assert_eq!((open.status, open.code), (Status::Undecided, Some("registry.not_found")));
        assert_eq!(open.reason.unwrap(), "referrer sha256:00, layer 0: the reason");
        // What is there and wrong is no signature.
        for codes in [&["image.subject", "bundle.malformed"][..], &[]] {
            let broken: Vec<_> = codes.iter().copied().map(broken).collect();
            let closed = open_if_missing(refused(), &broken);
            assert_eq!((closed.status, closed.code), (Status::Refused, Some("policy.quorum")), "{codes:?}");
        }
        // What is verified does not need the missing one.
        let verified = Outcome { status: Status::Verified, code: None, reason: None, ..refused() };
        assert_eq!(open_if_missing(verified, &[broken("registry.not_found")]).status, Status::Verified);
    }
}
