//! The one source of randomness.

use aws_lc_rs::rand;

/// Fills buffers with unpredictable bytes. Passed in, so that tests can choose the bytes.
pub trait Random: Send + Sync {
    /// Fills `out`.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's generator, through aws-lc.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) {
        // A process without randomness must stop: it would make guessable keys.
        assert!(rand::fill(out).is_ok(), "the system's random generator failed");
    }
}
