//! A process without a role's keys keeps up with their rotation: it does what it has to do with the generations that the
//! process with the keys ([`super::follow`]) has found usable. Both read the same data directory, or copies of it.

use super::{Progress, RingFiles, Role, credential::Credential, follow::PERIOD, generations::Generations};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// Follows until it is aborted, and has `take` called whenever something may have changed; nothing of what that does may have
/// an effect the second time.
pub(crate) fn start<C: Credential>(
    files: RingFiles,
    role: Role,
    take: impl Fn(&Generations<C>) -> anyhow::Result<()> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut looks = interval(PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut complaint, mut taken): (Option<String>, _) = (None, None);
        loop {
            looks.tick().await;
            let seen = seen(&files, role);
            if taken.is_some() && taken == seen {
                continue;
            }
            let looked = look(&files, role, &take);
            // What could not be done, or not all of it, is tried again.
            taken = seen.filter(|_| matches!(looked, Ok(true)));
            let error = looked.err().map(|error| format!("{error:#}"));
            if let Some(error) = error.as_ref().filter(|error| complaint.as_ref() != Some(*error)) {
                tracing::error!(%role, error, "cannot follow the rotation of a key in another process");
            }
            complaint = error;
        }
    })
}

/// What decides: what is wanted and how far the other process is. `None` where it cannot be read.
fn seen(files: &RingFiles, role: Role) -> Option<(Option<Vec<u8>>, Option<Progress>)> {
    Some((files.ring_text().ok()?, files.progress(role).ok()?))
}

/// Does what there is to do; whether every generation could be read.
fn look<C: Credential>(
    files: &RingFiles,
    role: Role,
    take: &impl Fn(&Generations<C>) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let keys = Generations::read(files.clone(), role)?;
    take(&keys)?;
    Ok(keys.progress.obstacles.is_empty())
}
