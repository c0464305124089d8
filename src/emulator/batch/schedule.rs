//! Handing tasks to nodes: by priority of the job, then in order, onto free slots.
//!
//! What happens on the node is in `run`.

use std::sync::Arc;

use tokio::sync::watch;

use super::job::{Job, JobState};
use super::object::{child, children, int, text};
use super::pool::Pool;
use super::service::Batch;
use super::state::{Id, Place, State};
use super::task::{Run, Task, TaskState};

/// How many tasks that do not fit are passed over in the hope of a smaller one, per job and round.
const PASSED_OVER_MAX: usize = 1000;

impl Batch {
    /// Starts every task that can start now.
    pub(super) fn schedule(self: &Arc<Self>, state: &mut State) {
        let mut jobs: Vec<(i64, u64, Id)> = state
            .jobs
            .iter()
            .filter(|(_, job)| job.state == JobState::Active && !job.queue.is_empty())
            .map(|(key, job)| (-job.priority(), job.number, key.clone()))
            .collect();
        jobs.sort_unstable();
        for (.., key) in jobs {
            self.schedule_job(state, &key);
        }
    }

    fn schedule_job(self: &Arc<Self>, state: &mut State, key: &Id) {
        let mut at = 0;
        loop {
            let Some(job) = state.jobs.get(key) else {
                return;
            };
            let pool_key = Id::of(job.pool());
            let Some(pool) = state.pools.get(&pool_key).filter(|pool| !pool.is_deleting) else {
                return;
            };
            if job.parallel_max().is_some_and(|most| running(job) >= most) || at >= PASSED_OVER_MAX
            {
                return;
            }
            let Some(task) = job.queue.get(at) else {
                return;
            };
            let place = job
                .tasks
                .get(task)
                .and_then(|task| choose(pool, key, job.number, task))
                .map(|node| Place {
                    pool: pool_key,
                    node,
                });
            match place {
                Some(place) => {
                    if let Some(task) = state.jobs.get_mut(key).and_then(|job| job.queue.remove(at))
                    {
                        self.start_run(state, key, &task, place);
                    }
                }
                // No slot is free at all: nothing further back fits either.
                None if !pool
                    .nodes
                    .values()
                    .any(|node| node.has_room(1, pool.slots())) =>
                {
                    return;
                }
                None => at += 1,
            }
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
            node.runs.insert(number, slots);
            node.settle(now);
        }
        let (batch, job, task) = (Arc::clone(self), job_key.clone(), task_key.clone());
        self.spawn(async move { batch.run(&job, &task, number, &place, cancelled).await });
    }

    /// Moves tasks whose dependencies are satisfied to the queue.
    pub(super) fn release_blocked(&self, state: &mut State, job_key: &Id) {
        let Some(job) = state.jobs.get_mut(job_key) else {
            return;
        };
        let blocked = std::mem::take(&mut job.blocked);
        let (ready, blocked): (Vec<Id>, Vec<Id>) =
            blocked.into_iter().partition(|key| is_eligible(job, key));
        job.blocked = blocked;
        job.queue.extend(ready);
    }
}

fn running(job: &Job) -> usize {
    job.runs
}

/// The node of `pool` for `task`: the one that it names if there is room, else the emptiest, or with packing the fullest.
fn choose(pool: &Pool, job: &Id, job_number: u64, task: &Task) -> Option<String> {
    let slots = task.slots();
    let wanted = child(&task.body, "affinityInfo")
        .and_then(|info| text(info, "affinityId"))
        .and_then(|id| id.strip_prefix("TVM:"));
    let fitting = || {
        pool.nodes.values().filter(|node| {
            let is_refused = node.preparations.get(job).is_some_and(|preparation| {
                preparation.job == job_number
                    && preparation.state == super::node::PreparationState::Failed
            });
            !is_refused && node.has_room(slots, pool.slots())
        })
    };
    let chosen = fitting()
        .find(|node| Some(node.id.as_str()) == wanted)
        .or_else(|| {
            if pool.is_packing() {
                fitting().max_by_key(|node| node.slots_used)
            } else {
                fitting().min_by_key(|node| node.slots_used)
            }
        });
    chosen.map(|node| node.id.clone())
}

/// Whether every task that `key` depends on is satisfied.
fn is_eligible(job: &Job, key: &Id) -> bool {
    let Some(dependencies) = job
        .tasks
        .get(key)
        .and_then(|task| child(&task.body, "dependsOn"))
    else {
        return true;
    };
    let ids = dependencies
        .get("taskIds")
        .and_then(|ids| ids.as_array())
        .into_iter()
        .flatten();
    let are_ids_satisfied = ids.filter_map(|id| id.as_str()).all(|id| {
        job.tasks
            .get(&Id::of(id))
            .is_some_and(super::run::satisfies)
    });
    are_ids_satisfied
        && children(dependencies, "taskIdRanges").all(|range| {
            let (Some(start), Some(end)) = (int(range, "start"), int(range, "end")) else {
                return false;
            };
            let satisfied = job
                .tasks
                .values()
                .filter(|task| super::run::satisfies(task))
                .filter_map(|task| task.id.parse::<i64>().ok())
                .filter(|number| (start..=end).contains(number))
                .collect::<std::collections::BTreeSet<_>>();
            i64::try_from(satisfied.len()).is_ok_and(|count| count == end - start + 1)
        })
}
