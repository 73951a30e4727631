//! A log that was restored goes on only by a checkpoint from outside the backup.

use crate::bench::{Bench, Running, entry};
use crate::marks::{another, grow, marked};
use chancery_log::ending::{self, Examination};
use chancery_log::quarantine::Reason;
use chancery_log::restoring::{Meaning, RestoreError, Restored, checkpoints_of, settle};
use chancery_verify::Timestamp;
use std::path::Path;
use std::slice;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_100);
/// Leaves in the backup.
const SIZE: u64 = 9;

fn note(running: &Running) -> String {
    running.log.published().unwrap().note.clone()
}

/// What the log in `bench` is found to be by these checkpoints.
async fn settled(bench: &Bench, mark: &Path, newest: &[String]) -> Result<Restored, RestoreError> {
    let running = bench.start().await;
    let subject = bench.subject(&running);
    running.stop().await;
    let database = bench.open().await.unwrap();
    let restored = settle(&*database.store(), &subject, mark, newest, NOW).await;
    database.close().await;
    restored
}

/// The code with which the log starts over `mark`; none where it goes on.
async fn starts(bench: &mut Bench, mark: &Path) -> Option<&'static str> {
    bench.mark = Some(mark.to_owned());
    let running = bench.start().await;
    let code = running.log.quarantine().map(Reason::code);
    let is_taken = running.log.append(entry("after the restore")).await.is_ok();
    assert_eq!(is_taken, code.is_none(), "{code:?}");
    running.stop().await;
    code
}

pub(crate) async fn a_restored_log_goes_on_only_by_a_checkpoint_from_outside(bench: Bench) {
    let (bench, directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, SIZE - 2, "entry").await;
    let earlier = note(&running);
    grow(&running, SIZE, "entry").await;
    let equal = note(&running);
    grow(&running, SIZE + 3, "entry").await;
    let later = note(&running);
    running.stop().await;
    let lost = directory.path().join("rekor.mark");
    assert_eq!(checkpoints_of(&lost).unwrap(), slice::from_ref(&later));
    assert!(checkpoints_of(&directory.path().join("none")).unwrap().is_empty());
    let fork = another(&bench, SIZE - 1, "another history").await;
    let running = fork.start().await;
    let forked = note(&running);
    running.stop().await;
    for (number, newest, meaning, code) in [
        (1, vec![earlier.clone(), equal], Meaning::GoesOn { published: SIZE }, None),
        (
            2,
            vec![earlier.clone(), later.clone()],
            Meaning::Behind { published: SIZE + 3 },
            Some("quarantine.mark_newer"),
        ),
        (3, vec![later.clone(), forked], Meaning::Forked { published: SIZE - 1 }, Some("quarantine.mark_forked")),
        (4, vec![], Meaning::Unknown, Some("quarantine.recorded")),
        // The backup has a newer one itself, so it is not the newest that exists.
        (5, vec![earlier], Meaning::Unknown, Some("quarantine.recorded")),
    ] {
        let mut restored = another(&bench, SIZE, "entry").await;
        let mark = directory.path().join(format!("{number}.mark"));
        let found = settled(&restored, &mark, &newest).await.unwrap();
        assert_eq!(found, Restored { size: SIZE, meaning });
        for _ in 0..2 {
            assert_eq!(starts(&mut restored, &mark).await, code, "{meaning:?}");
        }
    }
    let mut restored = another(&bench, SIZE, "entry").await;
    let mark = directory.path().join("unknown.mark");
    let stranger = Bench::sqlite();
    let running = stranger.start().await;
    let strange = note(&running);
    running.stop().await;
    let refused = settled(&restored, &mark, &[strange]).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Other(_)), "{refused}");
    // It can be ended, and then nothing matters any more.
    settled(&restored, &mark, &[]).await.unwrap();
    assert_eq!(starts(&mut restored, &mark).await, Some("quarantine.recorded"));
    assert!(checkpoints_of(&mark).unwrap().is_empty(), "what it has shown since says nothing about what was published");
    let running = restored.start().await;
    let subject = restored.subject(&running);
    let store = running.database.store();
    let Examination::Doubtful(examined) = ending::examine(&*store, &subject, &mark).await.unwrap() else {
        panic!("it is not ended yet")
    };
    assert!((1..=SIZE).contains(&examined.tree.size), "{examined:?}");
    examined.end(&*store, 1, NOW).await.unwrap();
    let closed = settle(&*store, &subject, &mark, &[], NOW).await.unwrap();
    assert_eq!(closed, Restored { size: SIZE, meaning: Meaning::Closed });
    running.stop().await;
}
