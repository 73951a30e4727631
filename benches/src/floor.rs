//! The floor: what an entry, a certificate, a timestamp or a bundle costs where nothing is done but what its signatures demand.

use crate::entries::{Identity, Protocol};
use crate::load::as_f64;
use anyhow::Context as _;
use chancery_daemon::signer::Signer;
use chancery_verify::hash::sha256;
use chancery_verify::key::{KeyKind, PublicKey};
use chancery_verify::merkle::leaf_hash;
use chancery_verify::rekor::{EntryKind, Promise, ProposedEntry, v2};
use chancery_verify::timestamping::asn1::{OCTET_STRING, SEQUENCE, SET, constructed, write};
use cpu_time::ThreadTime;

/// Entries one measurement is over.
pub const ENTRIES: usize = 2000;
/// The best of so many measurements counts.
const ROUNDS: u32 = 5;
/// Bytes of a token's signed part, of a precertificate and of what a timestamp covers, near enough.
const MESSAGE_BYTES: usize = 600;

/// CPU time per entry in microseconds: parse, verify (one P-256 check), hash the leaf, and in Rekor v1 sign a promise. The
/// best of five. What an entry shares with its batch is left out, for Rekor v2 the signature of a checkpoint.
pub async fn of_an_entry(protocol: Protocol, proposals: &[String], identity: &Identity) -> anyhow::Result<f64> {
    let sample: Vec<_> = proposals.iter().cycle().take(ENTRIES).collect();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = ThreadTime::now();
        for proposal in &sample {
            match protocol {
                Protocol::V1 => {
                    let proposal = ProposedEntry::parse(proposal.as_bytes())?;
                    let body = EntryKind::HashedRekord.admit(&proposal)?;
                    let log_id = leaf_hash(body.as_bytes());
                    let promise = Promise { body: body.as_bytes(), integrated_time: 0, log_id: &log_id, log_index: 1 };
                    std::hint::black_box(identity.signer.sign(&promise.signed_bytes()).await?);
                }
                Protocol::V2 => {
                    let request = v2::json::parse(proposal.as_bytes())?.context("a request")?;
                    std::hint::black_box(request.admit()?.leaf_hash());
                }
            }
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / as_f64(ENTRIES));
    }
    Ok(best)
}

/// CPU time per certificate in microseconds: verify a token (RS256) and a proof of possession (P-256), sign a certificate
/// and its timestamp (P-256 both). The best of five.
pub async fn of_a_certificate() -> anyhow::Result<f64> {
    let (issuer, _) = Signer::generate(KeyKind::Rsa(2048))?;
    let (key, _) = Signer::generate(KeyKind::P256)?;
    let message = [7; MESSAGE_BYTES];
    let (token, proof) = (issuer.sign(&message).await?, key.sign(&message).await?);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = ThreadTime::now();
        for _ in 0..ENTRIES {
            issuer.public_key().verify(&message, &token)?;
            key.public_key().verify(&message, &proof)?;
            std::hint::black_box((key.sign(&message).await?, key.sign(&message).await?));
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / as_f64(ENTRIES));
    }
    Ok(best)
}

/// Bytes of a `TSTInfo`, of its attributes and of a response around them, as the server writes them.
const TIMESTAMP_BYTES: [usize; 3] = [190, 200, 80];

/// CPU time per timestamp in microseconds: encode what is said, hash it, encode and sign the attributes (P-256), encode the
/// response. The best of five.
pub async fn of_a_timestamp() -> anyhow::Result<f64> {
    let (key, _) = Signer::generate(KeyKind::P256)?;
    let [info, attributes, rest] = TIMESTAMP_BYTES.map(|length| vec![7; length]);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = ThreadTime::now();
        for _ in 0..ENTRIES {
            let info = write(SEQUENCE, &[&info]);
            let attributes = write(SET, &[&attributes, &sha256(&info)]);
            let signature = write(OCTET_STRING, &[&key.sign(&attributes).await?]);
            let signer = write(SET, &[&write(SEQUENCE, &[&rest, &attributes, &signature])]);
            let data = write(constructed(0), &[&write(SEQUENCE, &[&write(OCTET_STRING, &[&info]), &signer])]);
            std::hint::black_box(write(SEQUENCE, &[&write(SEQUENCE, &[&data])]));
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / as_f64(ENTRIES));
    }
    Ok(best)
}

/// CPU time in microseconds to check one signature by a key of each of these kinds. The first key is parsed each time, as a
/// signer's is, who is another in every bundle; the others are known. The best of five.
pub async fn of_signatures(kinds: &[KeyKind]) -> anyhow::Result<f64> {
    let message = [7; MESSAGE_BYTES];
    let mut signed = Vec::new();
    for kind in kinds {
        let (key, _) = Signer::generate(*kind)?;
        signed.push((key.public_key().clone(), key.sign(&message).await?));
    }
    let ((signer, first), rest) = signed.split_first().context("a bundle has a signature")?;
    best(ENTRIES, || {
        PublicKey::from_spki_der(signer.spki_der())?.verify(&message, first)?;
        for (key, signature) in rest {
            key.verify(&message, signature)?;
        }
        Ok(())
    })
}

/// CPU time in microseconds that one `work` takes, measured over `count` of them. The best of five.
pub fn best(count: usize, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = ThreadTime::now();
        for _ in 0..count {
            work()?;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / as_f64(count));
    }
    Ok(best)
}
