//! Results for people: a journey's figures in plain words, and one self-contained HTML page with pictures.
//!
//! In: the published tables of the newest complete run, or those of a snapshot. Out: the figures behind a journey's rank
//! ([`explain()`]), sentences about them ([`words`]) and the bytes of a page ([`page`]).
//! Nothing is computed but sums of cells that the tables hold; what a pipeline does not publish is named as missing,
//! with the reason. Equal tables give equal bytes. This crate writes no file and prints nothing.

mod block;
mod chart;
mod context;
mod explain;
mod numbers;
mod page;
mod ranking;
mod sections;
mod table;
mod tier;
pub mod words;

use throughline_config::Pipeline;
use throughline_engine::{EngineError, PrepareOptions, Published, PublishedTables, prepare};
use throughline_plan::Lineage;

pub use explain::{
    Drivers, Explanation, InPeriod, Performance, Ranked, Settings, SinceTouchpoint, Together, explain, explain_from,
};
pub use numbers::{count, decimals_of, fixed, level, more_or_fewer, of_hundred, signed};
pub use ranking::{Ranking, ranking};
pub use tier::Tier;

use crate::context::Context;

/// The page of what a workspace's pipeline has published, in `period` or else in the newest that is ranked.
///
/// # Errors
/// Nothing is published yet, there is no such period, or a table cannot be read.
pub async fn page(options: PrepareOptions, period: Option<&str>) -> Result<String, EngineError> {
    let (pipeline, published) = Published::open_with_pipeline(options.clone()).await?;
    page_of(&pipeline, &published, period, lineage(options).await).await
}

/// The page of a snapshot, as it was then.
///
/// # Errors
/// There is no such snapshot or period, or it cannot be read.
pub async fn snapshot_page(
    options: PrepareOptions,
    snapshot: &str,
    period: Option<&str>,
) -> Result<String, EngineError> {
    let (pipeline, published) = Published::open_snapshot_with_pipeline(options.clone(), snapshot).await?;
    page_of(&pipeline, &published, period, lineage(options).await).await
}

/// Needs the schemas of the sources, which whoever only reads tables may not be allowed to see.
async fn lineage(options: PrepareOptions) -> Result<Lineage, String> {
    let traced = match prepare(options).await {
        Ok(prepared) => prepared.lineage().await,
        Err(error) => Err(error),
    };
    traced.map_err(|error| error.to_string())
}

async fn page_of(
    pipeline: &Pipeline,
    published: &Published,
    period: Option<&str>,
    lineage: Result<Lineage, String>,
) -> Result<String, EngineError> {
    let tables = PublishedTables::of(published).await?;
    let context = Context::gather(pipeline, &tables, period, lineage).await?;
    let views = sections::views(&context).await?;
    page::render(&context, &views)
        .map_err(|error| EngineError::unexpected("the page cannot be made", format!("{error:#}")))
}
