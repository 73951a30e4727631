//! The fuzz targets for tokens on their seeds and on random mutations of them: what `tests/fuzz/run` does for hours, in
//! seconds and with the same numbers each time.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../tests/fuzz/src/smoke.rs"]
mod smoke;
#[path = "../../../tests/fuzz/src/tokens.rs"]
mod tokens;

use mutations::Numbers;
use smoke::run;

/// Mutated inputs per target; each that parses costs signatures.
const MUTATIONS: usize = 4_000;

#[test]
fn no_token_panics_and_whoever_is_named_gets_a_certificate_that_says_so() {
    for (name, target) in tokens::ALL {
        run(name, target, &tokens::seeds(name), MUTATIONS, Numbers(0x0074_6f6b_656e_7321));
    }
}
