//! Who left, for the candidates and for the pipeline's own definitions.

use datafusion::prelude::SessionContext;
use indexmap::IndexMap;
use throughline_config::{JourneyDefinition, Pipeline};
use throughline_plan::Parameters;

use super::candidates::{TODAY, eligible_of};
use super::churn::{SideLinks, side_links};
use super::membership::Period;
use super::result::{Coverage, Discovery};
use crate::failure::EngineError;

/// What links are computed with.
pub(crate) struct Sides<'a> {
    pub(crate) relation: &'a str,
    pub(crate) definitions: &'a IndexMap<String, JourneyDefinition>,
    pub(crate) period: &'a Period,
    pub(crate) pipeline: &'a Pipeline,
}

impl Sides<'_> {
    /// Adds each candidate's link, and those of all and of the harmful ones of each side taken together.
    pub(crate) async fn judge(
        &self,
        discovery: &mut Discovery,
        candidates: usize,
        parameters: &Parameters,
        session: &SessionContext,
    ) -> Result<(), EngineError> {
        let links = async |journeys: IndexMap<String, JourneyDefinition>| {
            side_links(journeys, self.relation, self.period, self.pipeline, parameters, session).await
        };
        let mut found = IndexMap::new();
        for (journey, (name, definition)) in discovery.candidates.iter().zip(self.definitions) {
            let mut definition = definition.clone();
            if let Some(like) = eligible_of(journey, self.pipeline) {
                definition.eligible = like.eligible.clone();
                definition.eligible_from = like.eligible_from.clone();
                definition.eligible_until = like.eligible_until.clone();
            }
            found.insert(name.clone(), definition);
        }
        let today = self.definitions.iter().skip(candidates);
        let today = today.map(|(name, definition)| (name.clone(), definition.clone())).collect();
        let mut found = links(found).await?;
        for journey in &mut discovery.candidates {
            journey.churn = found.single.remove(&journey.name);
        }
        add(&mut discovery.by_candidates, found);
        add(&mut discovery.by_definitions, links(today).await?);
        Ok(())
    }
}

fn add(coverage: &mut Coverage, links: SideLinks) {
    let plain = links.harmful.iter().map(|name| name.trim_start_matches(TODAY).to_owned());
    coverage.harmful = plain.collect();
    coverage.any = links.any;
    coverage.harmful_together = links.harmful_together;
}
