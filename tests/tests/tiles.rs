//! Logs as files (C2SP tlog-tiles, static-ct-api): a reader who knows nothing but the specification and the log's key.

use chancery_tests::{
    ALICE, Stack,
    fulcio::{SIGNING_CERT_V2, key_request},
    http::Request,
    key::{Key, PublicKey, sha256},
    rekor::{Checkpoint, hashedrekord},
    tree::{self, Hash},
};
use flate2::read::GzDecoder;
use std::{fs, io::Read as _};

const REKOR: &str = "/tlog/rekor";
const CT: &str = "/ct/dev";

/// More than one full tile and bundle.
const ENTRIES: u64 = 300;

fn fill(stack: &Stack) {
    let key = Key::generate();
    for number in 0..ENTRIES {
        stack.post("/api/v1/log/entries", &hashedrekord(&key, format!("artifact {number}").as_bytes())).expect(201);
    }
}

fn octets(stack: &Stack, path: &str) -> Vec<u8> {
    let response = stack.get(path).expect(200);
    assert_eq!(response.header("content-type"), Some("application/octet-stream"), "{path}");
    assert_eq!(response.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
    response.body
}

/// `.p/W` for a partial tile of this many hashes.
fn partial(width: u64) -> String {
    if width == 256 { String::new() } else { format!(".p/{width}") }
}

/// The concatenated contents of the tiles at level 0, or of the bundles, of a tree of this size.
fn level_zero(stack: &Stack, prefix: &str, name: &str, size: u64) -> Vec<Vec<u8>> {
    let widths = (0..size.div_ceil(256)).map(|tile| (tile, (size - 256 * tile).min(256)));
    widths.map(|(tile, width)| octets(stack, &format!("{prefix}/tile/{name}/{tile:03}{}", partial(width)))).collect()
}

fn hashes(tiles: &[Vec<u8>]) -> Vec<Hash> {
    tiles.iter().flat_map(|tile| tile.as_chunks::<32>().0.to_vec()).collect()
}

#[test]
fn a_rekor_log_is_read_without_its_api() {
    let mut stack = Stack::start();
    fill(&stack);
    let key = PublicKey::from_pem(&fs::read_to_string(stack.trust("rekor.pub")).unwrap());
    let response = stack.get(&format!("{REKOR}/checkpoint")).expect(200);
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    let checkpoint = Checkpoint::open(&response.text(), &key);
    assert_eq!(checkpoint.size, ENTRIES + 1);

    let leaf_hashes = hashes(&level_zero(&stack, REKOR, "0", checkpoint.size));
    assert_eq!(tree::root(&leaf_hashes), checkpoint.root);
    let level_one = octets(&stack, &format!("{REKOR}/tile/1/000.p/1"));
    assert_eq!(level_one, tree::root(&leaf_hashes[..256]));

    let mut from_bundles = Vec::new();
    for bundle in level_zero(&stack, REKOR, "entries", checkpoint.size) {
        let mut rest = bundle.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (leaf, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            from_bundles.push(tree::leaf_hash(leaf));
            rest = after;
        }
    }
    assert_eq!(from_bundles, leaf_hashes);
    bundles_come_as_gzip_to_those_who_accept_it(&stack, checkpoint.size);
    // An earlier partial tile is a prefix of what the tile has become.
    assert_eq!(octets(&stack, &format!("{REKOR}/tile/0/000.p/7")), leaf_hashes[..7].concat());
    stack.check();
}

fn bundles_come_as_gzip_to_those_who_accept_it(stack: &Stack, size: u64) {
    let ask = |path: &str| {
        let request = Request::get(&format!("{}{REKOR}/tile/{path}", stack.url()));
        request.header("accept-encoding", "gzip, br").send().expect(200)
    };
    // Twice: the second time from memory.
    for _ in 0..2 {
        let full = ask("entries/000");
        assert_eq!((full.header("content-encoding"), full.header("vary")), (Some("gzip"), Some("accept-encoding")));
        let mut bundle = Vec::new();
        GzDecoder::new(full.body.as_slice()).read_to_end(&mut bundle).unwrap();
        assert_eq!(bundle, octets(stack, &format!("{REKOR}/tile/entries/000")));
        assert!(full.body.len() < bundle.len());
    }
    for path in ["0/000".to_owned(), format!("entries/001.p/{}", size - 256)] {
        let plain = ask(&path);
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert_eq!(plain.body, octets(stack, &format!("{REKOR}/tile/{path}")));
    }
}

#[test]
fn a_certificate_log_is_static() {
    let mut stack = Stack::start();
    for _ in 0..3 {
        let request = Request::post(&stack.at(SIGNING_CERT_V2));
        let request = request.header("Authorization", &format!("Bearer {}", stack.token(ALICE)));
        request.json(&key_request(&Key::generate(), ALICE)).send().expect(200);
    }
    let checkpoint = stack.get(&format!("{CT}/checkpoint")).expect(200).text();
    let lines: Vec<&str> = checkpoint.lines().collect();
    assert_eq!(lines[..2], ["127.0.0.1/ct/dev", "3"], "{checkpoint}");

    let leaf_hashes = hashes(&level_zero(&stack, CT, "0", 3));
    let data = level_zero(&stack, CT, "data", 3).concat();
    let mut rest = data.as_slice();
    let mut take = |length: usize| {
        let (taken, after) = rest.split_at(length);
        rest = after;
        taken.to_vec()
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    for (index, leaf_hash) in leaf_hashes.iter().enumerate() {
        // TimestampedEntry of a precertificate: time, type, issuer key hash, TBS, extensions.
        let mut entry = take(8 + 2 + 32);
        for width in [3, 2] {
            let length = take(width);
            entry.extend(&length);
            entry.extend(take(number(&length)));
        }
        assert_eq!(entry[entry.len() - 8..], [0, 0, 5, 0, 0, 0, 0, u8::try_from(index).unwrap()], "leaf_index");
        assert_eq!(tree::leaf_hash(&[&[0, 0], entry.as_slice()].concat()), *leaf_hash);
        let precertificate = take(3);
        take(number(&precertificate));
        let fingerprints = take(2);
        for fingerprint in take(number(&fingerprints)).as_chunks::<32>().0 {
            let hex = hex::encode(fingerprint);
            let issuer = stack.get(&format!("{CT}/issuer/{hex}")).expect(200);
            assert_eq!(issuer.header("content-type"), Some("application/pkix-cert"));
            assert_eq!(sha256(&issuer.body), *fingerprint);
        }
    }
    assert!(rest.is_empty(), "nothing follows the last entry");
    stack.check();
}

#[test]
fn what_is_not_there_is_not_found_and_not_cached() {
    let mut stack = Stack::start();
    for path in ["tile/0/000.p/2", "tile/0/000", "tile/1/000.p/1", "tile/0/001.p/1", "tile/entries/000.p/2"] {
        let response = stack.get(&format!("{REKOR}/{path}")).expect(404);
        assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
    }
    for path in
        ["tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/64/000", "tile/data/000.p/1", "tile/0/x000/000"]
    {
        stack.get(&format!("{REKOR}/{path}")).expect(400);
    }
    stack.get(&format!("{CT}/issuer/{}", "00".repeat(32))).expect(404);
    stack.get(&format!("{CT}/issuer/xyz")).expect(400);
    stack.check();
}
