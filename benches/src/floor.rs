//! The floor: what an entry costs where nothing is done but what its signatures demand.

use crate::entries::Identity;
use crate::load::as_f64;
use chancery_verify::merkle::leaf_hash;
use chancery_verify::rekor::{EntryKind, Promise, ProposedEntry};
use cpu_time::ThreadTime;

/// Entries one measurement is over.
pub const ENTRIES: usize = 2000;

/// CPU time per entry in microseconds: parse, verify (one P-256 check), hash the leaf, sign a promise. The best of five.
pub async fn measure(proposals: &[String], identity: &Identity) -> anyhow::Result<f64> {
    let sample: Vec<_> = proposals.iter().cycle().take(ENTRIES).collect();
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = ThreadTime::now();
        for proposal in &sample {
            let proposal = ProposedEntry::parse(proposal.as_bytes())?;
            let body = EntryKind::HashedRekord.admit(&proposal)?;
            let log_id = leaf_hash(body.as_bytes());
            let promise = Promise { body: body.as_bytes(), integrated_time: 0, log_id: &log_id, log_index: 1 };
            std::hint::black_box(identity.signer.sign(&promise.signed_bytes()).await?);
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / as_f64(ENTRIES));
    }
    Ok(best)
}
