//! Runs every fuzz target on its seeds and on random mutations of them. `tests/fuzz/run` does so for hours; this test
//! takes seconds and uses the same random numbers each time.

#![expect(clippy::expect_used, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/kinds.rs"]
mod kinds;
#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../tests/fuzz/src/seeds.rs"]
mod seeds;
#[path = "../../../tests/fuzz/src/smoke.rs"]
mod smoke;
#[path = "../../../tests/fuzz/src/targets.rs"]
mod targets;
#[path = "../../../tests/fuzz/src/terms.rs"]
mod terms;

use mutations::Numbers;
use smoke::run;

/// Mutated inputs per target.
const MUTATIONS: usize = 20_000;
/// The same, for targets that check several signatures in an input.
const FEWER_MUTATIONS: usize = 4000;

#[test]
fn nothing_that_is_parsed_panics_or_has_two_spellings() {
    let targets = targets::ALL.map(|(name, target)| (name, target, seeds::of(name)));
    let terms = terms::ALL.map(|(name, target)| (name, target, terms::seeds(name)));
    let many = targets.into_iter().chain(terms).map(|target| (target, MUTATIONS));
    let kinds = kinds::ALL.map(|(name, target)| (name, target, kinds::seeds(name)));
    let fewer = kinds.into_iter().map(|target| (target, FEWER_MUTATIONS));
    for ((name, target, seeds), mutations) in many.chain(fewer) {
        run(name, target, &seeds, mutations, Numbers(0x0063_6861_6e63_6572));
    }
}

#[test]
fn the_seeds_of_documents_parse() {
    let [v1, v2, old, legacy, ..] = &seeds::of("bundle")[..] else { panic!("seeds") };
    for seed in [v1, v2, old] {
        assert_eq!(chancery_verify::bundle::Bundle::parse(seed).err(), None);
    }
    assert_eq!(chancery_verify::bundle::Bundle::parse_legacy(legacy).err(), None);
    for (number, seed) in seeds::of("policy").iter().enumerate() {
        let text = str::from_utf8(seed).expect("a policy is text");
        assert_eq!(chancery_verify::policy::Policy::parse(text).err(), None, "seed {number}");
    }
    assert_eq!(chancery_verify::trust_root::TrustRoot::parse(&seeds::of("trust_root")[0]).err(), None);
}

#[test]
fn the_seed_of_the_verifier_verifies() {
    let bundle = chancery_verify::bundle::Bundle::parse(&seeds::of("verifier")[0]).expect("a bundle");
    let (artifact, signed) = seeds::signed_artifact();
    let now = chancery_verify::Timestamp::from_seconds(seeds::NOW_SECONDS);
    let verified = seeds::verifier().verify(&bundle, &artifact, &chancery_verify::verifier::AnySigner, now);
    assert_eq!(verified.map(|verified| verified.signature), Ok(signed));
}
