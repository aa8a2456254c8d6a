//! `throughline explain JOURNEY --robust`: a journey's tier and rank under other limits of its definition and other
//! horizons of exposure (SEMANTICS 5).

mod days;
mod judge;
mod result;
mod robustness;
mod surroundings;
mod variants;

pub use result::{RobustVariant, Robustness};
pub use robustness::robustness;
