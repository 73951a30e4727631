//! What is kept beside entries: kept before the answer, shown with the entry, never as something else. And which kinds of
//! entries clients may add.

use crate::bench::{Bench, Database, Running};
use crate::hooked::{Hooked, Step};
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_daemon::signer::Signer;
use chancery_log::Access;
use chancery_log::check::{Finding, check_attestations};
use chancery_log::read_attestations;
use chancery_log::reader::{Admission, Reader, Readers, RefusalKind, Refused};
use chancery_log::rekor_v1::{Attestations, Choices, KindName, RekorV1};
use chancery_log::store::StoreError;
use chancery_verify::hash::sha256;
use chancery_verify::key::KeyKind;
use chancery_verify::rekor::dsse::pre_authentication_encoding;
use chancery_verify::terms::{Term, TermKind};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tower::ServiceExt as _;

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const MAX_BYTES: usize = 64;

/// The log, which keeps what has up to [`MAX_BYTES`].
fn keeping(running: &Running) -> RekorV1 {
    let attestations = Attestations::Kept { max_bytes: MAX_BYTES };
    RekorV1::new(running.log.clone()).with(Choices { attestations, ..Choices::default() })
}

async fn ask(rekor: &RekorV1, method: Method, path: &str, body: String) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    let answer = rekor.router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (status, body) = (answer.status(), to_bytes(answer.into_body(), 1 << 20).await.unwrap());
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn propose(rekor: &RekorV1, proposal: &str) -> (StatusCode, Value) {
    ask(rekor, Method::POST, "/api/v1/log/entries", proposal.to_owned()).await
}

/// What is beside the entry at an index, in every answer that has the entry.
async fn beside(rekor: &RekorV1, index: u64) -> Option<Vec<u8>> {
    let (status, by_index) =
        ask(rekor, Method::GET, &format!("/api/v1/log/entries?logIndex={index}"), String::new()).await;
    assert_eq!(status, StatusCode::OK);
    let (id, entry) = by_index.as_object().unwrap().iter().next().unwrap();
    let (_, by_id) = ask(rekor, Method::GET, &["/api/v1/log/entries/", id].concat(), String::new()).await;
    let query = json!({ "entryUUIDs": [id] }).to_string();
    let (_, retrieved) = ask(rekor, Method::POST, "/api/v1/log/entries/retrieve", query).await;
    for other in [&by_id[id], &retrieved[0][id]] {
        assert_eq!(other.get("attestation"), entry.get("attestation"));
    }
    entry.get("attestation").map(|attestation| STANDARD.decode(attestation["data"].as_str().unwrap()).unwrap())
}

/// A proposal of an envelope with this payload.
async fn envelope(payload: &[u8]) -> String {
    let (signer, _) = Signer::generate(KeyKind::P256).unwrap();
    let signature = signer.sign(&pre_authentication_encoding(PAYLOAD_TYPE, payload)).await.unwrap();
    let envelope = json!({
        "payload": STANDARD.encode(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{ "sig": STANDARD.encode(signature) }],
    });
    let key = STANDARD.encode(signer.public_key().to_pem());
    let content = json!({ "envelope": envelope.to_string(), "verifiers": [key] });
    json!({ "kind": "dsse", "apiVersion": "0.0.1", "spec": { "proposedContent": content } }).to_string()
}

pub(crate) async fn what_an_entry_has_beside_it_is_kept_and_shown(bench: Bench) {
    let running = bench.start().await;
    let rekor = keeping(&running);
    let (small, large) = (vec![b'a'; MAX_BYTES], vec![b'b'; MAX_BYTES + 1]);
    for payload in [&small, &large] {
        let (status, created) = propose(&rekor, &envelope(payload).await).await;
        assert_eq!(status, StatusCode::CREATED, "{created}");
        assert!(!created.to_string().contains("attestation"), "upstream shows it to readers only");
    }
    assert_eq!(beside(&rekor, 0).await, Some(small.clone()));
    assert_eq!(beside(&rekor, 1).await, None, "it is larger than the limit, and only its entry is logged");
    assert_eq!(
        beside(&RekorV1::new(running.log.clone()), 0).await,
        None,
        "nothing is shown unless the operator says so"
    );

    let store = running.database.store();
    check_attestations(&*store).await.unwrap();
    let refused = running.database.execute("UPDATE attestations SET data = x'00'").await;
    assert!(refused.unwrap_err().to_string().contains("attestations are immutable"));
    running.database.drop_triggers().await;
    running.database.execute("UPDATE attestations SET data = x'00'").await.unwrap();
    assert_eq!(beside(&rekor, 0).await, None, "other contents are not shown");
    let found = check_attestations(&*store).await;
    assert!(matches!(found, Err(Finding::Attestation { digest }) if digest == sha256(&small)), "{found:?}");

    running.database.execute("DELETE FROM attestations").await.unwrap();
    check_attestations(&*store).await.unwrap();
    about_its_subjects(&running).await;
    running.database.execute("DELETE FROM attestations").await.unwrap();
    assert_eq!(beside(&rekor, 0).await, None);
    check_attestations(&*store).await.unwrap();
    assert_eq!(bench.check(&running).await.unwrap(), 2, "the log is what it was");
    running.stop().await;
}

/// What is kept is found by what it is about, and a row that is missing is found.
async fn about_its_subjects(running: &Running) {
    let store = running.database.store();
    let data = Bytes::from_static(br#"{"subject":[{"digest":{"sha256":"aa"}},{"digest":{"sha256":"bb"}}]}"#);
    let digest = sha256(&data);
    let [one, two] =
        [0xaa, 0xbb].map(|byte| Term::of_digest(TermKind::ArtifactDigest, "sha256", &[byte]).as_bytes().to_vec());
    let subjects = vec![one.clone(), two.clone()];
    for _ in 0..2 {
        store.put_attestation(digest, data.clone(), subjects.clone()).await.unwrap();
    }
    let pairs: Vec<_> = subjects.iter().map(|subject| (subject.clone(), digest)).collect();
    assert_eq!(store.attestation_subjects(vec![[1; 32], digest]).await.unwrap(), pairs);
    assert_eq!(store.attestation_subjects(Vec::new()).await.unwrap(), []);
    // Several at once, of which there are not all.
    let beside = Bytes::from_static(b"a COSE message");
    store.put_attestation(sha256(&beside), beside.clone(), Vec::new()).await.unwrap();
    let mut found = store.attestations_with(vec![sha256(&beside), [1; 32], digest]).await.unwrap();
    found.sort_unstable();
    let mut expected = vec![(digest, data.clone()), (sha256(&beside), beside)];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(store.attestations_with(Vec::new()).await.unwrap(), []);
    let other = vec![0x10, 1, 2];
    let found = store.attestations_about(vec![other.clone(), one.clone()], 10).await.unwrap();
    assert_eq!(found, [(one.clone(), digest)]);
    assert_eq!(store.attestations_about(vec![other], 10).await.unwrap(), []);
    assert_eq!(store.attestations_about(vec![one, two], 1).await.unwrap().len(), 1);
    check_attestations(&*store).await.unwrap();
    running.database.execute("DELETE FROM attestation_subjects").await.unwrap();
    let missing = check_attestations(&*store).await;
    assert!(matches!(missing, Err(Finding::AttestationSubjects { digest: found }) if found == digest), "{missing:?}");
}

/// Makes of the schema what version 9 had.
const VERSION_9: [&str; 3] = [
    "DROP TABLE unread_attestations",
    "DROP TABLE attestation_subjects",
    "DELETE FROM _sqlx_migrations WHERE version > 9",
];

pub(crate) async fn statements_of_an_earlier_version_are_read_for_what_they_are_about(bench: Bench) {
    let database = bench.open().await.unwrap();
    let store = database.store();
    let statement = |byte: u8| Bytes::from(format!(r#"{{"subject":[{{"digest":{{"sha256":"{byte:02x}"}}}}]}}"#));
    let term = |byte: u8| Term::of_digest(TermKind::ArtifactDigest, "sha256", &[byte]).as_bytes().to_vec();
    // More than are read at once, and one that is no statement.
    let mut kept: Vec<(Bytes, Vec<Vec<u8>>)> = (0..40).map(|byte| (statement(byte), vec![term(byte)])).collect();
    kept.push((Bytes::from_static(b"a COSE message"), Vec::new()));
    for (data, _) in &kept {
        store.put_attestation(sha256(data), data.clone(), Vec::new()).await.unwrap();
    }
    if let Database::Sqlite(_) = &database {
        for trigger in ["attestation_subjects_go_with_it", "unread_attestations_go_with_it"] {
            database.execute(&format!("DROP TRIGGER {trigger}")).await.unwrap();
        }
    } else {
        database.execute("DROP FUNCTION note_unread_attestation() CASCADE").await.unwrap();
    }
    for statement in VERSION_9 {
        database.execute(statement).await.unwrap();
    }
    database.close().await;

    let database = bench.open().await.unwrap();
    let store = database.store();
    let about = async |byte| store.attestations_about(vec![term(byte)], 9).await.unwrap();
    check_attestations(&*store).await.unwrap();
    assert_eq!(about(7).await, [], "nobody has read it yet");
    // A server that stops after one goes on with the others.
    let (digest, _) = store.unread_attestations(1).await.unwrap().remove(0);
    let (_, subjects) = kept.iter().find(|(data, _)| sha256(data) == digest).unwrap();
    for _ in 0..2 {
        store.put_subjects(digest, subjects.clone()).await.unwrap();
    }
    assert!(!store.is_unread(digest).await.unwrap());
    assert_eq!(read_attestations(&*store).await.unwrap(), 40);
    assert_eq!(read_attestations(&*store).await.unwrap(), 0, "once");
    for (data, subjects) in &kept {
        let pairs: Vec<_> = subjects.iter().map(|subject| (subject.clone(), sha256(data))).collect();
        assert_eq!(store.attestation_subjects(vec![sha256(data)]).await.unwrap(), pairs);
    }
    assert_eq!(about(7).await, [(term(7), sha256(&statement(7)))]);
    check_attestations(&*store).await.unwrap();
    // What is not unread is not made of nothing.
    store.put_subjects(sha256(&statement(7)), vec![term(99)]).await.unwrap();
    assert_eq!(about(99).await, []);
    database.execute("DELETE FROM attestation_subjects").await.unwrap();
    let missing = check_attestations(&*store).await;
    assert!(matches!(missing, Err(Finding::AttestationSubjects { .. })), "they were read: {missing:?}");
    database.close().await;
}

/// A server that was started before the upgrade keeps statements as its version did.
#[tokio::test]
async fn a_statement_that_an_older_server_keeps_after_the_upgrade_is_read() {
    let bench = Bench::postgres();
    let database = bench.open().await.unwrap();
    let store = database.store();
    let data = br#"{"subject":[{"digest":{"sha256":"aa"}}]}"#;
    let subject = Term::of_digest(TermKind::ArtifactDigest, "sha256", &[0xaa]).as_bytes().to_vec();
    let [digest, hex] = [hex::encode(sha256(data)), hex::encode(data)];
    let keep =
        format!("INSERT INTO attestations (digest, data) VALUES ('\\x{digest}', '\\x{hex}') ON CONFLICT DO NOTHING");
    for _ in 0..2 {
        database.execute(&keep).await.unwrap();
    }
    // What this version keeps is read already, and what is about nothing is not read for ever.
    let other = Bytes::from_static(br#"{"subject":[{"digest":{"sha256":"bb"}}]}"#);
    let about_other = Term::of_digest(TermKind::ArtifactDigest, "sha256", &[0xbb]).as_bytes().to_vec();
    store.put_attestation(sha256(&other), other.clone(), vec![about_other]).await.unwrap();
    let message = Bytes::from_static(b"a COSE message");
    store.put_attestation(sha256(&message), message.clone(), Vec::new()).await.unwrap();
    check_attestations(&*store).await.unwrap();
    assert_eq!(store.unread_attestations(9).await.unwrap(), [(sha256(data), Bytes::from_static(data))]);
    assert_eq!(read_attestations(&*store).await.unwrap(), 1);
    assert_eq!(store.attestations_about(vec![subject.clone()], 9).await.unwrap(), [(subject, sha256(data))]);
    check_attestations(&*store).await.unwrap();
    database.close().await;
}

pub(crate) async fn an_entry_is_acknowledged_with_what_is_beside_it(bench: Bench) {
    let database = bench.open().await.unwrap();
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let store = Hooked::new(database.store(), move |step| {
        let fails = step == Step::BeforeAttestation && broken.load(Ordering::SeqCst);
        if fails { Err(StoreError::Timeout) } else { Ok(()) }
    });
    let running = bench.start_over(database, Arc::new(store), bench.signer.clone(), "log.example").await.unwrap();
    let rekor = keeping(&running);
    let proposal = envelope(b"statement").await;
    let (status, _) = propose(&rekor, &proposal).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "the entry is committed, and nobody has been told");
    assert_eq!(beside(&rekor, 0).await, None);

    is_broken.store(false, Ordering::SeqCst);
    let (status, _) = propose(&rekor, &proposal).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(beside(&rekor, 0).await.as_deref(), Some(&b"statement"[..]), "who repeats the request has it kept");
    assert_eq!(bench.check(&running).await.unwrap(), 1);
    running.stop().await;
}

/// Takes no token.
struct Nobody;

impl Reader for Nobody {
    fn admit<'a>(&'a self, _: &'a str) -> Admission<'a> {
        let refused =
            Refused { kind: RefusalKind::Missing, code: "token.missing", realm: "log", message: "send a token".into() };
        Box::pin(async move { Err(refused) })
    }
}

#[tokio::test]
async fn what_an_entry_has_beside_it_is_for_readers() {
    let bench = Bench::sqlite();
    let running = bench.start().await;
    let access = Access { readers: Readers::only(Arc::new(Nobody)), ..Access::default() };
    let rekor = keeping(&running);
    let private = rekor.clone().restricted(access);
    let proposal = envelope(b"statement").await;
    assert_eq!(propose(&private, &proposal).await.0, StatusCode::CREATED);
    let whole = format!(r#"{{"entries":[{proposal}]}}"#);
    for (rekor, is_shown) in [(&rekor, true), (&private, false)] {
        let (status, found) = ask(rekor, Method::POST, "/api/v1/log/entries/retrieve", whole.clone()).await;
        assert_eq!((status, found.as_array().map(Vec::len)), (StatusCode::OK, Some(1)), "{found}");
        assert_eq!(found.to_string().contains("attestation"), is_shown, "{found}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_kind_that_is_not_enabled_is_refused_before_it_is_looked_at() {
    let bench = Bench::sqlite();
    let running = bench.start().await;
    let only_dsse = ["dsse"].map(|name| name.parse::<KindName>().unwrap()).into_iter().collect();
    let usual = RekorV1::new(running.log.clone());
    let narrow = usual.clone().with(Choices { kinds: only_dsse, ..Choices::default() });
    let reason = |kind| format!("entry kind '{kind}' is not enabled for submission on this server");
    for (rekor, kind) in
        [(&usual, "jar"), (&usual, "rpm"), (&usual, "alpine"), (&narrow, "hashedrekord"), (&narrow, "tuf")]
    {
        let proposal = json!({ "kind": kind, "apiVersion": "0.0.1", "spec": { "archive": 1 } });
        let (status, body) = propose(rekor, &proposal.to_string()).await;
        let message = format!("error processing entry: {}", reason(kind));
        assert_eq!((status, body["message"].as_str()), (StatusCode::BAD_REQUEST, Some(message.as_str())));
        let (status, body) =
            ask(rekor, Method::POST, "/api/v1/log/entries/retrieve", json!({ "entries": [proposal] }).to_string())
                .await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let is_archive = ["jar", "rpm", "alpine"].contains(&kind);
        assert_eq!(body["message"] == reason(kind), is_archive, "only archives are not even looked up: {body}");
    }
    let (status, body) = propose(&narrow, &envelope(b"statement").await).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let of_unknown = json!({ "kind": "unknown", "apiVersion": "0.0.1", "spec": {} }).to_string();
    assert_eq!(propose(&usual, &of_unknown).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bench.check(&running).await.unwrap(), 1);
    running.stop().await;
}
