//! Whether a database that failed has said anything.
//!
//! One that cannot be reached, or is starting, stopping or busy, says nothing about what is in it. Whoever checks that must not
//! take the one for the other.

use super::DatabaseError;

/// Primary codes of `SQLite`: busy, locked, cannot be opened.
const SQLITE: [u32; 3] = [5, 6, 14];
/// Classes of `PostgreSQL`'s codes: connection, resources, an operator's intervention.
const POSTGRES: [&str; 3] = ["08", "53", "57"];
/// A code of `PostgreSQL` has so many characters, one of `SQLite` fewer.
const POSTGRES_CODE: usize = 5;

/// Whether the database gave no answer. `false` where it has found fault with what is stored, or with what was asked.
#[must_use]
pub fn is_silent(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Configuration(cause) => {
            cause.downcast_ref::<DatabaseError>().is_some_and(DatabaseError::is_silent)
        }
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_silence(&code)),
        _ => false,
    }
}

fn is_silence(code: &str) -> bool {
    if code.len() == POSTGRES_CODE {
        return POSTGRES.iter().any(|class| code.starts_with(class));
    }
    // What is above the lowest byte of a code of SQLite says more about it.
    code.parse::<u32>().is_ok_and(|code| SQLITE.contains(&(code & 0xff)))
}

impl DatabaseError {
    /// Whether the database gave no answer, so that nothing is known about what is in it.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        match self {
            Self::Open(error) => is_silent(error),
            Self::Standby | Self::Superseded { .. } => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_says_nothing_and_one_that_is_damaged_does() {
        // Cannot be opened, busy, busy with an old snapshot; refused, too many connections, stopping, starting.
        for code in ["14", "5", "517", "08006", "53300", "57P01", "57P03"] {
            assert!(is_silence(code), "{code}");
        }
        // Malformed, no database, an error of SQL; a damaged index, no such table, not permitted.
        for code in ["11", "26", "1", "XX002", "42P01", "42501", ""] {
            assert!(!is_silence(code), "{code}");
        }
        let away = sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        assert!(is_silent(&away) && DatabaseError::from(away).is_silent());
        assert!(is_silent(&sqlx::Error::Configuration(DatabaseError::Standby.into())));
        assert!(
            !is_silent(&sqlx::Error::RowNotFound) && !DatabaseError::OlderSchema { found: 1, known: 2 }.is_silent()
        );
    }
}
