//! One attempt at a task from its start to what follows from its end: retry, exit conditions, dependencies, the job's end.
//!
//! What the node does is in `emulator::node`; choosing the node was up to `schedule`.

use std::sync::Arc;

use serde_json::json;

use super::ending::Disabling;
use super::job::JobState;
use super::object::{child, children, int, is, text};
use super::schema::Object;
use super::service::Batch;
use super::spec::Owner;
use super::state::{Id, Place, State};
use super::task::{Task, TaskState};
use super::waiting::satisfy;
use crate::emulator::node::{Cancel, Outcome, Spec, Stage};

impl Batch {
    /// Runs the attempt `number` at the task at `place`.
    pub(super) async fn run(
        self: &Arc<Self>,
        job: &Id,
        task: &Id,
        number: u64,
        place: &Place,
        cancel: Cancel,
    ) {
        let prepared = self.prepare(job, place).await;
        let outcome = if self.take_prepared(job, task, number, prepared)
            && let Some(spec) = self.task_spec(job, task, number, place)
        {
            self.agent.run(&spec, cancel).await
        } else {
            None
        };
        let mut state = self.lock();
        let now = self.clock.now();
        if let Some(job) = state.jobs.get_mut(job) {
            job.runs = job.runs.saturating_sub(1);
        }
        if let Some(node) = state.node_at(place) {
            let slots = node.runs.remove(&number).map_or(0, |run| run.slots);
            node.slots_used = node.slots_used.saturating_sub(slots);
            node.settle(now);
        }
        if let Some(outcome) = outcome {
            self.finish(&mut state, job, task, number, outcome);
        }
        self.schedule_after(&mut state, job, place);
        drop(state);
        self.changed.notify_waiters();
    }

    /// What the node needs; `None` if the attempt was ended before it began.
    fn task_spec(
        self: &Arc<Self>,
        job: &Id,
        task: &Id,
        number: u64,
        place: &Place,
    ) -> Option<Spec> {
        let state = self.lock();
        let job = state.jobs.get(job)?;
        let task = job.tasks.get(task)?;
        task.run.as_ref().filter(|run| run.number == number)?;
        let pool = state.pools.get(&place.pool)?;
        let node = pool.nodes.get(&place.node)?;
        let owner = Owner {
            job: &job.id,
            task: &task.id,
            common: &job.body,
            preparation: child(&job.body, "jobPreparationTask").and_then(|task| text(task, "id")),
            is_special: false,
        };
        let is_retried = task
            .retries_max()
            .is_none_or(|most| task.execution.retry_count < most);
        let mut spec = self.spec(
            (pool, node),
            &task.body,
            &task.directory(&job.id),
            Some(owner),
            is_retried,
        );
        spec.faults = self.file_faults(&job.id, &task.id, &spec);
        self.harm_by_fault(&job.id, &task.id, number, place);
        Some(spec)
    }

    /// Takes in how the attempt `number` ended, unless the task was ended or queued again meanwhile.
    fn finish(
        self: &Arc<Self>,
        state: &mut State,
        job_key: &Id,
        task_key: &Id,
        number: u64,
        outcome: Outcome,
    ) {
        let now = self.clock.now();
        let Some(job) = state.jobs.get_mut(job_key) else {
            return;
        };
        let Some(task) = job.tasks.get_mut(task_key) else {
            return;
        };
        if task.run.as_ref().is_none_or(|run| run.number != number) {
            return;
        }
        let is_exit = outcome
            .failure
            .as_ref()
            .is_some_and(|failure| failure.stage == Stage::Exit);
        let is_again = is_exit
            && task
                .retries_max()
                .is_none_or(|most| task.execution.retry_count < most);
        if is_again && job.state == JobState::Active {
            task.spend(outcome.usage, now);
            task.requeue(now);
            task.execution.retry_count += 1;
            task.execution.retried = Some(now);
            job.queue_first(task_key.clone());
        } else {
            self.complete_task(state, job_key, task_key, outcome);
        }
    }

    /// Completes a task, and does what follows from it.
    pub(super) fn complete_task(
        self: &Arc<Self>,
        state: &mut State,
        job_key: &Id,
        task_key: &Id,
        outcome: Outcome,
    ) {
        let now = self.clock.now();
        let Some(job) = state.jobs.get_mut(job_key) else {
            return;
        };
        let Some(task) = job.tasks.get_mut(task_key) else {
            return;
        };
        task.complete(outcome, now);
        job.unfinished = job.unfinished.saturating_sub(1);
        let action = job_action(task);
        let line = json!({
            "taskUrl": self.task_url(&job.id, &task.id),
            "jobId": job.id,
            "taskId": task.id,
            "taskState": "completed",
            "executionInfo": task.show_execution(),
        });
        let (is_success, place) = (task.is_success(), task.place.clone());
        let acts = job.acts_on_failure() && job.state == JobState::Active;
        self.watch_retention(state, job_key, task_key);
        if let Some(node) = place.and_then(|place| state.node_at(&place)) {
            node.tasks_run += 1;
            node.tasks_succeeded += u64::from(is_success);
            node.remember(line);
        }
        let is_any_released = state
            .jobs
            .get_mut(job_key)
            .is_some_and(|job| satisfy(job, task_key));
        match action {
            "terminate" if acts => {
                self.begin_job_end(
                    state,
                    job_key,
                    JobState::Terminating,
                    Some("TaskFailed".to_owned()),
                );
            }
            "disable" if acts => self.begin_disabling(state, job_key, Disabling::Requeue),
            _ => {}
        }
        self.end_if_drained(state, job_key);
        if is_any_released {
            self.schedule(state);
        }
    }
}

/// Whether tasks that depend on `task` may run.
pub(super) fn satisfies(task: &Task) -> bool {
    if task.state != TaskState::Completed {
        return false;
    }
    match exit_options(task).and_then(|options| text(options, "dependencyAction")) {
        Some(action) => action.eq_ignore_ascii_case("satisfy"),
        None => task.is_success(),
    }
}

/// What the job is to do because of how `task` ended: `none`, `disable` or `terminate`.
fn job_action(task: &Task) -> &'static str {
    let default = if task.is_success() {
        "none"
    } else {
        "terminate"
    };
    let Some(options) = exit_options(task) else {
        return default;
    };
    if !options.contains_key("jobAction") {
        return default;
    }
    ["none", "disable", "terminate"]
        .into_iter()
        .find(|action| is(options, "jobAction", action))
        .unwrap_or(default)
}

/// The options for how `task` ended: by its exact exit code, a range, what failed, else the default.
fn exit_options(task: &Task) -> Option<&Object> {
    let conditions = child(&task.body, "exitConditions")?;
    let execution = &task.execution;
    let code = execution.exit_code.map(i64::from);
    let by_code = code.and_then(|code| {
        let exact =
            children(conditions, "exitCodes").find(|mapping| int(mapping, "code") == Some(code));
        let range = || {
            children(conditions, "exitCodeRanges").find(|mapping| {
                int(mapping, "start").is_some_and(|start| start <= code)
                    && int(mapping, "end").is_some_and(|end| code <= end)
            })
        };
        child(exact.or_else(range)?, "exitOptions")
    });
    let by_stage = || match execution.failure.as_ref()?.stage {
        Stage::Before => child(conditions, "preProcessingError"),
        Stage::Upload => child(conditions, "fileUploadError"),
        Stage::Exit | Stage::Ended => None,
    };
    let by_default = || {
        execution.failure.as_ref()?;
        child(conditions, "default")
    };
    by_code.or_else(by_stage).or_else(by_default)
}
