//! A case: the evidence that an auditor takes home, in one file that is verified without a network.
//!
//! A case answers one question («what did this identity sign?») with everything that proves the answer: the entries with
//! their inclusion proofs and one checkpoint of each log, the certificates with their entries in the certificate log, and,
//! beside these, trust files and lines of the CA's audit log. An auditor who has the trust root can check it
//! ([`check()`]), for ever and anywhere.
//!
//! A case cannot prove that something is *missing* from a log: that an entry was not left out is the word of the
//! person who packed it, up to the sizes that it names. And a case is not signed. Its own SHA-256 tells two of them apart.
//!
//! # The archive
//! A tar of plain files, sorted by name, with a fixed header ([`archive`]). The same members make the same bytes, and no other
//! bytes are accepted.
//!
//! | member | has |
//! |---|---|
//! | `manifest.json` | the question, and size and SHA-256 of every other member |
//! | `answers/0.json` | the question, the entries that answer it, and the size of each log that was searched |
//! | `answers/N.json` | the same of a question about serial numbers of certificates in these entries, in certificate logs |
//! | `logs/LOG/checkpoint` | the signed note that all proofs of this log lead to |
//! | `logs/LOG/consistency/SIZE.json` | an older checkpoint, and the proof that the newer one extends it |
//! | `logs/LOG/entries/INDEX.json` | an entry with its inclusion proof, and the promise of Rekor v1 |
//! | `certificates/SHA256.pem` | a certificate of such an entry, with its chain |
//! | `attestations/SHA256.json` | a statement that the log keeps beside an entry, which answers the question only with it |
//! | `trust/trusted_root.json` | the trust files that the server showed |
//! | `trust/roots/SHA256.json` | those of earlier |
//! | `trust/tuf/N.root.json`, `trust/tuf/N.targets.json` | TUF metadata that vouches for them |
//! | `audit.jsonl` | lines of the CA's audit log about certificates of this case |
//!
//! Modules, each using only those before it: `fault`; `member` (their names); `archive`; `documents` (their contents);
//! `case` (a whole archive and its manifest); `report`; `question`; `certificates`, `judgement` (what one entry proves); `check`.

pub mod archive;
mod case;
mod certificates;
mod check;
mod documents;
mod fault;
mod judgement;
mod member;
mod question;
mod report;

pub use case::{Case, Draft};
pub use certificates::pem_with_chain;
pub use check::check;
pub use documents::{Answered, CompleteTo, Consistency, Entry, Place, Promise};
pub use fault::Fault;
pub use member::{Member, TufRole};
pub use question::Question;
pub use report::{Issued, LogReport, Report, Signature, TrustReport, Verdict};
