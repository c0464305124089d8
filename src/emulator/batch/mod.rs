//! The Batch service: pools, nodes, jobs, tasks.

mod service;
pub(super) use service::Batch;
