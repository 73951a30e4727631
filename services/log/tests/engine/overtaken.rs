//! A store that holds something else than a batch extends says everything there is of the batch, and writes nothing.

use crate::bench::{Bench, START, entry};
use bytes::Bytes;
use chancery_log::Outcome;
use chancery_log::store::{Batch, CommittedHead, Extension, Found, Integration, StoredEntry};
use chancery_verify::merkle::{TreeHead, leaf_hash};
use chancery_verify::tile::{Edge, Tiles};

/// The extension of `from`, which has this right edge, by leaves of these texts.
fn extension(from: CommittedHead, edge: &mut Edge, texts: &[&'static str]) -> Extension {
    let mut touched = Tiles::default();
    let mut entries = Vec::new();
    for text in texts {
        let (index, hash, leaf) = (edge.size(), leaf_hash(text.as_bytes()), Bytes::from_static(text.as_bytes()));
        edge.append(hash, &mut touched);
        let extra = Bytes::new();
        entries.push(StoredEntry { index, timestamp: START, identity_hash: hash, leaf_hash: hash, leaf, extra });
    }
    let head = CommittedHead { tree: TreeHead { size: edge.size(), root: edge.root() }, timestamp: START };
    Extension::new(from, entries, touched, head)
}

fn overtaken(integration: Integration) -> Found {
    let Integration::Overtaken(found) = integration else { panic!("it was written") };
    found
}

pub(crate) async fn a_batch_that_was_overtaken_is_told_all_there_is_and_writes_nothing(bench: Bench) {
    let running = bench.start().await;
    let store = running.database.store();
    let (empty, mut edge) = (store.head(1).await.unwrap(), Edge::default());
    let identities = ["one", "two", "three"].map(|text| leaf_hash(text.as_bytes()));
    let batch = |known| Batch { log_id: 1, known: Some(known), identities: &identities, published: None };
    let one = extension(empty, &mut edge, &["one"]);
    let integrated = store.integrate(&batch(empty), &one, None).await.unwrap();
    assert!(matches!(integrated, Integration::Committed), "{integrated:?}");

    // It stands on a head that is not the last one any more. Of two entries nothing was asked.
    let found = overtaken(store.integrate(&batch(empty), &one, None).await.unwrap());
    assert_eq!((found.head, found.duplicates), (one.head, vec![Some(0), None, None]));
    assert!(found.edge.is_some(), "the right edge is another than that of the head it knows");
    // It stands on the last one and repeats an entry. The other one is not written either.
    let repeated = extension(one.head, &mut edge.clone(), &["two", "one"]);
    let found = overtaken(store.integrate(&batch(one.head), &repeated, None).await.unwrap());
    assert_eq!((found.head, found.duplicates), (one.head, vec![Some(0), None, None]));
    assert!(found.edge.is_none(), "it knows the right edge");
    assert_eq!(store.find(&batch(one.head)).await.unwrap().duplicates, [Some(0), None, None]);
    assert_eq!(store.head(1).await.unwrap(), one.head);

    // A lock that is given back keeps nobody from the next one.
    let (_, lock) = store.lock(&batch(one.head)).await.unwrap();
    lock.release().await;
    let (found, lock) = store.lock(&batch(one.head)).await.unwrap();
    assert_eq!((found.head, found.duplicates), (one.head, vec![Some(0), None, None]));
    let rest = extension(one.head, &mut edge, &["two", "three"]);
    let integrated = store.integrate(&batch(one.head), &rest, Some(lock)).await.unwrap();
    assert!(matches!(integrated, Integration::Committed), "{integrated:?}");

    // The sequencer knows nothing of all this.
    let outcome = running.log.append(entry("four")).await.unwrap();
    assert!(matches!(&outcome, Outcome::Logged(receipt) if receipt.index == 3), "{outcome:?}");
    let again = running.log.append(entry("two")).await.unwrap();
    assert!(matches!(again, Outcome::AlreadyLogged { index: 1 }), "{again:?}");
    assert_eq!(bench.check(&running).await.unwrap(), 4);
    running.stop().await;
}
