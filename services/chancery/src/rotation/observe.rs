//! A process without the authority's keys keeps up with their rotation: it accepts the roots and publishes the chains that
//! the process with the keys ([`super::follow`]) has found usable. Both read the same data directory, or copies of it.

use super::{
    Progress, RingFiles, Role,
    follow::{PERIOD, Publish},
    generations::AuthorityKeys,
};
use chancery_log::ct::Ct;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// Follows until it is aborted. `own_log` is the certificate log of this process, `publish` publishes its trust files.
pub(crate) fn start(files: RingFiles, own_log: Option<Ct>, publish: Option<Publish>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut looks = interval(PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut complaint, mut taken): (Option<String>, _) = (None, None);
        loop {
            looks.tick().await;
            let seen = seen(&files);
            if taken.is_some() && taken == seen {
                continue;
            }
            let looked = look(&files, own_log.as_ref(), publish.as_ref());
            // What could not be done, or not all of it, is tried again.
            taken = seen.filter(|_| matches!(looked, Ok(true)));
            let error = looked.err().map(|error| format!("{error:#}"));
            if let Some(error) = error.as_ref().filter(|error| complaint.as_ref() != Some(*error)) {
                tracing::error!(error, "the rotation of the CA key is not followed");
            }
            complaint = error;
        }
    })
}

/// What decides: what is wanted and how far the other process is. `None` where it cannot be read.
fn seen(files: &RingFiles) -> Option<(Option<Vec<u8>>, Option<Progress>)> {
    Some((files.ring_text().ok()?, files.progress(Role::Ca).ok()?))
}

/// Does what there is to do; whether every chain was there. Nothing of it has an effect the second time.
fn look(files: &RingFiles, own_log: Option<&Ct>, publish: Option<&Publish>) -> anyhow::Result<bool> {
    let keys = AuthorityKeys::read(files.clone())?;
    if let Some(log) = own_log {
        keys.roots().iter().try_for_each(|root| log.accept_root(root))?;
    }
    publish.map_or(Ok(()), |publish| publish(&keys.trusted()))?;
    Ok(keys.progress.obstacles.is_empty())
}
