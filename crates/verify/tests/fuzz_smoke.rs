//! Every fuzz target on its seeds and on random mutations of them: what `tests/fuzz/run` does for hours, in seconds and
//! with the same numbers each time.

#![expect(clippy::expect_used, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/seeds.rs"]
mod seeds;
#[path = "../../../tests/fuzz/src/targets.rs"]
mod targets;

use std::panic;

/// Mutated inputs per target.
const MUTATIONS: usize = 20_000;

/// Splitmix64: the sequence is part of the test.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit.max(1)).expect("small")).expect("small")
    }

    fn byte(&mut self) -> u8 {
        // Often one that means something to a parser.
        const TELLING: &[u8] = b"\0\x01\x02\x30\x7f\x80\xff\n =-/\"{}x9";
        if self.below(2) == 0 {
            TELLING[self.below(TELLING.len())]
        } else {
            u8::try_from(self.below(256)).expect("a byte")
        }
    }
}

/// One to four small changes.
fn mutate(input: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(input.len() + 1);
        match numbers.below(6) {
            0 => input.insert(at, numbers.byte()),
            1 => input.truncate(at),
            2 => {
                let end = (at + numbers.below(8)).min(input.len());
                input.drain(at..end);
            }
            3 => {
                let end = (at + numbers.below(32)).min(input.len());
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            4 => {
                input.truncate(at);
                input.extend_from_slice(&other[numbers.below(other.len() + 1)..]);
            }
            _ => {
                let byte = numbers.byte();
                if let Some(slot) = input.get_mut(at) {
                    *slot = byte;
                }
            }
        }
    }
}

fn run(name: &str, target: targets::Target, input: &[u8]) {
    assert!(panic::catch_unwind(|| target(input)).is_ok(), "{name}, on {}", hex::encode(input));
}

#[test]
fn nothing_that_is_parsed_panics_or_has_two_spellings() {
    for (name, target) in targets::ALL {
        let seeds = seeds::of(name);
        assert!(!seeds.is_empty(), "{name}");
        for seed in &seeds {
            run(name, target, seed);
        }
        let mut numbers = Numbers(0x0063_6861_6e63_6572);
        for _ in 0..MUTATIONS {
            let mut input = seeds[numbers.below(seeds.len())].clone();
            let other = &seeds[numbers.below(seeds.len())];
            mutate(&mut input, other, &mut numbers);
            run(name, target, &input);
        }
    }
}
