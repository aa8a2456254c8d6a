//! What the published tables and their figures mean, as semantic models of BI tools.
//!
//! In: a type-checked [`throughline_plan::Plan`]: models with their grains, descriptions and tests, the dictionary, and
//! what `semantics:` says of measures. Out: a [`SemanticModel`], plain data, and from it the files of a format:
//! [`ossie`](Format::Ossie), Cube, Power BI or Tableau. Equal pipelines give equal bytes.
//!
//! This crate opens nothing, reads no row and writes no file. Names and texts of people are data in every format: they
//! are quoted by its rules and never become part of an expression.

mod model;
mod resolve;
mod columns;
mod joins;
mod measures;
mod unknown_column;
mod files;
mod exported;
mod sql;
mod ossie;
mod cube;
mod cube_yaml;
mod dax;
mod powerbi;
mod tmdl;
mod tableau;
mod tableau_formula;
mod xml;

pub use exported::{Connection, ExportedFile};
pub use files::{Format, files};
pub use model::{
    Aggregate, AggregateOf, Column, ColumnKind, Figure, FigureKind, Filter, FilterValue, Join, SemanticModel, Table,
};
pub use resolve::{NOTHING_TO_EXPORT, Resolved, semantic_model};
