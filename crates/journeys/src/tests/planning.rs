//! What DataFusion makes of the operator: exchange, sort, pruning, serialization.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::SortExpr;
use datafusion::physical_plan::displayable;
use datafusion::prelude::col;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};

use super::*;
use crate::MatchJourneysCodec;

fn touchpoints() -> Vec<Touchpoint> {
    (0..200)
        .map(|number| Touchpoint {
            id: Some(IdType::Utf8.id(1_000 + number)),
            customer: Some(IdType::Utf8.id(100 + number / 20)),
            at: Some(number),
            event: Some(["a", "b", "c"][number as usize % 3]),
            topic: Some("x"),
            score: Some(number % 4),
            order_id: None,
        })
        .collect()
}

fn journeys() -> Vec<JourneyDefinition> {
    let ends = |name, ends| JourneyDefinition { ends: Some(located(ends)), ..definition(name, "event = 'a'") };
    vec![
        ends("second", "event = 'c'"),
        ends("first", "score > 2"),
        ends("third", "length(event) > 7 OR starts_with(event, 'c')"),
    ]
}

/// The touchpoints as they lie: in no declared order, or in the matcher's.
fn context(partitions: usize, ordered: bool) -> SessionContext {
    let context = session(config(64, partitions));
    let table = MemTable::try_new(touchpoint_schema(IdType::Utf8), vec![vec![batch(IdType::Utf8, &touchpoints())]])
        .expect("a table");
    let order =
        || ["customer_id", "occurred_at", "touchpoint_id"].map(|name| SortExpr::new(col(name), true, false)).to_vec();
    let table = if ordered { table.with_sort_order(vec![order()]) } else { table };
    context.register_table("touchpoints", Arc::new(table)).expect("a free name");
    context
}

async fn physical(context: &SessionContext, input: &str, around: &str) -> Arc<dyn ExecutionPlan> {
    let input = context.sql(input).await.expect("planned").into_unoptimized_plan();
    let plan = match_journeys(input, &journeys(), 190, None, OutputRows::Members, &context.state())
        .expect("the definitions fit");
    let matched = DataFrame::new(context.state(), plan).into_view();
    context.register_table("matched", matched).expect("a free name");
    context.sql(around).await.expect("planned").create_physical_plan().await.expect("planned")
}

fn text(plan: &Arc<dyn ExecutionPlan>) -> String {
    displayable(plan.as_ref()).indent(false).to_string()
}

#[test]
fn datafusion_plans_the_exchange_and_the_sort() {
    block_on(async {
        let plan = text(&physical(&context(4, false), "SELECT * FROM touchpoints", "SELECT * FROM matched").await);
        let lines: Vec<&str> = plan.lines().map(str::trim).collect();
        assert!(
            lines[0].starts_with(
                "MatchJourneysExec: input=ordered, journeys=[first, second, third], conditions=4, as_of=1970-01-01T00:00:00.000190Z"
            ),
            "{plan}"
        );
        assert!(lines[1].starts_with("SortExec: expr=[customer_id@3 ASC NULLS LAST, occurred_at@5 ASC NULLS LAST, touchpoint_id@1 ASC NULLS LAST]"), "{plan}");
        assert!(lines[2].starts_with("RepartitionExec: partitioning=Hash([customer_id@3], 4)"), "{plan}");
    });
}

#[test]
fn an_input_in_order_is_not_sorted_again() {
    block_on(async {
        for partitions in [1, 4] {
            let plan =
                text(&physical(&context(partitions, true), "SELECT * FROM touchpoints", "SELECT * FROM matched").await);
            assert!(!plan.contains("SortExec"), "{partitions} partitions: {plan}");
        }
        let windowed = "SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY occurred_at, touchpoint_id) AS number FROM touchpoints";
        let plan = text(&physical(&context(4, false), windowed, "SELECT * FROM matched").await);
        assert_eq!(plan.matches("SortExec").count(), 1, "the window's sort and exchange serve the matcher: {plan}");
        assert_eq!(plan.matches("partitioning=Hash").count(), 1, "{plan}");
    });
}

#[test]
fn what_follows_streams_in_the_matchers_order() {
    block_on(async {
        let around = "SELECT customer_id, journey, journey_id, count(*), max(step) FROM matched GROUP BY customer_id, journey, journey_id";
        let plan = text(&physical(&context(4, true), "SELECT * FROM touchpoints", around).await);
        assert!(plan.contains("ordering_mode=Sorted"), "{plan}");
        assert!(!plan.contains("SortExec"), "{plan}");
        assert_eq!(plan.matches("partitioning=Hash").count(), 1, "only the matcher's own exchange: {plan}");
        for order in ["step", "occurred_at, touchpoint_id"] {
            let around = format!(
                "SELECT lag(event) OVER (PARTITION BY customer_id, journey, journey_id ORDER BY {order}) FROM matched"
            );
            let plan = text(&physical(&context(4, true), "SELECT * FROM touchpoints", &around).await);
            assert!(!plan.contains("SortExec"), "{plan}");
        }
    });
}

#[test]
fn only_columns_in_use_are_read() {
    block_on(async {
        let whole = context(2, false);
        let plan = physical(&whole, "SELECT * FROM touchpoints", "SELECT journey_id, step, topic FROM matched").await;
        let shown = text(&plan);
        let columns = "touchpoint_id@1, topic@2, customer_id@3, score@4, occurred_at@5";
        assert!(!shown.contains("order_id"), "{shown}");
        let output = collect(&whole, &plan).await.expect("ran");
        assert!(output.iter().flatten().all(|batch| batch.num_columns() == 3), "{columns}");
        let rows: usize = output.iter().flatten().map(RecordBatch::num_rows).sum();
        let all = physical(&context(2, false), "SELECT * FROM touchpoints", "SELECT * FROM matched").await;
        let expected: usize =
            collect(&whole, &all).await.expect("ran").iter().flatten().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, expected);
        assert!(rows > 200);
    });
}

#[test]
fn a_filter_goes_below_for_customers_only() {
    block_on(async {
        let around = "SELECT * FROM matched WHERE customer_id = 'source-of-touchpoints-103' AND event = 'b'";
        let filtered = context(2, false);
        let plan = physical(&filtered, "SELECT * FROM touchpoints", around).await;
        let shown = text(&plan);
        let (above, below) = shown.split_once("MatchJourneysExec").expect("a matcher");
        assert!(above.contains("event@") && !above.contains("source-of-touchpoints-103"), "{shown}");
        assert!(below.contains("customer_id@3 = source-of-touchpoints-103"), "{shown}");
        let found = collect(&filtered, &plan).await.expect("ran").concat();
        let everything = context(2, false);
        let all = physical(&everything, "SELECT * FROM touchpoints", "SELECT * FROM matched").await;
        let all = collect(&everything, &all).await.expect("ran").concat();
        let customer: Vec<Row> = rows(&all).into_iter().filter(|row| row.customer.ends_with("103")).collect();
        let kept: Vec<Row> = rows(&found);
        assert!(!kept.is_empty() && kept.iter().all(|row| customer.contains(row)));
    });
}

#[test]
fn the_output_has_the_columns_of_the_contract() {
    block_on(async {
        let plan = physical(&context(1, true), "SELECT * FROM touchpoints", "SELECT * FROM matched").await;
        let schema = plan.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let expected = "journey_id journey customer_id step started_at last_at ended_at status event touchpoint_id topic score occurred_at order_id";
        assert_eq!(names.join(" "), expected);
    });
}

#[test]
fn the_operator_survives_the_wire() {
    block_on(async {
        let context = context(2, true);
        // A memory table does not travel; its rows as literals do.
        let values = "SELECT * FROM (VALUES ('a', 't1', 'C1', 1), ('b', 't2', 'C1', 2), ('c', 't3', 'C1', 3), ('a', 't4', 'C2', 4)) \
                      AS touchpoints (event, touchpoint_id, customer_id, score)";
        let input = format!(
            "SELECT *, arrow_cast(score, 'Timestamp(Microsecond, Some(\"UTC\"))') AS occurred_at FROM ({values})"
        );
        let plan = physical(&context, &input, "SELECT * FROM matched").await;
        let bytes =
            physical_plan_to_bytes_with_extension_codec(Arc::clone(&plan), &MatchJourneysCodec).expect("encoded");
        let back = physical_plan_from_bytes_with_extension_codec(&bytes, &context.task_ctx(), &MatchJourneysCodec)
            .expect("decoded");
        assert_eq!(text(&back), text(&plan));
        assert_eq!(back.schema(), plan.schema());
        let before = collect(&context, &plan).await.expect("ran").concat();
        let after = collect(&context, &back).await.expect("ran").concat();
        assert!(before.iter().map(RecordBatch::num_rows).sum::<usize>() > 4);
        assert_eq!(rows(&after), rows(&before));
        assert_eq!(match_counts(back.as_ref()), match_counts(plan.as_ref()));
    });
}

#[test]
fn bytes_that_were_cut_short_are_refused() {
    use datafusion_proto::physical_plan::{DefaultPhysicalProtoConverter, PhysicalExtensionCodec};
    block_on(async {
        let context = context(1, true);
        let plan = physical(&context, "SELECT * FROM touchpoints", "SELECT * FROM matched").await;
        let input = Arc::clone(plan.children()[0]);
        let mut bytes = Vec::new();
        MatchJourneysCodec.try_encode(plan, &mut bytes, &DefaultPhysicalProtoConverter {}).expect("encoded");
        for length in [0, 7, 8, 40, bytes.len() - 3] {
            let decoded = MatchJourneysCodec.try_decode(
                &bytes[..length],
                &[Arc::clone(&input)],
                &context.task_ctx(),
                &DefaultPhysicalProtoConverter {},
            );
            assert!(decoded.is_err(), "{length} bytes");
        }
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(
            MatchJourneysCodec
                .try_decode(&bytes, &[input], &context.task_ctx(), &DefaultPhysicalProtoConverter {})
                .is_err()
        );
    });
}
