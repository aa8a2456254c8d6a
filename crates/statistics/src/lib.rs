//! The statistics of key journeys as SQL functions
