//! The rules. Each gives the faults that it found, in words that say where to look.

mod alarms;
mod functions;
mod permissions;
mod routes;
mod storage;
mod wake_ups;

pub use permissions::grants;

use crate::{Product, Template};

/// One rule.
pub struct Rule {
    /// What must hold.
    pub name: &'static str,
    /// Gives the faults.
    pub check: fn(&Template, &Product) -> Vec<String>,
}

/// All of them.
pub const RULES: &[Rule] = &[
    Rule { name: "every folder in functions/ is one function with its binary, and the reverse", check: functions::match_folders },
    Rule { name: "every function logs JSON into a group that forgets", check: functions::log_into_a_group },
    Rule { name: "every variable that the code reads is set, and the reverse", check: functions::have_their_variables },
    Rule { name: "metrics are paced for known platforms alone", check: functions::are_asked_of_known_platforms },
    Rule { name: "every platform is offered unless told otherwise", check: functions::are_all_offered },
    Rule { name: "every path that the code answers has its route and its permission, and the reverse", check: routes::match_paths },
    Rule { name: "the gateway waits for as long as a function may take", check: routes::wait_for_functions },
    Rule { name: "a message stays hidden for six times the time-out of its function", check: wake_ups::stay_hidden },
    Rule { name: "batches are answered one by one", check: wake_ups::answer_one_by_one },
    Rule { name: "what cannot be delivered is kept, and somebody is told", check: wake_ups::have_dead_letters },
    Rule { name: "what a run counts because it ends well all the same has an alarm", check: alarms::read_what_is_counted },
    Rule { name: "somebody is told of texts that cost too much or do not arrive", check: alarms::watch_texts },
    Rule { name: "schedules have no name and a place for what they cannot deliver", check: wake_ups::schedules_are_safe },
    Rule { name: "the publisher may run for as long as the publish machine counts on", check: wake_ups::publisher_time_out },
    Rule { name: "a job may run for as long as its round counts on", check: wake_ups::time_outs_of_jobs },
    Rule { name: "no record of a batch waits for another", check: wake_ups::work_on_all_of_a_batch },
    Rule { name: "tables and secrets that must live are kept and can be put back", check: storage::outlive_the_stack },
    Rule { name: "nothing has a name that could be taken already", check: storage::have_no_names },
    Rule { name: "tables have the keys and indexes that the code uses", check: storage::match_the_code },
    Rule { name: "what is on the way of every post can be warmed", check: storage::can_be_warmed },
    Rule { name: "only the schedules' role may be passed on, and only to the scheduler", check: permissions::pass_one_role },
    Rule { name: "nothing is allowed on everything, unless for a reason", check: permissions::have_no_wildcards },
    Rule { name: "every role may do just what grants.txt says", check: permissions::are_as_written },
    Rule { name: "only calls that the product makes are allowed", check: permissions::name_known_calls },
    Rule { name: "the schedules' role belongs to the scheduler and can only send wake-ups", check: permissions::schedule_role_is_narrow },
];
