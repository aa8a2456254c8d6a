//! A synthetic pay-TV company's lake with planted truths
