//! A `PostgreSQL` server for several instances of the program: the one the log's own tests are run against.

#[path = "../../services/log/tests/postgres/mod.rs"]
#[expect(dead_code, reason = "the log's own tests do more with it")]
mod server;

/// The URL of an empty database.
pub fn database() -> String {
    url(&name())
}

/// Runs SQL as the superuser: in one database, which no one else uses meanwhile, or in the server's own.
pub fn execute(database: Option<&str>, sql: &str) -> Result<(), String> {
    server::server().try_execute(database.unwrap_or("postgres"), sql)
}

/// The URL of the database of this name.
pub fn url(database: &str) -> String {
    server::server().url(database, None)
}

/// The name of an empty database.
pub fn name() -> String {
    server::server().database()
}
