//! The measures of an instance that come from its touchpoints (SEMANTICS 3).

use hashbrown::HashMap;

use arrow::array::Array;

use crate::classes::Classes;
use crate::customers::{Amounts, Customers};
use crate::texts::NULL;

/// A contact repeats one on its topic at most this long before it: 7 days in microseconds.
pub(crate) const REPEATED_WITHIN: i64 = 7 * 86_400_000_000;

/// One instance's measures.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Measures {
    /// Distinct values, nulls left out.
    pub(crate) channels: i64,
    pub(crate) functions: i64,
    /// Consecutive members that differ in channel.
    pub(crate) channel_switches: i64,
    /// Consecutive members that differ in function, those without one skipped.
    pub(crate) handoffs: i64,
    pub(crate) contacts: i64,
    pub(crate) repeat_contacts: i64,
    /// Codes of texts.
    pub(crate) first_channel: u32,
    pub(crate) last_channel: u32,
    pub(crate) unresolved: i64,
    /// Sum over the members that have a cost; `None` when none has.
    pub(crate) cost: Option<f64>,
    pub(crate) satisfaction: Option<Satisfaction>,
}

/// What the members' own surveys say, where any was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Satisfaction {
    /// Summed in the order of the steps, so that equal members give equal bits.
    pub(crate) sum: f64,
    pub(crate) responses: i64,
    pub(crate) worst: f64,
    pub(crate) all_satisfied: bool,
}

/// Measures instances one after the other; holds what can be used again.
#[derive(Debug, Default)]
pub(crate) struct Measuring {
    /// A score from here on counts as satisfied.
    satisfied: f64,
    channels: FewKeys,
    functions: FewKeys,
    topics: FewKeys,
}

impl Measuring {
    pub(crate) fn new(satisfied: f64) -> Self {
        Self { satisfied, ..Self::default() }
    }

    /// The measures of an instance whose members are `rows`, in the order of its steps.
    pub(crate) fn measure(
        &mut self,
        rows: &[u32],
        customers: &Customers,
        amounts: &Amounts,
        classes: &Classes,
    ) -> Measures {
        let mut measures = Measures::default();
        for known in [&mut self.channels, &mut self.functions, &mut self.topics] {
            known.clear();
        }
        let (mut channel, mut function) = (NULL, NULL);
        for (step, &row) in rows.iter().enumerate() {
            let at = row as usize;
            let traits = classes.traits(customers.classes[at]);
            if traits.channel != channel {
                measures.channel_switches += i64::from(channel != NULL && traits.channel != NULL);
                channel = traits.channel;
                if channel != NULL {
                    self.channels.insert(channel, 0);
                }
            }
            if step == 0 {
                measures.first_channel = channel;
            }
            if traits.function != NULL && traits.function != function {
                measures.handoffs += i64::from(function != NULL);
                function = traits.function;
                self.functions.insert(function, 0);
            }
            if traits.is_contact {
                measures.contacts += 1;
                if traits.topic != NULL {
                    let time = customers.times[at];
                    let before = self.topics.insert(traits.topic, time);
                    let repeats = before.is_some_and(|before| time.saturating_sub(before) <= REPEATED_WITHIN);
                    measures.repeat_contacts += i64::from(repeats);
                }
            }
            measures.unresolved += i64::from(traits.is_unresolved);
            if amounts.cost.is_valid(at) {
                *measures.cost.get_or_insert(0.0) += amounts.cost.value(at);
            }
            if amounts.satisfaction.is_valid(at) {
                self.answer(amounts.satisfaction.value(at), &mut measures.satisfaction);
            }
        }
        measures.last_channel = channel;
        measures.channels = self.channels.len() as i64;
        measures.functions = self.functions.len() as i64;
        measures
    }

    fn answer(&self, score: f64, satisfaction: &mut Option<Satisfaction>) {
        let satisfied = score >= self.satisfied;
        match satisfaction {
            None => {
                *satisfaction = Some(Satisfaction { sum: score, responses: 1, worst: score, all_satisfied: satisfied });
            }
            Some(so_far) => {
                so_far.sum += score;
                so_far.responses += 1;
                so_far.worst = so_far.worst.min(score);
                so_far.all_satisfied &= satisfied;
            }
        }
    }
}

/// A map for few keys, as most instances have, that does not become slow with many.
#[derive(Debug, Default)]
pub(crate) struct FewKeys {
    few: Vec<(u32, i64)>,
    many: HashMap<u32, i64>,
}

const FEW: usize = 16;

impl FewKeys {
    pub(crate) fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }

    fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    /// Sets the value of a key and returns the one before.
    pub(crate) fn insert(&mut self, key: u32, value: i64) -> Option<i64> {
        if let Some((_, known)) = self.few.iter_mut().find(|(known, _)| *known == key) {
            return Some(std::mem::replace(known, value));
        }
        if self.few.len() < FEW {
            self.few.push((key, value));
            return None;
        }
        self.many.insert(key, value)
    }
}
