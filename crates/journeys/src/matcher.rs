//! Every definition in one walk over a customer's touchpoints.

use std::collections::HashMap;

use datafusion::common::Result;

use crate::classes::Classes;
use crate::customers::{Customers, KeySet, Keys};
use crate::parameters::Definition;
use crate::rules::{Found, Rules, Touchpoint};

/// The open instances of one definition and the customer being read.
enum Slot {
    /// The key is the customer: at most one.
    Single(u32),
    /// At most one for each value of the further key columns of a set.
    Keyed { set: usize, open: HashMap<Box<[u8]>, u32> },
}

/// Applies definitions to customers, one after the other.
pub(crate) struct Matcher {
    rules: Vec<Rules>,
    slots: Vec<Slot>,
    /// One bit a definition: set while it has an instance open, always for a keyed one.
    open: Vec<u64>,
    keyed: Vec<u64>,
    sets: Vec<KeySet>,
    as_of: i64,
}

impl Matcher {
    /// `sets` are the distinct sets of further key columns, `set_of` says which one each definition has, if any.
    pub(crate) fn new(definitions: &[Definition], as_of: i64, sets: Vec<KeySet>, set_of: &[Option<usize>]) -> Self {
        let mut keyed = vec![0; definitions.len().div_ceil(64)];
        for (definition, _) in set_of.iter().enumerate().filter(|(_, set)| set.is_some()) {
            keyed[definition / 64] |= 1 << (definition % 64);
        }
        let slot = |set: &Option<usize>| match set {
            None => Slot::Single(0),
            Some(set) => Slot::Keyed { set: *set, open: HashMap::new() },
        };
        Self {
            rules: definitions.iter().enumerate().map(|(index, definition)| rules(index, definition)).collect(),
            slots: set_of.iter().map(slot).collect(),
            open: keyed.clone(),
            keyed,
            sets,
            as_of,
        }
    }

    /// All instances of `customers`, those of one customer together, and for each definition the number of rows with a
    /// null in its further key.
    pub(crate) fn find(&mut self, customers: &Customers, classes: &Classes) -> Result<(Found, Vec<usize>)> {
        let keys = self.sets.iter().map(|set| set.keys(&customers.columns)).collect::<Result<Vec<Keys>>>()?;
        let mut found = Found::default();
        for customer in 0..customers.ends.len() {
            for &row in customers.rows_of(customer) {
                self.read(customer as u32, row, customers, classes, &keys, &mut found);
            }
            self.settle(&mut found);
        }
        let null_keys = |slot: &Slot| match slot {
            Slot::Single(_) => 0,
            Slot::Keyed { set, .. } => keys[*set].valid.as_ref().map_or(0, |valid| valid.null_count()),
        };
        Ok((found, self.slots.iter().map(null_keys).collect()))
    }

    fn read(
        &mut self,
        customer: u32,
        row: u32,
        customers: &Customers,
        classes: &Classes,
        keys: &[Keys],
        found: &mut Found,
    ) {
        let masks = classes.masks(customers.classes[row as usize]);
        let at = customers.times[row as usize];
        for word in 0..self.open.len() {
            // A definition with nothing open waits for a start.
            let mut due = masks.relevant[word] & (masks.starts[word] | self.open[word]);
            while due != 0 {
                let bit = due & due.wrapping_neg();
                due ^= bit;
                let touchpoint = Touchpoint {
                    row,
                    at,
                    starts: masks.starts[word] & bit != 0,
                    ends: masks.ends[word] & bit != 0,
                    abandons: masks.abandons[word] & bit != 0,
                };
                let definition = word * 64 + bit.trailing_zeros() as usize;
                let rules = &self.rules[definition];
                match &mut self.slots[definition] {
                    Slot::Single(slot) => {
                        let open = (self.open[word] & bit != 0).then_some(*slot);
                        match rules.advance(open, customer, &touchpoint, found) {
                            Some(instance) => {
                                *slot = instance;
                                self.open[word] |= bit;
                            }
                            None => self.open[word] &= !bit,
                        }
                    }
                    Slot::Keyed { set, open } => advance_keyed(rules, open, &keys[*set], customer, &touchpoint, found),
                }
            }
        }
    }

    /// The customer has no further touchpoint.
    fn settle(&mut self, found: &mut Found) {
        for word in 0..self.open.len() {
            let mut open = self.open[word];
            while open != 0 {
                let definition = word * 64 + open.trailing_zeros() as usize;
                open &= open - 1;
                let rules = &self.rules[definition];
                match &mut self.slots[definition] {
                    Slot::Single(instance) => rules.settle(*instance, self.as_of, found),
                    Slot::Keyed { open, .. } => {
                        open.drain().for_each(|(_, instance)| rules.settle(instance, self.as_of, found));
                    }
                }
            }
            self.open[word] = self.keyed[word];
        }
    }
}

fn advance_keyed(
    rules: &Rules,
    open: &mut HashMap<Box<[u8]>, u32>,
    keys: &Keys,
    customer: u32,
    touchpoint: &Touchpoint,
    found: &mut Found,
) {
    let row = touchpoint.row as usize;
    if keys.valid.as_ref().is_some_and(|valid| valid.is_null(row)) {
        return;
    }
    let key = keys.values.row(row);
    let key: &[u8] = key.as_ref();
    let before = open.get(key).copied();
    match (before, rules.advance(before, customer, touchpoint, found)) {
        (Some(_), None) => drop(open.remove(key)),
        (before, Some(instance)) if before != Some(instance) => drop(open.insert(key.into(), instance)),
        _ => {}
    }
}

fn rules(index: usize, definition: &Definition) -> Rules {
    Rules {
        definition: index as u32,
        within: definition.within.unwrap_or(i64::MAX),
        idle: definition.idle.unwrap_or(i64::MAX),
        split: definition.split,
    }
}
