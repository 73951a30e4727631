//! Cosignatures of public witnesses, and a witness's decision about every pair of trees.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::cosignature::{Policy, Witness, signed_bytes};
use chancery_verify::merkle::{TreeHead, consistency_proof, leaf_hash};
use chancery_verify::note::{KeyName, Note, NoteSignature};
use chancery_verify::tile::{Edge, Tiles};
use chancery_verify::verifier_key::{KeyType, VerifierKey};
use chancery_verify::witness::{AddCheckpoint, Log as WitnessedLog, Refusal, parse_lines, parse_size};
use chancery_verify::{PublicKey, Rejection, Timestamp};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

/// An entry of Rekor's staging log, with cosignatures of three witnesses.
const ENTRY: &str = include_str!("golden/rekor2-envelope.json");
const LOG: &str = "log2025-alpha3.rekor.sigstage.dev+d3d3a70c+AZQ93VXPMmj9uZj7U/7CefQ9yy8RgYFv6mKzOseipjqp";
/// Verifier keys, as published by the operators.
const WITNESSES: [&str; 3] = [
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
    "staging.witness.transparency.goog/ring-any-bells+2e1a8dc9+BG5JTpLc3FJtwzgh1Uv+Qelz9qeOH2bfWjS1s0s+y4rL",
    "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G",
];

fn staging() -> String {
    let entry: Value = serde_json::from_str(ENTRY).unwrap();
    find(&entry, "envelope").unwrap()
}

/// The first field with this name that is a checkpoint.
fn find(value: &Value, name: &str) -> Option<String> {
    let own = value.get(name).and_then(Value::as_str).filter(|text| text.contains("\n\n"));
    let below = || match value {
        Value::Object(fields) => fields.values().find_map(|value| find(value, name)),
        Value::Array(values) => values.iter().find_map(|value| find(value, name)),
        _ => None,
    };
    own.map(str::to_owned).or_else(below)
}

fn witnesses() -> Vec<Witness> {
    WITNESSES.iter().map(|vkey| Witness::parse(vkey).unwrap()).collect()
}

#[test]
fn cosignatures_of_public_witnesses_verify() {
    let note = Note::parse(&staging()).unwrap();
    for witness in witnesses() {
        let (line, time) = witness.find(&note.text, &note.signatures).unwrap();
        assert_eq!((time, line.name.clone()), (Timestamp::from_seconds(1_778_700_214), witness.name().clone()));
        assert!(staging().contains(&format!("\n{line}\n")));
        let (_, signature) = line.bytes.split_at(8);
        assert_eq!(witness.line(1_778_700_214, signature), *line);
        let other = note.text.replace("4026479", "4026480");
        assert_eq!(witness.find(&other, &note.signatures), Err(Rejection::CosignatureInvalid));
        assert_eq!(witness.find(&note.text, &note.signatures[..1]), Err(Rejection::CosignatureMissing));
    }
    let log = VerifierKey::parse(LOG).unwrap();
    let scheme = log.scheme().unwrap();
    assert_eq!(scheme.open(&staging(), log.key()).unwrap().size, 4_026_479);
    assert_eq!(scheme.verifier_key(log.key()).unwrap().to_string(), LOG);
    assert_eq!(Witness::parse(LOG), Err(Rejection::KeyUnsupported), "a log is no witness");
}

#[test]
fn a_cosignature_is_of_one_time() {
    let note = Note::parse(&staging()).unwrap();
    let [witness, ..] = &witnesses()[..] else { unreachable!() };
    let (line, _) = witness.find(&note.text, &note.signatures).unwrap();
    for seconds in [0, 1_778_700_213, u64::MAX] {
        let mut dated = line.clone();
        dated.bytes[..8].copy_from_slice(&seconds.to_be_bytes());
        assert_eq!(witness.find(&note.text, &[dated]), Err(Rejection::CosignatureInvalid), "{seconds}");
    }
    let short = witness.line(1, &[]);
    assert_eq!(witness.find(&note.text, &[short]), Err(Rejection::CosignatureInvalid));
}

#[test]
fn a_quorum_counts_witnesses_and_not_signatures() {
    let [first, second, third] = witnesses().try_into().unwrap();
    let note = Note::parse(&staging()).unwrap();
    for quorum in 1..=3 {
        let policy = Policy::new(witnesses(), quorum).unwrap();
        assert_eq!(policy.verify(&note), Ok(()));
        let mut fewer = note.clone();
        // A cosignature does not count twice.
        fewer.signatures = vec![note.signatures[0].clone(), note.signatures[1].clone(), note.signatures[1].clone()];
        let verdict = if quorum == 1 { Ok(()) } else { Err(Rejection::CosignaturesTooFew { found: 1, quorum }) };
        assert_eq!(policy.verify(&fewer), verdict);
    }
    let renamed = Witness::new(KeyName::new("someone.else").unwrap(), key_of(WITNESSES[0])).unwrap();
    let rekeyed = Witness::new(first.name().clone(), key_of(WITNESSES[1])).unwrap();
    for (list, quorum) in [
        (vec![], 0),
        (vec![first.clone()], 0),
        (vec![first.clone()], 2),
        (vec![first.clone(), first.clone()], 1),
        (vec![first.clone(), renamed], 2),
        (vec![first, rekeyed, third], 1),
        (vec![second.clone(), second], 2),
    ] {
        assert_eq!(Policy::new(list, quorum), Err(Rejection::WitnessPolicy));
    }
}

fn key_of(vkey: &str) -> PublicKey {
    VerifierKey::parse(vkey).unwrap().key().clone()
}

/// A log made for the test, with every tree up to some size.
struct Log {
    key: VerifierKey,
    pair: Ed25519KeyPair,
    tiles: Tiles,
    heads: Vec<TreeHead>,
}

const LARGEST: u64 = 80;

static OURS: LazyLock<Log> = LazyLock::new(|| Log::grow(b"ours"));
static FORK: LazyLock<Log> = LazyLock::new(|| Log::grow(b"fork"));

impl Log {
    fn grow(content: &[u8]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = PublicKey::from_spki_der(spki.as_ref()).unwrap();
        let key = VerifierKey::new(KeyName::new("log.example").unwrap(), KeyType::Ed25519, key).unwrap();
        let (mut tiles, mut edge) = (Tiles::default(), Edge::default());
        let mut heads = vec![TreeHead { size: 0, root: edge.root() }];
        for index in 0..LARGEST {
            edge.append(leaf_hash(&[content, &index.to_be_bytes()].concat()), &mut tiles);
            heads.push(TreeHead { size: index + 1, root: edge.root() });
        }
        Self { key, pair, tiles, heads }
    }

    fn log(&self) -> WitnessedLog {
        WitnessedLog::new(self.key.clone(), None).unwrap()
    }

    fn head(&self, size: u64) -> TreeHead {
        self.heads[usize::try_from(size).unwrap()]
    }

    fn checkpoint(&self, size: u64) -> String {
        let (scheme, now) = (self.key.scheme().unwrap(), Timestamp::from_seconds(1));
        let signature = self.pair.sign(&scheme.signed_bytes(&self.head(size), now));
        scheme.note(&self.head(size), now, self.key.key(), signature.as_ref())
    }

    fn request<'a>(&self, old: u64, new: u64, checkpoint: &'a str) -> AddCheckpoint<'a> {
        let proof = if old == 0 { Vec::new() } else { consistency_proof(old, new, &mut &self.tiles).unwrap() };
        AddCheckpoint { old, proof, checkpoint }
    }
}

#[test]
fn a_frozen_log_says_so_in_a_line_that_its_key_signs() {
    let (scheme, key, head) = (OURS.key.scheme().unwrap(), OURS.key.key(), OURS.head(7));
    let since = Timestamp::from_seconds(1_257_894_000);
    let text = scheme.frozen_text(&head, since).unwrap();
    let before = Note::parse(&OURS.checkpoint(7)).unwrap().text;
    assert_eq!(text, format!("{before}Log frozen — Tue Nov 10 23:00:00 UTC 2009\n"));
    let signature = OURS.pair.sign(text.as_bytes());
    let note = scheme.frozen_note(text, key, signature.as_ref());
    assert_eq!(scheme.open(&note, key), Ok(head));
    assert_eq!(scheme.open(&note.replace("2009", "2010"), key), Err(Rejection::NoteSignature));
    // Whoever cosigned the checkpoint before can cosign this one: the tree is the same.
    let request = OURS.request(7, 7, &note).to_string();
    assert_eq!(AddCheckpoint::parse(&request).unwrap().checkpoint, note);
    let name = KeyName::new("log.example").unwrap();
    for other in [Scheme::RekorV1 { host: name.clone(), tree_id: 7 }, Scheme::StaticCt { origin: name }] {
        assert_eq!(other.frozen_text(&head, since), None);
    }
}

proptest! {
    #[test]
    fn a_witness_goes_on_along_one_history(known in 0..=LARGEST, old in 0..=LARGEST, new in 0..=LARGEST, fork: bool) {
        let (old, new) = (old.min(new), old.max(new));
        let log = if fork { &*FORK } else { &*OURS };
        let checkpoint = log.checkpoint(new);
        let request = log.request(old, new, &checkpoint);
        let head = OURS.head(known);
        let expected = match () {
            () if old != known => Err(Refusal::Conflict { size: known }),
            () if fork && known > 0 => Err(Refusal::Inconsistent),
            () => Ok(log.head(new)),
        };
        prop_assert_eq!(request.judge(&OURS.log(), Some(&head)), expected);
        if known == 0 {
            prop_assert_eq!(request.judge(&OURS.log(), None), expected);
        }
        let text = request.to_string();
        prop_assert_eq!(AddCheckpoint::parse(&text), Ok(request));
    }

    #[test]
    fn no_other_proof_is_taken(old in 1..LARGEST, grown in 1..LARGEST, at: prop::sample::Index, bit in 0..8_u8) {
        let new = (old + grown).min(LARGEST);
        let checkpoint = OURS.checkpoint(new);
        let mut request = OURS.request(old, new, &checkpoint);
        let known = OURS.head(old);
        let longer = AddCheckpoint { proof: [request.proof.clone(), vec![[0; 32]]].concat(), ..request.clone() };
        prop_assert_eq!(longer.judge(&OURS.log(), Some(&known)), Err(Refusal::Inconsistent));
        if !request.proof.is_empty() {
            let at = at.index(request.proof.len());
            request.proof[at][0] ^= 1 << bit;
            prop_assert_eq!(request.judge(&OURS.log(), Some(&known)), Err(Refusal::Inconsistent));
        }
    }
}

#[test]
fn only_the_log_is_listened_to() {
    let checkpoint = OURS.checkpoint(5);
    let judge = |checkpoint: &str, old| AddCheckpoint { old, proof: vec![], checkpoint }.judge(&OURS.log(), None);
    assert_eq!(judge(&checkpoint, 0), Ok(OURS.head(5)));
    let cosigned = format!("{checkpoint}— someone.else AAAAAQME\n");
    assert_eq!(judge(&cosigned, 0), Ok(OURS.head(5)), "signatures of others are ignored");
    assert_eq!(judge(&checkpoint.replace("\n5\n", "\n6\n"), 0), Err(Refusal::Unsigned));
    assert_eq!(judge(&checkpoint.replacen("log.example", "log.other", 1), 0), Err(Refusal::Unsigned));
    assert_eq!(judge(&checkpoint.replacen("— log.example", "— log.other", 1), 0), Err(Refusal::Unsigned));
    assert_eq!(judge(&checkpoint, 6), Err(Refusal::Malformed), "old is larger than new");
    assert_eq!(judge("nothing", 0), Err(Refusal::Malformed));
    let other_root = checkpoint.replace("\n5\n", "\n0\n");
    assert_eq!(judge(&other_root, 0), Err(Refusal::Inconsistent), "an empty tree has one root");
    let as_witness = VerifierKey::new(OURS.key.name().clone(), KeyType::Cosignature, OURS.key.key().clone()).unwrap();
    assert_eq!(WitnessedLog::new(as_witness, None), Err(Rejection::KeyUnsupported), "a witness is no log");
}

#[test]
fn what_is_not_a_request_is_refused() {
    let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=";
    let whole = format!("old 7\n{hash}\n\nnote");
    let parsed = AddCheckpoint::parse(&whole).unwrap();
    assert_eq!((parsed.old, parsed.proof.len(), parsed.checkpoint), (7, 1, "note"));
    assert_eq!(AddCheckpoint::parse("old 0\n\n").unwrap().origin(), "");
    let lines = |count: usize| format!("old 7\n{}\nnote", format!("{hash}\n").repeat(count));
    assert!(AddCheckpoint::parse(&lines(63)).is_ok());
    for bad in [
        String::new(),
        "old 7\n".to_owned(),
        format!("old 7\n{hash}\nnote"),
        format!("new 7\n{hash}\n\nnote"),
        format!("old 07\n{hash}\n\nnote"),
        format!("old +7\n{hash}\n\nnote"),
        format!("old 18446744073709551616\n{hash}\n\nnote"),
        format!("old 7\n{}\n\nnote", &hash[4..]),
        format!("old 7\r\n{hash}\n\nnote"),
        lines(64),
    ] {
        assert_eq!(AddCheckpoint::parse(&bad), Err(Rejection::WitnessRequest), "{bad}");
    }
}

#[test]
fn answers_are_sizes_or_signature_lines() {
    assert_eq!((parse_size("0\n"), parse_size("20852014\n"), parse_size("7")), (Ok(0), Ok(20_852_014), Ok(7)));
    for bad in ["", "\n", "07\n", "-1\n", "7 \n", "7\n\n", "18446744073709551616\n"] {
        assert_eq!(parse_size(bad), Err(Rejection::WitnessAnswer), "{bad:?}");
    }
    let (_, lines) = staging().split_once("\n\n").map(|(text, lines)| (text.to_owned(), lines.to_owned())).unwrap();
    assert_eq!(parse_lines(&lines).unwrap().len(), 4);
    for bad in ["", "\n", "witness AAAAAQME\n", "— witness AAAAAQME", &"— w AAAAAQME\n".repeat(101)] {
        assert_eq!(parse_lines(bad), Err(Rejection::WitnessAnswer), "{bad:?}");
    }
    let text = "log.example\n0\nroot\n";
    assert_eq!(signed_bytes(text, 7), b"cosignature/v1\ntime 7\nlog.example\n0\nroot\n");
}

/// The key of one name signs for another origin, as the Go checksum database does.
#[test]
fn the_origin_may_be_another_than_the_name_of_the_key() {
    let own = OURS.key.name().to_string();
    let head = OURS.head(5);
    let text = OURS.checkpoint(5).replacen(&own, "a tree of ours", 1);
    let (body, _) = text.split_once("\n\n").unwrap();
    let signature = OURS.pair.sign(format!("{body}\n").as_bytes());
    let line =
        NoteSignature { name: OURS.key.name().clone(), key_id: OURS.key.key_id(), bytes: signature.as_ref().to_vec() };
    let note = Note { text: format!("{body}\n"), signatures: vec![line] }.to_string();
    let judge = |origin, checkpoint: &str| {
        let log = WitnessedLog::new(OURS.key.clone(), origin).unwrap();
        AddCheckpoint { old: 0, proof: vec![], checkpoint }.judge(&log, None)
    };
    assert_eq!(judge(Some("a tree of ours"), &note), Ok(head));
    assert_eq!(judge(Some("a tree of others"), &note), Err(Refusal::Unsigned));
    assert_eq!(judge(None, &note), Err(Refusal::Unsigned));
    assert_eq!(judge(Some("a tree of ours"), &OURS.checkpoint(5)), Err(Refusal::Unsigned));
    assert_eq!(judge(Some("a tree of ours"), &text), Err(Refusal::Unsigned), "signed for the other origin");
    assert_eq!(judge(Some(&own), &OURS.checkpoint(5)), Ok(head));
}
