//! The high-water mark: a database that was put back is found where nobody but this process remembers, before anything is
//! committed or signed.

use crate::bench::{Bench, Place, Running, entry, verify};
use chancery_log::quarantine::{Obstacle, Reason};
use chancery_log::{Error, OpenError, Outcome};
use chancery_verify::merkle::TreeHead;
use std::path::PathBuf;
use std::time::Duration;

/// A bench whose logs keep a mark, and the directory of it.
pub(crate) fn marked(mut bench: Bench) -> (Bench, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    bench.mark = Some(directory.path().join("rekor.mark"));
    (bench, directory)
}

/// A log of another database of the same kind and the same key, without a mark, of `size` entries.
pub(crate) async fn another(bench: &Bench, size: u64, prefix: &str) -> Bench {
    let mut another = match &bench.place {
        Place::Sqlite(_) => Bench::sqlite(),
        Place::Postgres { .. } => Bench::postgres(),
    };
    another.signer = bench.signer.clone();
    let running = another.start().await;
    grow(&running, size, prefix).await;
    running.stop().await;
    another
}

pub(crate) async fn grow(running: &Running, size: u64, prefix: &str) {
    for number in running.log.published().unwrap().tree.size..size {
        running.log.append(entry(&format!("{prefix} {number}"))).await.unwrap();
    }
}

/// Starts the log, which must be quarantined with this code; nothing may be taken, signed or stored.
async fn is_quarantined(bench: &Bench, code: &str, size: u64) {
    let running = bench.start().await;
    let reason = running.log.quarantine().expect("the log is quarantined").clone();
    assert_eq!(reason.code(), code, "{reason}");
    assert!(matches!(running.log.append(entry("new")).await, Err(Error::Quarantined(_))));
    assert_eq!(running.log.latest().await.unwrap().tree.size, size, "reads go on");
    running.stop().await;
}

/// restored while it was stopped, from every earlier state, and twice in a row.
pub(crate) async fn a_database_that_was_put_back_while_it_was_stopped_is_not_signed(bench: Bench) {
    let (mut bench, _directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, 12, "entry").await;
    running.stop().await;
    for size in [0, 1, 9, 11] {
        let mut older = another(&bench, size, "entry").await;
        older.mark = bench.mark.clone();
        for _ in 0..2 {
            is_quarantined(&older, "quarantine.mark_newer", size).await;
        }
        // What was put back is put right: the newest state goes on.
        let running = bench.start().await;
        assert_eq!(running.log.quarantine(), None);
        running.stop().await;
    }
    // It was put back and has grown again, by a process that knew nothing of it.
    for size in [12, 13, 300] {
        let mut other = another(&bench, size, "another history").await;
        other.mark = bench.mark.clone();
        is_quarantined(&other, "quarantine.mark_forked", size).await;
    }
    let running = bench.start().await;
    grow(&running, 14, "entry").await;
    assert_eq!(bench.check(&running).await.unwrap(), 14);
    running.stop().await;
    // Without the mark nothing remembers: what this is for.
    bench.mark = None;
    let mut forgetful = another(&bench, 9, "entry").await;
    forgetful.mark = None;
    let running = forgetful.start().await;
    assert_eq!(running.log.quarantine(), None);
    running.stop().await;
}

/// Puts the head back under a running log, as a restore or a failover does.
async fn put_back(running: &Running, to: &TreeHead) {
    running.database.drop_triggers().await;
    let (size, root) = (to.size, hex::encode(to.root));
    let statements = [
        format!("UPDATE tree_heads SET tree_size = {size}, root_hash = x'{root}'")
            .replace("root_hash = x'", "root_hash= x'"),
        format!("DELETE FROM checkpoints WHERE tree_size > {size}"),
        format!("DELETE FROM bundle_parts WHERE first_index >= {size}"),
        format!("DELETE FROM identities WHERE leaf_index >= {size}"),
    ];
    for statement in statements {
        running.database.execute(&statement).await.unwrap();
    }
}

/// R-06 under a running server: the next entry is not committed, and the start after it says the same.
pub(crate) async fn a_database_that_is_put_back_under_a_running_log_takes_no_entry(bench: Bench) {
    let (bench, _directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, 7, "entry").await;
    let earlier = running.log.published().unwrap().tree;
    grow(&running, 13, "entry").await;
    put_back(&running, &earlier).await;
    let refused = running.log.append(entry("after the restore")).await.unwrap_err();
    assert!(matches!(&refused, Error::Quarantined(Reason::PutBack { head: 7, known: 13 })), "{refused}");
    let refused = running.log.append(entry("once more")).await.unwrap_err();
    assert!(matches!(refused, Error::Quarantined(Reason::PutBack { .. })), "{refused}");
    let obstacle = running.log.obstacle().unwrap();
    assert!(matches!(obstacle, Obstacle::Quarantined { reason: Reason::PutBack { .. }, .. }), "{obstacle}");
    let store = running.database.store();
    assert_eq!(store.head(1).await.unwrap().tree, earlier, "nothing was committed");
    assert_eq!(running.log.published().unwrap().tree.size, 13, "what was published is shown");
    running.stop().await;
    is_quarantined(&bench, "quarantine.mark_newer", 7).await;
}

/// The same with reads alone: found within seconds, without a write.
pub(crate) async fn a_database_that_is_put_back_under_an_idle_log_is_noticed(bench: Bench) {
    let (bench, _directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, 3, "entry").await;
    let earlier = running.log.published().unwrap().tree;
    grow(&running, 5, "entry").await;
    put_back(&running, &earlier).await;
    for _ in 0..100 {
        if running.log.quarantine().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(running.log.quarantine().map(Reason::code), Some("quarantine.put_back"));
    running.stop().await;
    is_quarantined(&bench, "quarantine.mark_newer", 3).await;
}

/// A mark that cannot be read, or is another log's, does not open; one that cannot be written acknowledges nothing.
pub(crate) async fn a_mark_that_cannot_be_trusted_or_kept_acknowledges_nothing(bench: Bench) {
    let (mut bench, directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, 3, "entry").await;
    running.stop().await;
    let path = directory.path().join("rekor.mark");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, vec![7; whole.len()]).unwrap();
    let refused = bench.start_as(bench.signer.clone(), "log.example").await.map(|_| ()).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Mark { error, .. } if error.kind() == std::io::ErrorKind::InvalidData),
        "{refused}"
    );
    std::fs::write(&path, &whole).unwrap();

    let (other, other_directory) = marked(another(&bench, 0, "").await);
    let mut stranger = Bench { signer: Bench::sqlite().signer, ..Bench::sqlite() };
    stranger.mark = Some(other_directory.path().join("rekor.mark"));
    let running = stranger.start().await;
    running.stop().await;
    let refused = other.start_as(other.signer.clone(), "log.example").await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::OtherMark(_)), "{refused}");

    bench.mark = Some(PathBuf::from("/dev/full"));
    let refused = bench.start_as(bench.signer.clone(), "log.example").await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Mark { .. }), "{refused}");
}

/// Answers wait for the mark and say the same afterwards, under load.
pub(crate) async fn what_is_acknowledged_is_in_the_mark(bench: Bench) {
    let (bench, directory) = marked(bench);
    let running = bench.start().await;
    let path = directory.path().join("rekor.mark");
    let appends = (0..200).map(|number| {
        let (log, path) = (running.log.clone(), path.clone());
        tokio::spawn(async move {
            let Outcome::Logged(receipt) = log.append(entry(&format!("entry {number}"))).await.unwrap() else {
                panic!("logged before")
            };
            (marked_size(&path), receipt)
        })
    });
    // Entries that are there already, asked for while their heads are being marked, can be read when they are named.
    for number in 0..100 {
        let log = running.log.clone();
        let append = move || {
            let log = log.clone();
            async move {
                let index = match log.append(entry(&format!("again {number}"))).await.unwrap() {
                    Outcome::Logged(receipt) => receipt.index,
                    Outcome::AlreadyLogged { index } => index,
                };
                assert!(log.published().unwrap().tree.size > index, "entry {index} was named and cannot be read");
            }
        };
        tokio::join!(append(), append(), append());
    }
    for append in appends.collect::<Vec<_>>() {
        let (marked, receipt) = append.await.unwrap();
        assert!(marked > receipt.index, "entry {} was acknowledged under a mark of {marked}", receipt.index);
        verify(&receipt, &running, &bench.signer);
    }
    assert_eq!(bench.check(&running).await.unwrap(), 300);
    running.stop().await;
}

/// B2: what another replica has published is remembered by each that has shown it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_replica_published_is_in_the_mark_before_it_is_shown() {
    let bench = Bench::postgres();
    let (reader, directory) = marked(bench.twin());
    let (running, reading) = (bench.start().await, reader.start().await);
    let path = directory.path().join("rekor.mark");
    for size in [1, 5, 12] {
        grow(&running, size, "entry").await;
        assert_eq!(reading.log.latest().await.unwrap().tree.size, size);
        assert_eq!(marked_size(&path), size);
    }
    running.stop().await;
    reading.stop().await;
    let mut older = another(&bench, 9, "entry").await;
    older.mark = reader.mark.clone();
    is_quarantined(&older, "quarantine.mark_newer", 9).await;
}

/// The largest size that is stated in a mark's file.
fn marked_size(path: &std::path::Path) -> u64 {
    let bytes = std::fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let sizes = text.split("log.example - ").skip(1).filter_map(|note| note.lines().nth(1)?.parse().ok());
    sizes.max().expect("a checkpoint")
}
