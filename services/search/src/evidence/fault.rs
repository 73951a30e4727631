//! Why a case is refused.

use chancery_verify::{Refusal, Rejection, shown};

/// A fault of a case: where it is, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The archive itself.
    #[error("the archive {0}")]
    Archive(String),
    /// A member.
    #[error("{member}: {reason}")]
    Member {
        /// Its name, made safe to show.
        member: String,
        /// What is wrong with it, made safe to show: it may quote what is in the member.
        reason: String,
    },
    /// A member that the verifier refuses.
    #[error("{member}: {refusal}")]
    Refused {
        /// Its name.
        member: String,
        /// The failed check.
        refusal: Box<Refusal>,
    },
}

/// Longest reason.
const MAX_REASON: usize = 1000;

/// What a case says stays on its line, and is no command to a terminal.
fn on_one_line(reason: &str) -> String {
    let mut line: String =
        reason.chars().take(MAX_REASON).map(|letter| shown(letter.encode_utf8(&mut [0; 4]))).collect();
    if reason.chars().nth(MAX_REASON).is_some() {
        line.push('…');
    }
    line
}

impl Fault {
    pub(super) fn archive(reason: impl Into<String>) -> Self {
        Self::Archive(reason.into())
    }

    /// A fault of the member of this name.
    #[must_use]
    pub fn of(member: impl AsRef<str>, reason: impl Into<String>) -> Self {
        Self::Member { member: shown(member.as_ref()), reason: on_one_line(&reason.into()) }
    }

    pub(super) fn refused(member: impl AsRef<str>, refusal: Refusal) -> Self {
        Self::Refused { member: shown(member.as_ref()), refusal: Box::new(refusal) }
    }

    pub(super) fn rejected(member: impl AsRef<str>, rejection: Rejection) -> Self {
        Self::of(member, rejection.to_string())
    }
}
