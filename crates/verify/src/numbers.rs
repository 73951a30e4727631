//! Numbers of things as messages say them: «1 leaf», «2 leaves».
//!
//! Not how large numbers are grouped; that is a page's own matter.

use std::fmt::Display;

/// A number with its noun: `one` after 1, `many` after every other number.
#[must_use]
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, one: &str, many: &str) -> String {
    let noun = if number == N::from(1) { one } else { many };
    format!("{number} {noun}")
}

/// A number of leaves.
#[must_use]
pub fn leaves(number: u64) -> String {
    counted(number, "leaf", "leaves")
}

/// A number of entries.
#[must_use]
pub fn entries(number: u64) -> String {
    counted(number, "entry", "entries")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        for (number, said) in [(0, "0 leaves"), (1, "1 leaf"), (2, "2 leaves"), (21, "21 leaves")] {
            assert_eq!(leaves(number), said);
        }
        assert_eq!((entries(1), counted(1_usize, "key", "keys")), ("1 entry".to_owned(), "1 key".to_owned()));
    }
}
