//! The sections of the page, one file each, and who reads them.

mod short;
mod map;
mod ranking;
mod periods;
mod accounts;
mod profile;
mod satisfaction;
mod performance;
mod targets;
mod channels;
mod issues;
mod triggers;
mod intervals;
mod drivers;
mod journeys;
mod data;
mod lineage;
mod columns;

use throughline_engine::EngineError;

use crate::block::View;
use crate::context::Context;

/// The three views, in the order of the page.
pub(crate) async fn views(context: &Context<'_>) -> Result<Vec<View>, EngineError> {
    Ok(vec![
        View {
            id: "executive",
            title: "Executive",
            question: "Which journeys lose customers, and how sure is that?",
            sections: vec![
                short::section(context).await?,
                map::section(context).await?,
                ranking::section(context),
                periods::section(context),
                accounts::section(context).await?,
            ],
        },
        View {
            id: "operations",
            title: "Operations",
            question: "How does each journey perform, and who has to act?",
            sections: vec![
                profile::section(context),
                satisfaction::section(context).await?,
                performance::section(context).await?,
                targets::section(context).await?,
                channels::section(context).await?,
                issues::section(context).await?,
                triggers::section(context).await?,
            ],
        },
        View {
            id: "analyst",
            title: "Analyst",
            question: "What is behind the figures, and what should be minded?",
            sections: vec![
                intervals::section(context),
                drivers::section(context).await?,
                journeys::section(context).await?,
                data::section(context),
                lineage::section(context),
            ],
        },
    ])
}
