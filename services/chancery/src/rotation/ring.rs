//! The generations of each key, and the steps from one to the next. Pure: files and clock are the callers'.
//!
//! ```text
//! stage: (new) → staged      activate: staged → active, active → outgoing      retire: outgoing → retired
//! abandon: staged → abandoned         succeed: active → retired, staged or (new) → active
//! ```
//! A staged key's public half is published and signs nothing. An outgoing one signs no more, and what it signed counts like
//! anything else. A retired one counts for what it signed until its end. Generations are never removed: numbers, and so the
//! names of files, are used once.

use chancery_daemon::signer::Use;
use chancery_verify::{Timestamp, certificate::profile::MAX_LIFETIME_SECONDS};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Version of both files.
pub(super) const SCHEMA: u32 = 1;
/// What clocks of the server and of a log may differ by, in seconds: a signature at the last moment must still count.
const CLOCK_SKEW_SECONDS: u64 = 60;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Issues certificates.
    Ca,
    /// Makes timestamps.
    Tsa,
    /// Signs for the certificate log: each generation is a log of its own.
    Ct,
    /// Signs for the Rekor v1 log: each generation is a shard of its own.
    Rekor,
    /// Signs for the Rekor v2 log: each generation is a log of its own at a host name of its own.
    Rekor2,
}

impl Role {
    pub(crate) const ALL: [Self; 5] = [Self::Ca, Self::Tsa, Self::Ct, Self::Rekor, Self::Rekor2];

    /// As in the files, their names and the metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Tsa => "tsa",
            Self::Ct => "ct",
            Self::Rekor => "rekor",
            Self::Rekor2 => "rekor2",
        }
    }

    /// As people read it, before «key».
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Ca => "CA",
            Self::Tsa => "TSA",
            Self::Ct => "CT log",
            Self::Rekor => "Rekor v1 log",
            Self::Rekor2 => "Rekor v2 log",
        }
    }

    /// Whether it is known by its public half alone, and not by certificates.
    pub(crate) const fn is_log(self) -> bool {
        matches!(self, Self::Ct | Self::Rekor | Self::Rekor2)
    }

    /// What its key may sign.
    pub(crate) const fn purpose(self) -> Use {
        match self {
            Self::Rekor2 => Use::Checkpoints,
            Self::Ca | Self::Tsa | Self::Ct | Self::Rekor => Use::Any,
        }
    }

    /// Seconds after its last signature until the key's end: as long as what it has signed may be used to sign, and what clocks
    /// may differ by.
    const fn reach_seconds(self) -> u64 {
        match self {
            Self::Ca => MAX_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS,
            Self::Tsa | Self::Ct | Self::Rekor | Self::Rekor2 => CLOCK_SKEW_SECONDS,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Published, so that clients know it before anything is signed with it.
    Staged,
    /// Signs.
    Active,
    /// Signed until lately; counts in full.
    Outgoing,
    /// Counts for what it signed in its time.
    Retired,
    /// Was staged and never used.
    Abandoned,
}

impl State {
    /// As in the file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Active => "active",
            Self::Outgoing => "outgoing",
            Self::Retired => "retired",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Where a private key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    /// A file below `keys/`.
    File(String),
    /// A key URI.
    Uri(String),
}

/// The root of an authority's certificates, where it is not one of ours whose key was destroyed once it had signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Root {
    /// Ours, with its key at this URI.
    Uri(String),
    /// Another authority's: the certificates were imported.
    Imported,
}

/// One key in the course of time. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Generation {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) state: State,
    pub(crate) key: Place,
    /// SHA-256 of the public half (SPKI) in hexadecimal: another key in its place is an error.
    pub(crate) fingerprint: String,
    /// File below `keys/` with what clients know it by: its certificates, or of a log its public half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chain: Option<String>,
    /// Base URL of a Rekor v2 log; `None` of the first one, which is at the URL of all logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Of an authority's certificates; `None` where its key was destroyed, or lies in `keys/` since an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<Root>,
    /// It counts from then on: when it was staged, of the first when the instance was made.
    pub(crate) since_seconds: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) activated_seconds: Option<u64>,
    /// Retired: what it signs after this time does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends_seconds: Option<u64>,
}

/// What is wanted. Written by `chancery keys rotate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ring {
    schema: u32,
    roles: BTreeMap<Role, Vec<Generation>>,
}

/// How far the server is with one role. Written by the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// The generation that signs.
    pub(crate) signing: u64,
    /// Generations that can be used, and so may be published, before they are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) offered: BTreeSet<u64>,
    /// Why clients cannot fetch a generation yet that is offered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) unpublished: BTreeMap<u64, String>,
    /// Since when clients can fetch each generation, in seconds since 1970: TUF metadata that contains it is served.
    #[serde(default)]
    pub(crate) published_seconds: BTreeMap<u64, u64>,
    /// When each generation that signs no more had stopped.
    #[serde(default)]
    pub(crate) stopped_seconds: BTreeMap<u64, u64>,
    /// Why a generation cannot be used.
    #[serde(default)]
    pub(crate) obstacles: BTreeMap<u64, String>,
    /// What the audit log says about each generation, or need not say because it began later.
    #[serde(default)]
    pub(crate) recorded: BTreeMap<u64, State>,
}

/// Why a step is not taken; nothing has changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("generation {number} is already {state}; {advice}")]
    Busy { number: u64, state: &'static str, advice: &'static str },
    #[error("no generation is {state}; see: chancery keys list")]
    Nothing { state: &'static str },
    #[error(
        "clients cannot fetch generation {number} yet, and would refuse what it signs: {reason}. To activate it all the same: \
         activate --now"
    )]
    Unpublished { number: u64, reason: String },
    #[error("the server cannot use generation {number}: {reason}")]
    Unusable { number: u64, reason: String },
    #[error(
        "generation {number} was published {published} and may be activated from {from} on, because clients must have fetched \
         it before. If all of yours have, shorten the wait with --overlap"
    )]
    TooEarly { number: u64, published: String, from: String },
    #[error(
        "the server has not stopped signing with generation {number} yet; a running server does so within a second, so start it"
    )]
    StillSigning { number: u64 },
    #[error("the end {end} is before the start of the key, {since}; choose a later time with --end")]
    EndsBeforeStart { end: String, since: String },
    #[error(
        "the end {end} is after {last}, the time of the last signature that can depend on the key; choose an earlier time with \
         --end"
    )]
    EndsTooLate { end: String, last: String },
}

impl Progress {
    /// Why clients cannot fetch this generation.
    pub(crate) fn reason_unpublished(&self, number: u64) -> String {
        self.unpublished.get(&number).cloned().unwrap_or_else(|| {
            format!("the server has not published generation {number} yet; a running server does so within seconds, so start it")
        })
    }
}

impl Refusal {
    fn unpublished(number: u64, progress: &Progress) -> Self {
        Self::Unpublished { number, reason: progress.reason_unpublished(number) }
    }
}

impl Ring {
    /// No key was ever rotated.
    pub(super) const fn new() -> Self {
        Self { schema: SCHEMA, roles: BTreeMap::new() }
    }

    /// Whether the role's keys are in it; where they are not, they were never rotated.
    pub(super) fn knows(&self, role: Role) -> bool {
        self.roles.contains_key(&role)
    }

    /// Adds the one key of a role, which has signed ever since.
    pub(super) fn begin(&mut self, role: Role, generation: Generation) {
        self.roles.insert(role, vec![generation]);
    }

    /// Whether this program knows the file's version, and every role has exactly one key that signs.
    pub(super) fn is_sound(&self) -> bool {
        self.schema == SCHEMA
            && self.roles.values().all(|generations| {
                let count = |state| generations.iter().filter(|generation| generation.state == state).count();
                let ordered = generations.is_sorted_by(|a, b| a.number < b.number);
                count(State::Active) == 1 && count(State::Staged) <= 1 && count(State::Outgoing) <= 1 && ordered
            })
    }

    /// The generations of a role, the first one first.
    pub(crate) fn generations(&self, role: Role) -> &[Generation] {
        self.roles.get(&role).map_or(&[], Vec::as_slice)
    }

    /// The generation of a role that is in a state of which there is at most one.
    pub(crate) fn find(&self, role: Role, state: State) -> Option<&Generation> {
        self.generations(role).iter().find(|generation| generation.state == state)
    }

    fn find_mut(&mut self, role: Role, state: State) -> Result<&mut Generation, Refusal> {
        let found = self.roles.get_mut(&role).into_iter().flatten().find(|generation| generation.state == state);
        found.ok_or(Refusal::Nothing { state: state.name() })
    }

    /// The number of the next generation.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while another rotation is under way.
    pub(crate) fn next_number(&self, role: Role) -> Result<u64, Refusal> {
        let busy = [(State::Staged, "activate or abandon it first"), (State::Outgoing, "retire it first")];
        for (state, advice) in busy {
            if let Some(generation) = self.find(role, state) {
                return Err(Refusal::Busy { number: generation.number, state: state.name(), advice });
            }
        }
        Ok(self.generations(role).last().map_or(0, |generation| generation.number) + 1)
    }

    /// Adds a staged generation.
    pub(crate) fn stage(&mut self, role: Role, generation: Generation) {
        self.roles.entry(role).or_default().push(generation);
    }

    /// Has the staged generation sign, which clients must have been able to fetch for `overlap_seconds`; if that is `None`, at
    /// once. Returns its number.
    pub(crate) fn activate(
        &mut self,
        role: Role,
        progress: &Progress,
        overlap_seconds: Option<u64>,
        now: Timestamp,
    ) -> Result<u64, Refusal> {
        let number = self.find_mut(role, State::Staged)?.number;
        if let Some(reason) = progress.obstacles.get(&number) {
            return Err(Refusal::Unusable { number, reason: reason.clone() });
        }
        if let Some(overlap_seconds) = overlap_seconds {
            let published = progress.published_seconds.get(&number);
            let published = *published.ok_or_else(|| Refusal::unpublished(number, progress))?;
            let from = Timestamp::from_seconds(published.saturating_add(overlap_seconds));
            if now < from {
                let published = Timestamp::from_seconds(published).rfc3339();
                return Err(Refusal::TooEarly { number, published, from: from.rfc3339() });
            }
        }
        self.find_mut(role, State::Active)?.state = State::Outgoing;
        let staged = self.find_mut(role, State::Staged)?;
        staged.state = State::Active;
        staged.activated_seconds = Some(now.seconds());
        Ok(number)
    }

    /// Ends the time of the outgoing generation: at `end`, or when the last signature that depends on it can have been made.
    /// Returns its number and its end.
    pub(crate) fn retire(
        &mut self,
        role: Role,
        progress: &Progress,
        end: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(u64, Timestamp), Refusal> {
        let Some(active) = self.find(role, State::Active).map(|active| active.number) else {
            return Err(Refusal::Nothing { state: State::Active.name() });
        };
        let outgoing = self.find_mut(role, State::Outgoing)?;
        let number = outgoing.number;
        let stopped = progress.stopped_seconds.get(&number).filter(|_| progress.signing == active);
        let stopped = Timestamp::from_seconds(*stopped.ok_or(Refusal::StillSigning { number })?);
        // Signers that have not heard of the next Rekor v2 log write to the one before until it is frozen, which is now.
        let stopped = if role == Role::Rekor2 { stopped.max(now) } else { stopped };
        let last = stopped.plus_seconds(role.reach_seconds());
        let end = end.unwrap_or(last);
        let since = Timestamp::from_seconds(outgoing.since_seconds);
        if end < since {
            return Err(Refusal::EndsBeforeStart { end: end.rfc3339(), since: since.rfc3339() });
        }
        if end > last {
            return Err(Refusal::EndsTooLate { end: end.rfc3339(), last: last.rfc3339() });
        }
        outgoing.state = State::Retired;
        outgoing.ends_seconds = Some(end.seconds());
        Ok((number, end))
    }

    /// Has `next` sign at once, because the log of the active key has ended: nothing more is signed with that. `next` is the
    /// staged generation, or a new one.
    pub(crate) fn succeed(&mut self, role: Role, next: Generation, now: Timestamp) -> Result<(), Refusal> {
        let ended = self.find_mut(role, State::Active)?;
        ended.state = State::Retired;
        ended.ends_seconds = Some(now.plus_seconds(role.reach_seconds()).seconds());
        let generations = self.roles.entry(role).or_default();
        generations.retain(|generation| generation.number != next.number);
        generations.push(Generation { state: State::Active, activated_seconds: Some(now.seconds()), ..next });
        Ok(())
    }

    /// Gives up the staged generation. Returns its number.
    pub(crate) fn abandon(&mut self, role: Role) -> Result<u64, Refusal> {
        let staged = self.find_mut(role, State::Staged)?;
        staged.state = State::Abandoned;
        Ok(staged.number)
    }
}

#[cfg(test)]
mod tests;
