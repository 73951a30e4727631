//! An index of logs, derived from their entries.

mod index;
