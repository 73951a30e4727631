//! A small client of OCI registries for a verifier: reads manifests, blobs and referrers. It pushes nothing.
//!
//! A registry is not trusted. Every answer has a size limit that is checked while the answer arrives. Content that is
//! requested by digest is hashed. An error never means «there is none»: otherwise an attacker could hide a signature by
//! keeping the registry busy.
//!
//! | module | does | specification |
//! |---|---|---|
//! | [`reference`](mod@reference), [`digest`] | names of images | OCI distribution, «Pulling manifests»; Docker's short names |
//! | [`document`] | manifests and indexes | OCI image, `manifest.md`, `image-index.md` |
//! | [`client`] | requests: manifests, blobs, referrers | OCI distribution |
//! | [`options`] | settings of a client | – |
//! | [`directory`] | the same, from a directory on this machine | OCI image, `image-layout.md` |
//! | [`credentials`] | credentials for a registry, from Docker's and Podman's files and from credential helpers | Docker's `config.json`, `containers-auth.json` |
//! | [`facts`] | a bounded cache of facts about a digest | – |
//!
//! The crate does not know signatures: the caller interprets the layers of a manifest. It reads no environment variables
//! and draws no randomness. The caller passes both in [`Options`].

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
