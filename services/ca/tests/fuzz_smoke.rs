//! The fuzz targets for tokens on their seeds and on random mutations of them: what `tests/fuzz/run` does for hours, in
//! seconds and with the same numbers each time.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../tests/fuzz/src/tokens.rs"]
mod tokens;

use mutations::{Numbers, mutate};
use std::panic;

/// Mutated inputs per target; each that parses costs signatures.
const MUTATIONS: usize = 4_000;

#[test]
fn no_token_panics_and_whoever_is_named_gets_a_certificate_that_says_so() {
    for (name, target) in tokens::ALL {
        let seeds = tokens::seeds(name);
        let run = |input: &[u8]| {
            let outcome = panic::catch_unwind(|| target(input));
            assert!(outcome.is_ok(), "{name}, on {:?}", String::from_utf8_lossy(input));
        };
        for seed in &seeds {
            run(seed);
        }
        let mut numbers = Numbers(0x0074_6f6b_656e_7321);
        for _ in 0..MUTATIONS {
            let mut input = seeds[numbers.below(seeds.len())].clone();
            let other = &seeds[numbers.below(seeds.len())];
            mutate(&mut input, other, &mut numbers);
            run(&input);
        }
    }
}
