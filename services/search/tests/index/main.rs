//! The index on real databases, over a log in memory: questions, faults, kills, several followers. What is asked is compared with a
//! sorted map, and every test ends with the whole index derived again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has found something")]

mod bench;
#[path = "../../../log/tests/postgres/both.rs"]
#[macro_use]
mod both;
mod crash;
mod cursors;
mod faults;
mod log;
#[path = "../../../log/tests/postgres/mod.rs"]
#[expect(dead_code, clippy::expect_used, reason = "the log's own tests do more with it")]
mod postgres;
mod questions;
mod replicas;
mod tampered;

use bench::Bench;

on_both_databases! {
    questions::answers_are_those_of_a_sorted_map_while_the_log_grows,
    questions::a_prefix_with_too_many_values_is_refused,
    questions::times_lead_to_indices,
    questions::the_same_entries_make_the_same_pages,
    crash::a_process_that_is_killed_at_any_moment_leaves_an_index_that_is_whole,
    crash::a_follower_that_is_dropped_between_any_two_steps_leaves_an_index_that_is_whole,
    cursors::a_cursor_moves_forward_for_the_one_that_holds_it,
    faults::another_tree_than_the_one_that_is_published_stops_it,
    faults::a_log_that_is_away_is_followed_when_it_is_back,
    faults::an_entry_that_cannot_be_parsed_is_counted_and_found_by_its_leaf_hash,
    faults::a_log_that_shows_less_than_before_is_waited_for,
    replicas::two_followers_make_one_index,
    replicas::an_index_is_built_again_while_the_log_grows,
    replicas::what_several_servers_delete_at_once_is_gone,
    tampered::a_row_that_is_missing_added_or_changed_is_found,
    tampered::a_changed_byte_of_any_page_is_found,
}
