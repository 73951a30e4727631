//! Two servers over one PostgreSQL database, killed and started again in turn while they take entries.
//!
//! `CHANCERY_RACE_SECONDS` says for how long; a minute where it does not.

use chancery_tests::{
    Stack, postgres,
    told::{Told, race},
};
use std::{env, time::Duration};

#[test]
fn two_replicas_that_are_killed_in_turn_write_one_history() {
    let seconds = env::var("CHANCERY_RACE_SECONDS").map_or(60, |seconds| seconds.parse().unwrap());
    let one = Stack::start_with(&["--database", &postgres::database()]);
    let two = one.replica();
    let mut replicas = [one, two];
    let told = Told::default();
    let kills = race(&mut replicas, &told, Duration::from_secs(seconds), |_| ());
    for replica in &replicas {
        replica.get("/readyz").expect(200);
        told.check(replica);
        told.check_v2(replica);
    }
    let (entries, seen) = (told.entries.lock().unwrap().len(), told.checkpoints.lock().unwrap().len());
    let entries_v2 = told.entries_v2.lock().unwrap().len();
    eprintln!("{kills} kills, {entries} and {entries_v2} entries acknowledged, {seen} checkpoints seen");
    assert!(kills >= 4 && entries >= 100 && entries_v2 >= 30, "{kills} kills, {entries} and {entries_v2} entries");
    for replica in &mut replicas {
        replica.check();
    }
}
