//! What is taken for an episode, and what belongs together.

use crate::discovery::cases::{self, Ties};
use crate::discovery::lengths::length;
use crate::discovery::log::TouchpointLog;
use crate::discovery::options::DiscoveryOptions;
use crate::discovery::quiet::Quiet;
use crate::discovery::silence::{Silence, is_short_lived, longest_usual_gap, silence};
use crate::discovery::topics::{self, Group};

/// A way to look at a log.
pub(crate) struct Approach {
    /// What is taken for an episode, in words.
    pub(crate) told: String,
    /// What belongs together.
    pub(crate) groups: Vec<Group>,
}

/// Each unit of the log is an episode.
pub(crate) fn of_cases(log: &TouchpointLog) -> Vec<Approach> {
    let quiet = Quiet::whole_case(longest_usual_gap(log));
    let what = if log.has_topics() { "topics" } else { "events" };
    by_occurrence(log, quiet, "each case as one episode", &format!("{what} put together by the cases they occur in"))
}

/// What belongs together by occurring in the same episodes: all of it, and what is tied most closely.
fn by_occurrence(log: &TouchpointLog, quiet: Quiet, episode: &str, together: &str) -> Vec<Approach> {
    vec![
        Approach { told: format!("{episode}, {together}"), groups: cases::groups(log, quiet, Ties::WithTheCommonest) },
        Approach {
            told: format!("{episode}, {together}, most of either with the other"),
            groups: cases::groups(log, quiet, Ties::Mutual),
        },
    ]
}

/// Episodes of each topic end with its own silence.
pub(crate) fn by_topic(log: &TouchpointLog, options: &DiscoveryOptions) -> Vec<Approach> {
    let silence = match options.silence {
        Some(given) => format!("a silence of {} as given", length(given)),
        None => "a silence of its own, a change point in the hazard of a next contact".to_owned(),
    };
    let told = format!("episodes of each topic, ended by {silence}");
    vec![Approach { told, groups: topics::groups(log, options.silence) }]
}

/// Episodes of events, ended by one silence for all touchpoints, or by silences of their own.
pub(crate) fn by_event(log: &TouchpointLog, options: &DiscoveryOptions) -> Vec<Approach> {
    let by_silence = |cut: i64, whence: &str| {
        let episode = format!("all that a customer does until a silence of {} as one episode ({whence})", length(cut));
        let mut approaches = Vec::new();
        // What follows what by chance is known only of customers who are there for longer than a case.
        if !is_short_lived(log) {
            let told = format!("{episode}, events put together by what follows what");
            approaches.push(Approach { told, groups: topics::groups(log, Some(cut)) });
        }
        let together = "events put together by the episodes they occur in";
        approaches.extend(by_occurrence(log, Quiet::of_events(cut), &episode, together));
        approaches
    };
    let by_customer = |why: &str| {
        let quiet = Quiet::whole_case(longest_usual_gap(log));
        let together = "events put together by the customers they occur with";
        by_occurrence(log, quiet, &format!("all touchpoints of a customer as one episode ({why})"), together)
    };
    match (options.silence, silence(log)) {
        (Some(given), _) => by_silence(given, "as given"),
        (None, Silence::Longer(cut)) => {
            by_silence(cut, "where a mixture of two log-normal distributions parts the gaps")
        }
        (None, Silence::OneCase) => {
            by_customer("no gap has before it what customers end with and after it what they begin with")
        }
        (None, Silence::None) => {
            let follows = Approach {
                told:
                    "events put together by what follows what more regularly than by chance, their episodes ended by a \
                       silence of their own, a change point in the hazard of a next contact (no silence parts all \
                       touchpoints)"
                        .to_owned(),
                groups: topics::groups(log, None),
            };
            let mut approaches = vec![follows];
            approaches.extend(by_customer("no silence parts their touchpoints"));
            approaches
        }
    }
}
