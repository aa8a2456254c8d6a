//! What the rest of the crate builds on: DataFusion sessions with our functions and bounded memory ([`sessions`],
//! [`memory_pool`]), relations kept in memory ([`relation_cache`]), what executing a plan cost ([`usage`]), and
//! expressions ([`instants`], [`columns`]).

pub(crate) mod sessions;
pub(crate) mod memory_pool;
pub(crate) mod relation_cache;
pub(crate) mod usage;
pub(crate) mod instants;
pub(crate) mod columns;
