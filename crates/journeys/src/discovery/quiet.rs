//! How long a silence is, and what it means.

use crate::discovery::log::SAME_CONTACT;

/// Longer than any gap, and far from an overflow when it is added to an instant.
const NEVER: i64 = 1 << 61;

/// What a silence of a customer means within a group of touchpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quiet {
    /// A longer gap lies between two episodes.
    pub(crate) cut: i64,
    /// An episode that has been silent for longer is over, whatever it has reached.
    pub(crate) over: i64,
    /// Touchpoints on one channel that are no further apart are one contact.
    pub(crate) contact: i64,
    /// Whether a second opening is a step of the same episode in any case.
    pub(crate) absorbs: bool,
}

impl Quiet {
    /// Episodes about a topic end with a silence. Touchpoints about one topic in one visit are one contact, unless the
    /// silence is so short that visits themselves are the episodes.
    pub(crate) fn of_topic(idle: i64) -> Self {
        Self { contact: SAME_CONTACT.min(idle / 48), ..Self::of_events(idle) }
    }

    /// The same where events stand for themselves: different events in one visit are steps.
    pub(crate) fn of_events(idle: i64) -> Self {
        Self { cut: idle, over: idle, contact: 0, absorbs: false }
    }

    /// A customer's case is one episode, whatever the gaps in it; silent for longer than `over` it is taken for done.
    pub(crate) fn whole_case(over: i64) -> Self {
        Self { cut: NEVER, over, contact: 0, absorbs: true }
    }

    /// Whether an episode has an end in time.
    pub(crate) fn cuts(self) -> bool {
        self.cut < NEVER
    }
}
