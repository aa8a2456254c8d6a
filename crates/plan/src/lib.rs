//! Turns a pipeline and its SQL into a type-checked graph of steps
