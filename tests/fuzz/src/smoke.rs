//! Runs a target without a fuzzer: on its seeds, and on mutations of them. The tests `fuzz_smoke` have it.

use crate::mutations::{Numbers, mutate};
use std::panic::{self, RefUnwindSafe};

/// Runs a target on its seeds, and on so many mutations of them. Panics, with the input, if it does.
pub fn run(
    name: &str,
    target: impl Fn(&[u8]) + RefUnwindSafe,
    seeds: &[Vec<u8>],
    mutations: usize,
    mut numbers: Numbers,
) {
    assert!(!seeds.is_empty(), "{name}");
    let run = |input: &[u8]| {
        assert!(panic::catch_unwind(|| target(input)).is_ok(), "{name}, on {}", input.escape_ascii());
    };
    for seed in seeds {
        run(seed);
    }
    for _ in 0..mutations {
        let mut input = seeds[numbers.below(seeds.len())].clone();
        let other = &seeds[numbers.below(seeds.len())];
        mutate(&mut input, other, &mut numbers);
        run(&input);
    }
}
