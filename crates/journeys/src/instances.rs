//! The output with one row for each instance and its measures.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{nullif, take};
use datafusion::common::{Result, internal_err};

use crate::classes::Classes;
use crate::customers::Customers;
use crate::grouped::{Grouped, InstanceColumns, OutputForm, customer_ids, take_rows};
use crate::measures::{Measures, Measuring, Satisfaction};
use crate::rules::Instance;
use crate::texts::{NULL, Texts};

/// What the output of instances needs besides the instances.
pub(crate) struct InstanceOutput {
    pub(crate) measuring: Measuring,
    pub(crate) channels: Arc<Texts>,
    /// Further key columns: the position in [`Customers::columns`], and which definitions have it in their key.
    pub(crate) keys: Vec<(usize, Vec<bool>)>,
}

impl InstanceOutput {
    /// The instances `[from, to)`.
    pub(crate) fn rows(
        &mut self,
        grouped: &Grouped,
        from: usize,
        to: usize,
        customers: &Customers,
        classes: &Classes,
        form: &OutputForm,
    ) -> Result<RecordBatch> {
        let Some(amounts) = &customers.amounts else { return internal_err!("measures need amounts") };
        let instances = &grouped.instances[from..to];
        let measuring = &mut self.measuring;
        let measures: Vec<Measures> = (from..to)
            .map(|instance| measuring.measure(grouped.rows_of(instance), customers, amounts, classes))
            .collect();

        let own = InstanceColumns::new(instances, &customers.touchpoints, form)?;
        let mut columns = vec![own.journey_id, own.journey, customer_ids(instances, customers, form)?];
        columns.extend(self.key_columns(instances, customers)?);
        columns.extend([own.started_at, own.last_at, own.ended_at, own.status]);
        let seconds = |instance: &Instance| instance.last_at.saturating_sub(instance.started_at) as f64 / 1e6;
        columns.push(Arc::new(Float64Array::from_iter_values(instances.iter().map(seconds))));
        columns.push(Arc::new(Int64Array::from_iter_values(instances.iter().map(|one| i64::from(one.members)))));
        columns.extend(measure_columns(&measures, &self.channels)?);
        Ok(RecordBatch::try_new(Arc::clone(&form.schema), columns)?)
    }

    /// The further keys' values of each instance; null where its definition has no such key.
    fn key_columns(&self, instances: &[Instance], customers: &Customers) -> Result<Vec<ArrayRef>> {
        if self.keys.is_empty() {
            return Ok(Vec::new());
        }
        let firsts: Vec<u32> = instances.iter().map(|instance| instance.first).collect();
        let values = take_rows(&customers.columns, &firsts)?;
        let key = |(column, of): &(usize, Vec<bool>)| {
            let is_none = instances.iter().map(|instance| Some(!of[instance.definition as usize]));
            Ok(nullif(values.column(*column), &BooleanArray::from_iter(is_none))?)
        };
        self.keys.iter().map(key).collect()
    }
}

fn measure_columns(measures: &[Measures], channels: &Texts) -> Result<Vec<ArrayRef>> {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(channels.all()));
    let text = |code: fn(&Measures) -> u32| {
        let places = measures.iter().map(code).map(|code| (code != NULL).then(|| code - 1));
        take(&texts, &places.collect::<UInt32Array>(), None)
    };
    let count = |value: fn(&Measures) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(measures.iter().map(value)))
    };
    let answers = || measures.iter().map(|one| one.satisfaction);
    let score = |value: fn(Satisfaction) -> f64| -> ArrayRef {
        Arc::new(answers().map(|satisfaction| satisfaction.map(value)).collect::<Float64Array>())
    };
    Ok(vec![
        count(|one| one.channels),
        Arc::new(BooleanArray::from_iter(measures.iter().map(|one| Some(one.channels > 1)))),
        count(|one| one.channel_switches),
        count(|one| one.functions),
        count(|one| one.handoffs),
        count(|one| one.contacts),
        count(|one| one.repeat_contacts),
        text(|one| one.first_channel)?,
        text(|one| one.last_channel)?,
        count(|one| one.unresolved),
        Arc::new(measures.iter().map(|one| one.cost).collect::<Float64Array>()),
        score(|satisfaction| satisfaction.sum / satisfaction.responses as f64),
        count(|one| one.satisfaction.map_or(0, |satisfaction| satisfaction.responses)),
        score(|satisfaction| satisfaction.worst),
        Arc::new(BooleanArray::from_iter(
            answers().map(|answer| answer.map(|satisfaction| satisfaction.all_satisfied)),
        )),
    ])
}
