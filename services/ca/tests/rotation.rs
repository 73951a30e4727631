//! The issuing key is replaced while requests run: none fails, each chain is whole, and nothing issues that was not shown.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::http::{Request, StatusCode};
use chancery_ca::NotPublished;
use chancery_ca::chain::IssuingChain;
use chancery_ca::issue::Pipeline;
use chancery_ca::transparency::Transparency;
use chancery_daemon::authority::{self, AuthorityError};
use chancery_daemon::signer::Signer;
use chancery_verify::certificate::{Certificate, verify_chain};
use chancery_verify::given::{ChainFault, Flaw};
use chancery_verify::key::KeyKind;
use http_body_util::BodyExt as _;
use rcgen::{BasicConstraints, IsCa, KeyIdMethod, KeyUsagePurpose};
use serde_json::Value;
use std::sync::Arc;
use world::{Counting, EMAIL, NOW, World};

/// The next generation: its chain, and what issues under it.
async fn next(world: &World, number: u64) -> (Arc<IssuingChain>, Pipeline) {
    let (root, issuing) = (Signer::generate(KeyKind::P256).unwrap().0, Signer::generate(KeyKind::P384).unwrap().0);
    let random = Arc::new(Counting::default());
    let chain = IssuingChain::create("Example Org", number, &root, &issuing, random.as_ref(), NOW).await.unwrap();
    let chain = Arc::new(chain);
    let log = Transparency::Embedded(world.log.clone());
    (Arc::clone(&chain), Pipeline::new(chain, Arc::new(issuing), log, random).unwrap())
}

/// Signs, demands success and a chain that verifies, and returns its issuer's common name.
async fn sign(world: &World) -> String {
    let body = world.possession(EMAIL).await.to_string();
    let (status, _, answer) = world.post("/api/v2/signingCert", Some(&world.token().await), body).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let chain = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"].as_array().unwrap().clone();
    let chain: Vec<_> =
        chain.iter().map(|pem| Certificate::from_pem(pem.as_str().unwrap().as_bytes()).unwrap()).collect();
    let [leaf, issuers @ ..] = chain.as_slice() else { return String::new() };
    verify_chain(leaf, issuers, std::slice::from_ref(issuers.last().unwrap()), NOW).unwrap();
    issuers[0].subject_names().1
}

/// Common names of the issuing certificates in the trust bundle; over gRPC it must be the same.
async fn bundle(world: &World) -> Vec<String> {
    let (_, _, answer) = world.get("/api/v2/trustBundle").await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let pems: Vec<Vec<String>> = answer["chains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|chain| serde_json::from_value(chain["certificates"].clone()).unwrap())
        .collect();
    let (_, _, v1) = world.get("/api/v1/rootCert").await;
    assert_eq!(String::from_utf8(v1).unwrap(), pems.concat().concat());
    let request = Request::post("/dev.sigstore.fulcio.v2.CA/GetTrustBundle")
        .header("content-type", "application/grpc")
        .body(vec![0; 5].into())
        .unwrap();
    let message = world.respond(request).await.into_body().collect().await.unwrap().to_bytes();
    let message = String::from_utf8_lossy(&message).into_owned();
    let mut rest = message.as_str();
    for pem in pems.concat() {
        rest = rest.split_once(&pem).unwrap().1;
    }
    assert_eq!(message.matches("BEGIN CERTIFICATE").count(), pems.concat().len());
    pems.iter().map(|chain| Certificate::from_pem(chain[0].as_bytes()).unwrap().subject_names().1).collect()
}

const FIRST: &str = "Example Org intermediate";
const SECOND: &str = "Example Org intermediate G2";

#[tokio::test]
async fn a_chain_is_shown_before_it_issues_and_as_long_as_it_is_asked_for() {
    let world = World::new().await;
    let (chain, pipeline) = next(&world, 2).await;
    assert_eq!(world.authority.replace_pipeline(pipeline), Err(NotPublished));
    assert_eq!((sign(&world).await.as_str(), bundle(&world).await), (FIRST, vec![FIRST.to_owned()]));

    let (_, other) = next(&world, 3).await;
    world.authority.publish_chains([Arc::clone(&chain)]);
    assert_eq!(world.authority.replace_pipeline(other), Err(NotPublished), "another one is shown");
    assert_eq!((sign(&world).await.as_str(), bundle(&world).await.join(",")), (FIRST, format!("{FIRST},{SECOND}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_key_is_replaced() {
    let world = Arc::new(World::new().await);
    let (chain, pipeline) = next(&world, 2).await;
    world.authority.publish_chains([chain]);
    let signing = |count| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let mut issuers = Vec::new();
            for _ in 0..count {
                issuers.push(sign(&world).await);
            }
            issuers
        })
    };
    let clients: Vec<_> = (0..4).map(|_| signing(60)).collect();
    let submissions = || world.log.submissions.lock().unwrap().len();
    while submissions() < 60 {
        tokio::task::yield_now().await;
    }
    world.authority.replace_pipeline(pipeline).unwrap();
    // Begun after the change: the new key, and no other.
    assert_eq!(sign(&world).await, SECOND);
    let mut issuers = Vec::new();
    for client in clients {
        let seen = client.await.unwrap();
        assert!(seen.is_sorted(), "no client goes back: {seen:?}");
        issuers.extend(seen);
    }
    assert!(issuers.iter().any(|issuer| issuer == FIRST) && issuers.iter().any(|issuer| issuer == SECOND));
    assert_eq!(bundle(&world).await, [SECOND, FIRST]);
    world.authority.publish_chains([]);
    assert_eq!(bundle(&world).await, [SECOND]);
}

#[tokio::test]
async fn a_chain_without_its_key_or_past_its_time_is_still_read() {
    let [root, issuing] = [KeyKind::P256; 2].map(|kind| Signer::generate(kind).unwrap().0);
    let chain = IssuingChain::create("Example Org", 2, &root, &issuing, &Counting::default(), NOW).await.unwrap();
    let later = NOW.plus_seconds(20 * 365 * 86_400);
    assert!(IssuingChain::from_pem(chain.to_pem().as_bytes(), issuing.public_key(), later).is_err());
    let read = IssuingChain::inactive_from_pem(chain.to_pem().as_bytes()).unwrap();
    assert_eq!(read.issuing().subject_names(), ("Example Org".to_owned(), SECOND.to_owned()));
    let cut = chain.to_pem().split_inclusive("-----END CERTIFICATE-----\n").next().unwrap().to_owned();
    assert!(IssuingChain::inactive_from_pem(cut.as_bytes()).is_err(), "no root");
}

#[tokio::test]
async fn a_root_issues_again_unless_clients_would_not_find_it() {
    let signer = || Signer::ephemeral(KeyKind::P256).unwrap();
    let (root, first, second, random) = (signer(), signer(), signer(), Counting::default());
    let chain = IssuingChain::create("Example Org", 1, &root, &first, &random, NOW).await.unwrap();
    let renewed = chain.renewed(2, &root, &second, &random, NOW).await.unwrap();
    assert_eq!(renewed.root().der(), chain.root().der());
    assert_eq!(renewed.issuing().public_key(), second.public_key());
    let of_another = chain.renewed(2, &first, &second, &random, NOW).await;
    assert!(matches!(of_another, Err(AuthorityError::Refused(_))), "{of_another:?}");

    // The same root as another program has made it, with another identifier of its key.
    let key = root.public_key();
    let mut parameters = authority::parameters("Example Org", "Example Org", key, &random, (NOW, 86_400)).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.key_identifier_method = KeyIdMethod::PreSpecified(vec![7; 20]);
    let elsewhere = authority::sign(&parameters, key, &parameters, &root).await.unwrap();
    let text = chain.issuing().to_pem() + &elsewhere.to_pem();
    let chain = IssuingChain::from_pem(text.as_bytes(), first.public_key(), NOW).unwrap();
    let refused = chain.renewed(2, &root, &second, &random, NOW).await;
    let is_named = matches!(&refused, Err(AuthorityError::Given(ChainFault::Certificate(_, Flaw::OtherIdentifier))));
    assert!(is_named, "{refused:?}");
}
