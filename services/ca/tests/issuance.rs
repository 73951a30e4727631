//! From request to certificate: what comes out, byte by byte, and what never comes out.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ca::chain::IssuingChain;
use chancery_daemon::authority::AuthorityError;
use chancery_daemon::signer::Signer;
use chancery_verify::certificate::{
    Certificate, FinalIssuer, Identity, verify_authority, verify_chain, verify_path, verify_profile, with_extension,
};
use chancery_verify::extension::Claim;
use chancery_verify::key::KeyKind;
use chancery_verify::{Rejection, sct};
use der::Encode as _;
use serde_json::{Value, json};
use world::{Behaviour, EMAIL, ISSUER, NOW, SUBJECT, World, possession};

async fn certificates(world: &World) -> Vec<Certificate> {
    let (status, _, body) = sign(world, &world.possession(EMAIL).await).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let list = body["signedCertificateEmbeddedSct"]["chain"]["certificates"].as_array().unwrap().clone();
    list.iter().map(|pem| Certificate::from_pem(pem.as_str().unwrap().as_bytes()).unwrap()).collect()
}

async fn sign(world: &World, body: &Value) -> (StatusCode, String, Value) {
    let token = world.token().await;
    let (status, kind, body) = world.post("/api/v2/signingCert", Some(&token), body.to_string()).await;
    (status, kind, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn the_leaf_has_fulcios_profile_to_the_byte() {
    let world = World::new().await;
    let chain = certificates(&world).await;
    let (leaf, issuers) = chain.split_first().unwrap();
    assert_eq!(issuers, world.chain.certificates());
    verify_chain(leaf, issuers, &issuers[1..], NOW).unwrap();
    verify_profile(leaf, &issuers[0]).unwrap();
    assert_eq!(leaf.identity().unwrap(), Identity::Email(EMAIL.to_owned()));
    assert_eq!(leaf.issuer_claim().unwrap(), ISSUER);
    assert_eq!(leaf.claim(Claim::TokenSubject).unwrap().unwrap(), SUBJECT);
    assert_eq!(leaf.public_key(), world.client.public_key());
    assert_eq!(leaf.not_before(), NOW);
    assert_eq!(leaf.not_after(), NOW.plus_seconds(600));
    assert_eq!(leaf.tbs().serial_number().as_bytes().len(), 20);

    let order: Vec<String> = leaf.extensions().iter().map(|extension| extension.extn_id.to_string()).collect();
    let arc = "1.3.6.1.4.1.57264.1";
    let expected = [
        "2.5.29.15",
        "2.5.29.37",
        "2.5.29.14",
        "2.5.29.35",
        "2.5.29.17",
        &format!("{arc}.1"),
        &format!("{arc}.8"),
        &format!("{arc}.24"),
        "1.3.6.1.4.1.11129.2.4.2",
    ];
    assert_eq!(order, expected);
    let critical: Vec<bool> = leaf.extensions().iter().map(|extension| extension.critical).collect();
    assert_eq!(critical, [true, false, false, false, true, false, false, false, false]);
    let value = |index: usize| leaf.extensions()[index].extn_value.as_bytes();
    assert_eq!(value(0), b"\x03\x02\x07\x80");
    assert_eq!(value(1), b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03");
    assert_eq!(value(2), [&b"\x04\x14"[..], &leaf.public_key().key_identifier()].concat());
    assert_eq!(value(3), [&b"\x30\x16\x80\x14"[..], &issuers[0].public_key().key_identifier()].concat());
    assert_eq!(value(4), [&b"\x30\x14\x81\x12"[..], EMAIL.as_bytes()].concat());
    assert_eq!(value(5), ISSUER.as_bytes());
    assert_eq!(value(6), [&b"\x0c\x21"[..], ISSUER.as_bytes()].concat());
    assert_eq!(value(7), [&b"\x0c\x06"[..], SUBJECT.as_bytes()].concat());

    let scts = leaf.scts().unwrap();
    assert_eq!(scts.len(), 1);
    assert_eq!(sct::leaf_index(&scts[0].extensions), Ok(Some(0)));
}

#[tokio::test]
async fn precertificate_and_certificate_differ_in_their_last_extension_alone() {
    let world = World::new().await;
    let leaf = certificates(&world).await.remove(0);
    let submitted = world.log.submissions.lock().unwrap()[0].clone();
    let precertificate = Certificate::from_der(&submitted[0]).unwrap();
    assert_eq!(submitted[1], world.chain.issuing().der());
    assert_eq!(submitted[2], world.chain.root().der());
    assert_eq!(submitted.len(), 3);
    assert_eq!(precertificate.is_precertificate(), Ok(true));
    assert_eq!(precertificate.extensions().last().unwrap().extn_value.as_bytes(), [5, 0]);
    assert_eq!(precertificate.precertificate_tbs().unwrap(), leaf.tbs_without_sct_list().unwrap());
    let poison = precertificate.extensions().last().unwrap().to_der().unwrap();
    let tbs = precertificate.precertificate_tbs().unwrap();
    assert_eq!(with_extension(&tbs, &poison).unwrap(), precertificate.tbs_der());
    let issuer = FinalIssuer::among(world.chain.certificates()).unwrap();
    assert_eq!(issuer.unverified_entry(&submitted[0]), leaf.precert_entry(world.chain.issuing().public_key()));
    assert_eq!(issuer.unverified_entry(leaf.der()), Err(Rejection::SctPoison));
    assert_eq!(precertificate.tbs_without_sct_list(), Err(Rejection::SctPoison));
    assert_eq!(leaf.precertificate_tbs(), Err(Rejection::SctPoison));

    // Signed by a CA that is trusted, and still not a certificate.
    let issuers = world.chain.certificates();
    assert_eq!(verify_chain(&precertificate, issuers, &issuers[1..], NOW), Err(Rejection::ChainCritical));
    assert_eq!(verify_path(&precertificate, issuers, &issuers[1..]).unwrap().len(), 3);
    assert!(verify_profile(&precertificate, &issuers[0]).is_err());
}

#[tokio::test]
async fn authorities_follow_the_specification() {
    let world = World::new().await;
    let [issuing, root] = world.chain.certificates() else { panic!("two certificates") };
    verify_authority(world.chain.certificates(), NOW).unwrap();
    assert_eq!(root.subject().to_string(), "CN=Example Org,O=Example Org");
    assert_eq!(issuing.subject().to_string(), "CN=Example Org intermediate,O=Example Org");
    assert_eq!(root.issuer(), root.subject());
    let value = |certificate: &Certificate, oid: &str| {
        certificate
            .extension(oid.parse().unwrap())
            .map(|extension| (extension.critical, extension.extn_value.as_bytes().to_vec()))
    };
    assert_eq!(value(root, "2.5.29.19"), Some((true, b"\x30\x06\x01\x01\xff\x02\x01\x01".to_vec())));
    assert_eq!(value(issuing, "2.5.29.19"), Some((true, b"\x30\x06\x01\x01\xff\x02\x01\x00".to_vec())));
    for certificate in [root, issuing] {
        assert_eq!(value(certificate, "2.5.29.15"), Some((true, b"\x03\x02\x01\x06".to_vec())), "certSign and crlSign");
        assert_eq!(certificate.subject_key_identifier().unwrap().unwrap(), certificate.public_key().key_identifier());
    }
    assert_eq!(value(root, "2.5.29.37"), None);
    assert_eq!(value(issuing, "2.5.29.37").unwrap().1, b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03");
    assert_eq!(issuing.authority_key_identifier().unwrap(), root.subject_key_identifier().unwrap());

    let key = issuing.public_key();
    let text = world.chain.to_pem();
    assert!(IssuingChain::from_pem(text.as_bytes(), key, NOW).is_ok());
    assert!(matches!(IssuingChain::from_pem(text.as_bytes(), root.public_key(), NOW), Err(AuthorityError::OtherKey)));
    let late = NOW.plus_seconds(4 * 365 * 86_400);
    assert!(matches!(
        IssuingChain::from_pem(text.as_bytes(), key, late),
        Err(AuthorityError::Refused(Rejection::ChainExpired))
    ));
    let upside_down = root.to_pem() + &issuing.to_pem();
    assert!(matches!(
        IssuingChain::from_pem(upside_down.as_bytes(), key, NOW),
        Err(AuthorityError::Refused(Rejection::ChainName))
    ));
    let cut = issuing.to_pem();
    assert!(matches!(
        IssuingChain::from_pem(cut.as_bytes(), key, NOW),
        Err(AuthorityError::Refused(Rejection::ChainName))
    ));
}

#[tokio::test]
async fn a_leaf_never_outlives_its_issuer() {
    let world = World::new().await;
    let end = world.chain.issuing().not_after();
    let mut claims = world::claims();
    claims["iat"] = json!(end.seconds() - 60);
    claims["exp"] = json!(end.seconds() + 10_000);
    let token = world::token(&world.issuer_key, &world::header("ES256", Some("k1")), &claims).await;
    let body = world.possession(EMAIL).await.to_string();
    let at = async |now| {
        world.clock.set(now);
        let (status, _, answer) = world.post("/api/v2/signingCert", Some(&token), body.clone()).await;
        (status, serde_json::from_slice::<Value>(&answer).unwrap())
    };
    let (status, answer) = at(end.minus_seconds(60)).await;
    assert_eq!(status, StatusCode::OK);
    let leaf = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].as_str().unwrap();
    assert_eq!(Certificate::from_pem(leaf.as_bytes()).unwrap().not_after(), end);
    for now in [end, end.plus_seconds(1)] {
        let (status, answer) = at(now).await;
        assert_eq!(
            (status, &answer["message"]),
            (StatusCode::INTERNAL_SERVER_ERROR, &json!("error communicating with CA backend"))
        );
        assert_eq!(answer["details"][0]["reason"], "ca.expired");
    }
}

#[tokio::test(start_paused = true)]
async fn no_certificate_without_an_honest_log() {
    let world = World::new().await;
    let table = [
        (Behaviour::Down, "ct.unavailable", (StatusCode::SERVICE_UNAVAILABLE, 14)),
        (Behaviour::Silent, "ct.deadline", (StatusCode::SERVICE_UNAVAILABLE, 14)),
        (Behaviour::SignsSomethingElse, "ct.promise", (StatusCode::INTERNAL_SERVER_ERROR, 13)),
        (Behaviour::SignsWithAnotherKey, "ct.promise", (StatusCode::INTERNAL_SERVER_ERROR, 13)),
    ];
    for (behaviour, reason, (expected, code)) in table {
        *world.log.behaviour.lock().unwrap() = behaviour;
        let (status, _, answer) = sign(&world, &world.possession(EMAIL).await).await;
        assert_eq!(status, expected, "{behaviour:?}");
        assert_eq!(
            (&answer["code"], &answer["message"]),
            (&json!(code), &json!("Error entering certificate in CTL")),
            "{behaviour:?}"
        );
        assert_eq!(answer["details"][0]["reason"], reason);
    }
    *world.log.behaviour.lock().unwrap() = Behaviour::Honest;
    assert_eq!(certificates(&world).await.len(), 3);
}

#[tokio::test]
async fn every_kind_of_client_key_gets_a_certificate_that_clients_read_back() {
    let world = World::new().await;
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa(2048)] {
        let (client, _) = Signer::generate(kind).unwrap();
        for challenge in [EMAIL, SUBJECT] {
            let (status, _, answer) = sign(&world, &possession(&client, challenge).await).await;
            assert_eq!(status, StatusCode::OK, "{kind:?}: {answer}");
            let leaf = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].as_str().unwrap();
            assert!(!leaf.ends_with('\n'));
            let leaf = Certificate::from_pem(leaf.as_bytes()).unwrap();
            assert_eq!(leaf.public_key(), client.public_key());
            assert_eq!(leaf.identity().unwrap().as_str(), EMAIL);
        }
        let mut fixed = possession(&client, EMAIL).await;
        if kind == KeyKind::P256 {
            let der = STANDARD.decode(fixed["publicKeyRequest"]["proofOfPossession"].as_str().unwrap()).unwrap();
            fixed["publicKeyRequest"]["proofOfPossession"] = json!(STANDARD.encode(world::fixed(&der)));
            assert_eq!(sign(&world, &fixed).await.0, StatusCode::OK, "proof as r‖s");
        }
        let (status, _, answer) = sign(&world, &possession(&client, "bob@example.test").await).await;
        assert_eq!((status, &answer["details"][0]["reason"]), (StatusCode::BAD_REQUEST, &json!("key.possession")));
    }
}
