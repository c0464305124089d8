//! Things end: tasks by request, nodes that leave, pools and jobs that are deleted, jobs that are over or disabled.
//!
//! Each end is begun under the lock and waits outside it, until the processes are gone.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::duration::limit;
use super::harm::resize_error;
use super::job::JobState;
use super::node::{NodeState, Occupant};
use super::object::{child, is, text};
use super::pool::Allocation;
use super::schema::Object;
use super::service::Batch;
use super::state::{Id, Place, State};
use super::stats::between;
use super::task::TaskState;
use crate::emulator::node::{Failure, Outcome, kill_by_root};
use crate::emulator::root::remove_tree;

/// What becomes of the tasks on a node that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deallocation {
    Requeue,
    Terminate,
    TaskCompletion,
}

impl Deallocation {
    /// By name; `requeue` is the default.
    pub(super) fn of(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "terminate" => Self::Terminate,
            "taskcompletion" => Self::TaskCompletion,
            _ => Self::Requeue,
        }
    }

    /// Reads `nodeDeallocationOption`.
    pub(super) fn read(body: &Object) -> Self {
        text(body, "nodeDeallocationOption").map_or(Self::Requeue, Self::of)
    }
}

/// What becomes of the running tasks of a job that is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disabling {
    Requeue,
    Terminate,
    Wait,
}

impl Disabling {
    /// Reads `disableTasks`.
    pub(super) fn read(body: &Object) -> Self {
        if is(body, "disableTasks", "terminate") {
            Self::Terminate
        } else if is(body, "disableTasks", "wait") {
            Self::Wait
        } else {
            Self::Requeue
        }
    }
}

/// How an attempt at a task ends from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The task is completed.
    ForGood,
    /// It is queued again, by request.
    Requeued,
    /// It is queued again, because its node is lost.
    Recovered,
}

/// The runs on the node at `place`.
fn occupants(state: &mut State, place: &Place) -> Vec<(u64, Occupant)> {
    state
        .node_at(place)
        .into_iter()
        .flat_map(|node| &node.runs)
        .map(|(number, run)| (*number, run.clone()))
        .collect()
}

impl Batch {
    /// Ends or queues again the tasks on the node at `place`.
    pub(super) fn end_tasks_at(
        self: &Arc<Self>,
        state: &mut State,
        place: &Place,
        option: Deallocation,
    ) {
        let end = match option {
            Deallocation::TaskCompletion => return,
            Deallocation::Terminate => End::ForGood,
            Deallocation::Requeue => End::Requeued,
        };
        for (number, run) in occupants(state, place) {
            self.end_run(state, (&run.job, &run.task), number, end);
        }
    }

    /// Puts the tasks of a lost node back in the queue, uncounted: nobody asked for it.
    pub(super) fn recover_tasks(self: &Arc<Self>, state: &mut State, place: &Place) {
        for (number, run) in occupants(state, place) {
            self.end_run(state, (&run.job, &run.task), number, End::Recovered);
        }
    }

    /// Ends the attempt `number` at a task, unless it has ended.
    fn end_run(
        self: &Arc<Self>,
        state: &mut State,
        (job_key, task_key): (&Id, &Id),
        number: u64,
        end: End,
    ) {
        let now = self.clock.now();
        let Some(job) = state.jobs.get_mut(job_key) else {
            return;
        };
        let Some(task) = job.tasks.get_mut(task_key) else {
            return;
        };
        let Some(run) = task.run.as_ref().filter(|run| run.number == number) else {
            return;
        };
        run.cancel.send_replace(true);
        if end == End::ForGood {
            let outcome = Outcome {
                failure: Some(Failure::ended()),
                ..Outcome::default()
            };
            self.complete_task(state, job_key, task_key, outcome);
            return;
        }
        task.requeue(now);
        if end == End::Requeued {
            task.execution.requeue_count += 1;
            task.execution.requeued = Some(now);
        }
        job.queue_first(task_key.clone());
    }

    /// Ends all attempts at tasks of a job.
    fn end_runs(self: &Arc<Self>, state: &mut State, job: &Id, end: End) {
        let Some(found) = state.jobs.get(job) else {
            return;
        };
        let running = found.tasks.iter().filter_map(|(key, task)| {
            let run = task.run.as_ref()?;
            Some((key.clone(), run.number))
        });
        for (task, number) in running.collect::<Vec<_>>() {
            self.end_run(state, (job, &task), number, end);
        }
    }

    /// Begins to remove nodes; the pool is resizing meanwhile.
    pub(super) fn begin_removal(
        self: &Arc<Self>,
        state: &mut State,
        key: &Id,
        nodes: Vec<String>,
        option: Deallocation,
    ) {
        let Some(pool) = state.pools.get_mut(key) else {
            return;
        };
        pool.set_allocation(Allocation::Resizing, self.clock.now());
        let (batch, key, number) = (Arc::clone(self), key.clone(), pool.number);
        self.spawn(async move {
            batch.remove_nodes(&key, nodes, option).await;
            batch.end_resize(&key, number, None);
        });
    }

    /// Removes nodes with their processes and directories.
    pub(super) async fn remove_nodes(
        self: &Arc<Self>,
        pool: &Id,
        nodes: Vec<String>,
        option: Deallocation,
    ) {
        let places: Vec<Place> = nodes
            .into_iter()
            .map(|node| Place {
                pool: pool.clone(),
                node,
            })
            .collect();
        {
            let now = self.clock.now();
            let mut state = self.lock();
            for place in &places {
                if let Some(node) = state.node_at(place) {
                    node.is_scheduling = false;
                    if option != Deallocation::TaskCompletion || node.runs.is_empty() {
                        node.set_state(NodeState::LeavingPool, now);
                        // What prepares the node for a job ends too, and with it the runs that wait for it.
                        node.stop.send_replace(true);
                    }
                }
                self.end_tasks_at(&mut state, place, option);
            }
            self.schedule(&mut state);
        }
        for place in &places {
            self.wait_until(|state| {
                is_stopped(state, pool)
                    || state.node_at(place).is_none_or(|node| node.runs.is_empty())
            })
            .await;
            let root = {
                let mut state = self.lock();
                let is_stopped = is_stopped(&state, pool);
                let Some(node) = state.node_at(place) else {
                    continue;
                };
                if is_stopped && !node.runs.is_empty() {
                    node.is_scheduling = true;
                    node.settle(self.clock.now());
                    continue;
                }
                node.set_state(NodeState::LeavingPool, self.clock.now());
                node.stop.send_replace(true);
                node.root.clone()
            };
            self.remove_node_directory(place, root).await;
            let mut state = self.lock();
            let now = self.clock.now();
            if let Some(pool) = state.pools.get_mut(&place.pool)
                && let Some(node) = pool.nodes.remove(&place.node)
                && node.is_dedicated
            {
                pool.dedicated_gone += between(node.allocated, now);
            }
        }
        self.changed.notify_waiters();
    }

    async fn remove_node_directory(&self, place: &Place, root: PathBuf) {
        if self.behaviour.simulated.is_some() {
            return;
        }
        let removed = tokio::task::spawn_blocking(move || {
            kill_by_root(&root);
            remove_tree(&root)
        });
        if let Ok(Err(error)) = removed.await {
            self.log(&format!(
                "node {}: its directory stays until the service ends: {error}",
                place.node
            ));
        }
    }

    /// Ends a resize: what could not be done by then, as it was stopped, is no longer wanted.
    pub(super) fn end_resize(&self, key: &Id, number: u64, error: Option<Value>) {
        let mut state = self.lock();
        let pool = state.pools.get_mut(key);
        let Some(pool) = pool.filter(|pool| pool.number == number) else {
            return;
        };
        pool.resize_errors.extend(error);
        let counts = (pool.node_count(true), pool.node_count(false));
        if pool.allocation == Allocation::Stopping
            && counts != (pool.target_dedicated, pool.target_spot)
        {
            (pool.target_dedicated, pool.target_spot) = counts;
            pool.resize_errors.push(resize_error("ResizeStopped"));
        }
        pool.set_allocation(Allocation::Steady, self.clock.now());
    }

    /// Begins to delete a pool.
    pub(super) fn begin_pool_deletion(self: &Arc<Self>, state: &mut State, key: &Id) {
        let now = self.clock.now();
        let Some(pool) = state.pools.get_mut(key) else {
            return;
        };
        pool.is_deleting = true;
        pool.state_since = now;
        pool.stamp.touch(now);
        pool.set_allocation(Allocation::Resizing, now);
        (pool.target_dedicated, pool.target_spot) = (0, 0);
        let nodes: Vec<String> = pool.nodes.keys().cloned().collect();
        let (batch, key) = (Arc::clone(self), key.clone());
        self.spawn(async move {
            batch.remove_nodes(&key, nodes, Deallocation::Requeue).await;
            // Nodes that a resize was removing at the same time.
            batch
                .wait_until(|state| {
                    state
                        .pools
                        .get(&key)
                        .is_none_or(|pool| pool.nodes.is_empty())
                })
                .await;
            batch.lock().pools.remove(&key);
        });
    }

    /// Begins to end a job: its tasks end, then it is completed, or gone if it is deleted.
    pub(super) fn begin_job_end(
        self: &Arc<Self>,
        state: &mut State,
        key: &Id,
        new: JobState,
        reason: Option<String>,
    ) {
        let now = self.clock.now();
        let Some(job) = state.jobs.get_mut(key) else {
            return;
        };
        let was_ending = matches!(job.state, JobState::Terminating | JobState::Deleting);
        job.set_state(new, now);
        job.stamp.touch(now);
        job.clear_queues();
        if job.terminate_reason.is_none() {
            job.terminate_reason = reason;
        }
        let number = job.number;
        self.end_runs(state, key, End::ForGood);
        self.changed.notify_waiters();
        if was_ending {
            // What waits for the job's runs sees its new state.
            return;
        }
        let (batch, key) = (Arc::clone(self), key.clone());
        self.spawn(async move { batch.end_job(&key, number).await });
    }

    async fn end_job(self: &Arc<Self>, key: &Id, number: u64) {
        self.wait_until(|state| {
            state
                .jobs
                .get(key)
                .is_none_or(|job| job.number != number || job.runs == 0)
        })
        .await;
        self.release(key, number).await;
        let directories = {
            let mut state = self.lock();
            let now = self.clock.now();
            let Some(job) = state.jobs.get_mut(key).filter(|job| job.number == number) else {
                return;
            };
            if job.state == JobState::Terminating {
                job.set_state(JobState::Completed, now);
                job.ended = Some(now);
                job.stamp.touch(now);
                return;
            }
            let name = format!("workitems/{}", job.id);
            if self.behaviour.simulated.is_some() {
                state.jobs.remove(key);
                return;
            }
            let nodes = state.pools.values().flat_map(|pool| pool.nodes.values());
            nodes
                .map(|node| node.root.join(&name))
                .collect::<Vec<PathBuf>>()
        };
        let removed = tokio::task::spawn_blocking(move || {
            directories
                .iter()
                .try_for_each(|directory| remove_tree(directory))
        });
        if let Ok(Err(error)) = removed.await {
            self.log(&format!(
                "job {}: some files stay until the node goes: {error}",
                key.as_str()
            ));
        }
        self.lock().jobs.remove(key);
    }

    /// Ends the job if it is to end with its tasks and none is left.
    pub(super) fn end_if_drained(self: &Arc<Self>, state: &mut State, key: &Id) {
        let Some(job) = state.jobs.get(key) else {
            return;
        };
        if job.state == JobState::Active && job.ends_with_tasks() && job.is_drained() {
            self.begin_job_end(
                state,
                key,
                JobState::Terminating,
                Some("AllTasksComplete".to_owned()),
            );
        }
    }

    /// Begins to disable a job.
    pub(super) fn begin_disabling(
        self: &Arc<Self>,
        state: &mut State,
        key: &Id,
        option: Disabling,
    ) {
        let now = self.clock.now();
        let Some(job) = state.jobs.get_mut(key) else {
            return;
        };
        job.set_state(JobState::Disabling, now);
        let number = job.number;
        if option != Disabling::Wait {
            let end = if option == Disabling::Terminate {
                End::ForGood
            } else {
                End::Requeued
            };
            self.end_runs(state, key, end);
        }
        let (batch, key) = (Arc::clone(self), key.clone());
        self.spawn(async move {
            let is_waiting = |state: &mut State| {
                state.jobs.get(&key).is_some_and(|job| {
                    job.number == number && job.state == JobState::Disabling && job.runs > 0
                })
            };
            batch.wait_until(|state| !is_waiting(state)).await;
            let mut state = batch.lock();
            let job = state.jobs.get_mut(&key).filter(|job| job.number == number);
            if let Some(job) = job.filter(|job| job.state == JobState::Disabling) {
                job.set_state(JobState::Disabled, batch.clock.now());
            }
        });
    }

    /// Ends the job when its time is over.
    pub(super) fn watch_deadline(self: &Arc<Self>, state: &State, key: &Id) {
        let Some(job) = state.jobs.get(key) else {
            return;
        };
        let Some(life) = job.wall_clock_max() else {
            return;
        };
        let (batch, key, number, created) =
            (Arc::clone(self), key.clone(), job.number, job.created);
        self.spawn(async move {
            batch.clock.sleep_until(created + life).await;
            let mut state = batch.lock();
            let is_due = state.jobs.get(&key).is_some_and(|job| {
                job.number == number
                    && job.wall_clock_max() == Some(life)
                    && job.require_open().is_ok()
            });
            if is_due {
                let reason = Some("MaxWallClockTimeExpiry".to_owned());
                batch.begin_job_end(&mut state, &key, JobState::Terminating, reason);
            }
        });
    }

    /// Keeps the task counts of a job as they are from time to time, if counts lag.
    pub(super) fn watch_counts(self: &Arc<Self>, state: &State, key: &Id) {
        /// How many are kept of the time by which counts lag.
        const PER_LAG: u32 = 4;
        let lag = self.behaviour.counts_lag;
        let Some(job) = state.jobs.get(key).filter(|_| !lag.is_zero()) else {
            return;
        };
        let (batch, key, number) = (Arc::clone(self), key.clone(), job.number);
        self.spawn(async move {
            loop {
                batch.clock.sleep(lag / PER_LAG).await;
                let now = batch.clock.now();
                let mut state = batch.lock();
                let job = state.jobs.get_mut(&key);
                let Some(job) = job.filter(|job| job.number == number) else {
                    return;
                };
                let counts = job.show_counts();
                job.past_counts.push_back((now, counts));
                let is_old = |at: usize| {
                    let (taken, _) = job.past_counts.get(at)?;
                    Some(*taken <= now - lag)
                };
                // The newest of those that are old enough is still told.
                if is_old(1) == Some(true) {
                    job.past_counts.pop_front();
                }
            }
        });
    }

    /// Removes the files of a completed task when its retention time is over.
    pub(super) fn watch_retention(self: &Arc<Self>, state: &State, job_key: &Id, task_key: &Id) {
        /// Longer ones outlive the service that keeps the files.
        const SECONDS_MAX: u64 = 24 * 3600;
        let Some(job) = state.jobs.get(job_key) else {
            return;
        };
        let Some(task) = job.tasks.get(task_key) else {
            return;
        };
        let retention = child(&task.body, "constraints")
            .and_then(|constraints| limit(text(constraints, "retentionTime")))
            .filter(|retention| retention.as_secs() <= SECONDS_MAX);
        let (Some(retention), Some(place)) = (retention, task.place.clone()) else {
            return;
        };
        let (ended, directory) = (task.execution.ended, task.directory(&job.id));
        let (batch, job_key, task_key) = (Arc::clone(self), job_key.clone(), task_key.clone());
        self.spawn(async move {
            batch.clock.sleep(retention).await;
            let mut state = batch.lock();
            let root = state.node_at(&place).map(|node| node.root.clone());
            let task = state
                .jobs
                .get_mut(&job_key)
                .and_then(|job| job.tasks.get_mut(&task_key));
            let is_same = |task: &&mut super::task::Task| {
                task.state == TaskState::Completed && task.execution.ended == ended
            };
            if let (Some(task), Some(root)) = (task.filter(is_same), root) {
                task.is_cleaned = true;
                batch.remove_directory(root.join(directory));
            }
        });
    }

    /// Removes a directory beside everything else.
    pub(super) fn remove_directory(self: &Arc<Self>, directory: PathBuf) {
        if self.behaviour.simulated.is_some() {
            return;
        }
        self.spawn(async move {
            // What stays goes with the node.
            drop(tokio::task::spawn_blocking(move || remove_tree(&directory)).await);
        });
    }

    /// Waits until `holds`; asked again whenever a run has ended or a node has gone.
    pub(super) async fn wait_until(&self, mut holds: impl FnMut(&mut State) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if holds(&mut self.lock()) {
                return;
            }
            changed.await;
        }
    }
}

/// Whether the resize of a pool was stopped.
fn is_stopped(state: &State, pool: &Id) -> bool {
    state
        .pools
        .get(pool)
        .is_some_and(|pool| pool.allocation == Allocation::Stopping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_case() {
        assert_eq!(
            Deallocation::of("TaskCompletion"),
            Deallocation::TaskCompletion
        );
        assert_eq!(Deallocation::of("terminate"), Deallocation::Terminate);
        assert_eq!(Deallocation::read(&Object::new()), Deallocation::Requeue);
    }
}
