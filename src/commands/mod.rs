//! One module a command: the only place that joins plan, azure, kernel and output.
//!
//! `dispatch` picks the command; `clients`, `failure`, `interrupt` and `program` are what several of them need.

mod clean;
mod clients;
mod dispatch;
mod failure;
mod interrupt;
mod plan;
mod program;
mod submit;

pub use dispatch::run;
