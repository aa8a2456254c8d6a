//! Matches journey definitions against touchpoints inside DataFusion
