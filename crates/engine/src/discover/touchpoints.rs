//! The touchpoints that are searched: which relation, which columns, which customers.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{JoinType, ScalarValue};
use datafusion::functions::crypto::expr_fn::md5;
use datafusion::functions::string::expr_fn::concat;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct};
use datafusion::logical_expr::{cast, ident, lit, when};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use throughline_config::{ModelKind, Timestamp, closest};
use throughline_journeys::discovery::TouchpointLog;
use throughline_plan::{Graph, Plan};

use super::membership::CUSTOMERS;
use super::options::SearchOptions;
use crate::failure::EngineError;
use crate::instants::{at, rfc3339, time_type};
use crate::preview::compute::compute_relations;
use crate::read::published::Published;
use crate::workspace::prepare::Prepared;

/// Touchpoints that are searched at most: some 320 MB in memory.
const MOST_TOUCHPOINTS: usize = 20_000_000;
const NEEDED: [&str; 4] = ["touchpoint_id", "customer_id", "occurred_at", "event"];
const NEEDED_OF_CUSTOMERS: [&str; 4] = ["customer_id", "joined_at", "churned_at", "segment"];

/// The touchpoints of a pipeline.
pub(crate) struct Touchpoints {
    pub(crate) relation: String,
    pub(crate) session: SessionContext,
    pub(crate) as_of: Timestamp,
    /// Rows before the cut.
    pub(crate) number: u64,
    /// Their customers.
    pub(crate) customers: usize,
    /// Why nothing can be said of who left; `None` when it can.
    pub(crate) without_leaving: Option<String>,
}

/// What is searched for patterns.
pub(crate) struct Searched {
    pub(crate) log: TouchpointLog,
    /// Customers whose touchpoints are in it.
    pub(crate) customers: usize,
    /// Whether these are all.
    pub(crate) all: bool,
}

impl Touchpoints {
    /// Opens the relation that the pipeline's matcher reads, or `touchpoints`; and `customers`, where there is such a
    /// relation.
    pub(crate) async fn open(prepared: &Arc<Prepared>, how: &SearchOptions) -> Result<Self, EngineError> {
        let plan = &prepared.plan;
        let relation = relation(plan)?;
        if let Some(column) = first_missing(plan, &relation, &NEEDED) {
            return Err(EngineError::refused(
                format!("`{relation}` has no column `{column}`"),
                format!("discover reads {} of `{relation}`", NEEDED.join(", ")),
            ));
        }
        check_key(plan, &relation, how.key.as_deref())?;
        let without_leaving = if plan.step(CUSTOMERS).is_none() {
            Some(format!("the pipeline has no relation `{CUSTOMERS}`"))
        } else {
            first_missing(plan, CUSTOMERS, &NEEDED_OF_CUSTOMERS)
                .map(|column| format!("`{CUSTOMERS}` has no column `{column}`"))
        };
        let mut names = vec![relation.as_str()];
        names.extend(without_leaving.is_none().then_some(CUSTOMERS));
        let session = registered(prepared, &names).await?;
        let as_of = plan.parameters.as_of();
        let mut touchpoints = Self { relation, session, as_of, number: 0, customers: 0, without_leaving };
        touchpoints.measure().await?;
        Ok(touchpoints)
    }

    /// Counts touchpoints and customers; none is refused.
    async fn measure(&mut self) -> Result<(), EngineError> {
        let customer = ident("customer_id");
        let numbers = vec![count(customer.clone()).alias("touchpoints"), count_distinct(customer).alias("customers")];
        let rows = self.before_cut().await?.aggregate(vec![], numbers)?.collect().await?;
        let number = |column: usize| -> i64 {
            rows.iter().flat_map(|batch| batch.column(column).as_primitive::<Int64Type>().iter().flatten()).sum()
        };
        self.number = number(0).unsigned_abs();
        self.customers = number(1).unsigned_abs() as usize;
        if self.number == 0 {
            return Err(EngineError::refused(
                format!("`{}` has no touchpoint of a customer before {}", self.relation, rfc3339(self.as_of)),
                format!(
                    "look at `throughline show {}`, and say as of when to look with `--as-of` where they are later",
                    self.relation
                ),
            ));
        }
        Ok(())
    }

    async fn before_cut(&self) -> Result<DataFrame, EngineError> {
        Ok(self.session.table(self.relation.as_str()).await?.filter(ident("occurred_at").lt(at(self.as_of)))?)
    }

    /// Reads the touchpoints to search in one pass: of all customers, or of those whose ids have the smallest digests,
    /// the same on every day.
    pub(crate) async fn searched(&self, how: &SearchOptions) -> Result<Searched, EngineError> {
        let mut searched =
            Searched { log: TouchpointLog::default(), customers: self.customers, all: self.customers <= how.customers };
        let mut rows = self.before_cut().await?;
        if !searched.all {
            searched.customers = how.customers;
            let chosen = rows
                .clone()
                .select(vec![ident("customer_id").alias("searched_customer")])?
                .filter(ident("searched_customer").is_not_null())?
                .distinct()?
                .sort(vec![md5(cast(ident("searched_customer"), DataType::Utf8)).sort(true, false)])?
                .limit(0, Some(how.customers))?;
            rows = chosen.join(rows, JoinType::RightSemi, &["searched_customer"], &["customer_id"], None)?;
        }
        let mut stream = in_order(rows, how.key.as_deref())?.execute_stream().await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if searched.log.touchpoints() + batch.num_rows() > MOST_TOUCHPOINTS {
                searched.customers =
                    (searched.customers as f64 * MOST_TOUCHPOINTS as f64 / self.number as f64) as usize;
                searched.all = false;
                break;
            }
            searched.log.push(&batch).map_err(|error| {
                EngineError::refused_because(
                    error.to_string(),
                    "event and topic are codes of what can happen; put free text, numbers and ids into another column",
                    error,
                )
            })?;
        }
        self.check_searched(&searched.log, how)?;
        Ok(searched)
    }

    /// Refuses what no journey can be in.
    fn check_searched(&self, log: &TouchpointLog, how: &SearchOptions) -> Result<(), EngineError> {
        let relation = &self.relation;
        let events = log.events();
        match (events.first(), how.key.as_deref()) {
            (None, Some(key)) => Err(EngineError::refused(
                format!("no touchpoint of `{relation}` has an event and a `{key}`"),
                "name the column that separates a customer's cases, or leave out `--key`",
            )),
            (None, None) => Err(EngineError::refused(
                format!("no touchpoint of `{relation}` has an event"),
                format!("`throughline show {relation}` shows them; a code of what happened belongs into `event`"),
            )),
            (Some(event), _) if events.len() == 1 => Err(EngineError::refused(
                format!("all touchpoints of `{relation}` are one event, `{event}`"),
                "a journey leads from one event to another; put what tells touchpoints apart into `event`",
            )),
            _ => Ok(()),
        }
    }
}

/// Unit, occurred_at, channel, event and topic, by unit and time. The unit is the customer, or a case of one.
fn in_order(rows: DataFrame, key: Option<&str>) -> Result<DataFrame, EngineError> {
    let has = |name: &str| rows.schema().fields().iter().any(|field| field.name() == name);
    let text = |name: &str| match has(name) {
        true => cast(ident(name), DataType::Utf8),
        false => lit(ScalarValue::Utf8(None)),
    };
    let customer = cast(ident("customer_id"), DataType::Utf8);
    let unit = match key {
        None => customer,
        // A null in the key makes a null of the whole, and such a row belongs to no instance.
        Some(key) => {
            when(ident(key).is_not_null(), concat(vec![customer, lit("/"), cast(ident(key), DataType::Utf8)])).end()?
        }
    };
    let columns = vec![
        unit.alias("unit"),
        cast(ident("occurred_at"), time_type()).alias("occurred_at"),
        text("channel").alias("channel"),
        text("event").alias("event"),
        text("topic").alias("topic"),
        ident("touchpoint_id"),
    ];
    let order = ["unit", "occurred_at", "touchpoint_id"].map(|name| ident(name).sort(true, false)).to_vec();
    Ok(rows.select(columns)?.filter(ident("unit").is_not_null())?.sort(order)?)
}

/// The relation that the pipeline's matcher reads, or `touchpoints`.
fn relation(plan: &Plan) -> Result<String, EngineError> {
    let matched = plan.pipeline.models.values().find_map(|model| match &model.kind {
        ModelKind::Match { input, .. } => Some(input.value.clone()),
        _ => None,
    });
    let relation = matched.unwrap_or_else(|| "touchpoints".to_owned());
    if plan.step(&relation).is_some() {
        return Ok(relation);
    }
    Err(EngineError::refused(
        format!("the pipeline `{}` has no relation `{relation}`", plan.pipeline.name.value),
        "discover reads the relation touchpoints (one row an interaction), and customers (one row a membership spell) \
         where there is one",
    ))
}

fn first_missing<'a>(plan: &Plan, relation: &str, columns: &[&'a str]) -> Option<&'a str> {
    let has = |name: &str| plan.step(relation).is_some_and(|step| step.schema.column_with_name(name).is_some());
    columns.iter().copied().find(|column| !has(column))
}

fn check_key(plan: &Plan, relation: &str, key: Option<&str>) -> Result<(), EngineError> {
    let (Some(key), Some(step)) = (key, plan.step(relation)) else { return Ok(()) };
    if step.schema.column_with_name(key).is_some() {
        return Ok(());
    }
    let names = step.schema.fields().iter().map(|field| field.name().as_str());
    let near = closest(key, names).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Err(EngineError::refused(
        format!("`{relation}` has no column `{key}`"),
        format!("{near}`throughline show {relation} --limit 0` lists its columns"),
    ))
}

/// A session with the relations and all they read, which keep their contracts as in a run.
async fn registered(prepared: &Arc<Prepared>, names: &[&str]) -> Result<SessionContext, EngineError> {
    let plan = &prepared.plan;
    let session = prepared.session()?;
    let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
    let wanted: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    for table in Graph::closure(names.iter().copied(), |step| plan.graph.inputs(step))
        .into_iter()
        .filter(|name| plan.is_table(name))
    {
        let there = match &published {
            Some(published) => published.register_table(table, &session).await?,
            None => false,
        };
        if !there {
            return Err(EngineError::refused(
                format!("`{table}` is read, but it is not published yet"),
                format!("make it first: throughline run --select +{table}"),
            ));
        }
    }
    compute_relations(prepared, &wanted, session).await
}
