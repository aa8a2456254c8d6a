//! Which columns of the touchpoints a column of the matcher's output is made of.

use crate::parameters::{CHANNEL, COST, FUNCTION, KNOWN_AT, OCCURRED_AT, RESOLVED, SATISFACTION, TOPIC, TOUCHPOINT_ID};

/// The touchpoints' columns behind a column that the matcher adds; none for a column it does not add, or that no
/// touchpoint's value enters.
pub fn made_of(column: &str) -> &'static [&'static str] {
    match column {
        "journey_id" | "touchpoints" => &[TOUCHPOINT_ID],
        "step" | "started_at" | "last_at" | "ended_at" | "status" | "duration_s" => &[OCCURRED_AT],
        "channels" | "is_multichannel" | "channel_switches" | "contacts" | "first_channel" | "last_channel" => {
            &[CHANNEL]
        }
        "functions" | "handoffs" => &[FUNCTION],
        "repeat_contacts" => &[CHANNEL, TOPIC, OCCURRED_AT],
        "unresolved" => &[RESOLVED],
        COST => &[COST],
        "touchpoint_satisfaction" | "touchpoint_responses" | "worst_touchpoint_satisfaction" | "all_satisfied" => {
            &[SATISFACTION]
        }
        _ => &[],
    }
}

/// The same where touchpoints are matched as they became known.
pub fn known_made_of(column: &str) -> &'static [&'static str] {
    match column {
        "step" | "started_at" | "last_at" | "ended_at" | "status" => &[KNOWN_AT, OCCURRED_AT],
        _ => made_of(column),
    }
}

/// The same for states of exposure.
pub fn state_made_of(column: &str) -> &'static [&'static str] {
    match column {
        "from_day" | "until_day" | "since_touchpoint" | "exposed_until" => &[KNOWN_AT, OCCURRED_AT],
        "run" => &[KNOWN_AT, OCCURRED_AT, CHANNEL, TOPIC, RESOLVED],
        _ => &[],
    }
}
