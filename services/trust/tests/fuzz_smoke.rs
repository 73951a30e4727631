//! The fuzz target for TUF metadata on its seeds and on random mutations of them: what `tests/fuzz/run` does for hours, in
//! seconds and with the same numbers each time.

#![expect(clippy::expect_used, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../tests/fuzz/src/repository.rs"]
mod repository;
#[path = "../../../tests/fuzz/src/smoke.rs"]
mod smoke;

use mutations::Numbers;
use smoke::run;

/// Mutated inputs per target.
const MUTATIONS: usize = 20_000;

#[test]
fn no_metadata_panics_and_none_verifies_that_was_not_signed() {
    for (name, target) in repository::ALL {
        run(name, target, &repository::seeds(name), MUTATIONS, Numbers(0x0074_7566_6d65_7461));
    }
}
