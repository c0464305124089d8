//! The rules of the repository as tests: each lists every offence with its file and line.
//!
//! Says nothing about behaviour, and nothing that the compiler or clippy already refuses. Every checker is also run on a bad
//! sample, since a rule that cannot fire is no rule.

mod borders;
mod listings;
mod packages;
mod pages;
mod sources;
mod tree;
