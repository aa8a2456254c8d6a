//! The parameters of the operator, as plain data that can travel to another process.

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
/// The input's column of the times at which it became known whose touchpoint each is.
pub(crate) const KNOWN_AT: &str = "known_at";
/// What the operator adds to the input's columns, in the order of the output; `customer_id` stands third.
pub(crate) const ADDED_COLUMNS: [&str; 7] =
    ["journey_id", "journey", "step", "started_at", "last_at", "ended_at", "status"];
/// The input's columns that measures are made of.
pub(crate) const CHANNEL: &str = "channel";
pub(crate) const FUNCTION: &str = "function";
pub(crate) const TOPIC: &str = "topic";
pub(crate) const RESOLVED: &str = "resolved";
pub(crate) const SATISFACTION: &str = "satisfaction";
pub(crate) const COST: &str = "cost";
pub(crate) const MEASURED_COLUMNS: [&str; 6] = [CHANNEL, FUNCTION, TOPIC, RESOLVED, SATISFACTION, COST];

/// Every definition and the instant of the cut, `as_of`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Hash, Serialize, Deserialize)]
pub struct MatchParameters {
    /// Touchpoints at or after this instant are not there yet: microseconds since 1970-01-01 00:00 UTC.
    pub as_of: i64,
    /// In the order of their names, each name once.
    pub definitions: Vec<Definition>,
    /// What a row of the output is.
    pub rows: OutputRows,
    /// Channels with a person at the other end: a touchpoint on one of them is a contact (SEMANTICS 3).
    pub assisted_channels: Vec<String>,
}

/// Channels with a person at the other end where nothing else is said (SEMANTICS 3).
pub(crate) const ASSISTED_CHANNELS: [&str; 4] = ["phone", "chat", "field", "store"];

/// What a row of the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Hash, Serialize, Deserialize)]
pub enum OutputRows {
    /// A member of an instance, with every column of the input.
    Members,
    /// The same where touchpoints are matched as they became known: `known_at` takes the place of `occurred_at` in their
    /// order, in limits and in `as_of` (SEMANTICS 5).
    KnownMembers,
    /// A stretch of days on which a customer is in one state of exposure to a journey, by touchpoints matched as they
    /// became known (SEMANTICS 5).
    States {
        /// How long after a touchpoint a customer is exposed: microseconds.
        horizon: i64,
        /// Whether the touchpoints say when they became known; without it, they were known when they happened.
        by_known: bool,
    },
    /// An instance with its measures (SEMANTICS 3).
    Instances {
        /// A score from here on counts as satisfied.
        satisfied: Score,
    },
}

impl OutputRows {
    /// The columns by which a customer's touchpoints are ordered. Limits and `as_of` are held against the first.
    pub(crate) fn order(self) -> &'static [&'static str] {
        if self.is_by_known() { &[KNOWN_AT, OCCURRED_AT, TOUCHPOINT_ID] } else { &[OCCURRED_AT, TOUCHPOINT_ID] }
    }

    /// The column of the time that counts.
    pub(crate) fn time(self) -> &'static str {
        if self.is_by_known() { KNOWN_AT } else { OCCURRED_AT }
    }

    /// Whether touchpoints are matched as they became known.
    pub(crate) fn is_by_known(self) -> bool {
        match self {
            Self::Members | Self::Instances { .. } => false,
            Self::KnownMembers => true,
            Self::States { by_known, .. } => by_known,
        }
    }

    /// Whether a row is a member, with the columns of its touchpoint.
    pub(crate) fn are_members(self) -> bool {
        matches!(self, Self::Members | Self::KnownMembers)
    }

    /// The input's columns that are read beside keys, times and what the conditions read.
    pub(crate) fn measured(self) -> &'static [&'static str] {
        match self {
            Self::Members | Self::KnownMembers => &[],
            Self::Instances { .. } => &MEASURED_COLUMNS,
            Self::States { .. } => &[CHANNEL, TOPIC, RESOLVED],
        }
    }
}

/// A score on 0..1 that can be compared and hashed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Score(pub f64);

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.0.total_cmp(&other.0).is_eq()
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.0.total_cmp(&other.0))
    }
}

impl std::hash::Hash for Score {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
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
        if let OutputRows::States { horizon, .. } = self.rows
            && horizon <= 0
        {
            return plan_err!("the exposure horizon is not above zero");
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

/// Whether a measured column can be of this type.
pub(crate) fn is_measured_type(name: &str, data_type: &DataType) -> bool {
    match name {
        RESOLVED => *data_type == DataType::Boolean,
        SATISFACTION | COST => data_type.is_numeric(),
        _ => crate::texts::ValueCoder::can_code(data_type) && *data_type != DataType::Boolean,
    }
}

/// The output's fields.
///
/// # Errors
/// A required column is missing, or an input column has the name of an added one.
pub(crate) fn output_fields(input: &[FieldRef], parameters: &MatchParameters) -> Result<Vec<FieldRef>> {
    for name in [CUSTOMER_ID].iter().chain(parameters.rows.order()) {
        field(input, name)?;
    }
    match parameters.rows {
        OutputRows::Members | OutputRows::KnownMembers => member_fields(input, parameters.rows.order()),
        OutputRows::Instances { .. } => instance_fields(input, parameters),
        OutputRows::States { .. } => state_fields(input, parameters.rows),
    }
}

fn field<'a>(input: &'a [FieldRef], name: &str) -> Result<&'a FieldRef> {
    let found = input.iter().find(|field| field.name() == name);
    found.ok_or_else(|| plan_datafusion_err!("the matcher's input has no column `{name}`"))
}

fn added(name: &str, data_type: &DataType, nullable: bool) -> FieldRef {
    Arc::new(Field::new(name, data_type.clone(), nullable))
}

/// No row without a value here is ever a member.
fn required(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_nullable(false))
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The added columns around `customer_id`, then every remaining column of the input as it is.
fn member_fields(input: &[FieldRef], order: &[&str]) -> Result<Vec<FieldRef>> {
    if let Some(field) = input.iter().find(|field| ADDED_COLUMNS.contains(&field.name().as_str())) {
        return plan_err!("the matcher's input already has a column `{}`", field.name());
    }
    let mut fields = vec![
        added("journey_id", &DataType::Utf8, false),
        added("journey", &DataType::Utf8, false),
        required(field(input, CUSTOMER_ID)?),
        added("step", &DataType::Int64, false),
        added("started_at", &time(), false),
        added("last_at", &time(), false),
        added("ended_at", &time(), true),
        added("status", &DataType::Utf8, false),
    ];
    let rest = input.iter().filter(|field| field.name() != CUSTOMER_ID);
    let is_ordered_by = |field: &FieldRef| order.contains(&field.name().as_str());
    fields.extend(rest.map(|field| if is_ordered_by(field) { required(field) } else { Arc::clone(field) }));
    Ok(fields)
}

fn check_measured(input: &[FieldRef], rows: OutputRows) -> Result<()> {
    for name in rows.measured() {
        let data_type = field(input, name)?.data_type();
        if !is_measured_type(name, data_type) {
            return plan_err!("measures cannot be made of `{name}` of type {data_type}");
        }
    }
    Ok(())
}

/// The customer and the journey, then the days and the state, and until when the exposure lasts that begins there.
fn state_fields(input: &[FieldRef], rows: OutputRows) -> Result<Vec<FieldRef>> {
    check_measured(input, rows)?;
    Ok(vec![
        required(field(input, CUSTOMER_ID)?),
        added("journey", &DataType::Utf8, false),
        added("from_day", &time(), false),
        added("until_day", &time(), false),
        added("since_touchpoint", &DataType::Utf8, false),
        added("run", &DataType::Utf8, false),
        added("exposed_until", &time(), true),
    ])
}

/// The instance with its key, then the measures.
fn instance_fields(input: &[FieldRef], parameters: &MatchParameters) -> Result<Vec<FieldRef>> {
    check_measured(input, parameters.rows)?;
    let mut fields = vec![
        added("journey_id", &DataType::Utf8, false),
        added("journey", &DataType::Utf8, false),
        required(field(input, CUSTOMER_ID)?),
    ];
    for name in further_keys(parameters) {
        fields.push(Arc::new(field(input, name)?.as_ref().clone().with_nullable(true)));
    }
    let (text, count, number, flag) = (DataType::Utf8, DataType::Int64, DataType::Float64, DataType::Boolean);
    fields.extend([
        added("started_at", &time(), false),
        added("last_at", &time(), false),
        added("ended_at", &time(), true),
        added("status", &text, false),
        added("duration_s", &number, false),
        added("touchpoints", &count, false),
        added("channels", &count, false),
        added("is_multichannel", &flag, false),
        added("channel_switches", &count, false),
        added("functions", &count, false),
        added("handoffs", &count, false),
        added("contacts", &count, false),
        added("repeat_contacts", &count, false),
        added("first_channel", &text, true),
        added("last_channel", &text, true),
        added("unresolved", &count, false),
        added("cost", &number, true),
        added("touchpoint_satisfaction", &number, true),
        added("touchpoint_responses", &count, false),
        added("worst_touchpoint_satisfaction", &number, true),
        added("all_satisfied", &flag, true),
    ]);
    Ok(fields)
}

/// The distinct key columns besides `customer_id`, in the order in which the definitions name them.
pub(crate) fn further_keys(parameters: &MatchParameters) -> Vec<&str> {
    let mut keys: Vec<&str> = Vec::new();
    for key in parameters.definitions.iter().flat_map(|definition| &definition.further_key) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    keys
}

/// Index of a column by name.
pub(crate) fn column_index(schema: &Schema, name: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| plan_datafusion_err!("the matcher's input has no column `{name}`"))
}
