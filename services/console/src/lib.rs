//! The console: the page at a server's address in a browser.
//!
//! One page so far: what this server is, whether it is well, its logs, its trust root and what clients need. It is made of
//! [`facts`] alone, which the composition of a process fills in; no role's crate is known here, nothing is asked of a database,
//! and no request but one for a page costs anything. Without scripts, without cookies, without anything from another host.
//!
//! | module | is |
//! |---|---|
//! | [`facts`] | what the page says, as plain values |
//! | `page` | the HTML |
//! | `words` | how numbers, ages and fingerprints are written |
//! | [`http`] | the routes, their headers, and what a browser gets at an unknown path |
//!
//! Specifications: RFC 9110 (HTTP, content negotiation), RFC 9116 (`security.txt`), RFC 9309 (`robots.txt`), Content Security
//! Policy Level 3, WCAG 2.2 AA.

pub mod facts;
pub mod http;
mod page;
mod words;

pub use facts::{Guide, Link, Log, Part, Server, Source, State, TrustRoot};
pub use http::Console;
