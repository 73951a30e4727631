//! Limits of a bundle. A stranger chooses every count and size in it, so each has a limit. The largest bundle of
//! Sigstore's conformance suite has 16 KiB.

/// Bytes of a whole bundle. The limit is high, because attestations contain software bills of materials.
pub const MAX_BUNDLE_BYTES: usize = 32 * 1024 * 1024;
/// Log entries.
pub const MAX_ENTRIES: usize = 32;
/// Timestamps.
pub const MAX_TIMESTAMPS: usize = 32;
/// Bytes of one timestamp, its certificates included.
pub const MAX_TIMESTAMP_BYTES: usize = 64 * 1024;
/// Hashes of an inclusion proof: a tree has fewer than 2^63 leaves.
pub const MAX_PROOF_HASHES: usize = 63;
/// Bytes of a checkpoint.
pub const MAX_CHECKPOINT_BYTES: usize = 64 * 1024;
/// Lines of a checkpoint.
pub const MAX_CHECKPOINT_LINES: usize = 100;
/// Bytes of an envelope's payload type.
pub const MAX_PAYLOAD_TYPE_BYTES: usize = 256;
/// Bytes of a signature. The largest supported key makes 512.
pub const MAX_SIGNATURE_BYTES: usize = 16 * 1024;
/// Bytes of a hint, a key id, and of an entry's kind and version.
pub const MAX_NAME_BYTES: usize = 1024;
