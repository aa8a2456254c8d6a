//! What the operator is told, as plain data that can travel to another process.

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The input's column of customers, part of every key.
pub(crate) const CUSTOMER_ID: &str = "customer_id";
/// The input's column of touchpoint ids, the second criterion of order and the source of `journey_id`.
pub(crate) const TOUCHPOINT_ID: &str = "touchpoint_id";
/// The input's column of times.
pub(crate) const OCCURRED_AT: &str = "occurred_at";
/// What the operator adds to the input's columns, in the order of the output; `customer_id` stands third.
pub(crate) const ADDED_COLUMNS: [&str; 7] =
    ["journey_id", "journey", "step", "started_at", "last_at", "ended_at", "status"];

/// Every definition and the instant at which the touchpoints are looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Hash, Serialize, Deserialize)]
pub struct MatchParameters {
    /// Touchpoints at or after this instant are not there yet: microseconds since 1970-01-01 00:00 UTC.
    pub as_of: i64,
    /// In the order of their names, each name once.
    pub definitions: Vec<Definition>,
}

/// One journey definition. Conditions are indices into the operator's list of distinct conditions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Hash, Serialize, Deserialize)]
pub struct Definition {
    /// The value of the column `journey` and the prefix of `journey_id`.
    pub name: String,
    /// Opens an instance.
    pub starts: usize,
    /// Closes it as completed.
    pub ends: Option<usize>,
    /// Closes it as abandoned.
    pub abandons: Option<usize>,
    /// Which other touchpoints belong; all when absent.
    pub includes: Option<usize>,
    /// Limit from the first member in microseconds, strict.
    pub within: Option<i64>,
    /// Limit between two members in microseconds, strict.
    pub idle: Option<i64>,
    /// Whether a second start closes the open instance as restarted (`on_restart: split`).
    pub split: bool,
    /// Key columns besides `customer_id`.
    pub further_key: Vec<String>,
}

impl MatchParameters {
    /// Holds what the operator relies on: names in order and distinct, conditions that exist, limits above zero.
    pub(crate) fn validate(&self, conditions: usize) -> Result<()> {
        if let Some(pair) = self.definitions.windows(2).find(|pair| pair[0].name >= pair[1].name) {
            return plan_err!("journeys `{}` and `{}` are not in the order of their names", pair[0].name, pair[1].name);
        }
        for definition in &self.definitions {
            let named = [Some(definition.starts), definition.ends, definition.abandons, definition.includes];
            if named.into_iter().flatten().any(|condition| condition >= conditions) {
                return plan_err!("journey `{}` names a condition that does not exist", definition.name);
            }
            if [definition.within, definition.idle].into_iter().flatten().any(|limit| limit <= 0) {
                return plan_err!("journey `{}` has a limit that is not above zero", definition.name);
            }
        }
        Ok(())
    }
}

/// Whether a column can be an id: text or a 64-bit integer, dictionary-encoded or not.
pub(crate) fn is_id_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Int64 => true,
        DataType::Dictionary(_, values) => is_id_type(values),
        _ => false,
    }
}

/// Whether a column holds instants in microseconds.
pub(crate) fn is_time_type(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if matches!(&**zone, "UTC" | "+00:00"))
}

/// The output's fields: the added columns around `customer_id`, then every remaining column of the input as it is.
///
/// # Errors
/// A required column is missing, or an input column has the name of an added one.
pub(crate) fn output_fields<'a>(input: impl IntoIterator<Item = &'a FieldRef> + Clone) -> Result<Vec<FieldRef>> {
    let find = |name: &str| {
        input
            .clone()
            .into_iter()
            .find(|field| field.name() == name)
            .ok_or_else(|| plan_datafusion_err!("the matcher's input has no column `{name}`"))
    };
    let customer = find(CUSTOMER_ID)?;
    find(TOUCHPOINT_ID)?;
    find(OCCURRED_AT)?;
    if let Some(field) = input.clone().into_iter().find(|field| ADDED_COLUMNS.contains(&field.name().as_str())) {
        return plan_err!("the matcher's input already has a column `{}`", field.name());
    }
    // No row without these is ever a member.
    let required = |field: &FieldRef| match field.name().as_str() {
        CUSTOMER_ID | TOUCHPOINT_ID | OCCURRED_AT => Arc::new(field.as_ref().clone().with_nullable(false)),
        _ => Arc::clone(field),
    };
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let added = |name: &str, data_type: &DataType, nullable| Arc::new(Field::new(name, data_type.clone(), nullable));
    let mut fields = vec![
        added("journey_id", &DataType::Utf8, false),
        added("journey", &DataType::Utf8, false),
        required(customer),
        added("step", &DataType::Int64, false),
        added("started_at", &time, false),
        added("last_at", &time, false),
        added("ended_at", &time, true),
        added("status", &DataType::Utf8, false),
    ];
    fields.extend(input.into_iter().filter(|field| field.name() != CUSTOMER_ID).map(required));
    Ok(fields)
}

/// Index of a column by name.
pub(crate) fn column_index(schema: &Schema, name: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| plan_datafusion_err!("the matcher's input has no column `{name}`"))
}
