//! A small client of OCI registries, for a verifier: it reads manifests, blobs and referrers, and pushes nothing.
//!
//! A registry is not trusted. Every answer has a limit that is checked while it arrives, everything asked for by digest is
//! hashed, and an error is never read as «there is none»: a verifier that took a busy registry for an unsigned image would
//! let its users be talked out of a signature, or its operators into a fallback.
//!
//! | module | does | specification |
//! |---|---|---|
//! | [`reference`](mod@reference), [`digest`] | names of images | OCI distribution, «Pulling manifests»; Docker's short names |
//! | [`document`] | manifests and indexes | OCI image, `manifest.md`, `image-index.md` |
//! | [`client`] | requests: manifests, blobs, referrers | OCI distribution |
//! | [`options`] | how registries are asked | – |
//! | [`directory`] | the same in a directory on this machine | OCI image, `image-layout.md` |
//! | [`credentials`] | who we are, from Docker's and Podman's files and credential helpers | Docker's `config.json`, `containers-auth.json` |
//! | [`facts`] | a bounded cache of what was read | – |
//!
//! It knows nothing of signatures: what a manifest's layers mean is the caller's subject. It reads no environment and draws no
//! randomness; both are passed in with [`Options`].

mod address;
mod authorization;
mod challenge;
pub mod client;
pub mod credentials;
pub mod digest;
pub mod directory;
pub mod document;
mod error;
pub mod facts;
mod link;
pub mod options;
pub mod reference;
mod referrers;
mod transport;

pub use client::{Client, Fetched};
pub use credentials::Locations;
pub use digest::Digest;
pub use directory::Directory;
pub use document::{Descriptor, Document, Index, Manifest, Platform};
pub use error::{Error, ErrorKind};
pub use facts::Facts;
pub use options::{Limits, Options};
pub use reference::{Reference, Repository, Tag};
pub use referrers::{Listing, Referrer};
