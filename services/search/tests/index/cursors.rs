//! How far events have been delivered, in real databases.

use crate::bench::Bench;
use crate::log::LOG_ID;
use chancery_search::store::Cursor;

const RECEIVER: &str = "https://hooks.example.org/rekor";

pub(crate) async fn a_cursor_moves_forward_for_the_one_that_holds_it(bench: Bench) {
    let database = bench.open().await;
    let cursors = database.cursors();
    let cursor = async |log_id| cursors.cursor(RECEIVER, log_id).await.unwrap();
    assert!(!cursors.is_known(RECEIVER).await.unwrap());
    assert_eq!(cursor(LOG_ID).await, None);
    cursors.begin(RECEIVER, &[(LOG_ID, 40), (LOG_ID + 1, 0)]).await.unwrap();
    assert!(cursors.is_known(RECEIVER).await.unwrap() && !cursors.is_known("https://other.example.org").await.unwrap());
    // One that exists stays.
    cursors.begin(RECEIVER, &[(LOG_ID, 0), (LOG_ID + 2, 7)]).await.unwrap();
    let begun = Some(Cursor { version: 0, next: 40 });
    assert_eq!((cursor(LOG_ID).await, cursor(LOG_ID + 2).await), (begun, Some(Cursor { version: 0, next: 7 })));
    let advance = async |version, next| cursors.advance(RECEIVER, LOG_ID, version, next).await.unwrap();
    assert!(advance(0, 40).await, "it is taken");
    assert!(!advance(0, 40).await, "and was taken");
    assert!(!advance(1, 39).await, "it does not go back");
    assert!(advance(1, 50).await);
    assert_eq!(cursor(LOG_ID).await, Some(Cursor { version: 2, next: 50 }));
    assert_eq!(cursor(LOG_ID + 1).await, Some(Cursor { version: 0, next: 0 }), "that of another log stays");
    database.close().await;
}
