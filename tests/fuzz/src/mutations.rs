//! Small random changes, for the runs of the targets that need no fuzzer.

/// Splitmix64: the sequence is part of the test.
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit.max(1)).expect("small")).expect("small")
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
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
pub fn mutate(input: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
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
