//! Everything that the Batch service keeps, and how it is found.
//!
//! Nothing happens here by itself; `schedule`, `boot`, `run` and `ending` do that.

use std::collections::BTreeMap;

use super::error::BatchError;
use super::job::Job;
use super::node::Node;
use super::pool::Pool;
use super::task::Task;

/// An id as a key: ids keep their case but do not depend on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(String);

impl Id {
    /// The key of `id`.
    pub(super) fn of(id: &str) -> Self {
        Self(id.to_lowercase())
    }

    /// The key as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Pools and jobs by id.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) pools: BTreeMap<Id, Pool>,
    pub(super) jobs: BTreeMap<Id, Job>,
    /// Numbers given out so far: to runs, nodes, and each pool and job, of which a second may come with the same id.
    counter: u64,
}

/// Where a task runs or ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pool: Id,
    pub(super) node: String,
}

impl State {
    /// A number that was never given out before.
    pub(super) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The pool `id`.
    ///
    /// # Errors
    /// `PoolNotFound`.
    pub(super) fn pool(&mut self, id: &str) -> Result<&mut Pool, BatchError> {
        self.pools
            .get_mut(&Id::of(id))
            .ok_or_else(|| BatchError::of("PoolNotFound"))
    }

    /// The node `node` of the pool `pool`.
    ///
    /// # Errors
    /// `PoolNotFound` or `NodeNotFound`.
    pub(super) fn node(&mut self, pool: &str, node: &str) -> Result<&mut Node, BatchError> {
        self.pool(pool)?
            .nodes
            .get_mut(node)
            .ok_or_else(|| BatchError::of("NodeNotFound"))
    }

    /// The node at `place`, if it is still there.
    pub(super) fn node_at(&mut self, place: &Place) -> Option<&mut Node> {
        self.pools.get_mut(&place.pool)?.nodes.get_mut(&place.node)
    }

    /// The job `id`.
    ///
    /// # Errors
    /// `JobNotFound`.
    pub(super) fn job(&mut self, id: &str) -> Result<&mut Job, BatchError> {
        self.jobs
            .get_mut(&Id::of(id))
            .ok_or_else(|| BatchError::of("JobNotFound"))
    }

    /// The task `task` of the job `job`.
    ///
    /// # Errors
    /// `JobNotFound` or `TaskNotFound`.
    pub(super) fn task(&mut self, job: &str, task: &str) -> Result<&mut Task, BatchError> {
        self.job(job)?
            .tasks
            .get_mut(&Id::of(task))
            .ok_or_else(|| BatchError::of("TaskNotFound"))
    }
}

/// Checks an id that a client made up.
///
/// # Errors
/// `InvalidPropertyValue`.
pub(super) fn check_id(id: &str) -> Result<(), BatchError> {
    let is_valid = (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_valid {
        return Ok(());
    }
    Err(BatchError::property(
        "id",
        id,
        "It must be 1 to 64 letters, digits, hyphens and underscores.",
    ))
}
