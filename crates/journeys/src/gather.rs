//! Builds the output: which rows in which order, then whole columns at a time.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{cast, interleave, interleave_record_batch, take, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;

use crate::counts::Counters;
use crate::rules::{Found, Instance, RowPlace, Status};
use crate::scan::Scan;

/// The output's form, the same for every batch.
pub(crate) struct OutputForm {
    pub(crate) schema: SchemaRef,
    /// The value of `journey` for each definition.
    pub(crate) names: StringArray,
    pub(crate) customer: usize,
    pub(crate) touchpoint: usize,
    statuses: ArrayRef,
}

impl OutputForm {
    pub(crate) fn new(schema: SchemaRef, names: StringArray, customer: usize, touchpoint: usize) -> Self {
        Self { schema, names, customer, touchpoint, statuses: Arc::new(StringArray::from(Status::NAMES.to_vec())) }
    }
}

/// The members of the customers that are complete, in the order of the output, gathered a slice at a time.
pub(crate) struct Drain {
    /// The batches that hold them; the last is the newest.
    sources: Vec<RecordBatch>,
    /// In the order of the output.
    instances: Vec<Instance>,
    /// The text of each instance's first touchpoint's id, by `id_of`.
    ids: StringArray,
    id_of: Vec<u32>,
    /// Before each instance's first member, the number of members.
    offsets: Vec<u32>,
    /// Each output row's touchpoint and instance.
    places: Vec<RowPlace>,
    owners: Vec<u32>,
    /// Output rows before this one may lie in any source, those from it on lie in the newest.
    newest_from: usize,
    next: usize,
}

impl Drain {
    /// Takes from `found` all instances of customers below `complete`, orders them by customer, journey and
    /// `journey_id` and counts them; the others are renumbered.
    pub(crate) fn take(
        found: &mut Found,
        complete: u32,
        sources: Vec<RecordBatch>,
        form: &OutputForm,
        scans: &mut [Scan],
        counters: &[Counters],
    ) -> Result<Option<Self>> {
        let (done, kept): (Vec<u32>, Vec<u32>) =
            (0..found.instances.len() as u32).partition(|&index| found.instances[index as usize].customer < complete);
        if done.is_empty() {
            return Ok(None);
        }
        let ids = first_touchpoints(found, &done, &sources, form.touchpoint)?;
        let mut order: Vec<u32> = (0..done.len() as u32).collect();
        let instance = |position: u32| &found.instances[done[position as usize] as usize];
        order.sort_unstable_by(|&left, &right| {
            let (a, b) = (instance(left), instance(right));
            (a.customer, a.definition)
                .cmp(&(b.customer, b.definition))
                .then_with(|| ids.value(left as usize).cmp(ids.value(right as usize)))
                .then(left.cmp(&right))
        });
        let instances: Vec<Instance> = order.iter().map(|&position| instance(position).clone()).collect();
        for instance in &instances {
            counters[instance.definition as usize].add_instance(instance.status);
        }

        // New index of every instance: its place in the output, or its place among those that stay.
        let mut new_index = vec![0; found.instances.len()];
        let mut is_done = vec![false; found.instances.len()];
        for (place, &position) in order.iter().enumerate() {
            new_index[done[position as usize] as usize] = place as u32;
            is_done[done[position as usize] as usize] = true;
        }
        kept.iter().enumerate().for_each(|(place, &index)| new_index[index as usize] = place as u32);

        let mut offsets = Vec::with_capacity(instances.len());
        let mut rows = 0;
        for instance in &instances {
            offsets.push(rows);
            rows += instance.members;
        }
        let mut cursor = offsets.clone();
        let mut places = vec![RowPlace { chunk: 0, row: 0 }; rows as usize];
        let mut owners = vec![0; rows as usize];
        found.members.retain_mut(|member| {
            let old = member.instance as usize;
            member.instance = new_index[old];
            if is_done[old] {
                let at = &mut cursor[new_index[old] as usize];
                places[*at as usize] = member.place;
                owners[*at as usize] = new_index[old];
                *at += 1;
            }
            !is_done[old]
        });
        let mut index = 0;
        found.instances.retain(|_| {
            index += 1;
            !is_done[index - 1]
        });
        found.release_excess();
        scans.iter_mut().for_each(|scan| scan.renumber(&new_index));

        // Only the first customer can have begun in an older batch.
        let newest_from = if sources.len() > 1 {
            let first = instances.partition_point(|instance| instance.customer == 0);
            offsets.get(first).map_or(places.len(), |&offset| offset as usize)
        } else {
            0
        };
        let id_of = order;
        Ok(Some(Self { sources, instances, ids, id_of, offsets, places, owners, newest_from, next: 0 }))
    }

    /// Bytes held besides the newest batch.
    pub(crate) fn size(&self) -> usize {
        self.places.capacity() * (size_of::<RowPlace>() + size_of::<u32>())
            + self.instances.capacity() * (size_of::<Instance>() + 2 * size_of::<u32>())
            + self.ids.get_array_memory_size()
            + self
                .sources
                .split_last()
                .map_or(0, |(_, older)| older.iter().map(RecordBatch::get_array_memory_size).sum())
    }

    /// At most `limit` further rows of output; `None` when there are none.
    pub(crate) fn next_slice(&mut self, limit: usize, form: &OutputForm) -> Result<Option<RecordBatch>> {
        let from = self.next;
        if from == self.places.len() {
            return Ok(None);
        }
        let mut to = (from + limit).min(self.places.len());
        if from < self.newest_from {
            to = to.min(self.newest_from);
        }
        self.next = to;
        let rows = self.input_rows(from, to)?;
        let mut columns = self.added_columns(from, to, form)?;
        columns.insert(2, Arc::clone(rows.column(form.customer)));
        let rest = rows.columns().iter().enumerate().filter(|(index, _)| *index != form.customer);
        columns.extend(rest.map(|(_, column)| Arc::clone(column)));
        Ok(Some(RecordBatch::try_new(Arc::clone(&form.schema), columns)?))
    }

    fn input_rows(&self, from: usize, to: usize) -> Result<RecordBatch> {
        let places = &self.places[from..to];
        if let (true, Some(newest)) = (from >= self.newest_from, self.sources.last()) {
            debug_assert!(places.iter().all(|place| place.chunk as usize + 1 == self.sources.len()));
            let rows = UInt32Array::from_iter_values(places.iter().map(|place| place.row));
            return Ok(take_record_batch(newest, &rows)?);
        }
        let sources: Vec<&RecordBatch> = self.sources.iter().collect();
        let places: Vec<_> = places.iter().map(|place| (place.chunk as usize, place.row as usize)).collect();
        Ok(interleave_record_batch(&sources, &places)?)
    }

    /// All columns of [`crate::parameters::ADDED_COLUMNS`]: built once for each instance of the slice, then spread
    /// over its members.
    fn added_columns(&self, from: usize, to: usize, form: &OutputForm) -> Result<Vec<ArrayRef>> {
        let owners = &self.owners[from..to];
        let first = owners.first().map_or(0, |&owner| owner);
        let last = owners.last().map_or(0, |&owner| owner);
        let instances = &self.instances[first as usize..=last as usize];
        let spread = |column: &dyn Array| {
            take(column, &UInt32Array::from_iter_values(owners.iter().map(|owner| owner - first)), None)
        };

        let mut journey_ids = StringBuilder::new();
        for (instance, &id) in instances.iter().zip(&self.id_of[first as usize..]) {
            use std::fmt::Write as _;
            // Writing to a builder cannot fail.
            let _ = write!(journey_ids, "{}/", form.names.value(instance.definition as usize));
            journey_ids.append_value(self.ids.value(id as usize));
        }
        let definitions = UInt32Array::from_iter_values(instances.iter().map(|instance| instance.definition));
        let statuses = UInt32Array::from_iter_values(instances.iter().map(|instance| instance.status as u32));
        let time = |value: fn(&Instance) -> Option<i64>| {
            TimestampMicrosecondArray::from_iter(instances.iter().map(value)).with_timezone("UTC")
        };
        let steps =
            (from..to).zip(owners).map(|(row, &owner)| row as i64 - i64::from(self.offsets[owner as usize]) + 1);
        Ok(vec![
            spread(&journey_ids.finish())?,
            spread(&take(&form.names, &definitions, None)?)?,
            Arc::new(Int64Array::from_iter_values(steps)),
            spread(&time(|instance| Some(instance.started_at)))?,
            spread(&time(|instance| Some(instance.last_at)))?,
            spread(&time(|instance| (instance.status != Status::Open).then_some(instance.ended_at)))?,
            spread(&take(&form.statuses, &statuses, None)?)?,
        ])
    }
}

/// The ids of the first touchpoints of `instances`, as text.
fn first_touchpoints(found: &Found, instances: &[u32], sources: &[RecordBatch], column: usize) -> Result<StringArray> {
    let first = |index: &u32| found.instances[*index as usize].first;
    let ids = if let [source] = sources {
        let rows = UInt32Array::from_iter_values(instances.iter().map(|index| first(index).row));
        take(source.column(column), &rows, None)?
    } else {
        let columns: Vec<&dyn Array> = sources.iter().map(|source| source.column(column).as_ref()).collect();
        let places: Vec<_> =
            instances.iter().map(first).map(|place| (place.chunk as usize, place.row as usize)).collect();
        interleave(&columns, &places)?
    };
    let text = cast(&ids, &DataType::Utf8)?;
    Ok(StringArray::from(text.to_data()))
}
