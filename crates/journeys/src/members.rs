//! The output with one row for each member of each instance.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use datafusion::common::Result;

use crate::customers::Customers;
use crate::grouped::{Grouped, InstanceColumns, OutputForm, take_rows};
use crate::parameters::CUSTOMER_ID;

/// The members `[from, to)` of all instances, with every column of the input.
pub(crate) fn member_rows(
    grouped: &Grouped,
    from: usize,
    to: usize,
    customers: &Customers,
    form: &OutputForm,
) -> Result<RecordBatch> {
    // The instance of position `from`, and of every position after it.
    let first = grouped.offsets.partition_point(|&offset| offset as usize <= from).saturating_sub(1);
    let mut owners = Vec::with_capacity(to - from);
    let mut steps = Vec::with_capacity(to - from);
    let mut instance = first;
    for position in from..to {
        while grouped.offsets.get(instance + 1).is_some_and(|&next| next as usize <= position) {
            instance += 1;
        }
        owners.push((instance - first) as u32);
        steps.push((position - grouped.offsets[instance] as usize) as i64 + 1);
    }
    let own = InstanceColumns::new(&grouped.instances[first..=instance], &customers.touchpoints, form)?;
    let owners = UInt32Array::from(owners);
    let spread = |column: &ArrayRef| take(column, &owners, None);

    let rows = take_rows(&customers.columns, &grouped.rows[from..to])?;
    let customer = rows.schema().index_of(CUSTOMER_ID)?;
    let mut columns = vec![
        spread(&own.journey_id)?,
        spread(&own.journey)?,
        Arc::clone(rows.column(customer)),
        Arc::new(Int64Array::from(steps)),
        spread(&own.started_at)?,
        spread(&own.last_at)?,
        spread(&own.ended_at)?,
        spread(&own.status)?,
    ];
    let rest = rows.columns().iter().enumerate().filter(|(index, _)| *index != customer);
    columns.extend(rest.map(|(_, column)| Arc::clone(column)));
    Ok(RecordBatch::try_new(Arc::clone(&form.schema), columns)?)
}
