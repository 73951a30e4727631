//! The fuzz targets for what registries answer on their seeds and on random mutations of them: what `tests/fuzz/run` does for hours,
//! in seconds and with the same numbers each time.

#![expect(clippy::expect_used, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../tests/fuzz/src/registry.rs"]
mod registry;
#[path = "../../../tests/fuzz/src/smoke.rs"]
mod smoke;

use mutations::Numbers;
use smoke::run;

/// Mutated inputs per target.
const MUTATIONS: usize = 20_000;

#[test]
fn no_answer_panics_and_each_is_read_one_way() {
    for (name, target) in registry::ALL {
        run(name, target, &registry::seeds(name), MUTATIONS, Numbers(0x7265_6769_7374_7279));
    }
}
