//! Customer journeys in a plain DataFusion session.
//!
//! A company's systems record what each customer did and when: an order, a call, a bill. A journey is what such
//! touchpoints are together, "becoming a customer" for example, and a definition says where one starts, ends and what
//! belongs to it. Here are 14 touchpoints of three customers, two definitions, and what the matcher makes of them:
//!
//!     cargo run --example match_journeys
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionContext, col};
use throughline_config::{JourneyDefinition, instant, journey_definitions};
use throughline_journeys::{MatchQueryPlanner, OutputRows, Score, match_counts, match_journeys};

/// One row a touchpoint. The matcher needs `touchpoint_id`, `customer_id` and `occurred_at`; conditions may use any
/// column; the measures of an instance are made of `channel`, `function`, `topic`, `resolved`, `satisfaction` and `cost`.
const TOUCHPOINTS: &str = r#"
CREATE TABLE touchpoints AS
SELECT touchpoint_id, customer_id, channel, event, topic, "function", resolved, satisfaction, cost,
       arrow_cast(day || 'T09:00:00', 'Timestamp(Microsecond, Some("UTC"))') AS occurred_at
FROM (VALUES
    ('t01', 'ann', '2026-01-05', 'web',   'order_placed',     'activation', 'sales',     NULL,  1.0,  0.1),
    ('t02', 'ann', '2026-01-09', 'phone', 'question',         'activation', 'service',   true,  1.0,  6.0),
    ('t03', 'ann', '2026-01-14', 'field', 'technician_visit', 'activation', 'field',     true,  1.0, 60.0),
    ('t04', 'ann', '2026-01-16', 'phone', 'fault_reported',   'fault',      'service',   false, 0.75, 6.0),
    ('t05', 'ann', '2026-01-19', 'phone', 'question',         'fault',      'service',   false, 0.75, 6.0),
    ('t06', 'ann', '2026-01-21', 'field', 'repair_confirmed', 'fault',      'technical', true,  1.0, 60.0),
    ('t07', 'ann', '2026-02-04', 'web',   'first_bill_paid',  'activation', 'billing',   NULL,  NULL, 0.1),
    ('t08', 'bob', '2026-01-10', 'store', 'order_placed',     'activation', 'sales',     NULL,  1.0,  9.0),
    ('t09', 'bob', '2026-01-12', 'email', 'newsletter',       'offers',     'marketing', NULL,  NULL, 0.0),
    ('t10', 'bob', '2026-01-20', 'phone', 'order_cancelled',  'activation', 'service',   NULL,  0.5,  6.0),
    ('t11', 'cyd', '2026-01-11', 'app',   'fault_reported',   'fault',      'technical', NULL,  NULL, 0.1),
    ('t12', 'cyd', '2026-02-20', 'app',   'fault_reported',   'fault',      'technical', NULL,  NULL, 0.1),
    ('t13', 'cyd', '2026-02-24', 'chat',  'question',         'fault',      'technical', false, 0.25, 3.0),
    ('t14', 'cyd', '2026-03-02', 'phone', 'question',         'fault',      'technical', NULL,  NULL, 6.0)
) AS log (touchpoint_id, customer_id, day, channel, event, topic, "function", resolved, satisfaction, cost)"#;

/// Conditions are SQL over the columns of the touchpoints. `includes` says which others belong once an instance is open.
/// An onboarding that takes longer than 120 days has expired, and so has a repair after 14 days of silence.
const DEFINITIONS: &str = "
onboarding:
  starts: event = 'order_placed'
  ends: event = 'first_bill_paid'
  abandons: event = 'order_cancelled'
  includes: topic IN ('activation', 'fault')
  within: 120 days
repair:
  starts: event = 'fault_reported'
  ends: event = 'repair_confirmed'
  includes: topic = 'fault'
  idle: 14 days
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Any session will do whose planner knows the operator.
    let state =
        SessionStateBuilder::new().with_default_features().with_query_planner(Arc::new(MatchQueryPlanner)).build();
    let session = SessionContext::new_with_state(state);
    session.sql(TOUCHPOINTS).await?.collect().await?;
    let definitions = journey_definitions(DEFINITIONS)?;

    println!("Every member of every instance. Touchpoints may belong to instances of several journeys; t09 to none:");
    members(&session, &definitions).await?;
    println!("\nEvery instance with its measures, as a relation for more SQL:");
    instances(&session, &definitions).await?;
    println!("\nA definition with a misspelt column is refused before anything runs:");
    let misspelt = journey_definitions("repair: { starts: evnt = 'fault_reported' }")?;
    if let Err(error) = matched(&session, &misspelt, OutputRows::Members).await {
        println!("{error}");
    }
    Ok(())
}

/// The touchpoints as known on 2026-03-05, matched: a plan like any other, to be filtered, joined or written. What is
/// wrong with the definitions comes as a list; here it is put into one text.
async fn matched(
    session: &SessionContext,
    definitions: &[JourneyDefinition],
    rows: OutputRows,
) -> Result<DataFrame, Box<dyn Error>> {
    let touchpoints = session.table("touchpoints").await?.into_unoptimized_plan();
    let as_of = instant("2026-03-05").ok_or("no day")?;
    match match_journeys(touchpoints, definitions, as_of, None, rows, &session.state()) {
        Ok(plan) => Ok(DataFrame::new(session.state(), plan)),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into()),
    }
}

async fn members(session: &SessionContext, definitions: &[JourneyDefinition]) -> Result<(), Box<dyn Error>> {
    let members = matched(session, definitions, OutputRows::Members).await?;
    let members = members.select_columns(&[
        "journey_id",
        "step",
        "customer_id",
        "touchpoint_id",
        "occurred_at",
        "event",
        "status",
        "ended_at",
    ])?;
    let members = members.sort_by(vec![col("journey_id"), col("step")])?;
    // Planned by hand, because the plan that ran knows what became of every touchpoint.
    let executed = members.create_physical_plan().await?;
    let batches = collect(Arc::clone(&executed), session.task_ctx()).await?;
    println!("{}", pretty_format_batches(&batches)?);
    for definition in match_counts(executed.as_ref()) {
        let counts = definition.counts;
        println!(
            "{}: {} touchpoints read = {} members + {} others + {} set aside + {} later than as_of",
            definition.journey,
            counts.read,
            counts.members,
            counts.non_members,
            counts.set_aside.total(),
            counts.after_as_of
        );
    }
    Ok(())
}

async fn instances(session: &SessionContext, definitions: &[JourneyDefinition]) -> Result<(), Box<dyn Error>> {
    // A score from 0.75 on, 4 of 5, counts as satisfied.
    let rows = OutputRows::Instances { satisfied: Score(0.75) };
    let instances = matched(session, definitions, rows).await?;
    session.register_table("instances", instances.into_view())?;
    let measures = "
        SELECT journey_id, status, duration_s / 86400 AS days, touchpoints, channels, handoffs, contacts, repeat_contacts,
               unresolved, round(cost, 2) AS cost, round(touchpoint_satisfaction, 2) AS satisfaction, all_satisfied
        FROM instances
        ORDER BY journey_id";
    println!("{}", session.sql(measures).await?.to_string().await?);
    let by_status = "SELECT journey, status, count(*) AS instances FROM instances GROUP BY 1, 2 ORDER BY 1, 2";
    println!("{}", session.sql(by_status).await?.to_string().await?);
    Ok(())
}
