//! Runs a plan: sessions, scheduling, tests, run records
