//! `throughline explain JOURNEY --robust`: a journey's tier and rank under other limits of its definition and other
//! horizons of exposure (SEMANTICS 5).
//!
//! [`robustness`] is the entry: it opens a run's tables ([`surroundings`]), makes [`variants`], counts their [`days`],
//! has them judged ([`judge`]) and returns the [`result`].

mod robustness;
mod surroundings;
mod variants;
mod days;
mod judge;
mod result;

pub use result::{RobustVariant, Robustness};
pub use robustness::robustness;
