//! A monitor: follows several logs at once.

use crate::alarm::AlarmKind;
use crate::client::HttpClient;
use crate::follower::{Extent, Follower, Following, Gossip};
use crate::gossip::Peer;
use crate::ledger::{Places, Round};
use crate::outputs::Outputs;
use crate::source::Source;
use crate::state::{self, StateError};
use crate::status::Statuses;
use crate::watch::Watches;
use chancery_daemon::clock::Clock;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Maximum bytes of a log's name.
const MAX_NAME: usize = 64;

/// Why a monitor does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written, or is not what it should be.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another process uses the directory.
    #[error("another monitor is using {0}: give each a directory of its own")]
    InUse(PathBuf),
    /// A name cannot be the name of a file.
    #[error(
        "{0:?} cannot be the name of a log: write 1 to {MAX_NAME} lower-case letters, digits, dots, hyphens or underscores"
    )]
    Name(String),
    /// Two logs have one name.
    #[error("two logs have the name {0:?}: each needs a name of its own, because the name is that of its file")]
    TwoLogs(String),
}

/// A log to follow.
pub struct FollowedLog {
    /// Its name. It never changes: it names the state, and is part of the ids of alarms.
    pub name: String,
    /// Where it is.
    pub source: Arc<dyn Source>,
    /// How it is followed.
    pub following: Following,
}

/// What a monitor is made of.
pub struct Settings {
    /// Directory for states and evidence. It is created if it does not exist.
    pub directory: PathBuf,
    /// What is watched for.
    pub watches: Arc<Watches>,
    /// Where alarms go.
    pub outputs: Outputs,
    /// Witnesses, monitors and files that have seen checkpoints, too.
    pub peers: Vec<Peer>,
    /// For questions to peers.
    pub client: HttpClient,
    /// The status of each log, which the monitor keeps up to date.
    pub statuses: Statuses,
}

/// A monitor.
pub struct Monitor {
    settings: Settings,
    clock: Arc<dyn Clock>,
    followers: Vec<Follower>,
    names: Vec<String>,
    /// Logs that are not followed, because what is kept under their names is about others, and why.
    refused: Vec<(String, String)>,
    /// Held as long as the monitor runs.
    lock: File,
}

impl Monitor {
    /// Opens a monitor in its directory, without a log.
    ///
    /// # Errors
    /// The directory cannot be used, or another monitor uses it.
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let evidence = evidence(&settings.directory);
        fs::create_dir_all(&evidence).map_err(|source| StateError::File { path: evidence, source })?;
        let lock = lock(&settings.directory)?;
        Ok(Self { settings, clock, followers: Vec::new(), names: Vec::new(), refused: Vec::new(), lock })
    }

    /// Follows a log from now on. One whose state is about another log, as after a rotation, is not followed and not known; its
    /// state stays as it is, and the other logs are followed.
    ///
    /// # Errors
    /// Its name or its state cannot be used.
    pub fn add(&mut self, log: FollowedLog) -> Result<(), Error> {
        let FollowedLog { name, source, following } = log;
        let path = state_path(&self.settings.directory, &name)?;
        if self.names.contains(&name) {
            return Err(Error::TwoLogs(name));
        }
        let places = Places {
            outputs: self.settings.outputs.clone(),
            statuses: self.settings.statuses.clone(),
            evidence: evidence(&self.settings.directory),
        };
        let gossip = Gossip { peers: self.settings.peers.clone().into(), client: self.settings.client.clone() };
        let watches = Arc::clone(&self.settings.watches);
        match Follower::open((&name, source, following), watches, gossip, places, path) {
            Ok(follower) => self.followers.push(follower),
            Err(error @ StateError::OtherLog { .. }) => self.refused.push((name.clone(), error.to_string())),
            Err(error) => return Err(error.into()),
        }
        self.names.push(name);
        Ok(())
    }

    /// What is known of each log. It is kept up to date.
    #[must_use]
    pub fn statuses(&self) -> Statuses {
        self.settings.statuses.clone()
    }

    /// Follows every log as far as it is shown now.
    ///
    /// # Errors
    /// A state cannot be written, and there is no alarm. With an alarm, that is among what is not known. What is not written is done
    /// again by the next monitor in this directory.
    pub async fn once(self) -> Result<Round, StateError> {
        let Self { followers, clock, lock, refused, .. } = self;
        let (now, mut running) = (clock.now(), JoinSet::new());
        for mut follower in followers {
            running.spawn(async move { follower.round(now, Extent::Whole).await });
        }
        let (mut all, mut failed) = (Round::default(), None);
        while let Some(round) = running.join_next().await {
            match round {
                Ok(Err(error)) => failed = Some(error),
                Ok(Ok(Round { alarms, mut unknown, is_accused })) => {
                    all.alarms += alarms;
                    all.unknown.append(&mut unknown);
                    all.is_accused |= is_accused;
                }
                Err(error) => all.unknown.push(format!("a log was not followed: {error}")),
            }
        }
        drop(lock);
        all.unknown.extend(refused.into_iter().map(|(log, reason)| format!("{log} is not followed: {reason}")));
        if let Some(error) = failed {
            if all.alarms == 0 && !all.is_accused {
                return Err(error);
            }
            all.unknown.push(error.to_string());
        }
        all.unknown.sort();
        all.unknown.dedup();
        Ok(all)
    }

    /// Follows every log, each `period` again, for as long as it is polled. It may be dropped at any moment.
    pub async fn run(self, period: Duration) {
        let Self { settings, followers, clock, lock, refused, .. } = self;
        for (log, reason) in refused {
            tracing::error!(log, reason, "a log is not followed");
            settings.statuses.update(&log, |status| {
                status.lasting.insert(AlarmKind::Unreachable, format!("it is not followed: {reason}"));
            });
        }
        let mut running = JoinSet::new();
        for follower in followers {
            running.spawn(keep_following(follower, Arc::clone(&clock), period));
        }
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a log is no longer followed; start the monitor again");
            }
        }
        // No other monitor may have followed meanwhile.
        drop(lock);
    }
}

async fn keep_following(mut follower: Follower, clock: Arc<dyn Clock>, period: Duration) {
    let mut told = Vec::new();
    loop {
        match follower.round(clock.now(), Extent::Steps).await {
            Ok(round) => {
                for reason in round.unknown.iter().filter(|reason| !told.contains(*reason)) {
                    tracing::warn!(reason, "a log could not be followed completely; it is tried again");
                }
                told = round.unknown;
            }
            Err(error) => {
                tracing::error!(%error, "the state of a log cannot be written; the log is followed again from the last written one");
                if let Err(error) = follower.reopen() {
                    tracing::error!(%error, "the state of a log cannot be read");
                }
            }
        }
        if !follower.is_behind() {
            tokio::time::sleep(period).await;
        }
    }
}

fn evidence(directory: &Path) -> PathBuf {
    directory.join("evidence")
}

fn state_path(directory: &Path, name: &str) -> Result<PathBuf, Error> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_allowed) && !name.starts_with('.') {
        Ok(directory.join(format!("{name}.json")))
    } else {
        Err(Error::Name(name.to_owned()))
    }
}

/// The first line of the checkpoints of the log that was followed under this name, if one was. It says which of several trees of one
/// place is followed on; whether the log has signed it is verified later.
///
/// # Errors
/// The name or the file cannot be used.
pub fn remembered_origin(directory: &Path, name: &str) -> Result<Option<String>, Error> {
    Ok(state::unverified_origin(&state_path(directory, name)?)?)
}

fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| StateError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(StateError::File { path, source }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_file_below_the_directory() {
        let path = |name| state_path(Path::new("/m"), name);
        assert_eq!(path("rekor-v2.example.org").unwrap(), Path::new("/m/rekor-v2.example.org.json"));
        for bad in ["", "..", "../x", ".x", "a/b", "A", "a b", "ä", &"x".repeat(65)] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }
}
