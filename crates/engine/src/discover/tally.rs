//! One pass over the members of all definitions: volumes, durations, and what they share.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

/// What is counted of one definition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Volume {
    pub(crate) instances: u64,
    pub(crate) customers: u64,
    pub(crate) members: u64,
    pub(crate) by_status: BTreeMap<String, u64>,
    /// Seconds of the completed, unsorted.
    pub(crate) durations: Vec<f32>,
}

/// A member of an instance, as far as it is needed while its customer's rows pass.
struct Member {
    definition: usize,
    /// A digest of the touchpoint's id stands for it.
    touchpoint: u64,
}

/// Counts of a partition's rows; partitions add up, because a customer's rows lie in one.
pub(crate) struct Tally {
    index: HashMap<String, usize>,
    /// So many of the definitions, the first ones, are candidates; the others are the pipeline's.
    candidates: usize,
    pub(crate) volumes: Vec<Volume>,
    /// Touchpoints that are members of both a candidate and a definition of the pipeline, for each pair.
    pub(crate) shared: Vec<Vec<u64>>,
    /// Touchpoints that are members of a candidate, of a definition of the pipeline, of one of each.
    pub(crate) covered: [u64; 3],
    /// Customers with a member of a candidate, of a definition of the pipeline.
    pub(crate) covered_customers: [u64; 2],
    customer: Option<String>,
    members: Vec<Member>,
}

impl Tally {
    /// `names` are the definitions, `candidates` of which, the first, are candidates.
    pub(crate) fn new(names: &[String], candidates: usize) -> Self {
        Self {
            index: names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect(),
            candidates,
            volumes: vec![Volume::default(); names.len()],
            shared: vec![vec![0; names.len() - candidates]; candidates],
            covered: [0; 3],
            covered_customers: [0; 2],
            customer: None,
            members: Vec::new(),
        }
    }

    /// Counts rows: journey, customer, step, started_at, last_at, status, touchpoint in this order, a
    /// customer's rows together.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let text = |index: usize| -> Result<StringArray, ArrowError> {
            Ok(arrow::compute::cast(batch.column(index), &DataType::Utf8)?.as_string::<i32>().clone())
        };
        let time = |index: usize| batch.column(index).as_primitive::<TimestampMicrosecondType>();
        let (journeys, customers, statuses, touchpoints) = (text(0)?, text(1)?, text(5)?, text(6)?);
        let steps = batch.column(2).as_primitive::<Int64Type>();
        let (started, last) = (time(3), time(4));
        for row in 0..batch.num_rows() {
            if self.customer.as_deref() != Some(customers.value(row)) {
                self.finish_customer();
                self.customer = Some(customers.value(row).to_owned());
            }
            let Some(&definition) = self.index.get(journeys.value(row)) else { continue };
            let starts = steps.value(row) == 1;
            let volume = &mut self.volumes[definition];
            volume.members += 1;
            if starts {
                volume.instances += 1;
                match volume.by_status.get_mut(statuses.value(row)) {
                    Some(number) => *number += 1,
                    None => {
                        volume.by_status.insert(statuses.value(row).to_owned(), 1);
                    }
                }
                if statuses.value(row) == "completed" {
                    volume.durations.push((last.value(row).saturating_sub(started.value(row)) as f64 / 1e6) as f32);
                }
            }
            let mut hasher = DefaultHasher::new();
            touchpoints.value(row).hash(&mut hasher);
            self.members.push(Member { definition, touchpoint: hasher.finish() });
        }
        Ok(())
    }

    fn finish_customer(&mut self) {
        if self.customer.take().is_none() {
            return;
        }
        let mut members = std::mem::take(&mut self.members);
        members.sort_unstable_by_key(|member| (member.definition, member.touchpoint));
        for of_definition in members.chunk_by(|left, right| left.definition == right.definition) {
            self.volumes[of_definition[0].definition].customers += 1;
        }
        let is_candidate = |member: &Member| member.definition < self.candidates;
        self.covered_customers[0] += u64::from(members.iter().any(is_candidate));
        self.covered_customers[1] += u64::from(!members.iter().all(is_candidate));
        members.sort_unstable_by_key(|member| (member.touchpoint, member.definition));
        for of_touchpoint in members.chunk_by(|left, right| left.touchpoint == right.touchpoint) {
            let place = of_touchpoint.partition_point(|member| member.definition < self.candidates);
            let (found, defined) = of_touchpoint.split_at(place);
            self.covered[0] += u64::from(!found.is_empty());
            self.covered[1] += u64::from(!defined.is_empty());
            self.covered[2] += u64::from(!found.is_empty() && !defined.is_empty());
            for candidate in found {
                for definition in defined {
                    self.shared[candidate.definition][definition.definition - self.candidates] += 1;
                }
            }
        }
        members.clear();
        self.members = members;
    }

    /// Adds the counts of another partition, when both have been read to their end.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.finish_customer();
        other.finish_customer();
        for (volume, more) in self.volumes.iter_mut().zip(other.volumes) {
            volume.instances += more.instances;
            volume.customers += more.customers;
            volume.members += more.members;
            volume.durations.extend(more.durations);
            for (status, number) in more.by_status {
                *volume.by_status.entry(status).or_default() += number;
            }
        }
        for (shared, more) in self.shared.iter_mut().flatten().zip(other.shared.iter().flatten()) {
            *shared += more;
        }
        let covered = self.covered.iter_mut().chain(&mut self.covered_customers);
        for (covered, more) in covered.zip(other.covered.into_iter().chain(other.covered_customers)) {
            *covered += more;
        }
    }
}

impl Volume {
    /// The median duration of the completed, seconds.
    pub(crate) fn median_duration(&self) -> Option<f64> {
        let mut sorted = self.durations.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let upper = sorted.get(sorted.len() / 2).copied().map(f64::from)?;
        let lower = sorted.get((sorted.len() - 1) / 2).copied().map_or(upper, f64::from);
        Some((lower + upper) / 2.0)
    }

    pub(crate) fn with_status(&self, status: &str) -> u64 {
        self.by_status.get(status).copied().unwrap_or(0)
    }
}
