//! A memory pool for plans with many operators of which few need much: dozens of small aggregations beside one sort.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::{Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};

/// The share of the limit that operators which can spill may hold together, in percent. The rest is for what cannot:
/// the merge that turns a full sort into a spilled one, the build side of a join.
const SPILLABLE_PERCENT: usize = 60;

/// Shares memory among the operators that hold some at the moment.
///
/// DataFusion's fair pool divides by all operators that could spill, most of which hold nothing, so the one sort that
/// needs memory gets a fiftieth of it. Its greedy pool lets the first take everything, so the second cannot even
/// begin. Here an operator that can spill is refused, and so spills, when what spills is used up and it holds an equal
/// share among those that hold any. One that cannot spill, or holds nothing that it could, may use all that is left.
#[derive(Debug)]
pub(crate) struct HolderSharePool {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reserved: usize,
    /// Bytes of each operator that can spill, by the id of its registration; operators that hold nothing are absent.
    holders: HashMap<usize, usize>,
}

impl HolderSharePool {
    /// A pool of `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, reservation: &MemoryReservation, bytes: usize) {
        self.reserved += bytes;
        if reservation.consumer().can_spill() && bytes > 0 {
            *self.holders.entry(reservation.consumer().id()).or_default() += bytes;
        }
    }

    fn remove(&mut self, reservation: &MemoryReservation, bytes: usize) {
        self.reserved = self.reserved.saturating_sub(bytes);
        if let Some(held) = self.holders.get_mut(&reservation.consumer().id()) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                self.holders.remove(&reservation.consumer().id());
            }
        }
    }

    /// Bytes that `reservation` may grow by at the moment.
    fn available(&self, reservation: &MemoryReservation, limit: usize) -> usize {
        let left = limit.saturating_sub(self.reserved);
        if !reservation.consumer().can_spill() {
            return left;
        }
        // Who holds nothing has nothing to spill: its first batch has to fit into what is left, or the plan fails.
        let Some(held) = self.holders.get(&reservation.consumer().id()) else { return left };
        let spillable = limit / 100 * SPILLABLE_PERCENT;
        let unheld = spillable.saturating_sub(self.holders.values().sum());
        let share = spillable / self.holders.len();
        share.saturating_sub(*held).max(unheld).min(left)
    }
}

impl std::fmt::Display for HolderSharePool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(limit: {} bytes)", self.name(), self.limit)
    }
}

impl MemoryPool for HolderSharePool {
    fn name(&self) -> &str {
        "holder-share"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.state().add(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.state().remove(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state();
        let available = state.available(reservation, self.limit);
        if additional > available {
            let name = reservation.consumer().name();
            return Err(resources_datafusion_err!(
                "{name} needs {additional} bytes more and may have {available}; {} of {} bytes are in use",
                state.reserved,
                self.limit
            ));
        }
        state.add(reservation, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.state().reserved
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::memory_pool::MemoryConsumer;

    use super::*;

    #[test]
    fn shares_follow_the_operators_that_hold_memory() {
        let pool: Arc<dyn MemoryPool> = Arc::new(HolderSharePool::new(1000));
        let sorter = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let idle: Vec<MemoryReservation> = (0..50).map(|number| sorter(&format!("idle {number}"))).collect();
        let first = sorter("first");
        first.try_grow(300).expect("the first batch");
        first.try_grow(300).expect("alone among holders it may have all that spills");
        assert!(first.try_grow(1).is_err(), "the rest is for what cannot spill");
        let second = sorter("second");
        second.try_grow(300).expect("a second holder may begin while the first holds more than its share");
        assert!(first.try_grow(1).is_err(), "and the first has to spill");
        first.free();
        second.try_grow(300).expect("alone again");
        let merge = MemoryConsumer::new("merge").register(&pool);
        merge.try_grow(400).expect("what cannot spill uses all that is left");
        let refused = merge.try_grow(1).expect_err("nothing is left").to_string();
        assert!(
            refused.contains("merge needs 1 bytes more and may have 0; 1000 of 1000 bytes are in use"),
            "{refused}"
        );
        drop((second, merge, idle));
        assert_eq!(pool.reserved(), 0);
    }
}
