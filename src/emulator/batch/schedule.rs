//! Handing tasks to nodes: by priority of the job, then in order, onto free slots.
//!
//! What happens on the node is in `run`.

use std::sync::Arc;

use tokio::sync::watch;

use super::job::JobState;
use super::node::{Node, Occupant, PreparationState};
use super::object::{child, text};
use super::pool::Pool;
use super::service::Batch;
use super::state::{Id, Place, State};
use super::task::{Run, Task, TaskState, Waits};

/// How many tasks that do not fit are passed over in the hope of a smaller one, per job and round.
const PASSED_OVER_MAX: usize = 1000;

impl Batch {
    /// Starts every task that can start now.
    pub(super) fn schedule(self: &Arc<Self>, state: &mut State) {
        self.schedule_on(state, None);
    }

    /// Starts what can start after an attempt at a task of `job` has ended at `place`: elsewhere nothing has changed, unless the
    /// job had as many tasks running as it may have.
    pub(super) fn schedule_after(self: &Arc<Self>, state: &mut State, job: &Id, place: &Place) {
        let is_limited = state
            .jobs
            .get(job)
            .is_some_and(|job| job.parallel_max().is_some());
        self.schedule_on(state, (!is_limited).then_some(place));
    }

    /// Starts every task that can start now, at one place or at any.
    pub(super) fn schedule_on(self: &Arc<Self>, state: &mut State, only: Option<&Place>) {
        let mut jobs: Vec<(i64, u64, Id)> = state
            .jobs
            .iter()
            .filter(|(_, job)| job.state == JobState::Active && !job.queue.is_empty())
            .filter(|(_, job)| only.is_none_or(|place| Id::of(job.pool()) == place.pool))
            .map(|(key, job)| (-job.priority(), job.number, key.clone()))
            .collect();
        jobs.sort_unstable();
        for (.., key) in jobs {
            self.schedule_job(state, &key, only);
        }
    }

    fn schedule_job(self: &Arc<Self>, state: &mut State, key: &Id, only: Option<&Place>) {
        let mut at = 0;
        loop {
            let Some(job) = state.jobs.get_mut(key) else {
                return;
            };
            let Some(task) = job.queue.get(at) else {
                return;
            };
            let found = job.tasks.get(task);
            let Some(found) = found.filter(|task| task.waits == Waits::InQueue) else {
                // Deleted, ended, or queued again meanwhile.
                job.queue.remove(at);
                continue;
            };
            let pool_key = Id::of(job.pool());
            let Some(pool) = state.pools.get(&pool_key).filter(|pool| !pool.is_deleting) else {
                return;
            };
            if job.parallel_max().is_some_and(|most| job.runs >= most) || at >= PASSED_OVER_MAX {
                return;
            }
            let node = match only {
                Some(place) => pool
                    .nodes
                    .get(&place.node)
                    .filter(|node| fits(node, key, job.number, found.slots(), pool.slots()))
                    .map(|node| node.id.clone()),
                None => choose(pool, key, job.number, found),
            };
            if let Some(node) = node {
                if let Some(task) = job.queue.remove(at) {
                    let place = Place {
                        pool: pool_key,
                        node,
                    };
                    self.start_run(state, key, &task, place);
                }
                continue;
            }
            // If no slot is free at all, nothing further back fits either.
            let slots_max = pool.slots();
            let is_any_free = match only {
                Some(place) => pool
                    .nodes
                    .get(&place.node)
                    .is_some_and(|node| node.has_room(1, slots_max)),
                None => pool.nodes.values().any(|node| node.has_room(1, slots_max)),
            };
            if !is_any_free {
                return;
            }
            at += 1;
        }
    }

    fn start_run(self: &Arc<Self>, state: &mut State, job_key: &Id, task_key: &Id, place: Place) {
        let now = self.clock.now();
        let number = state.number();
        let (cancel, cancelled) = watch::channel(false);
        let Some(job) = state.jobs.get_mut(job_key) else {
            return;
        };
        let Some(task) = job.tasks.get_mut(task_key) else {
            return;
        };
        let has_preparation = job.body.contains_key("jobPreparationTask");
        task.place = Some(place.clone());
        task.run = Some(Run { number, cancel });
        task.waits = Waits::No;
        task.first_started.get_or_insert(now);
        task.set_state(
            if has_preparation {
                TaskState::Preparing
            } else {
                TaskState::Running
            },
            now,
        );
        if !has_preparation {
            task.execution.started = Some(now);
        }
        let slots = task.slots();
        job.runs += 1;
        if let Some(node) = state.node_at(&place) {
            node.slots_used += slots;
            let run = Occupant {
                slots,
                job: job_key.clone(),
                task: task_key.clone(),
            };
            node.runs.insert(number, run);
            node.settle(now);
        }
        let (batch, job, task) = (Arc::clone(self), job_key.clone(), task_key.clone());
        self.spawn(async move { batch.run(&job, &task, number, &place, cancelled).await });
    }
}

/// Whether a task of `slots` slots, of the job `job`, can start on `node` now.
fn fits(node: &Node, job: &Id, job_number: u64, slots: usize, slots_max: usize) -> bool {
    let is_refused = node.preparations.get(job).is_some_and(|preparation| {
        preparation.job == job_number && preparation.state == PreparationState::Failed
    });
    !is_refused && node.has_room(slots, slots_max)
}

/// The node of `pool` for `task`: the one that it names if there is room, else the emptiest, or with packing the fullest.
fn choose(pool: &Pool, job: &Id, job_number: u64, task: &Task) -> Option<String> {
    let (slots, slots_max) = (task.slots(), pool.slots());
    let wanted = child(&task.body, "affinityInfo")
        .and_then(|info| text(info, "affinityId"))
        .and_then(|id| id.strip_prefix("TVM:"));
    let fitting = || {
        pool.nodes
            .values()
            .filter(|node| fits(node, job, job_number, slots, slots_max))
    };
    let chosen = wanted
        .and_then(|wanted| fitting().find(|node| node.id == wanted))
        .or_else(|| {
            if pool.is_packing() {
                fitting().max_by_key(|node| node.slots_used)
            } else {
                fitting().min_by_key(|node| node.slots_used)
            }
        });
    chosen.map(|node| node.id.clone())
}
