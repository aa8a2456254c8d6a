//! What matters of a touchpoint beyond its customer and its time, as one number.
//!
//! Touchpoints are many and their events, topics and channels few. So conditions are decided once for each distinct
//! combination of the texts they read; a row's class then says where every definition's conditions hold.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take_record_batch;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use hashbrown::HashMap;

use crate::parameters::{Definition, MatchParameters};
use crate::texts::{CombinationCoder, NULL, Texts, ValueCoder};

/// A text column with more distinct values than this repeats too little for codes to save anything.
const MOST_DISTINCT: usize = 1 << 16;

/// What the measures of an instance need of a touchpoint's texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Traits {
    /// Codes of the texts, [`NULL`] for a null.
    pub(crate) channel: u32,
    pub(crate) function: u32,
    pub(crate) topic: u32,
    pub(crate) is_contact: bool,
    pub(crate) is_unresolved: bool,
}

/// Where conditions hold, one bit a definition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Masks<'a> {
    pub(crate) starts: &'a [u64],
    pub(crate) ends: &'a [u64],
    pub(crate) abandons: &'a [u64],
    /// Starts, ends, abandons or is included: a definition can skip every other touchpoint.
    pub(crate) relevant: &'a [u64],
}

/// The classes met so far, each by its number.
#[derive(Debug, Clone)]
pub(crate) struct Classes {
    words: usize,
    masks: Vec<u64>,
    traits: Vec<Traits>,
}

impl Classes {
    pub(crate) fn new(definitions: usize) -> Self {
        Self { words: definitions.div_ceil(64), masks: Vec::new(), traits: Vec::new() }
    }

    pub(crate) fn masks(&self, class: u32) -> Masks<'_> {
        let words = self.words;
        let all = &self.masks[class as usize * 4 * words..][..4 * words];
        let (starts, rest) = all.split_at(words);
        let (ends, rest) = rest.split_at(words);
        let (abandons, relevant) = rest.split_at(words);
        Masks { starts, ends, abandons, relevant }
    }

    pub(crate) fn traits(&self, class: u32) -> &Traits {
        &self.traits[class as usize]
    }

    fn len(&self) -> usize {
        self.traits.len()
    }

    /// Whether no definition has a use for touchpoints of this class.
    fn is_idle(&self, class: u32) -> bool {
        self.masks(class).relevant.iter().all(|word| *word == 0)
    }
}

/// Classes and texts that several partitions share, so that a number means the same in all of them.
#[derive(Debug)]
pub(crate) struct SharedClasses {
    numbers: Mutex<Numbers>,
    pub(crate) channels: Arc<Texts>,
    functions: Arc<Texts>,
    topics: Arc<Texts>,
}

#[derive(Debug)]
struct Numbers {
    by_content: HashMap<(Box<[u64]>, Traits), u32>,
    classes: Classes,
}

impl SharedClasses {
    pub(crate) fn new(definitions: usize) -> Self {
        let numbers = Numbers { by_content: HashMap::new(), classes: Classes::new(definitions) };
        Self {
            numbers: Mutex::new(numbers),
            channels: Arc::default(),
            functions: Arc::default(),
            topics: Arc::default(),
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        // Classes are only ever added, whole.
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self, masks: Box<[u64]>, traits: Traits) -> (u32, bool) {
        let numbers = &mut *self.numbers();
        let next = numbers.classes.len() as u32;
        let class = *numbers.by_content.entry((masks, traits)).or_insert_with_key(|(masks, traits)| {
            numbers.classes.masks.extend_from_slice(masks);
            numbers.classes.traits.push(*traits);
            next
        });
        (class, numbers.classes.is_idle(class))
    }

    /// Brings `known` up to date.
    pub(crate) fn refresh(&self, known: &mut Classes) {
        let numbers = self.numbers();
        known.masks.extend_from_slice(&numbers.classes.masks[known.masks.len()..]);
        known.traits.extend_from_slice(&numbers.classes.traits[known.traits.len()..]);
    }
}

/// Columns of the input that the measures read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TraitColumns {
    pub(crate) channel: usize,
    /// Not read for states.
    pub(crate) function: Option<usize>,
    pub(crate) topic: usize,
    pub(crate) resolved: usize,
}

/// One partition's way from a batch to the class of each row.
pub(crate) struct ClassCoder {
    shared: Arc<SharedClasses>,
    parameters: Arc<MatchParameters>,
    conditions: Vec<Arc<dyn PhysicalExpr>>,
    traits: Option<TraitColumns>,
    /// Columns whose values get codes.
    coded: Vec<CodedColumn>,
    /// Conditions that read any other column, evaluated for every row.
    general: Vec<usize>,
    combinations: CombinationCoder,
    /// Class and idleness by the number of a combination.
    class_of: Vec<(u32, bool)>,
}

struct CodedColumn {
    column: usize,
    coder: ValueCoder,
    /// Read by the measures, which need its codes however many there are.
    is_trait: bool,
}

impl ClassCoder {
    /// `types_of` is the input's schema; `conditions` are boolean over its columns.
    pub(crate) fn new(
        shared: Arc<SharedClasses>,
        parameters: Arc<MatchParameters>,
        conditions: Vec<Arc<dyn PhysicalExpr>>,
        traits: Option<TraitColumns>,
        schema: &arrow::datatypes::Schema,
    ) -> Self {
        let mut coded: Vec<CodedColumn> = Vec::new();
        if let Some(columns) = traits {
            let texts = [
                (Some(columns.channel), &shared.channels),
                (columns.function, &shared.functions),
                (Some(columns.topic), &shared.topics),
            ];
            let texts = texts.into_iter().filter_map(|(column, texts)| Some((column?, texts)));
            coded.extend(texts.map(|(column, texts)| CodedColumn {
                column,
                coder: ValueCoder::new(Arc::clone(texts)),
                is_trait: true,
            }));
            let coder = ValueCoder::new(Arc::default());
            coded.push(CodedColumn { column: columns.resolved, coder, is_trait: true });
        }
        let mut general = Vec::new();
        for (index, condition) in conditions.iter().enumerate() {
            let columns = collect_columns(condition);
            if columns.iter().all(|column| ValueCoder::can_code(schema.field(column.index()).data_type())) {
                for column in columns {
                    if coded.iter().all(|known| known.column != column.index()) {
                        let coder = ValueCoder::new(Arc::default());
                        coded.push(CodedColumn { column: column.index(), coder, is_trait: false });
                    }
                }
            } else {
                general.push(index);
            }
        }
        Self {
            shared,
            parameters,
            conditions,
            traits,
            coded,
            general,
            combinations: CombinationCoder::default(),
            class_of: Vec::new(),
        }
    }

    /// The class of each row, and whether any definition has a use for the row.
    pub(crate) fn classes(&mut self, batch: &RecordBatch) -> Result<(Vec<u32>, BooleanBuffer)> {
        let mut inputs = Vec::with_capacity(self.coded.len() + self.general.len());
        for coded in &mut self.coded {
            inputs.push(coded.coder.codes(batch.column(coded.column))?);
        }
        let general =
            self.general.iter().map(|&index| truth(&self.conditions[index], batch)).collect::<Result<Vec<_>>>()?;
        let general: Vec<(usize, BooleanArray)> = self.general.iter().copied().zip(general).collect();
        inputs.extend(
            general.iter().map(|(_, truth)| truth.iter().map(|holds| u32::from(holds == Some(true))).collect()),
        );

        if self.combinations.make_room(&inputs) {
            self.class_of.clear();
        }
        let combined = self.combinations.numbers(&inputs, batch.num_rows());
        let mut unknown: Vec<u32> = Vec::new();
        let mut next = self.class_of.len();
        for (row, &number) in combined.iter().enumerate() {
            // New numbers come in order.
            if number as usize == next {
                unknown.push(row as u32);
                next += 1;
            }
        }
        if !unknown.is_empty() {
            self.learn(batch, &unknown, &inputs, &general)?;
        }
        let class_of = |row: usize| self.class_of[combined[row] as usize];
        let is_used = BooleanBuffer::collect_bool(combined.len(), |row| !class_of(row).1);
        let classes = (0..combined.len()).map(|row| class_of(row).0).collect();
        self.give_up_distinct_texts();
        Ok((classes, is_used))
    }

    /// Decides the conditions for one row of each new combination.
    fn learn(
        &mut self,
        batch: &RecordBatch,
        rows: &[u32],
        inputs: &[Vec<u32>],
        general: &[(usize, BooleanArray)],
    ) -> Result<()> {
        let examples = take_record_batch(batch, &UInt32Array::from(rows.to_vec()))?;
        let decided = self
            .conditions
            .iter()
            .enumerate()
            .map(|(index, condition)| match general.iter().find(|(known, _)| *known == index) {
                Some((_, truth)) => {
                    Ok(BooleanArray::from_iter(rows.iter().map(|&row| Some(holds(truth, row as usize)))))
                }
                None => truth(condition, &examples),
            })
            .collect::<Result<Vec<_>>>()?;
        let words = self.parameters.definitions.len().div_ceil(64);
        for (example, &row) in rows.iter().enumerate() {
            let masks = masks(&self.parameters.definitions, words, |condition| holds(&decided[condition], example));
            let traits = self.traits.map_or_else(
                || Ok(Traits::default()),
                |columns| {
                    let code = |column: usize| {
                        let place = self.coded.iter().position(|coded| coded.column == column);
                        place.map_or(NULL, |place| inputs[place][row as usize])
                    };
                    let channel = text_at(batch.column(columns.channel), row as usize)?;
                    let resolved = batch.column(columns.resolved).as_boolean();
                    Ok::<_, datafusion::common::DataFusionError>(Traits {
                        channel: code(columns.channel),
                        function: columns.function.map_or(NULL, code),
                        topic: code(columns.topic),
                        is_contact: channel.is_some_and(|channel| self.parameters.assisted_channels.contains(&channel)),
                        is_unresolved: resolved.is_valid(row as usize) && !resolved.value(row as usize),
                    })
                },
            )?;
            self.class_of.push(self.shared.number(masks, traits));
        }
        Ok(())
    }

    /// Conditions over texts that hardly repeat are evaluated row by row from here on.
    fn give_up_distinct_texts(&mut self) {
        let given_up = |coded: &CodedColumn| !coded.is_trait && coded.coder.distinct() > MOST_DISTINCT;
        let columns: Vec<usize> = self.coded.iter().filter(|coded| given_up(coded)).map(|coded| coded.column).collect();
        if columns.is_empty() {
            return;
        }
        self.coded.retain(|coded| !columns.contains(&coded.column));
        for (index, condition) in self.conditions.iter().enumerate() {
            let reads_one = collect_columns(condition).iter().any(|column| columns.contains(&column.index()));
            if reads_one && !self.general.contains(&index) {
                self.general.push(index);
            }
        }
        // Other columns, other combinations.
        self.combinations = CombinationCoder::default();
        self.class_of.clear();
    }
}

fn truth(condition: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let values = condition.evaluate(batch)?.into_array(batch.num_rows())?;
    let values = values.as_boolean_opt();
    values.cloned().ok_or_else(|| internal_datafusion_err!("the journey condition {condition} is not boolean"))
}

/// Null counts as false.
fn holds(truth: &BooleanArray, row: usize) -> bool {
    truth.is_valid(row) && truth.value(row)
}

/// Starts, ends, abandons and relevance of a touchpoint, `words` words each.
fn masks(definitions: &[Definition], words: usize, holds: impl Fn(usize) -> bool) -> Box<[u64]> {
    let mut masks = vec![0; 4 * words];
    for (index, definition) in definitions.iter().enumerate() {
        let known = |condition: Option<usize>| condition.is_some_and(&holds);
        let (starts, ends, abandons) = (holds(definition.starts), known(definition.ends), known(definition.abandons));
        let includes = definition.includes.is_none_or(&holds);
        for (kind, bit) in [starts, ends, abandons, starts || ends || abandons || includes].into_iter().enumerate() {
            masks[kind * words + index / 64] |= u64::from(bit) << (index % 64);
        }
    }
    masks.into_boxed_slice()
}

fn text_at(array: &ArrayRef, row: usize) -> Result<Option<String>> {
    let one = arrow::compute::cast(&array.slice(row, 1), &arrow::datatypes::DataType::Utf8)?;
    let one = one.as_string::<i32>();
    Ok(one.is_valid(0).then(|| one.value(0).to_owned()))
}
