//! Whether a server keeps what it has committed: the settings under which a commit that returned may be lost.
//!
//! Every connection that writes is asked, not the first alone: after a failover it leads to another server, with settings of its
//! own.

use super::DatabaseError;
use sqlx::PgConnection;

/// How long a commit waits. Every value except `off` waits for the disk.
pub(super) const COMMIT_SETTING: &str = "synchronous_commit";
const QUESTION: &str = "/* durable */ SELECT current_setting('fsync'), current_setting('full_page_writes'),
    current_setting('synchronous_commit')";

/// Refuses a server that may lose what it has committed. Returns its [`COMMIT_SETTING`].
pub(super) async fn verify(connection: &mut PgConnection) -> Result<String, DatabaseError> {
    let (fsync, full_page_writes, commit): (String, String, String) =
        sqlx::query_as(QUESTION).fetch_one(connection).await?;
    for (setting, value) in [("fsync", &fsync), ("full_page_writes", &full_page_writes), (COMMIT_SETTING, &commit)] {
        require(setting, value)?;
    }
    Ok(commit)
}

fn require(setting: &'static str, value: &str) -> Result<(), DatabaseError> {
    if value == "off" { Err(DatabaseError::NotDurable { setting, value: value.to_owned() }) } else { Ok(()) }
}
