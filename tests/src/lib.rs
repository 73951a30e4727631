//! End-to-end tests: the real server program, driven by the real client programs.
//!
//! | module | is |
//! |---|---|
//! | [`stack`] | a running `chancery dev` with a data directory of its own |
//! | [`person`] | somebody with a home directory and the client programs |
//! | [`client`] | what the signing clients have in common: sign this, verify that |
//! | [`implementation`] | every implementation that makes and verifies bundles, for either Rekor |
//! | [`program`] | one run of one program, and what is demanded of it |
//! | [`browser`] | a person who fills in the development issuer's forms |
//! | [`chromium`] | a browser that looks at pages, and axe |
//! | [`vault`] | HashiCorp Vault with a transit engine |
//! | [`registry`] | an OCI registry with an image in it |
//! | [`bucket`] | a bucket on an S3 server, behind a door that can be shut |
//! | [`postgres`] | a PostgreSQL server |
//! | [`told`] | two servers over one database, killed in turn, and what they said |
//! | [`pair`] | a PostgreSQL primary, its standby, and a failover |
//! | [`files`] | a reader of a log's files who asks nobody else |
//! | [`tuf`] | a copy of the instance's TUF repository, to tamper with |
//! | [`trust_client`] | clients that were told of that repository and nothing else |
//! | [`witness`] | witnesses of logs, ours and a foreign one |
//! | [`http`] | HTTP/1.1 by hand, so that a test sees every byte of an answer |
//! | [`http2`] | frames of HTTP/2 by hand, and many uploads over one connection |
//! | [`openapi`] | what a server says that it answers, and whether an answer is one of those |
//! | [`receiver`] | a receiver of events or alarms, which does what a test wants it to do |
//! | [`proxy`] | what stands between clients and a server: a proxy with small limits, a pooler of connections |
//! | [`token_issuer`] | an OIDC issuer that says what a test wants it to say |
//! | [`timestamps`] | a timestamp authority that is not ours, and trust files with it |
//! | [`time_server`] | an NTP server whose clock is set by hand |
//! | [`fulcio`], [`rekor`], [`rekor_v2`] | requests to the services, and an independent check of the answers |
//! | [`search`] | questions about the logs, an independent check of the answers, and a server that lies |
//! | [`rotation`] | a key is changed while clients ask |
//! | [`monitor`] | a monitor with a directory of its own |
//! | [`waiting`] | waiting for what comes by itself |
//! | [`manual`] | the pages of `docs/`: their commands, links and drawings, and what is generated into them |
//! | [`sample`] | a signature that a real client made, and what the verification crate says of it |
//! | [`mutation`] | changes to a JSON document, one at a time |
//! | [`refused`] | which check must refuse a changed bundle |
//! | [`tamper`] | changes to a stopped instance's database, one at a time |
//! | [`commit`] | a commit that gitsign signed, as a bundle |
//! | [`key`], [`tree`] | P-256 and RFC 6962, a second time: nothing here is the server's code |
//!
//! A [`stack::Stack`] that goes out of scope stops its server and has every tree of its data directory derived again
//! from the entries. No scenario ends without that.

pub mod browser;
pub mod bucket;
pub mod chromium;
pub mod client;
pub mod commit;
pub mod configured;
pub mod files;
pub mod fulcio;
pub mod http;
pub mod http2;
pub mod implementation;
pub mod key;
pub mod key_service;
pub mod manual;
pub mod monitor;
pub mod mutation;
pub mod openapi;
pub mod pair;
pub mod person;
pub mod postgres;
pub mod program;
pub mod proxy;
pub mod receiver;
pub mod refused;
pub mod registry;
pub mod rekor;
pub mod rekor_v2;
pub mod rotation;
pub mod sample;
pub mod search;
pub mod skewed_clock;
pub mod stack;
pub mod tamper;
pub mod time_server;
pub mod timestamps;
pub mod token;
pub mod token_issuer;
pub mod told;
pub mod tree;
pub mod trust_client;
pub mod tuf;
pub mod vault;
pub mod waiting;
pub mod witness;

pub use client::Client;
pub use person::Person;
pub use stack::Stack;
pub use token_issuer::TokenIssuer;

/// The identity most scenarios sign with.
pub const ALICE: &str = "alice@example.test";
/// Somebody else.
pub const MALLORY: &str = "mallory@example.test";
