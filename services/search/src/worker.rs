//! The thread on which the index computes: parsing entries, sorting, merging.
//!
//! On Linux it has the lowest priority. Where the index shares its cores with the writer of a log, it then falls behind instead of
//! slowing the writer, and it catches up when there is time. A thread of its own, and not one of the runtime's for blocking work:
//! these serve others afterwards, and only a privileged process may raise a priority again.

use crate::error::Error;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The thread. It ends when this is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start() -> Self {
        let (jobs, queue) = channel::<Job>();
        let run = move || {
            yield_to_others();
            queue.into_iter().for_each(|job| job());
        };
        if let Err(error) = thread::Builder::new().name("search".to_owned()).spawn(run) {
            // Every job then fails, which the follower reports.
            tracing::error!(%error, "cannot start the thread of the index");
        }
        Self { jobs }
    }

    /// Runs `work` there, after what was given to it before.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            // A caller that was dropped wants no answer.
            let _ = answer.send(work());
        };
        self.jobs.send(Box::new(job)).map_err(|_| Error::Worker)?;
        answered.await.map_err(|_| Error::Worker)
    }
}

/// Takes the lowest priority. Elsewhere than on Linux it would be that of the whole process.
#[cfg(target_os = "linux")]
fn yield_to_others() {
    if let Err(error) = rustix::process::nice(19) {
        tracing::warn!(%error, "the thread of the index keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
const fn yield_to_others() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_run_on_one_thread_that_yields() {
        #[cfg(target_os = "linux")]
        let before = rustix::process::getpriority_process(None).unwrap();
        let worker = Worker::start();
        let current = || (thread::current().id(), thread::current().name().map(str::to_owned));
        let (id, name) = worker.run(current).await.unwrap();
        assert_eq!(name.as_deref(), Some("search"));
        assert_eq!(worker.run(current).await.unwrap().0, id);
        assert_ne!(thread::current().id(), id);
        #[cfg(target_os = "linux")]
        {
            let priority = || rustix::process::getpriority_process(None).unwrap();
            assert_eq!(worker.run(priority).await.unwrap(), 19);
            assert_eq!(priority(), before, "only that thread's");
        }
    }
}
