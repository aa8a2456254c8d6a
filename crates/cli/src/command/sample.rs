//! `throughline sample`.
