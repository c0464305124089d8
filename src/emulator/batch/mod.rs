//! The Batch service: pools of nodes that are directories, jobs, tasks, files.
//!
//! - `service`: one request from authentication to answer; `route`: which operation; `error`, `condition`, `schema`,
//!   `query`, `list`, `object`, `duration`: what operations share
//! - `pools`, `nodes`, `power`, `jobs`, `tasks`, `files`, `images`: the operations
//! - `state`, `pool`, `node`, `job`, `task`, `stats`: what is kept and how it is shown
//! - `autoscale`, `boot`, `schedule`, `waiting`, `preparation`, `run`, `spec`, `simulation`, `ending`: what happens by itself

mod autoscale;
mod boot;
mod condition;
mod duration;
mod ending;
mod error;
mod files;
mod harm;
mod images;
mod job;
mod jobs;
mod list;
mod node;
mod nodes;
mod object;
mod pool;
mod pools;
mod power;
mod preparation;
mod query;
mod route;
mod run;
mod schedule;
mod schema;
mod service;
mod simulation;
mod spec;
mod state;
mod stats;
mod task;
mod tasks;
mod waiting;

pub(super) use harm::NodeHarm;
pub(super) use service::Batch;
