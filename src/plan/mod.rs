//! Everything that a run will do, computed before anything is done: names, shards, command lines, checks of what came back.
//!
//! Pure: no clock, no environment, no files, no network, no randomness; time and random bits come in as arguments. What
//! the services are told in their own words is built by `commands` from what stands here.

mod job;
mod names;
mod outcome;
mod shards;

pub use job::{RunPlan, RunSettings, TaskOutput, TaskPlan, plan_run};
pub use names::{RunId, RunIdError};
pub use outcome::{OutcomeError, PartialCheck, check_partial, check_shards};
pub use shards::{
    InputFile, Piece, SHARD_BYTES_MAX_DEFAULT, SHARD_BYTES_MIN_DEFAULT, Shard, ShardError,
    ShardPolicy, default_shard_bytes, nominal_cuts, plan_shards,
};
