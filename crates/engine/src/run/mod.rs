//! One run of a plan.
//!
//! [`stages`] is the run from beginning to end. It reads [`inputs`] that it does not make, does nothing for an
//! [`older_day`] that is published already, takes a [`lease`], finds earlier [`attempts`] and decides what to reuse of
//! them ([`resume`], by what steps are [`made_from`]). Then it works off ([`work_off`]) the steps of a [`schedule`],
//! keeps a [`journal`], and records the [`outcome`].

pub(crate) mod stages;
mod inputs;
pub(crate) mod older_day;
pub(crate) mod lease;
mod attempts;
mod resume;
mod made_from;
mod work_off;
mod schedule;
mod journal;
mod outcome;
