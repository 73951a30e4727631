//! The log engine on real databases: order, duplicates, restarts, faults, replicas. Every test ends with the whole log
//! re-derived.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails here has found something"
)]

mod attestations;
mod bench;
#[path = "../postgres/both.rs"]
#[macro_use]
mod both;
mod broken;
mod claims;
mod clock;
mod crash;
mod disk;
mod doubts;
mod dropped;
mod fake_witness;
mod faults;
mod frozen;
mod holes;
mod hooked;
mod marks;
mod mirror;
mod moody;
mod overtaken;
mod pool;
mod pooler;
#[path = "../postgres/mod.rs"]
mod postgres;
mod power;
mod process;
mod quarantine;
mod reader;
mod replicas;
mod restored;
mod roles;
mod scenarios;
mod server;
mod shards;
mod snapshot;
mod witnessing;

use bench::Bench;

on_both_databases! {
    attestations::what_an_entry_has_beside_it_is_kept_and_shown,
    attestations::an_entry_is_acknowledged_with_what_is_beside_it,
    attestations::statements_of_an_earlier_version_are_read_for_what_they_are_about,
    scenarios::concurrent_entries_get_gap_free_indices_and_duplicates_get_the_first_one,
    scenarios::a_restart_goes_on_where_the_last_run_stopped,
    scenarios::batches_that_follow_each_other_share_a_stored_checkpoint,
    scenarios::another_key_or_origin_does_not_start,
    scenarios::a_clock_that_goes_back_stops_signing_until_it_is_right_again,
    scenarios::the_database_itself_refuses_to_forget,
    scenarios::a_newer_schema_does_not_open,
    scenarios::a_log_that_is_frozen_while_it_is_written_to_keeps_the_head_that_was_told,
    scenarios::an_idle_log_notices_that_it_was_frozen,
    frozen::a_frozen_log_says_so_at_every_start,
    frozen::a_log_that_was_frozen_meanwhile_says_so_when_it_starts,
    clock::a_clock_that_jumps_ahead_dates_nothing_and_is_believed_when_it_is_right,
    clock::a_clock_that_was_behind_at_the_start_may_be_set_right,
    clock::a_log_of_the_future_dates_nothing_and_is_no_obstacle_once_it_is_frozen,
    holes::a_read_that_finds_a_hole_quarantines_the_log,
    holes::a_self_check_that_passes_the_second_time_stops_nothing,
    faults::a_batch_that_was_stored_but_reported_failed_keeps_its_indices,
    faults::a_batch_that_was_lost_is_taken_when_it_comes_again,
    overtaken::a_batch_that_was_overtaken_is_told_all_there_is_and_writes_nothing,
    crash::a_process_that_is_killed_at_any_step_loses_and_repeats_nothing,
    crash::a_process_that_is_killed_at_any_moment_loses_and_repeats_nothing,
    crash::a_process_that_is_killed_while_it_copies_tiles_leaves_a_copy_that_is_completed,
    pool::a_full_pool_tells_clients_to_come_back,
    quarantine::a_state_in_doubt_is_read_and_never_signed,
    quarantine::a_log_with_no_checkpoint_it_can_prove_still_shows_its_entries,
    quarantine::a_log_without_a_head_is_shown_as_it_was_published,
    quarantine::another_history_of_the_same_log_is_not_signed,
    quarantine::what_its_copy_knows_counts,
    quarantine::an_invariant_violated_while_it_runs_is_what_readiness_says,
    quarantine::a_clock_that_is_behind_at_the_start_stops_signing_and_not_reading,
    marks::a_database_that_was_put_back_while_it_was_stopped_is_not_signed,
    marks::a_database_that_is_put_back_under_a_running_log_takes_no_entry,
    marks::a_database_that_is_put_back_under_an_idle_log_is_noticed,
    marks::a_mark_that_cannot_be_trusted_or_kept_acknowledges_nothing,
    marks::what_is_acknowledged_is_in_the_mark,
    doubts::a_quarantine_survives_a_restart_until_the_state_is_proven,
    doubts::a_second_server_s_record_is_not_lost,
    doubts::a_quarantine_is_recorded_in_the_database_once,
    doubts::an_ended_log_is_read_and_never_signed_again,
    doubts::an_ended_log_has_no_trouble,
    doubts::a_log_of_another_history_is_not_ended,
    restored::a_restored_log_goes_on_only_by_a_checkpoint_from_outside,
    witnessing::answers_and_files_bear_the_cosignatures_of_a_quorum,
    witnessing::without_witnesses_an_open_log_goes_on_and_a_closed_one_does_not,
    witnessing::an_answer_that_is_no_cosignature_is_ignored,
    witnessing::a_slow_witness_costs_one_timeout_and_its_cosignature_comes_late,
    witnessing::a_database_that_was_put_back_is_quarantined_before_anything_is_signed,
    witnessing::a_second_log_under_the_same_key_is_stopped_and_the_first_goes_on,
    claims::a_witness_that_proves_another_history_stops_the_log,
    claims::what_a_witness_has_proven_outlives_it,
    claims::a_witness_that_proves_nothing_is_at_fault_and_stops_nothing,
    claims::a_closed_log_without_witnesses_stops_taking_entries_before_they_are_in_it,
    witnessing::under_load_one_request_at_a_time_is_on_its_way_to_a_witness,
    shards::a_switch_under_load_refuses_nobody_and_gives_every_index_once,
    mirror::a_reader_needs_nothing_but_the_directory,
    mirror::other_bytes_at_a_path_are_named_and_not_overwritten,
    mirror::a_file_that_is_damaged_missing_or_another_is_noticed_by_the_reader,
}

#[tokio::test]
async fn check_names_the_first_thing_an_attacker_changed_on_sqlite() {
    scenarios::check_names_the_first_thing_an_attacker_changed(async || Bench::sqlite()).await;
}

#[tokio::test]
async fn check_names_the_first_thing_an_attacker_changed_on_postgres() {
    scenarios::check_names_the_first_thing_an_attacker_changed(async || Bench::postgres()).await;
}
