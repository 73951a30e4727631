//! A directory with monitors in it, one after the other, and what they tell.

use crate::log::FakeLog;
use chancery_daemon::clock::FixedClock;
use chancery_monitor::{
    Alarm, Authorities, Delivering, FollowedLog, Following, HttpClient, Monitor, Output, Outputs, Patience, Peer,
    Round, Settings, Source, StateError, Statuses, Undelivered, Watch, Watches,
};
use chancery_verify::Timestamp;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// Name of the log.
pub(crate) const LOG: &str = "rekor";

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) alarms: Mutex<Vec<Alarm>>,
    /// Whether it takes nothing.
    pub(crate) is_full: Mutex<bool>,
    /// Is called before a delivery is taken.
    pub(crate) before: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Output for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn deliver<'a>(&'a self, alarms: &'a [Alarm]) -> Delivering<'a> {
        Box::pin(async move {
            if *self.is_full.lock().unwrap() {
                return Err(Undelivered::all("the recorder is full".to_owned()));
            }
            if let Some(before) = &*self.before.lock().unwrap() {
                before();
            }
            self.alarms.lock().unwrap().extend_from_slice(alarms);
            Ok(())
        })
    }
}

/// Everything around a monitor.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) recorder: Arc<Recorder>,
    /// Further outputs.
    pub(crate) outputs: Vec<Arc<dyn Output>>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) following: Following,
}

impl World {
    /// With these watches, as a configuration has them.
    pub(crate) fn new(watches: &str, authorities: Authorities) -> Self {
        let watches = self::watches(watches, authorities);
        let patience = Patience { unreachable: Duration::ZERO, rollback: Duration::ZERO, hidden: Duration::ZERO };
        Self {
            directory: tempfile::tempdir().unwrap(),
            recorder: Arc::default(),
            outputs: Vec::new(),
            clock: Arc::new(FixedClock::new(Timestamp::from_seconds(1_800_000_000))),
            watches: Arc::new(watches),
            peers: Vec::new(),
            following: Following { patience, ..Following::default() },
        }
    }

    /// Without a watch.
    pub(crate) fn without_watches() -> Self {
        Self::new("", Authorities::default())
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The file with the log's state.
    pub(crate) fn state_file(&self) -> PathBuf {
        self.state().join(format!("{LOG}.json"))
    }

    pub(crate) fn monitor(&self) -> Monitor {
        let recorder: Arc<dyn Output> = self.recorder.clone();
        let settings = Settings {
            directory: self.state(),
            watches: Arc::clone(&self.watches),
            outputs: Outputs::new([vec![recorder], self.outputs.clone()].concat()),
            peers: self.peers.clone(),
            client: HttpClient::new(None, HttpClient::DEADLINE).unwrap(),
            statuses: chancery_monitor::Statuses::default(),
        };
        Monitor::open(settings, self.clock.clone()).unwrap()
    }

    /// A monitor that begins, follows the log as far as it goes, and ends.
    pub(crate) async fn try_once(&self, log: &FakeLog) -> Result<(Round, Statuses), StateError> {
        let mut monitor = self.monitor();
        let source: Arc<dyn Source> = Arc::new(log.clone());
        monitor.add(FollowedLog { name: LOG.to_owned(), source, following: self.following }).unwrap();
        let statuses = monitor.statuses();
        Ok((monitor.once().await?, statuses))
    }

    pub(crate) async fn once(&self, log: &FakeLog) -> Round {
        self.try_once(log).await.unwrap().0
    }

    /// What was told since this was asked last.
    pub(crate) fn told(&self) -> Vec<Alarm> {
        std::mem::take(&mut *self.recorder.alarms.lock().unwrap())
    }

    /// The kinds of what was told since this was asked last.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.told().iter().map(|alarm| alarm.kind.name()).collect()
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, seconds: u64) {
        use chancery_daemon::clock::Clock as _;
        self.clock.set(self.clock.now().plus_seconds(seconds));
    }
}

/// Watches as a configuration has them.
pub(crate) fn watches(text: &str, authorities: Authorities) -> Watches {
    try_watches(text, authorities).unwrap()
}

pub(crate) fn try_watches(text: &str, authorities: Authorities) -> Result<Watches, String> {
    #[derive(serde::Deserialize)]
    struct File {
        #[serde(default)]
        watch: Vec<chancery_monitor::WatchTable>,
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let watches =
        file.watch.into_iter().map(|table| Watch::new(table, &authorities).map_err(|error| error.to_string()));
    Ok(Watches::new(watches.collect::<Result<_, _>>()?, authorities))
}
