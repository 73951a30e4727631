//! A `PostgreSQL` server for several instances of the program: the one the log's own tests are run against.

#[path = "../../services/log/tests/postgres/mod.rs"]
#[expect(dead_code, reason = "the log's own tests do more with it")]
mod server;

/// The URL of an empty database.
pub fn database() -> String {
    let server = server::server();
    server.url(&server.database(), None)
}
