//! What a node does with a task: directories, resource files, the process, output files.
//!
//! It knows no pools, jobs or states: `batch` tells it what to run and hears how it went. Nothing here leaves the node's
//! directory, and files move by HTTP alone, so the node could be anywhere.

mod agent;
mod fetch;
mod paths;
mod pattern;
mod process;
mod upload;
mod words;

pub(super) use agent::{
    Agent, Cancel, Failure, FileFaults, Outcome, Simulation, Spec, Stage, Usage,
};
pub(super) use fetch::{Resource, Source};
pub(super) use paths::is_relative_inside;
pub(super) use process::kill_by_root;
pub(super) use upload::{Condition, Output};
