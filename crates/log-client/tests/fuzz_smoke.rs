//! The fuzz targets for what logs answer on their seeds and on random mutations of them: what `tests/fuzz/run` does for hours, in
//! seconds and with the same numbers each time.

#![expect(clippy::expect_used, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/logs.rs"]
mod logs;
#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../tests/fuzz/src/smoke.rs"]
mod smoke;

use chancery_log_client::json::{rekor_v1, rfc6962};
use mutations::Numbers;
use smoke::run;

/// Mutated inputs per target.
const MUTATIONS: usize = 20_000;

#[test]
fn no_answer_of_a_log_panics_and_each_is_read_one_way() {
    for (name, target) in logs::ALL {
        run(name, target, &logs::seeds(name), MUTATIONS, Numbers(0x6c6f_6761_6e73_7765));
    }
}

#[test]
fn the_seeds_are_answers() {
    let url = "https://log.example";
    let [trees, one, entries, entry, proof, none] = &logs::seeds("log_rekor_v1")[..] else { unreachable!("six seeds") };
    assert_eq!(rekor_v1::shards(url, trees).map(|shards| shards.len()), Ok(2));
    assert_eq!(rekor_v1::shards(url, one).map(|shards| shards.len()), Ok(1));
    assert_eq!(rekor_v1::entries(url, entries, 6).map(|entries| entries.len()), Ok(1));
    assert!(rekor_v1::entries(url, entries, 5).is_err(), "of another tree");
    assert_eq!(rekor_v1::inclusion(url, entry, 6).map(|(hashes, size)| (hashes.len(), size)), Ok((2, 3)));
    assert_eq!([proof, none].map(|proof| rekor_v1::consistency(url, proof).map(|hashes| hashes.len())), [Ok(1), Ok(0)]);
    let seeds = logs::seeds("log_rfc6962");
    assert!(rfc6962::SignedTreeHead::read(url, &seeds[0]).is_ok_and(|sth| sth.head.size == 3));
    assert_eq!(rfc6962::entries(url, &seeds[2], 2).map(|entries| entries.len()), Ok(2));
    assert_eq!(rfc6962::inclusion(url, &seeds[3]).map(|hashes| hashes.len()), Ok(2));
    assert_eq!(rfc6962::index(url, &seeds[4]), Ok(1));
    assert_eq!(rfc6962::consistency(url, &seeds[5]).map(|hashes| hashes.len()), Ok(1));
}
