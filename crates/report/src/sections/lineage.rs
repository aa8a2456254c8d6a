//! Which table is made of which, and what the words on this page mean.

use std::collections::BTreeMap;

use throughline_plan::{Graph, JOURNEY_DEFINITIONS};

use crate::block::{Block, Section};
use crate::context::Context;
use crate::numbers::count;
use crate::sections::columns;
use crate::table::Table;

/// Columns explained on the page, in the order of reading.
const WORDS: [&str; 34] = [
    "tier",
    "rank",
    "flags",
    "goes_with",
    "exposed_customers",
    "exposed_days",
    "exposed_churn_rate",
    "like_churn_rate",
    "excess_churners",
    "smallest_detectable_excess",
    "excess_revenue",
    "attributable_share",
    "rate_ratio",
    "adjusted_rate_ratio",
    "mutual_rate_ratio",
    "phi",
    "e_value",
    "e_value_limit",
    "avoidable_churners",
    "excess_change",
    "p_value",
    "q_value",
    "homogeneity_p_value",
    "effective_leavers",
    "priority",
    "agreement",
    "landmark",
    "eligible",
    "completion_rate",
    "handoffs",
    "repeat_contacts",
    "journey_satisfaction",
    "touchpoint_satisfaction",
    "quadrant",
];

pub(crate) fn section(context: &Context<'_>) -> Section {
    let mut blocks = match Graph::of(context.pipeline) {
        Ok(graph) => lineage(context, &graph),
        // The tables stand, whatever has become of the files since.
        Err(findings) => {
            vec![Block::missing(format!("There is no lineage, the pipeline's SQL cannot be read: {findings}"))]
        }
    };
    blocks.push(columns::block(context));
    match words(context) {
        Some(words) => blocks.push(words),
        None => blocks.push(Block::missing("The pipeline's dictionary explains none of the words of this page.")),
    }
    Section::new("lineage", "Lineage and words", blocks)
}

fn lineage(context: &Context<'_>, graph: &Graph) -> Vec<Block> {
    let pipeline = context.pipeline;
    let rows: BTreeMap<&str, u64> = context
        .tables
        .published()
        .record
        .steps
        .iter()
        .filter_map(|step| Some((step.step.as_str(), step.rows?)))
        .collect();
    let mut table = Table::new("What reads what", &["Relation", "Made of", "#Rows", "What one row is"]);
    for (name, node) in &graph.nodes {
        let inputs: Vec<&str> =
            node.inputs.keys().map(String::as_str).filter(|input| *input != JOURNEY_DEFINITIONS).collect();
        let description = match (pipeline.models.get(name), pipeline.sources.get(name)) {
            (Some(model), _) => model.description.clone(),
            (None, Some(source)) => source.description.clone(),
            (None, None) => None,
        };
        table.push(vec![
            name.clone(),
            if inputs.is_empty() { "source".to_owned() } else { inputs.join(", ") },
            rows.get(name.as_str()).map_or_else(|| "–".to_owned(), |rows| count(*rows)),
            description.unwrap_or_default(),
        ]);
    }
    vec![Block::Details {
        id: "lineage-table".to_owned(),
        summary: "Which relation is made of which".to_owned(),
        note: format!("{} relations", graph.nodes.len()),
        on_paper: false,
        blocks: vec![
            Block::text(format!(
                "Sources first, then each relation after what it is made of, as the pipeline `{}` ({}) says today; rows are those \
             of the run. A view has no rows of its own.",
                pipeline.name.value,
                pipeline.file.path.display()
            )),
            Block::Table { table },
        ],
    }]
}

fn words(context: &Context<'_>) -> Option<Block> {
    let mut table = Table::new("What the words mean", &["Word", "Meaning"]);
    for word in WORDS {
        if let Some(meaning) = context.pipeline.dictionary.get(word) {
            table.push(vec![word.replace('_', " "), meaning.clone()]);
        }
    }
    (!table.rows.is_empty()).then(|| Block::Details {
        id: "words-table".to_owned(),
        summary: "What the words mean".to_owned(),
        note: format!("{} of them", table.rows.len()),
        on_paper: true,
        blocks: vec![Block::Table { table }],
    })
}
