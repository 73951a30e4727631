//! Limits of a trust root. Operators write these files, but programs fetch them from servers that can be attacked.

/// Bytes of a whole trust root. The public one has less than 10 KiB.
pub const MAX_ROOT_BYTES: usize = 4 * 1024 * 1024;
/// Instances in one section.
pub const MAX_INSTANCES: usize = 64;
/// Bytes of a URL or of an operator's name.
pub const MAX_TEXT_BYTES: usize = 2048;
/// Bytes of a certificate or key.
pub const MAX_DER_BYTES: usize = 64 * 1024;
