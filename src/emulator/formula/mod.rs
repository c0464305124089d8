//! Autoscale formulas: the language in which a pool says how many nodes it wants.
//!
//! Offered: numbers, texts, times and intervals, vectors, arithmetic, comparison, logic, `?:`, variables, the functions
//! named in `value`, and the samples of task and node counts. Samples of processors, memory, disks and network are
//! refused by name: nodes that are directories have none of their own.
//!
//! Source: "Create a formula to automatically scale compute nodes in a Batch pool" of the Batch documentation.

mod evaluate;
mod syntax;
mod value;

#[cfg(test)]
pub(crate) use evaluate::try_formula;
pub(super) use evaluate::{Metrics, Sample, Scale, evaluate};
pub(super) use syntax::{Formula, FormulaError};
