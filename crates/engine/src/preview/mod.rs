//! Relations computed without a run: nothing is published, and rows that are set aside on the way are dropped.
//!
//! [`show`] returns the rows of one relation, [`test_published`] runs data tests on what is published, and both
//! [`compute`] the views and sources that they need.

pub(crate) mod show;
pub(crate) mod test_published;
pub(crate) mod compute;
