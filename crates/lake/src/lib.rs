//! Sources in, Delta tables out, on any object store
