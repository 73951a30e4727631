//! Whether the ring agrees with what was done and published before. It may be ahead of both, and never behind: a ring that was lost
//! or put back from an older copy would have a retired key count again.
//!
//! Pure: what was published and done is given.

use super::{Generation, Progress, Published, Ring, Role, State};
use chancery_verify::Timestamp;
use std::{collections::BTreeSet, fmt};

/// The ring says one thing, and something else the opposite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disagreement {
    /// What the ring says.
    pub(super) ring: String,
    /// What the other side says.
    pub(super) other: String,
}

/// A [`Disagreement`] with the names of both files.
#[derive(Debug)]
pub(crate) struct Contradiction {
    /// The ring, which is missing where no key was ever rotated.
    pub(super) ring: String,
    pub(super) other: String,
    pub(super) disagreement: Disagreement,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ring, other, disagreement: Disagreement { ring: says, other: other_says } } = self;
        write!(
            f,
            "{ring} {says}, but {other} {other_says}. If this were taken, a key that was retired could count again, so nothing is \
             changed. Put the newest copy of the wrong one back, from a backup or another server of this instance. If that is lost, put \
             keys/, tuf/, tuf.json, trust/ and served*.json back, all from one backup"
        )
    }
}

impl std::error::Error for Contradiction {}

/// Compares with what the server has done, and the audit log says.
pub(super) fn with_progress(ring: &Ring, role: Role, progress: &Progress) -> Result<(), Disagreement> {
    let title = role.title();
    for number in progress.recorded.keys().chain(progress.published_seconds.keys()) {
        if !ring.generations(role).iter().any(|generation| generation.number == *number) {
            let (ring, other) = (lacks(role, &format!("generation {number}")), "has it".to_owned());
            return Err(Disagreement { ring, other });
        }
    }
    for generation in ring.generations(role) {
        let Some(done) = progress.recorded.get(&generation.number) else { continue };
        if !may_follow(*done, generation.state) {
            return Err(Disagreement {
                ring: format!("has generation {} of the {title} key as {}", generation.number, generation.state.name()),
                other: format!("has it as {}", done.name()),
            });
        }
    }
    Ok(())
}

/// Whether a generation that was in one state can be in another one now.
const fn may_follow(before: State, now: State) -> bool {
    match before {
        State::Staged => true,
        State::Active => matches!(now, State::Active | State::Outgoing | State::Retired),
        State::Outgoing => matches!(now, State::Outgoing | State::Retired),
        State::Retired => matches!(now, State::Retired),
        State::Abandoned => matches!(now, State::Abandoned),
    }
}

/// Compares with a trusted root: every end of a generation must be in the ring, and every key of the role. `is_other` says of a
/// fingerprint whether its key may be there too.
pub(super) fn with_published(
    ring: &Ring,
    role: Role,
    published: &Published,
    is_other: impl Fn(&str) -> bool,
) -> Result<(), Disagreement> {
    let generations = ring.generations(role);
    for generation in generations {
        let Some(Some(end)) = published.keys(role).get(&generation.fingerprint) else { continue };
        if generation.ends_seconds.is_none_or(|ours| ours > *end) {
            return Err(Disagreement {
                ring: trusts(role, generation),
                other: format!("trusts it until {}", time(*end)),
            });
        }
    }
    let known: BTreeSet<&str> = generations.iter().map(|generation| generation.fingerprint.as_str()).collect();
    for fingerprint in published.keys(role).keys() {
        if !known.contains(fingerprint.as_str()) && !is_other(fingerprint) {
            let ring = lacks(role, &format!("the key with SHA-256 {fingerprint}"));
            return Err(Disagreement { ring, other: "has published it".to_owned() });
        }
    }
    Ok(())
}

/// Compares with the key in a file: `found` is its fingerprint, or `None` where there is no file.
pub(super) fn with_key_file(role: Role, generation: &Generation, found: Option<&str>) -> Result<(), Disagreement> {
    let Generation { number, fingerprint, .. } = generation;
    let other = match found {
        Some(found) if found == fingerprint => return Ok(()),
        Some(found) => format!("is of the key with SHA-256 {found}"),
        None => "is missing".to_owned(),
    };
    Err(Disagreement {
        ring: format!("has the key with SHA-256 {fingerprint} as generation {number} of the {} key", role.title()),
        other,
    })
}

fn lacks(role: Role, what: &str) -> String {
    format!("does not have {what} of the {} key", role.title())
}

fn trusts(role: Role, generation: &Generation) -> String {
    let until =
        generation.ends_seconds.map_or_else(|| "without an end".to_owned(), |end| format!("until {}", time(end)));
    format!("trusts generation {} of the {} key {until}", generation.number, role.title())
}

fn time(seconds: u64) -> String {
    Timestamp::from_seconds(seconds).rfc3339()
}

#[cfg(test)]
mod tests;
