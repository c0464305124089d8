//! Nodes come: resizing a pool upwards, and a node's way from creating to idle.
//!
//! Nodes go in `ending`.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::ending::Deallocation;
use super::harm::unusable;
use super::node::{Node, NodeState};
use super::object::{Put as _, child, flag, int};
use super::pool::Allocation;
use super::schema::Object;
use super::service::Batch;
use super::state::{Id, Place, State};
use super::task::show_failure;
use crate::emulator::node::{Cancel, Outcome, Spec, Stage};

/// Directories of a node, besides `workitems/JOB/job-1/TASK`.
const DIRECTORIES: [&str; 6] = [
    "applications",
    "fsmounts",
    "shared",
    "startup",
    "volatile",
    "workitems",
];

impl Batch {
    /// Begins to bring the pool to its targets; nodes that are too many go as `option` says.
    pub(super) fn begin_resize(
        self: &Arc<Self>,
        state: &mut State,
        key: &Id,
        option: Deallocation,
    ) {
        let Some(pool) = state.pools.get_mut(key) else {
            return;
        };
        let excess = |count: usize, target: usize| count.saturating_sub(target);
        let counts = (pool.node_count(true), pool.node_count(false));
        pool.resize_errors.clear();
        if counts == (pool.target_dedicated, pool.target_spot) {
            return;
        }
        pool.set_allocation(Allocation::Resizing, self.clock.now());
        let excess = (
            excess(counts.0, pool.target_dedicated),
            excess(counts.1, pool.target_spot),
        );
        let mut leaving = Vec::new();
        for (is_dedicated, count) in [(true, excess.0), (false, excess.1)] {
            let mut nodes: Vec<&Node> = pool
                .nodes
                .values()
                .filter(|node| {
                    node.is_dedicated == is_dedicated && node.state != NodeState::LeavingPool
                })
                .collect();
            // Those that do nothing go first.
            nodes.sort_by_key(|node| (node.state == NodeState::Running, node.slots_used));
            leaving.extend(nodes.iter().take(count).map(|node| node.id.clone()));
        }
        let (batch, key, number) = (Arc::clone(self), key.clone(), pool.number);
        let fault = self.resize_fault(&key);
        self.spawn(async move {
            let (error, nodes_max) = match fault {
                Some((error, nodes)) => (Some(error), nodes),
                None => (None, usize::MAX),
            };
            batch.add_nodes(&key, number, nodes_max);
            if error.is_none() && !leaving.is_empty() {
                batch.remove_nodes(&key, leaving, option).await;
            }
            batch.end_resize(&key, number, error);
        });
    }

    /// Makes the nodes that are missing, at most `nodes_max`.
    fn add_nodes(self: &Arc<Self>, key: &Id, number: u64, nodes_max: usize) {
        let now = self.clock.now();
        let mut state = self.lock();
        for _ in 0..nodes_max {
            let node_number = state.number();
            let Some(pool) = state
                .pools
                .get_mut(key)
                .filter(|pool| pool.number == number && !pool.is_deleting)
            else {
                return;
            };
            let is_dedicated = pool.node_count(true) < pool.target_dedicated;
            if !is_dedicated && pool.node_count(false) >= pool.target_spot {
                return;
            }
            let root = self.directory.join(node_number.to_string());
            let node = Node::new(node_number, is_dedicated, root, now);
            let place = Place {
                pool: key.clone(),
                node: node.id.clone(),
            };
            let stop = node.stop.subscribe();
            pool.nodes.insert(node.id.clone(), node);
            let batch = Arc::clone(self);
            self.spawn(async move { batch.boot(&place, stop).await });
        }
    }

    /// Takes a node from creating to idle, or to where it fails.
    pub(super) async fn boot(self: &Arc<Self>, place: &Place, stop: Cancel) {
        let Some(root) = self.lock().node_at(place).map(|node| node.root.clone()) else {
            return;
        };
        self.clock.sleep(self.behaviour.boot.draw()).await;
        if *stop.borrow() {
            return;
        }
        if self.behaviour.simulated.is_none()
            && let Err(error) = make_directories(&root)
        {
            self.set_node_state(place, NodeState::Unusable, |node| {
                node.errors = unusable(&error.to_string());
            });
            return;
        }
        if self.boot_fault(place) {
            self.set_node_state(place, NodeState::Unusable, |node| {
                node.errors = unusable("The node was made unusable");
            });
            return;
        }
        let now = self.clock.now();
        self.set_node_state(place, NodeState::Starting, |node| node.booted = Some(now));
        let start_task = self
            .lock()
            .pools
            .get(&place.pool)
            .and_then(|pool| child(&pool.body, "startTask").cloned());
        let Some(task) = start_task else {
            self.enter_service(place);
            return;
        };
        let waits = flag(&task, "waitForSuccess") != Some(false);
        if waits {
            self.set_node_state(place, NodeState::WaitingForStartTask, |_| {});
        } else {
            self.enter_service(place);
        }
        let Some(is_success) = self.run_start_task(place, &task, stop).await else {
            return;
        };
        if !waits {
            return;
        }
        if is_success {
            self.enter_service(place);
        } else {
            self.set_node_state(place, NodeState::StartTaskFailed, |node| {
                node.errors = vec![json!({"code": "StartTaskFailed", "message": "The start task failed on the node"})];
            });
        }
    }

    /// Runs the start task with its retries; whether it succeeded, or `None` if the node goes.
    async fn run_start_task(
        self: &Arc<Self>,
        place: &Place,
        task: &Object,
        stop: Cancel,
    ) -> Option<bool> {
        let started = self.clock.now();
        let retries_max = int(task, "maxTaskRetryCount").unwrap_or(0);
        let mut retries = 0;
        let mut retried = None;
        loop {
            let mut info = Object::new();
            info.put("state", "running")
                .put_time("startTime", Some(started))
                .put("retryCount", retries)
                .put_time("lastRetryTime", retried);
            let spec = self.start_task_spec(place, task, &info)?;
            let outcome = match self.start_task_fault(place) {
                Some(outcome) => outcome,
                None => self.agent.run(&spec, stop.clone()).await?,
            };
            info.put("state", "completed")
                .put_time("endTime", Some(self.clock.now()))
                .put_some("exitCode", outcome.exit_code);
            show_result(&mut info, &outcome);
            let is_again = outcome
                .failure
                .as_ref()
                .is_some_and(|failure| failure.stage == Stage::Exit)
                && (retries_max < 0 || retries < retries_max);
            self.lock().node_at(place)?.start_task_info = Some(info);
            if !is_again {
                return Some(outcome.failure.is_none());
            }
            retries += 1;
            retried = Some(self.clock.now());
        }
    }

    fn start_task_spec(&self, place: &Place, task: &Object, info: &Object) -> Option<Spec> {
        let mut state = self.lock();
        state.node_at(place)?.start_task_info = Some(info.clone());
        let pool = state.pools.get(&place.pool)?;
        let node = pool.nodes.get(&place.node)?;
        Some(self.spec((pool, node), task, "startup", None, false))
    }

    /// Makes the node take tasks.
    fn enter_service(self: &Arc<Self>, place: &Place) {
        self.set_node_state(place, NodeState::Idle, |node| {
            node.settle(self.clock.now());
        });
        self.schedule_on(&mut self.lock(), Some(place));
    }

    /// Sets the state of a node that is not leaving, and changes it.
    fn set_node_state(&self, place: &Place, new: NodeState, change: impl FnOnce(&mut Node)) {
        let mut state = self.lock();
        if let Some(node) = state.node_at(place)
            && node.state != NodeState::LeavingPool
        {
            node.set_state(new, self.clock.now());
            change(node);
        }
    }
}

/// Puts `result` and `failureInfo` of `outcome` into what is told of a special task.
pub(super) fn show_result(info: &mut Object, outcome: &Outcome) {
    info.put(
        "result",
        if outcome.failure.is_some() {
            "failure"
        } else {
            "success"
        },
    )
    .put_some("failureInfo", outcome.failure.as_ref().map(show_failure));
}

fn make_directories(root: &Path) -> std::io::Result<()> {
    std::fs::create_dir(root)?;
    DIRECTORIES
        .iter()
        .try_for_each(|name| std::fs::create_dir(root.join(name)))
}
