//! Watches: which entries meet which conditions, and which conditions are no conditions.

use crate::people::{Authority, digest, signed_with_a_key};
use crate::world::{try_watches, watches};
use bytes::Bytes;
use chancery_monitor::{Authorities, LogKind, SourceEntry, scan};
use chancery_verify::sct::{ExtraData, MerkleTreeLeaf};

fn entry((leaf, extra): (Bytes, Bytes)) -> SourceEntry {
    SourceEntry { leaf, extra, timestamp_ms: None }
}

/// The indices of the entries that meet a watch.
fn met(watch: &str, authorities: &Authorities, kind: LogKind, entries: &[SourceEntry]) -> Vec<u64> {
    let watches = watches(&format!("[[watch]]\nname = \"w\"\n{watch}\n"), authorities.clone());
    scan(&watches, "rekor", kind, 0, entries).findings.iter().map(|finding| finding.index).collect()
}

#[test]
fn every_condition_finds_its_entries_and_no_other() {
    let authority = Authority::new();
    let (key_entry, key) = signed_with_a_key("keyed");
    let entries = [
        authority.signed("alice@dev.example.test", "https://issuer.example", "one"),
        authority.signed("Alice@DEV.example.test", "https://other.example", "two"),
        authority.signed("bob@example.test", "https://issuer.example", "three"),
        authority.signed("bob@ample.test", "https://issuer.example", "four"),
        key_entry,
        "no entry".into(),
    ];
    let entries = entries.map(|leaf| entry((leaf, Bytes::new())));
    for (watch, expected) in [
        ("identity = \"alice@dev.example.test\"", vec![0, 1]),
        ("identity = { regex = \"(alice|bob)@.*ample\\\\.test\" }", vec![0, 1, 2, 3]),
        ("identity = { regex = \"bob\" }", vec![]),
        ("identity = { glob = \"*@example.test\" }", vec![2]),
        ("identity = { glob = \"**\" }", vec![0, 1, 2, 3]),
        ("domains = [\"example.test\"]", vec![0, 1, 2]),
        ("domains = [\"dev.example.test\", \"ample.test\"]", vec![0, 1, 3]),
        ("issuer = \"https://issuer.example\"", vec![0, 2, 3]),
        ("issuer = \"https://issuer.example\"\ndomains = [\"example.test\"]", vec![0, 2]),
        (&format!("digests = [\"{}\"]", digest("two")), vec![1]),
        (&format!("digests = [\"{}\"]\nidentity = \"bob@example.test\"", digest("two")), vec![]),
        (&format!("keys = [\"{}\"]", key.to_uppercase()), vec![4]),
        (&format!("keys = [\"{key}\"]\nidentity = {{ glob = \"**\" }}"), vec![]),
        (&format!("terms = [\"artifact={}\", \"kind=hashedrekord\"]", digest("three")), vec![2]),
        ("terms = [\"identity-kind=email\", \"kind=dsse\"]", vec![]),
        ("unreadable = true", vec![5]),
        ("logs = [\"ct\"]\nunreadable = true", vec![]),
    ] {
        assert_eq!(met(watch, &Authorities::default(), LogKind::Rekor, &entries), expected, "{watch}");
    }
}

#[test]
fn only_certificates_of_our_authority_count_if_it_is_known() {
    let (ours, forged) = (Authority::new(), Authority::new());
    let authorities = Authorities::new(vec![ours.certificate()]);
    let signed = |authority: &Authority| authority.signed("alice@example.test", "https://issuer.example", "x");
    let (key_entry, key) = signed_with_a_key("keyed");
    let entries = [signed(&ours), signed(&forged), key_entry].map(|leaf| entry((leaf, Bytes::new())));
    for (watch, expected) in [
        ("identity = \"alice@example.test\"".to_owned(), vec![0]),
        ("domains = [\"example.test\"]".to_owned(), vec![0]),
        ("identity = \"alice@example.test\"\nours = false".to_owned(), vec![0, 1]),
        ("ours = true".to_owned(), vec![0]),
        (format!("digests = [\"{}\"]", digest("x")), vec![0, 1]),
        (format!("keys = [\"{key}\"]"), vec![2]),
    ] {
        assert_eq!(met(&watch, &authorities, LogKind::Rekor, &entries), expected, "{watch}");
    }
}

/// What is beside a leaf, with another last byte of the precertificate.
fn with_a_spoilt_signature(leaf: &[u8], extra: &[u8]) -> Bytes {
    let entry = MerkleTreeLeaf::from_bytes(leaf).unwrap().entry;
    let ExtraData::Precert { mut precertificate, chain } = ExtraData::from_bytes(extra, &entry).unwrap() else {
        unreachable!("it is a precertificate");
    };
    *precertificate.last_mut().unwrap() ^= 1;
    ExtraData::Precert { precertificate, chain }.to_bytes().unwrap().into()
}

#[test]
fn a_precertificate_is_ours_if_our_authority_has_signed_it() {
    let (ours, forged) = (Authority::new(), Authority::new());
    let authorities = Authorities::new(vec![ours.certificate()]);
    let (leaf, extra) = ours.issued("alice@example.test");
    let (forged_leaf, forged_extra) = forged.issued("alice@example.test");
    let spoilt = with_a_spoilt_signature(&leaf, &extra);
    let entries = [
        entry((leaf.clone(), extra)),
        entry((forged_leaf.clone(), forged_extra)),
        // Without the chain the leaf still has the hash of the issuer's key.
        entry((leaf.clone(), Bytes::new())),
        entry((forged_leaf, Bytes::new())),
        // And so it has if the log spoils the signature, which is not in the tree.
        entry((leaf, spoilt)),
    ];
    let found = met("identity = \"alice@example.test\"", &authorities, LogKind::Certificates, &entries);
    assert_eq!(found, [0, 2, 4]);
    assert_eq!(met("ours = true", &authorities, LogKind::Certificates, &entries), [0, 2, 4]);
    let any = met("identity = \"alice@example.test\"\nours = false", &authorities, LogKind::Certificates, &entries);
    assert_eq!(any, [0, 1, 2, 3, 4]);
}

#[test]
fn what_is_no_watch_is_refused_with_its_reason() {
    for (watch, why) in [
        ("", "no condition"),
        ("identity = \"\"", "empty pattern"),
        ("identity = { regex = \"(\" }", "regex"),
        ("identity = { glob = \"a?\" }", "glob"),
        ("identity = { domain = \"a\" }", "domain"),
        ("identities = \"a\"", "identities"),
        ("domains = [\"*.example.org\"]", "domains"),
        ("domains = [\"alice@example.org\"]", "domains"),
        ("digests = [\"abcd\"]", "digests"),
        ("digests = [\"sha256:xyz\"]", "digests"),
        ("keys = [\"abcd\"]", "keys"),
        ("keys = [\"id:\"]", "keys"),
        ("terms = [\"repository\"]", "terms"),
        ("terms = [\"colour=red\"]", "colour"),
        ("ours = true", "no authority"),
        ("unreadable = true\nidentity = \"a\"", "two watches"),
        ("identity = \"a\"\nexpected = \"/nowhere/at/all\"", "/nowhere/at/all"),
    ] {
        let error = try_watches(&format!("[[watch]]\nname = \"w\"\n{watch}\n"), Authorities::default()).unwrap_err();
        assert!(error.contains(why), "{watch}: {error}");
    }
    for name in ["", "a\\nb"] {
        assert!(
            try_watches(&format!("[[watch]]\nname = \"{name}\"\nunreadable = true\n"), Authorities::default()).is_err()
        );
    }
}
