//! The URL of a service, and the name of a host: each is read in one place.
//!
//! One host has many spellings: capital letters, umlauts or punycode, a dot at the end, the default port. Clients compare
//! the host of a log letter by letter with the name that the log signs as, so two readings of one setting make a log that
//! no client can verify, for ever. So every part of the program reads a service's URL with [`BaseUrl::parse`], and gets
//! the one spelling. The URL of an OIDC issuer is different: it is a text that a token repeats ([`BaseUrl::as_written`]).
//!
//! No request is sent here, and nothing is resolved. Specification: the WHATWG URL standard, as the crate `url` has it.

mod base_url;
mod host;

pub use base_url::{BaseUrl, InvalidUrl};
pub use host::{host_name, host_of, is_protected, is_this_machine};
