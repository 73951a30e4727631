//! What it costs a monitor to verify an entry: to hash it into the tree, and to look whether it meets a watch.
//!
//! Without a network, in one thread, over entries that were made of a bundle's. The floor is one SHA-256 over each leaf and each node
//! of the tree.
//!
//! ```text
//! monitor-entries --bundle a.sigstore.json
//! ```

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_benches::floor::best;
use chancery_monitor::{Authorities, LogKind, SourceEntry, Watch, WatchTable, Watches, scan};
use chancery_verify::merkle::{CompactRange, leaf_hash};
use chancery_verify::terms::Entry;
use clap::Parser;
use serde_json::Value;
use std::{fs, hint::black_box, path::PathBuf};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure what a monitor does with entries
#[derive(Debug, Parser)]
struct Arguments {
    /// A bundle with an entry of kind hashedrekord, of Rekor v1 or v2
    #[arg(long)]
    bundle: PathBuf,
    /// Entries
    #[arg(long, default_value_t = 20_000)]
    entries: u32,
    /// Times that they are followed; the best one counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Watches as an organisation has them, none of which an entry meets.
const WATCHES: [&str; 4] = [
    "name = \"people\"\ndomains = [\"watched.example\"]",
    "name = \"build\"\nidentity = { glob = \"https://github.com/watched/**\" }\nissuer = \"https://issuer.example\"",
    "name = \"alice\"\nidentity = \"alice@watched.example\"",
    "name = \"key\"\nkeys = [\"c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d\"]",
];

fn main() -> anyhow::Result<()> {
    let Arguments { bundle, entries, rounds } = Arguments::parse();
    let body = body(&fs::read(bundle)?)?;
    let entries = copies(&body, entries)?;
    let nothing = Watches::default();
    let mut watches = Vec::new();
    for text in WATCHES {
        let table: WatchTable = toml::from_str(text)?;
        watches.push(Watch::new(table, &Authorities::default())?);
    }
    let watches = Watches::new(watches, Authorities::default());
    println!("{} entries of {} bytes, one thread", entries.len(), body.len());
    for (name, watches) in [("hashed", &nothing), ("hashed and compared with 4 watches", &watches)] {
        let took_us = best(rounds, || {
            let mut range = CompactRange::default();
            let scanned = scan(watches, "rekor", LogKind::Rekor, 0, &entries);
            ensure!(scanned.findings.is_empty(), "no entry meets a watch");
            scanned.leaf_hashes.into_iter().for_each(|leaf_hash| range.push(leaf_hash));
            black_box(range.head());
            Ok(())
        })?;
        show(name, took_us, entries.len());
    }
    let leaf_us = best(rounds, || {
        for entry in &entries {
            black_box(leaf_hash(&entry.leaf));
        }
        Ok(())
    })?;
    show("floor: the hash of each leaf", leaf_us, entries.len());
    let terms_us = best(rounds.min(3), || {
        for entry in &entries {
            black_box(Entry::of_rekor(&entry.leaf)?.terms());
        }
        Ok(())
    })?;
    show("for comparison: all terms", terms_us, entries.len());
    Ok(())
}

fn show(name: &str, took_us: f64, entries: usize) {
    // A number of entries is exact as a float.
    let count = u32::try_from(entries).map_or(f64::INFINITY, f64::from);
    println!("{name:40} {:8.3} us/entry {:10.0} entries/s", took_us / count, count * 1e6 / took_us);
}

/// The body of a bundle's entry.
fn body(bundle: &[u8]) -> anyhow::Result<String> {
    let bundle: Value = serde_json::from_slice(bundle)?;
    let body = bundle.pointer("/verificationMaterial/tlogEntries/0/canonicalizedBody").and_then(Value::as_str);
    let body = STANDARD.decode(body.context("the bundle has an entry with its body")?)?;
    Ok(String::from_utf8(body)?)
}

/// Copies that differ in their digest.
fn copies(body: &str, count: u32) -> anyhow::Result<Vec<SourceEntry>> {
    // In hexadecimal in Rekor v1, in base64 in v2: both take hexadecimal digits.
    let place = ["\"value\":\"", "\"digest\":\""].iter().find_map(|member| Some(body.find(member)? + member.len()));
    let (before, digest) = body.split_at(place.context("the entry is a hashedrekord")?);
    let after = digest.get(8..).context("a digest has at least 8 digits")?;
    let copy = |number: u32| {
        let leaf = format!("{before}{number:08x}{after}").into();
        SourceEntry { leaf, extra: bytes::Bytes::new(), timestamp_ms: None }
    };
    Ok((0..count).map(copy).collect())
}
