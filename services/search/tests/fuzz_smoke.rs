//! The fuzz target for questions on its seeds and on random mutations of them: what `tests/fuzz/run` does for hours, in seconds and
//! with the same numbers each time.

#![expect(clippy::expect_used, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../tests/fuzz/src/questions.rs"]
mod questions;
#[path = "../../../tests/fuzz/src/smoke.rs"]
mod smoke;

use chancery_search::http::can_be_asked;
use mutations::Numbers;
use smoke::run;

/// Mutated inputs.
const MUTATIONS: usize = 20_000;

#[test]
fn no_question_panics_and_each_is_one_or_is_refused() {
    for (name, target) in questions::ALL {
        run(name, target, &questions::seeds(name), MUTATIONS, Numbers(0x7175_6573_7469_6f6e));
    }
}

#[test]
fn the_seeds_are_questions() {
    let seeds = questions::seeds("question");
    assert_eq!(seeds.len(), 9);
    for (number, seed) in seeds.iter().enumerate() {
        // Rekor's search passes over members that it does not know.
        let expected = [number < 4, (4..6).contains(&number), number >= 4];
        assert_eq!(can_be_asked(seed), expected, "{}", String::from_utf8_lossy(seed));
    }
}
