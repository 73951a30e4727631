//! The fuzz targets for what registries answer on their seeds and on random mutations of them: what `tests/fuzz/run` does for hours,
//! in seconds and with the same numbers each time.

#![expect(clippy::expect_used, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../tests/fuzz/src/registry.rs"]
mod registry;

use mutations::{Numbers, mutate};
use std::panic;

/// Mutated inputs per target.
const MUTATIONS: usize = 20_000;

#[test]
fn no_answer_panics_and_each_is_read_one_way() {
    for (name, target) in registry::ALL {
        let seeds = registry::seeds(name);
        let run = |input: &[u8]| {
            let outcome = panic::catch_unwind(|| target(input));
            assert!(outcome.is_ok(), "{name}, on {:?}", String::from_utf8_lossy(input));
        };
        for seed in &seeds {
            run(seed);
        }
        let mut numbers = Numbers(0x7265_6769_7374_7279);
        for _ in 0..MUTATIONS {
            let mut input = seeds[numbers.below(seeds.len())].clone();
            let other = &seeds[numbers.below(seeds.len())];
            mutate(&mut input, other, &mut numbers);
            run(&input);
        }
    }
}
