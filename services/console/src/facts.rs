//! The contents of the console, as plain values.
//!
//! The composition of a process fills them in. Facts that never change while it runs are a [`Server`]; all others are a
//! [`State`], which a [`Source`] gives at most once a second, however often the page is asked for.

use chancery_verify::{Hash, Timestamp};

/// What a process is, from its start to its end.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// The organisation that runs it.
    pub organization: String,
    /// URL for clients, without a slash at the end.
    pub url: String,
    /// Of the program.
    pub version: String,
    /// Whether any user may sign as any identity: `chancery dev`.
    pub is_development: bool,
    /// First commands to try, if there is an issuer that gives any user a token; else empty.
    pub first_steps: Vec<Guide>,
    /// Files and interfaces of this process. References are relative to the page.
    pub links: Vec<Link>,
    /// Where the manual is.
    pub manual: String,
    /// Contact for security problems: a URI for `Contact` in `security.txt` (RFC 9116 §2.5.3).
    pub security_contact: Option<String>,
}

/// Commands or a file for people to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide {
    /// The client, or the step.
    pub title: String,
    /// Shown byte for byte.
    pub text: String,
}

/// Something else that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The heading it stands under.
    pub group: &'static str,
    /// Relative to the page, or absolute.
    pub reference: String,
    /// What it is, in a few words.
    pub about: &'static str,
}

/// What a process knows of itself at one moment.
#[derive(Debug, Clone)]
pub struct State {
    /// When that was.
    pub at: Timestamp,
    /// The roles of this process.
    pub parts: Vec<Part>,
    /// The logs of this process, in the order they were made in.
    pub logs: Vec<Log>,
    /// `None` if another process has it.
    pub trust: Option<TrustRoot>,
}

/// A role, and whether it does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// As on the command line.
    pub role: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Where clients reach it.
    pub url: String,
    /// Why it does not do all of its work: what `/readyz` says. `None` where it does.
    pub obstacle: Option<String>,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// What is logged.
    pub title: &'static str,
    /// First line of its checkpoints.
    pub origin: String,
    /// The newest checkpoint that this process has published; `None` where nothing can be proven.
    pub checkpoint: Option<Checkpoint>,
    /// SHA-256 of the public key (SPKI, DER).
    pub key_fingerprint: Hash,
    /// The checkpoint's address, relative to the page or absolute.
    pub reference: String,
    /// Whether the operator has frozen it: it takes no more entries.
    pub is_frozen: bool,
    /// Why it takes no entries although it is not frozen.
    pub obstacle: Option<String>,
}

/// What a checkpoint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Leaves.
    pub size: u64,
    /// Root of the tree.
    pub root_hash: Hash,
    /// When it was signed.
    pub signed: Timestamp,
}

/// The trust root that clients start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    /// SHA-256 of the first TUF root, in hexadecimal: what `cosign initialize --root-checksum` wants. It never changes.
    pub checksum: String,
    /// The TUF roles' metadata.
    pub metadata: Vec<Metadata>,
    /// What each client needs.
    pub clients: Vec<Guide>,
}

/// The metadata of a TUF role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `root` and so on.
    pub role: String,
    /// Counts up.
    pub version: u64,
    /// Clients refuse it after this time.
    pub expires: Timestamp,
}

/// Where a [`State`] comes from. It is called from the path of a request: it must neither block nor wait, and take what is in
/// memory anyway.
pub trait Source: Send + Sync {
    /// The state now.
    fn state(&self) -> State;

    /// The time now.
    fn now(&self) -> Timestamp;
}
