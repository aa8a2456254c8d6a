//! One partition's output: customers in, batches out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::BaselineMetrics;

use crate::buckets::Buckets;
use crate::classes::{Classes, SharedClasses};
use crate::counters::Counters;
use crate::customers::Customers;
use crate::grouped::{Grouped, OutputForm};
use crate::instances::InstanceOutput;
use crate::matcher::Matcher;
use crate::members::member_rows;
use crate::ordered::OrderedCustomers;
use crate::shuffle::BucketCustomers;
use crate::states::StateOutput;

/// Where complete customers come from.
pub(crate) enum Source {
    Ordered(Box<OrderedCustomers>),
    Buckets(BucketCustomers),
}

/// What becomes of the instances that are found.
pub(crate) enum Output {
    Members,
    Instances(InstanceOutput),
    States(StateOutput),
}

/// Matches complete customers and hands on what was found.
pub(crate) struct Matching {
    pub(crate) source: Source,
    pub(crate) matcher: Matcher,
    pub(crate) shared: Arc<SharedClasses>,
    /// What this partition knows of `shared`.
    pub(crate) classes: Classes,
    pub(crate) output: Output,
    pub(crate) form: OutputForm,
    pub(crate) counters: Vec<Counters>,
    pub(crate) baseline: BaselineMetrics,
    pub(crate) reservation: MemoryReservation,
    pub(crate) batch_size: usize,
    pub(crate) current: Option<Current>,
}

/// Customers whose instances are being handed on.
pub(crate) struct Current {
    customers: Customers,
    grouped: Grouped,
    next: usize,
}

impl Matching {
    /// The next batch of output.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.hand_on()? {
                return Ok(Some(batch));
            }
            self.current = None;
            self.reservation.free();
            let next = match &mut self.source {
                Source::Ordered(ordered) => ordered.next().await?.map(|customers| (customers, None)),
                Source::Buckets(buckets) => buckets.next().await?.map(|(customers, all)| (customers, Some(all))),
            };
            let Some((customers, buckets)) = next else { return Ok(None) };
            self.find(customers, buckets.as_deref())?;
        }
    }

    fn find(&mut self, customers: Customers, buckets: Option<&Buckets>) -> Result<()> {
        let elapsed = self.baseline.elapsed_compute().clone();
        let _timer = elapsed.timer();
        self.shared.refresh(&mut self.classes);
        let (found, null_keys) = self.matcher.find(&customers, &self.classes)?;
        // The members are put in the order of their instances, and both orders are there for a moment.
        self.reserve(customers.size() + 2 * found.size(), buckets)?;
        let mut members = vec![0; self.counters.len()];
        for instance in &found.instances {
            self.counters[instance.definition as usize].add_instance(instance.status);
            members[instance.definition as usize] += instance.members as usize;
        }
        for ((counters, members), null_keys) in self.counters.iter().zip(members).zip(null_keys) {
            counters.add_matched(customers.rows() - null_keys, members);
        }
        let grouped = Grouped::new(found, &customers.touchpoints);
        let mut held = customers.size() + grouped.size();
        if let Output::States(states) = &mut self.output {
            states.find(&grouped, &customers, &self.classes);
            held += states.size();
        }
        self.reserve(held, buckets)?;
        self.current = Some(Current { customers, grouped, next: 0 });
        Ok(())
    }

    /// A bucket that does not fit beside the others is given room by spilling them.
    fn reserve(&self, bytes: usize, buckets: Option<&Buckets>) -> Result<()> {
        if self.reservation.try_resize(bytes).is_ok() {
            return Ok(());
        }
        if let Some(buckets) = buckets {
            buckets.spill()?;
        }
        self.reservation.try_resize(bytes).map_err(|error| {
            error.context(format!("customers that are matched together need {bytes} bytes; raise the memory limit"))
        })
    }

    fn hand_on(&mut self) -> Result<Option<RecordBatch>> {
        let Some(current) = &mut self.current else { return Ok(None) };
        let elapsed = self.baseline.elapsed_compute().clone();
        let _timer = elapsed.timer();
        let from = current.next;
        let all = match &self.output {
            Output::Members => current.grouped.rows.len(),
            Output::Instances(_) => current.grouped.instances.len(),
            Output::States(states) => states.len(),
        };
        if from == all {
            return Ok(None);
        }
        let to = all.min(from + self.batch_size);
        current.next = to;
        let Current { customers, grouped, .. } = current;
        match &mut self.output {
            Output::Members => member_rows(grouped, from, to, customers, &self.form),
            Output::Instances(instances) => instances.rows(grouped, from, to, customers, &self.classes, &self.form),
            Output::States(states) => states.rows(from, to, customers, &self.form),
        }
        .map(Some)
    }
}
