//! Job preparation and release: once per node before a job's first task there, and when the job ends.
//!
//! Rerunning a preparation after a reboot is not here, as nodes do not reboot.

use std::sync::Arc;

use super::boot::show_result;
use super::job::JobState;
use super::node::{Preparation, PreparationState};
use super::object::{Put as _, child, flag, int, text};
use super::schema::Object;
use super::service::Batch;
use super::spec::Owner;
use super::state::{Id, Place};
use crate::emulator::node::{Cancel, Outcome, Spec, Stage};

/// How the preparation of a node for a task went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prepared {
    /// The task may run.
    Ready,
    /// The node is not used for the job.
    Failed,
    /// The job or the node ends.
    Ended,
}

/// Which of the two special tasks of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    Preparation,
    Release,
}

impl Special {
    fn property(self) -> &'static str {
        match self {
            Self::Preparation => "jobPreparationTask",
            Self::Release => "jobReleaseTask",
        }
    }
}

impl Batch {
    /// Prepares the node at `place` for the job, unless that was done or is being done for another task.
    pub(super) async fn prepare(self: &Arc<Self>, job: &Id, place: &Place) -> Prepared {
        loop {
            let begun = {
                let mut state = self.lock();
                let Some(found) = state.jobs.get(job) else {
                    return Prepared::Ended;
                };
                if !found.body.contains_key(Special::Preparation.property()) {
                    return Prepared::Ready;
                }
                let number = found.number;
                let Some(node) = state.node_at(place) else {
                    return Prepared::Ended;
                };
                match node
                    .preparations
                    .get(job)
                    .filter(|known| known.job == number)
                {
                    Some(known) => match known.state {
                        PreparationState::Ready => return Prepared::Ready,
                        PreparationState::Failed => return Prepared::Failed,
                        PreparationState::Running => None,
                    },
                    None => {
                        let preparation = Preparation {
                            job: number,
                            state: PreparationState::Running,
                            info: Object::new(),
                            release: None,
                        };
                        node.preparations.insert(job.clone(), preparation);
                        Some((number, node.stop.subscribe()))
                    }
                }
            };
            match begun {
                Some((number, stop)) => {
                    let prepared = self.run_preparation(job, number, place, stop).await;
                    self.changed.notify_waiters();
                    return prepared;
                }
                None => {
                    self.wait_until(|state| {
                        state
                            .node_at(place)
                            .and_then(|node| node.preparations.get(job))
                            .is_none_or(|known| known.state != PreparationState::Running)
                    })
                    .await;
                }
            }
        }
    }

    async fn run_preparation(
        self: &Arc<Self>,
        job: &Id,
        number: u64,
        place: &Place,
        stop: Cancel,
    ) -> Prepared {
        let is_over = self.wait_until(|state| {
            state
                .jobs
                .get(job)
                .is_none_or(|job| job.number != number || job.require_open().is_err())
        });
        let outcome = tokio::select! {
            outcome = self.run_special(Special::Preparation, job, number, place, stop) => outcome,
            () = is_over => None,
        };
        let mut state = self.lock();
        let waits = state
            .jobs
            .get(job)
            .and_then(|job| child(&job.body, Special::Preparation.property()))
            .is_some_and(|task| flag(task, "waitForSuccess") != Some(false));
        let Some(known) = state
            .node_at(place)
            .and_then(|node| node.preparations.get_mut(job))
        else {
            return Prepared::Ended;
        };
        let Some(outcome) = outcome else {
            known.state = PreparationState::Failed;
            return Prepared::Ended;
        };
        if outcome.failure.is_some() && waits {
            known.state = PreparationState::Failed;
            Prepared::Failed
        } else {
            known.state = PreparationState::Ready;
            Prepared::Ready
        }
    }

    /// Runs the release task on every node that ran the preparation, all at once.
    pub(super) async fn release(self: &Arc<Self>, job: &Id, number: u64) {
        let nodes: Vec<(Place, Cancel)> = {
            let state = self.lock();
            let has_release = state
                .jobs
                .get(job)
                .is_some_and(|job| job.body.contains_key(Special::Release.property()));
            let prepared = state.pools.iter().flat_map(|(pool, found)| {
                found.nodes.values().filter_map(|node| {
                    node.preparations
                        .get(job)
                        .filter(|known| known.job == number)?;
                    let place = Place {
                        pool: pool.clone(),
                        node: node.id.clone(),
                    };
                    Some((place, node.stop.subscribe()))
                })
            });
            if has_release {
                prepared.collect()
            } else {
                Vec::new()
            }
        };
        let releases = nodes.iter().map(|(place, stop)| {
            self.run_special(Special::Release, job, number, place, stop.clone())
        });
        // Its failure does not keep the job from ending.
        drop(futures::future::join_all(releases).await);
    }

    /// Runs a special task with its retries; `None` if the node goes.
    async fn run_special(
        self: &Arc<Self>,
        special: Special,
        job: &Id,
        number: u64,
        place: &Place,
        stop: Cancel,
    ) -> Option<Outcome> {
        let started = self.clock.now();
        let mut retries = 0;
        let mut retried = None;
        loop {
            let mut info = Object::new();
            info.put("state", "running")
                .put_time("startTime", Some(started));
            let (spec, directory, retries_max) = self.special_spec(special, job, place)?;
            let node_url = format!(
                "{}/nodes/{}",
                self.pool_url(place.pool.as_str()),
                place.node
            );
            info.put(
                "taskRootDirectoryUrl",
                format!("{node_url}/files/{directory}"),
            )
            .put("taskRootDirectory", directory);
            if special == Special::Preparation {
                info.put("retryCount", retries)
                    .put_time("lastRetryTime", retried);
            }
            self.show_special(special, job, number, place, &info);
            let outcome = self.agent.run(&spec, stop.clone()).await?;
            info.put("state", "completed")
                .put_time("endTime", Some(self.clock.now()))
                .put_some("exitCode", outcome.exit_code);
            show_result(&mut info, &outcome);
            self.show_special(special, job, number, place, &info);
            let is_exit = outcome
                .failure
                .as_ref()
                .is_some_and(|failure| failure.stage == Stage::Exit);
            if !is_exit
                || special == Special::Release
                || (retries_max >= 0 && retries >= retries_max)
            {
                return Some(outcome);
            }
            retries += 1;
            retried = Some(self.clock.now());
        }
    }

    fn show_special(&self, special: Special, job: &Id, number: u64, place: &Place, info: &Object) {
        let mut state = self.lock();
        let known = state
            .node_at(place)
            .and_then(|node| node.preparations.get_mut(job));
        if let Some(known) = known.filter(|known| known.job == number) {
            match special {
                Special::Preparation => known.info = info.clone(),
                Special::Release => known.release = Some(info.clone()),
            }
        }
    }

    /// What the node needs, the task's directory, and how often it is tried again.
    fn special_spec(
        &self,
        special: Special,
        job: &Id,
        place: &Place,
    ) -> Option<(Spec, String, i64)> {
        let state = self.lock();
        let job = state.jobs.get(job)?;
        let task = child(&job.body, special.property())?;
        let pool = state.pools.get(&place.pool)?;
        let node = pool.nodes.get(&place.node)?;
        let id = text(task, "id").unwrap_or_default();
        let preparation =
            child(&job.body, Special::Preparation.property()).and_then(|task| text(task, "id"));
        let owner = Owner {
            job: &job.id,
            task: id,
            common: &job.body,
            preparation: preparation.filter(|_| special == Special::Release),
            is_special: true,
        };
        let directory = format!("workitems/{}/job-1/{id}", job.id);
        let retries_max = child(task, "constraints")
            .and_then(|constraints| int(constraints, "maxTaskRetryCount"))
            .unwrap_or(0);
        Some((
            self.spec((pool, node), task, &directory, Some(owner), false),
            directory,
            retries_max,
        ))
    }

    /// Whether the attempt `number` at `task` may go on after the preparation; the task goes back if the node failed.
    pub(super) fn take_prepared(
        &self,
        job: &Id,
        task: &Id,
        number: u64,
        prepared: Prepared,
    ) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(found) = state.jobs.get_mut(job) else {
            return false;
        };
        let is_open = found.state == JobState::Active;
        let Some(known) = found.tasks.get_mut(task) else {
            return false;
        };
        if known.run.as_ref().is_none_or(|run| run.number != number) {
            return false;
        }
        match prepared {
            Prepared::Ready => {
                known.set_state(super::task::TaskState::Running, now);
                known.execution.started = Some(now);
                true
            }
            Prepared::Failed | Prepared::Ended => {
                known.requeue(now);
                if is_open {
                    found.queue_first(task.clone());
                }
                false
            }
        }
    }
}
