//! Numbers that are drawn, and the same in every run: what a synthetic log holds follows from them, so that nothing needs to be kept.

/// Numbers that are spread over all of `u64` (splitmix64).
#[must_use]
pub const fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number below `count`, which must be below 2^32, from one that is spread over all of `u64`. Small ones are drawn more often, as
/// few projects do most of the signing: of a thousand the first ten are drawn for a fifth.
#[must_use]
pub const fn skewed(random: u64, count: u64) -> u64 {
    let even = random >> 32;
    let cube = (((even * even) >> 32) * even) >> 32;
    (cube * count) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_numbers_are_drawn_often_and_all_are_below_the_limit() {
        let drawn: Vec<u64> = (0..10_000).map(|number| skewed(scattered(number), 1000)).collect();
        assert!(drawn.iter().all(|number| *number < 1000) && drawn.iter().any(|number| *number > 990));
        let first = drawn.iter().filter(|number| **number < 10).count();
        assert!((1900..2500).contains(&first), "{first}");
        assert_eq!(skewed(u64::MAX, 1000), 999);
    }
}
