//! Every fault case that the design names, with the tests that hold it; a name that no test has any more fails here.
//!
//! "sweep" stands for the runs of this crate: every call of every story broken in every way, and mixtures by chance. What is not held, or
//! not built, says so.

use std::path::Path;

/// What holds a case.
enum By {
    /// The runs of this crate.
    Sweep,
    /// A test by its name.
    Test(&'static str),
    /// Nothing yet, and why.
    Open(&'static str),
}

use By::{Open, Sweep, Test};

const CASES: &[(u8, &str, &[By])] = &[
    (1, "crash between approval and schedule", &[Sweep, Test("a_process_that_stops_between_approval_and_arming_publishes_all_the_same")]),
    (2, "the schedule was made and the answer lost", &[Test("a_schedule_whose_answer_was_lost_is_armed_again_without_a_second_one")]),
    (3, "crash before the post is marked armed", &[Sweep, Test("arming_twice_leaves_one_schedule")]),
    (4, "no schedule can be made for long", &[Test("a_process_that_stops_between_approval_and_arming_publishes_all_the_same")]),
    (5, "an edit leaves the old schedule behind", &[Test("an_edit_after_scheduling_lets_only_the_new_text_out_at_the_new_time")]),
    (6, "an edit races the wake-up", &[Sweep, Test("whoever_approves_cancels_edits_and_removes_at_once_leaves_one_story")]),
    (7, "a cancelled post is woken", &[Test("a_cancelled_post_never_goes_out_even_if_its_schedule_stays_behind")]),
    (8, "the schedule to delete is gone", &[Test("a_disarmed_schedule_does_not_fire_and_disarming_again_is_no_error")]),
    (9, "a schedule fires twice", &[Sweep, Test("the_same_wake_up_three_times_at_once_publishes_once")]),
    (10, "a schedule fires hours late", &[Test("a_post_that_nobody_could_send_in_time_is_missed_and_told_so")]),
    (11, "a schedule never fires", &[Sweep, Test("a_wake_up_that_was_never_sent_is_made_up_for_by_the_sweeper")]),
    (12, "a wake-up comes early", &[Test("a_wake_up_does_what_the_state_and_the_time_call_for")]),
    (
        13,
        "due in the past",
        &[
            Test("a_minute_ago_is_now_and_a_year_ahead_is_the_limit"),
            Test("a_time_that_is_past_or_less_than_a_minute_ahead_is_refused_for_good"),
        ],
    ),
    (
        14,
        "gap and fold of local time",
        &[Test("a_local_time_is_read_in_its_zone"), Test("a_local_time_that_does_not_exist_moves_on_and_the_answer_says_so")],
    ),
    (
        15,
        "a zone's rules change",
        &[
            Test("a_local_time_means_another_instant_when_its_zone_gets_other_rules"),
            Test("a_local_time_is_kept_until_an_edit_gives_an_instant_or_another_zone"),
            Test("a_post_whose_zone_has_got_other_rules_is_told_of_and_left_as_it_is"),
        ],
    ),
    (16, "one message, two functions", &[Sweep, Test("the_same_wake_up_three_times_at_once_publishes_once")]),
    (17, "versions out of order", &[Sweep, Test("a_wake_up_does_what_the_state_and_the_time_call_for")]),
    (18, "a message comes back while its post is sent", &[Sweep, Test("stay_hidden")]),
    (19, "killed anywhere", &[Sweep, Test("killed_at_any_moment_every_approved_post_ends_once_or_told_why_not")]),
    (20, "one bad record of ten", &[Test("a_panic_and_a_poisoned_record_harm_no_other")]),
    (21, "a record panics", &[Test("a_panic_and_a_poisoned_record_harm_no_other")]),
    (
        22,
        "no wake-up at all",
        &[
            Test("what_is_not_exactly_a_wake_up_is_not_handled"),
            Test("a_poisoned_message_harms_no_other_and_ends_in_the_dead_letter_queue"),
        ],
    ),
    (23, "dead letters come back days later", &[Test("messages_that_come_back_from_the_dead_letters_go_the_way_of_all_others")]),
    (24, "a message is lost", &[Sweep, Test("a_wake_up_that_was_never_sent_is_made_up_for_by_the_sweeper")]),
    (25, "failures that the batch does not have", &[Test("the_answer_names_only_messages_of_the_event")]),
    (26, "throttles use up receives", &[Test("a_message_received_too_often_goes_to_the_dead_letters_whole"), Test("have_dead_letters")]),
    (27, "empty and huge batches", &[Test("an_empty_batch_and_a_huge_one_are_answered")]),
    (28, "crash before the claim", &[Sweep]),
    (29, "the claim's answer is lost", &[Sweep, Test("lost_answers_of_our_own_database_change_nothing")]),
    (30, "the claim meets another transaction", &[Sweep, Test("posts_of_one_account_whose_transactions_meet_go_out_on_time")]),
    (
        31,
        "each refusal of the claim means something else",
        &[Test("a_wake_up_does_what_the_state_and_the_time_call_for"), Test("the_legal_edges_are_these_and_no_others")],
    ),
    (32, "crash between claim and intent", &[Sweep, Test("a_stored_handle_is_taken_over_and_never_made_twice")]),
    (33, "a pause beyond the lease", &[Sweep, Test("a_worker_whose_lease_would_not_outlast_the_send_may_not_intend")]),
    (34, "crash between intent and send", &[Sweep, Test("a_takeover_of_a_sending_post_never_sends")]),
    (35, "the intent's answer is lost", &[Sweep]),
    (36, "crash after the platform accepted", &[Sweep, Test("an_accepted_post_whose_answer_is_lost_is_found_and_charged_once")]),
    (37, "the settlement's answer is lost", &[Sweep, Test("lost_answers_of_our_own_database_change_nothing")]),
    (38, "no settlement for minutes", &[Sweep]),
    (39, "the post was taken over meanwhile", &[Sweep, Test("a_worker_that_comes_too_late_tells_what_decides_and_nothing_else")]),
    (40, "a transaction's token is forgotten", &[Sweep, Test("a_transaction_repeated_with_its_token_is_applied_once")]),
    (41, "a token with other bytes", &[Test("a_write_repeated_with_its_token_changes_nothing_and_another_value_is_refused")]),
    (42, "a stale index", &[Sweep]),
    (43, "too much for one transaction", &[Test("bad_input_gets_the_contracts_problem_and_changes_nothing")]),
    (44, "no database at all", &[Sweep]),
    (
        45,
        "not a byte was sent",
        &[Sweep, Test("a_closed_port_is_not_sent_and_keeps_the_tokens"), Test("what_is_never_sent_fails_after_a_bounded_number_of_tries")],
    ),
    (46, "time-out or reset after the write", &[Sweep, Test("every_fault_has_its_outcome_once_and_tells_the_truth_about_the_post")]),
    (
        47,
        "limits",
        &[
            Sweep,
            Test("a_limit_is_waited_out_by_the_platforms_own_time_within_bounds"),
            Test("a_limit_of_an_account_is_waited_out_by_its_other_posts_without_asking"),
            Test("a_limit_of_our_app_stops_everybodys_posts_to_the_platform_and_no_others"),
        ],
    ),
    (48, "5xx", &[Test("what_proves_nothing_stays_in_doubt"), Test("every_fault_has_its_outcome_once_and_tells_the_truth_about_the_post")]),
    (49, "2xx without an id", &[Test("a_post_without_an_id_is_in_doubt")]),
    (50, "a clear refusal", &[Sweep, Test("a_refused_post_fails_with_words_and_gives_its_place_back")]),
    (51, "the token is refused at the send", &[Sweep, Test("a_token_that_the_platform_refuses_early_is_refreshed_and_the_post_goes_out")]),
    (52, "the token ends while an accepted post is asked after", &[Sweep]),
    (
        53,
        "duplicate content after a lost answer",
        &[Test("what_its_owner_overlooked_is_found_when_the_platform_refuses_it_as_a_duplicate")],
    ),
    (54, "refused after it was accepted", &[Test("an_accepted_post_is_asked_after_until_it_is_live_refused_or_a_persons_business")]),
    (
        55,
        "a container ends unpublished",
        &[
            Test("a_stored_handle_is_taken_over_and_never_made_twice"),
            Test("proof_that_it_is_not_there_fails_a_post_in_doubt_and_frees_its_place"),
        ],
    ),
    (56, "a thread fails half-way", &[Open("threads are not offered")]),
    (57, "work after publishing fails", &[Test("the_success_path_of_a_text_post_takes_these_calls_and_no_more")]),
    (58, "an answer after the function's death", &[Sweep, Test("what_lambda_says_counts_but_never_more_than_the_code_knows")]),
    (68, "a disconnect during a send or a refresh", &[Sweep, Test("a_disconnect_waits_for_the_post_that_is_in_flight")]),
    (69, "a new cycle races a publish", &[Sweep, Test("a_cycle_that_ends_is_closed_and_the_next_holds_a_full_quota")]),
    (70, "the cycle job twice, late, never, half", &[Sweep, Test("cycles_tile_time_without_gap_or_overlap")]),
    (
        71,
        "a plan changes in mid-cycle, or money goes back",
        &[
            Sweep,
            Test("a_certificate_goes_on_after_what_runs_or_raises_it_now"),
            Test("a_lower_plan_keeps_the_running_cycle_and_holds_of_the_next_the_posts_due_last"),
            Test("plans_in_any_order_among_posts_add_up_and_explain_themselves"),
            Test("what_is_no_event_is_refused_and_what_is_unknown_is_not"),
        ],
    ),
    (72, "a redemption whose answer is lost", &[Test("a_gift_is_redeemed_once_under_a_rush_and_its_owner_may_ask_again")]),
    (73, "one certificate, many people", &[Test("fifty_people_at_once_redeem_one_code_and_one_has_it")]),
    (74, "a code that cannot be texted", &[Test("a_part_that_is_down_answers_503_and_costs_no_code")]),
    (75, "crash between count and comparison", &[Test("fifty_guesses_at_once_are_five_guesses")]),
    (76, "crash between code and session", &[Test("an_answer_that_is_lost_on_the_way_loses_nobody_their_sign_in")]),
    (77, "two sign-ups with one phone", &[Test("two_phones_that_sign_up_at_once_are_two_people_and_one_phone_is_one")]),
    (78, "expired rows that are still there", &[Test("any_use_keeps_a_session_for_a_week_and_none_keeps_it_for_more_than_a_month")]),
    (79, "metrics twice, late, in part", &[Sweep]),
    (80, "everything fails at times", &[Sweep]),
];

/// All of our sources, one after the other.
fn sources(folder: &Path, read: &mut String) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            sources(&path, read);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("suite/cases.rs") {
            read.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[test]
fn every_fault_case_is_held_by_tests_that_exist_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut code = String::new();
    for part in ["functions", "shared", "infra", "tests"] {
        sources(&root.join(part), &mut code);
    }
    let numbers: Vec<u8> = CASES.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=58).chain(68..=80).collect::<Vec<_>>());
    for (number, what, held) in CASES {
        assert!(!held.is_empty(), "F{number}: {what}");
        for by in *held {
            match by {
                Sweep => assert!(code.contains("fn one_fault_at_any_call"), "the sweep has another name"),
                Test(name) => assert!(code.contains(&format!("fn {name}(")), "F{number}, {what}: there is no {name}"),
                Open(why) => assert!(!why.is_empty(), "F{number}: {what}"),
            }
        }
    }
}
