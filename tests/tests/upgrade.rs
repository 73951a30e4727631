//! A data directory that an earlier version wrote: today's server takes it over, and what was signed still verifies.

use chancery_tests::{
    ALICE, Stack,
    http::Request,
    key::Key,
    rekor::{ENTRIES, Entry, hashedrekord},
    rekor_v2,
};
use std::path::Path;

/// Entries of the Rekor log in the golden directory: the seed and three signatures.
const LOGGED: u64 = 4;
/// The issuer of the instance that signed.
const ISSUER: &str = "http://127.0.0.1:8095/oidc";

#[test]
fn entries_of_schema_version_1_are_read_extended_and_verified() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/data-schema-1");
    let mut stack = Stack::over(&golden);
    for index in 0..LOGGED {
        let entry = Entry::parse(&stack.get(&format!("{ENTRIES}?logIndex={index}")).expect(200).json());
        assert_eq!(entry.log_index(), index);
        let by_id = Entry::parse(&stack.get(&format!("{ENTRIES}/{}", entry.id)).expect(200).json());
        assert_eq!(by_id.log_index(), index, "found by its leaf hash");
    }
    // Across the border of the first bundle: the tile that was stored while it was partial becomes full.
    let key = Key::generate();
    for number in 0..300 {
        let proposal = hashedrekord(&key, format!("artifact {number}").as_bytes());
        Request::post(&stack.at(ENTRIES)).json(&proposal).send().expect(201);
    }
    // A log that the earlier version had not, made beside it.
    let entry =
        rekor_v2::Entry(stack.post(rekor_v2::ENTRIES, &rekor_v2::hashedrekord(&key, b"artifact")).expect(201).json());
    entry.verify(&rekor_v2::key(&stack));
    assert_eq!(entry.log_index(), 1);
    let trust = stack.trust_files();
    stack.terminate();
    stack.resume();
    assert_eq!(stack.trust_files(), trust, "it is made once");
    stack.post(rekor_v2::ENTRIES, &rekor_v2::hashedrekord(&key, b"artifact")).expect(409);
    let person = stack.person(ALICE);
    let verify = person.cosign3().args("verify-blob --trusted-root").arg(person.trust("trusted_root.json"));
    let verify = verify.arg("--bundle").arg(golden.join("hello.sigstore.json"));
    let verify = verify.args("--certificate-identity").arg(ALICE).args("--certificate-oidc-issuer").arg(ISSUER);
    verify.arg(golden.join("hello.txt")).run().succeeds();
    stack.check();
}
