//! Trust files: a client gets them once, to sign with this instance and to verify its signatures.
//!
//! Pure builders from typed inputs to bytes, and the two ways to publish them: written to a directory
//! ([`TrustFiles::write_to`]), and served under `/trust/` ([`http::router`]), where they can change while the server
//! runs ([`CurrentFiles`]). They read neither clock nor key file: the same inputs give the same bytes, so a restart
//! does not change a published file.
//!
//! The JSON is the subset that **every** measured client accepts, which is narrower than the specification:
//! the legacy media type, no `operator` inside a trusted root, a `validFor.start` on everything, selector `ANY`.
//! [`tuf`] distributes these same files to clients that follow changes. Only that module has keys and a clock.
//!
//! | module | writes | specification |
//! |---|---|---|
//! | [`trusted_root`] | `trusted_root.json` | protobuf-specs `sigstore_trustroot.proto`, `TrustedRoot` |
//! | [`signing_config`] | `signing_config.json`, also for one version of Rekor alone | the same file, `SigningConfig` v0.2 |
//! | [`tuf`] | a repository with all of it | The Update Framework 1.0 |
//! | [`files`] | those, `client_trust_config.json` and the PEM files of cosign's environment variables | |

mod changes;
pub mod files;
pub mod http;
pub mod material;
pub mod signing_config;
pub mod trusted_root;
pub mod tuf;

pub use chancery_address::BaseUrl;
pub use files::{CurrentFiles, FileName, TrustFiles};
pub use material::{CertificateAuthority, InvalidMaterial, Log, Material, Services, SignatureLog, Validity, log_name};
