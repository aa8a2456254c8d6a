//! What a page is made of: views, their sections, and the blocks in them.

use serde::Serialize;

use crate::chart::Chart;
use crate::table::Table;
use crate::tier::Tier;

/// One reader's part of the page.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// The question it answers.
    pub(crate) question: &'static str,
    pub(crate) sections: Vec<Section>,
}

/// A heading with what stands under it.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

impl Section {
    pub(crate) fn new(id: &str, title: &str, blocks: Vec<Block>) -> Self {
        Self { id: id.to_owned(), title: title.to_owned(), blocks }
    }
}

/// A part of a section.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Block {
    /// Running text.
    Text { text: String },
    /// What the section is about, in larger letters.
    Lead { text: String },
    /// What is said on paper alone.
    OnPaper { text: String },
    /// Why something is not there.
    Missing { text: String },
    /// Sentences one below the other.
    List { sentences: Vec<String> },
    /// Figures that stand out.
    Tiles { tiles: Vec<Tile> },
    /// Pictures with the table behind them; several are small ones side by side.
    Figure(Figure),
    /// A table of its own.
    Table { table: Table },
    /// A table to open, behind what stands above it.
    Behind { table: Table },
    /// The ranked journeys.
    Ranking { cards: Vec<Card> },
    /// Four fields: revenue upwards, satisfaction to the right.
    Matrix { quadrants: Vec<Quadrant> },
    /// Something to open; on paper it is open or not there.
    Details { id: String, summary: String, note: String, on_paper: bool, blocks: Vec<Block> },
    /// Sentences under headings.
    Chapters { chapters: Vec<Chapter> },
    /// A heading inside a section.
    Heading { text: String },
    /// A file's text.
    Code { label: String, text: String },
}

impl Block {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self::Missing { text: text.into() }
    }

    pub(crate) fn heading(text: impl Into<String>) -> Self {
        Self::Heading { text: text.into() }
    }
}

/// A heading with its sentences.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Chapter {
    pub(crate) heading: String,
    pub(crate) sentences: Vec<String>,
}

/// A figure that stands out, with what it is a share of and when.
#[derive(Debug, Serialize)]
pub(crate) struct Tile {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) note: String,
}

/// Pictures of one thing and the table behind them.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) id: String,
    pub(crate) title: String,
    /// How to read it, with denominators and dates.
    pub(crate) note: String,
    pub(crate) pictures: Vec<Picture>,
    pub(crate) table: Table,
}

/// A chart with its name for those who do not see it.
#[derive(Debug, Serialize)]
pub(crate) struct Picture {
    pub(crate) id: String,
    /// Shown above a small picture; empty where the figure has but one.
    pub(crate) title: String,
    /// What it says.
    pub(crate) summary: String,
    pub(crate) chart: Chart,
}

/// A ranked journey.
#[derive(Debug, Serialize)]
pub(crate) struct Card {
    pub(crate) journey: String,
    pub(crate) rank: String,
    pub(crate) label: String,
    pub(crate) owner: String,
    pub(crate) tier: Tier,
    pub(crate) facts: Vec<Fact>,
    pub(crate) sentences: Vec<String>,
}

/// A named figure.
#[derive(Debug, Serialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// One field of the account matrix.
#[derive(Debug, Serialize)]
pub(crate) struct Quadrant {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) accounts: String,
    pub(crate) share: String,
    pub(crate) revenue: String,
    pub(crate) change: String,
}
