//! The ranked journeys of a period, for who shows them in a table.

use throughline_config::Pipeline;
use throughline_engine::{EngineError, KEY_JOURNEYS, KeyPeriod, PeriodState, Published, PublishedTables};

use crate::explain::{InPeriod, KeyJourneys, Settings, TOGETHER, Together, together};

/// The journeys of a period, all segments.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// The newest period that is ranked, or what comes nearest to it.
    pub period: KeyPeriod,
    /// The ranked journeys by rank, then the others by how many were on them.
    pub journeys: Vec<InPeriod>,
    /// What the harmful ones make jointly.
    pub together: Option<Together>,
    /// Later periods of the same length, which are not over.
    pub running: Vec<String>,
    /// What of the pipeline the figures depend on.
    pub settings: Settings,
}

/// Reads the ranking of a run or snapshot; `None` where there is no period yet.
///
/// # Errors
/// The table of key journeys has other columns, or cannot be read.
pub async fn ranking(published: &Published, pipeline: &Pipeline) -> Result<Option<Ranking>, EngineError> {
    let tables = PublishedTables::some(published, &[KEY_JOURNEYS, TOGETHER]).await?;
    let known = match KeyJourneys::read(&tables, None).await? {
        Ok(known) => known,
        Err(reason) => return Err(EngineError::refused(reason, "")),
    };
    let Some(period) = known.shown().cloned() else { return Ok(None) };
    let later = known.periods().of_kind(&period.kind).filter(|later| later.start > period.start);
    let running = later.filter(|later| later.state == PeriodState::Running).map(|later| later.name.clone());
    Ok(Some(Ranking {
        journeys: known.all_in(&period),
        together: together(&tables, &period).await?,
        running: running.collect(),
        settings: Settings::of(pipeline),
        period,
    }))
}
