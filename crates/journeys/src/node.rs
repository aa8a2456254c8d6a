//! The logical operator, and how it is made from journey definitions.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::AsArray;
use datafusion::common::{Column, DFSchema, DFSchemaRef, ParamValues, Result, ScalarValue, plan_err};
use datafusion::execution::SessionState;
use datafusion::functions::expr_fn::greatest;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNodeCore};
use throughline_config::{JourneyDefinition, OnRestart, Timestamp};

use crate::conditions::{ConditionPlanner, unknown_column};
use crate::exec::instant;
use crate::parameters::{
    ADDED_COLUMNS, ASSISTED_CHANNELS, COST, CUSTOMER_ID, Definition, KNOWN_AT, MatchParameters, OCCURRED_AT,
    OutputRows, RESOLVED, SATISFACTION, TOUCHPOINT_ID, is_id_type, is_measured_type, is_time_type, output_fields,
};
use crate::refusal::{Field, MatchError, MatchErrorKind, Refusal};

/// Matches journey definitions against a relation of touchpoints: one row for each member of each instance, for each
/// instance with its measures, or for each stretch of days in one state of exposure.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MatchJourneys {
    /// The touchpoints, in any order.
    pub input: LogicalPlan,
    /// The distinct conditions of all definitions, boolean over the input's columns.
    pub conditions: Vec<Expr>,
    /// Refers to the conditions by index.
    pub parameters: MatchParameters,
    schema: DFSchemaRef,
}

/// The plan that matches `definitions` against `input` as of an instant.
///
/// `input` has `customer_id` and `touchpoint_id` (text or int64), `occurred_at` (microseconds, UTC), every column
/// the conditions and keys name, and no column the matcher adds; for known members also `known_at` (like `occurred_at`),
/// for instances what their measures are made of (`channel`, `function`, `topic`: text; `resolved`: boolean;
/// `satisfaction`, `cost`: numbers), for states `channel`, `topic` and `resolved`. `$name` in a condition
/// stands for one of `variables`. Planning the result needs a [`crate::MatchPlanner`] in the session.
///
/// # Errors
/// Everything found wrong, in the order of the definitions; never empty.
pub fn match_journeys<'a>(
    input: LogicalPlan,
    definitions: impl IntoIterator<Item = &'a JourneyDefinition>,
    as_of: Timestamp,
    variables: Option<&ParamValues>,
    rows: OutputRows,
    state: &SessionState,
) -> Result<LogicalPlan, Vec<MatchError>> {
    let mut errors = input_errors(input.schema(), rows);
    let mut conditions = Vec::new();
    let mut planned = Vec::new();
    let planner = ConditionPlanner { state, schema: input.schema(), variables };
    for definition in definitions {
        planned.push(plan_definition(definition, &planner, &mut conditions, &mut errors));
    }
    planned.sort_by(|left, right| left.name.cmp(&right.name));
    if !errors.is_empty() {
        return Err(errors);
    }
    let assisted_channels = assisted_channels(variables);
    let parameters = MatchParameters { as_of, definitions: planned, rows, assisted_channels };
    let input = if rows.is_by_known() { known_when(input) } else { Ok(input) };
    match input.and_then(|input| MatchJourneys::try_new(input, conditions, parameters)) {
        Ok(node) => Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) })),
        Err(error) => Err(vec![input_error(MatchErrorKind::Invalid, error.message().into_owned())]),
    }
}

/// The values of the variable `assisted_channels`, a list of texts; without it those of SEMANTICS 3.
fn assisted_channels(variables: Option<&ParamValues>) -> Vec<String> {
    let value = variables.and_then(|variables| variables.get_placeholders_with_values("$assisted_channels").ok());
    let Some(ScalarValue::List(list)) = value.map(|value| value.value) else {
        return ASSISTED_CHANNELS.map(str::to_owned).to_vec();
    };
    list.values().as_string::<i32>().iter().flatten().map(str::to_owned).collect()
}

/// The input with every touchpoint known at some time: at once where nothing is said, and never before it happened.
fn known_when(input: LogicalPlan) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = input
        .schema()
        .columns()
        .into_iter()
        .map(|column| {
            let relation = column.relation.clone();
            match column.name == KNOWN_AT {
                true => {
                    let happened = Expr::Column(Column::new(relation.clone(), OCCURRED_AT));
                    greatest(vec![Expr::Column(column), happened]).alias_qualified(relation, KNOWN_AT)
                }
                false => Expr::Column(column),
            }
        })
        .collect();
    LogicalPlanBuilder::from(input).project(columns)?.build()
}

fn plan_definition(
    definition: &JourneyDefinition,
    planner: &ConditionPlanner<'_>,
    conditions: &mut Vec<Expr>,
    errors: &mut Vec<MatchError>,
) -> Definition {
    let name = &definition.name.value;
    let mut refuse = |refusal: Refusal, field| errors.push(refusal.of(name, field));
    let mut further_key = Vec::new();
    for column in definition.key.iter().map(|column| &column.value).filter(|column| *column != CUSTOMER_ID) {
        if planner.schema.has_column_with_unqualified_name(column) {
            further_key.push(column.clone());
        } else {
            refuse(unknown_column(planner.schema, column, "the touchpoints"), Field::Key);
        }
    }
    if !definition.key.iter().any(|column| column.value == CUSTOMER_ID) {
        refuse(Refusal::new(MatchErrorKind::Invalid, "a key contains `customer_id`"), Field::Key);
    }
    let mut condition = |text: &str, field| match planner.plan(text) {
        Ok(expr) => conditions.iter().position(|known| *known == expr).unwrap_or_else(|| {
            conditions.push(expr);
            conditions.len() - 1
        }),
        Err(refusal) => {
            refuse(refusal, field);
            0
        }
    };
    Definition {
        name: name.clone(),
        starts: condition(&definition.starts, Field::Starts),
        ends: definition.ends.as_ref().map(|text| condition(text, Field::Ends)),
        abandons: definition.abandons.as_ref().map(|text| condition(text, Field::Abandons)),
        includes: definition.includes.as_ref().map(|text| condition(text, Field::Includes)),
        within: definition.within.map(|limit| limit.0),
        idle: definition.idle.map(|limit| limit.0),
        split: definition.on_restart == OnRestart::Split,
        further_key,
    }
}

fn input_error(kind: MatchErrorKind, message: impl Into<String>) -> MatchError {
    MatchError { definition: None, field: None, span: None, kind, message: message.into() }
}

fn input_errors(schema: &DFSchema, rows: OutputRows) -> Vec<MatchError> {
    let mut errors = if rows.are_members() { clashes(schema) } else { measured_errors(schema, rows) };
    for &name in [CUSTOMER_ID].iter().chain(rows.order()) {
        let (is_right, wanted): (fn(&_) -> bool, _) = match name {
            CUSTOMER_ID | TOUCHPOINT_ID => (is_id_type, "text or a 64-bit integer"),
            _ => (is_time_type, "a timestamp in microseconds, UTC"),
        };
        match schema.fields().iter().find(|field| field.name() == name) {
            None => {
                let kind = MatchErrorKind::MissingColumn { name: name.to_owned() };
                errors.push(input_error(kind, format!("the touchpoints have no column `{name}`")));
            }
            Some(field) if !is_right(field.data_type()) => {
                let found = field.data_type().to_string();
                let message = format!("`{name}` of the touchpoints is {wanted}, but it is of type {found}");
                errors.push(input_error(MatchErrorKind::ColumnType { name: name.to_owned(), found }, message));
            }
            Some(_) => {}
        }
    }
    errors
}

fn clashes(schema: &DFSchema) -> Vec<MatchError> {
    let mut errors = Vec::new();
    let mut seen = HashSet::new();
    for name in schema.fields().iter().map(|field| field.name()) {
        let kind = MatchErrorKind::ColumnClash { name: name.clone() };
        if ADDED_COLUMNS.contains(&name.as_str()) {
            errors.push(input_error(kind, format!("the touchpoints have a column `{name}`, which the matcher adds")));
        } else if !seen.insert(name) {
            errors.push(input_error(kind, format!("the touchpoints have two columns `{name}`")));
        }
    }
    errors
}

fn measured_errors(schema: &DFSchema, rows: OutputRows) -> Vec<MatchError> {
    let mut errors = Vec::new();
    for &name in rows.measured() {
        match schema.fields().iter().find(|field| field.name() == name) {
            None => {
                let kind = MatchErrorKind::MissingMeasured { name: name.to_owned() };
                errors.push(input_error(
                    kind,
                    format!("the touchpoints have no column `{name}`, of which measures are made"),
                ));
            }
            Some(field) if !is_measured_type(name, field.data_type()) => {
                let found = field.data_type().to_string();
                let wanted = match name {
                    RESOLVED => "boolean",
                    SATISFACTION | COST => "a number",
                    _ => "text",
                };
                let message = format!("`{name}` of the touchpoints is {wanted}, but it is of type {found}");
                errors.push(input_error(MatchErrorKind::MeasuredType { name: name.to_owned(), found }, message));
            }
            Some(_) => {}
        }
    }
    errors
}

impl MatchJourneys {
    /// An operator whose parts are known to fit; [`match_journeys`] makes one from definitions.
    ///
    /// # Errors
    /// The parameters do not fit the conditions or the input.
    pub fn try_new(input: LogicalPlan, conditions: Vec<Expr>, parameters: MatchParameters) -> Result<Self> {
        parameters.validate(conditions.len())?;
        let fields = output_fields(input.schema().fields(), &parameters)?;
        let metadata = input.schema().metadata().clone();
        let schema = Arc::new(DFSchema::from_unqualified_fields(fields.into(), metadata)?);
        Ok(Self { input, conditions, parameters, schema })
    }

    /// The input's columns that are read whatever the output is used for, besides those of the conditions.
    fn required_columns(&self) -> impl Iterator<Item = &str> {
        let keys = self.parameters.definitions.iter().flat_map(|definition| &definition.further_key);
        let measured = self.parameters.rows.measured();
        let required = [CUSTOMER_ID].into_iter().chain(self.parameters.rows.order().iter().copied());
        required.chain(measured.iter().copied()).chain(keys.map(String::as_str))
    }
}

impl PartialOrd for MatchJourneys {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        // The schema follows from the rest.
        let parts = |node: &Self| (node.conditions.clone(), node.parameters.clone());
        match parts(self).partial_cmp(&parts(other)) {
            Some(Ordering::Equal) => self.input.partial_cmp(&other.input),
            ordering => ordering,
        }
        .filter(|ordering| *ordering != Ordering::Equal || self == other)
    }
}

impl UserDefinedLogicalNodeCore for MatchJourneys {
    fn name(&self) -> &str {
        "MatchJourneys"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.conditions.clone()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        // A customer's instances depend on all of its touchpoints and on nothing else: a filter on the customer may
        // go below, any other would change what is matched.
        let names = self.schema.fields().iter().map(|field| field.name());
        names.filter(|name| *name != CUSTOMER_ID).cloned().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let journeys: Vec<&str> =
            self.parameters.definitions.iter().map(|definition| definition.name.as_str()).collect();
        let rows = match self.parameters.rows {
            OutputRows::Members => "members",
            OutputRows::KnownMembers => "known members",
            OutputRows::Instances { .. } => "instances",
            OutputRows::States { .. } => "states",
        };
        write!(
            f,
            "MatchJourneys: rows={rows}, journeys=[{}], as_of={}",
            journeys.join(", "),
            instant(self.parameters.as_of)
        )
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (inputs.pop(), inputs.is_empty()) {
            (Some(input), true) => Self::try_new(input, exprs, self.parameters.clone()),
            _ => plan_err!("MatchJourneys has one input"),
        }
    }

    /// Besides what the conditions read, which the optimizer adds by itself. Columns of instances and states are no
    /// input's, whatever their names.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let input = self.input.schema();
        let output_columns = if self.parameters.rows.are_members() { output_columns } else { &[] };
        let used = output_columns.iter().map(|&index| self.schema.field(index).name().as_str());
        let names: HashSet<&str> = used.chain(self.required_columns()).collect();
        let fields = input.fields().iter().enumerate();
        Some(vec![fields.filter(|(_, field)| names.contains(field.name().as_str())).map(|(index, _)| index).collect()])
    }
}
