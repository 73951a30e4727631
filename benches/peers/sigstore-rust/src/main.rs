//! `sigstore-rust TRUSTED_ROOT BUNDLE ARTIFACT COUNT`: reads and verifies a bundle so many times, and prints the microseconds
//! of CPU that one took; the best of five.

use anyhow::{Context as _, Result};
use cpu_time::ProcessTime;
use sigstore_trust_root::TrustedRoot;
use sigstore_types::Bundle;
use sigstore_verify::{VerificationPolicy, Verifier};
use std::{env, fs};

const ROUNDS: usize = 5;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [root, bundle, artifact, count] = arguments.as_slice() else { anyhow::bail!("four arguments are needed") };
    let (root, bundle, artifact) = (TrustedRoot::from_file(root)?, fs::read_to_string(bundle)?, fs::read(artifact)?);
    let count: u32 = count.parse().context("how often?")?;
    let verifier = Verifier::new(&root)?;
    let policy = VerificationPolicy::any_identity();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = ProcessTime::now();
        for _ in 0..count {
            verifier.verify(artifact.as_slice(), &Bundle::from_json(&bundle)?, &policy)?;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(count));
    }
    println!("{best}");
    Ok(())
}
