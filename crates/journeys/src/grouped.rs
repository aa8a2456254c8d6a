//! What was found, in the order of the output.

use arrow::array::{ArrayRef, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use std::sync::Arc;

use crate::customers::{Customers, Ids};
use crate::rules::{Found, Instance, Status};

/// Instances by customer, journey and `journey_id`, each with its members' rows in the order of time.
#[derive(Debug)]
pub(crate) struct Grouped {
    pub(crate) instances: Vec<Instance>,
    /// For each instance the position in `rows` of its first member.
    pub(crate) offsets: Vec<u32>,
    pub(crate) rows: Vec<u32>,
}

impl Grouped {
    pub(crate) fn new(found: Found, touchpoints: &Ids) -> Self {
        let Found { instances, members } = found;
        let mut order: Vec<u32> = (0..instances.len() as u32).collect();
        // Those of one customer stand together already.
        let of = |index: u32| &instances[index as usize];
        for customer in order.chunk_by_mut(|&left, &right| of(left).customer == of(right).customer) {
            customer.sort_by(|&left, &right| {
                let (left, right) = (of(left), of(right));
                let by_journey = left.definition.cmp(&right.definition);
                by_journey.then_with(|| touchpoints.compare_texts(left.first, right.first))
            });
        }
        let mut place = vec![0; instances.len()];
        let mut offsets = Vec::with_capacity(instances.len());
        let mut rows = 0;
        for &index in &order {
            place[index as usize] = rows;
            offsets.push(rows);
            rows += of(index).members;
        }
        let mut by_instance = vec![0; rows as usize];
        for member in members {
            let next = &mut place[member.instance as usize];
            by_instance[*next as usize] = member.row;
            *next += 1;
        }
        let instances = order.iter().map(|&index| of(index).clone()).collect();
        Self { instances, offsets, rows: by_instance }
    }

    /// The members of an instance.
    pub(crate) fn rows_of(&self, instance: usize) -> &[u32] {
        let from = self.offsets[instance] as usize;
        &self.rows[from..from + self.instances[instance].members as usize]
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.instances.capacity() * (size_of::<Instance>() + size_of::<u32>()) + self.rows.capacity() * size_of::<u32>()
    }
}

/// The output's form, the same for every batch.
pub(crate) struct OutputForm {
    pub(crate) schema: SchemaRef,
    /// The value of `journey` for each definition.
    pub(crate) names: StringArray,
    pub(crate) statuses: ArrayRef,
}

impl OutputForm {
    pub(crate) fn new(schema: SchemaRef, names: StringArray) -> Self {
        Self { schema, names, statuses: Arc::new(StringArray::from(Status::NAMES.to_vec())) }
    }
}

/// The columns that tell of an instance, a value for each of `instances`.
pub(crate) struct InstanceColumns {
    pub(crate) journey_id: ArrayRef,
    pub(crate) journey: ArrayRef,
    pub(crate) started_at: ArrayRef,
    pub(crate) last_at: ArrayRef,
    pub(crate) ended_at: ArrayRef,
    pub(crate) status: ArrayRef,
}

impl InstanceColumns {
    pub(crate) fn new(instances: &[Instance], touchpoints: &Ids, form: &OutputForm) -> Result<Self> {
        let mut journey_ids = StringBuilder::with_capacity(instances.len(), 32 * instances.len());
        let mut text = String::new();
        for instance in instances {
            text.clear();
            text.push_str(form.names.value(instance.definition as usize));
            text.push('/');
            touchpoints.write(instance.first, &mut text);
            journey_ids.append_value(&text);
        }
        let definitions = UInt32Array::from_iter_values(instances.iter().map(|instance| instance.definition));
        let statuses = UInt32Array::from_iter_values(instances.iter().map(|instance| instance.status as u32));
        let time = |value: fn(&Instance) -> Option<i64>| -> ArrayRef {
            let times: TimestampMicrosecondArray = instances.iter().map(value).collect();
            Arc::new(times.with_timezone("UTC"))
        };
        Ok(Self {
            journey_id: Arc::new(journey_ids.finish()),
            journey: take(&form.names, &definitions, None)?,
            started_at: time(|instance| Some(instance.started_at)),
            last_at: time(|instance| Some(instance.last_at)),
            ended_at: time(|instance| (instance.status != Status::Open).then_some(instance.ended_at)),
            status: take(&form.statuses, &statuses, None)?,
        })
    }
}

/// The value of a column over customers for each instance, in the type of the output.
pub(crate) fn customer_ids(instances: &[Instance], customers: &Customers, form: &OutputForm) -> Result<ArrayRef> {
    let indices = UInt32Array::from_iter_values(instances.iter().map(|instance| instance.customer));
    let ids = take(&customers.ids, &indices, None)?;
    let field = form.schema.field_with_name(crate::parameters::CUSTOMER_ID)?;
    Ok(arrow::compute::cast(&ids, field.data_type())?)
}

/// Whole rows of the columns at hand.
pub(crate) fn take_rows(columns: &RecordBatch, rows: &[u32]) -> Result<RecordBatch> {
    Ok(arrow::compute::take_record_batch(columns, &UInt32Array::from(rows.to_vec()))?)
}
