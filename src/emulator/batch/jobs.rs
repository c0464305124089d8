//! Operations on jobs: add, list, get, patch, replace, delete, terminate, disable, enable, task counts.
//!
//! What follows from them happens in `ending` and `schedule`.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::condition::check;
use super::duration::INFINITE;
use super::ending::Disabling;
use super::error::BatchError;
use super::job::{JOBS, Job, JobState};
use super::list::{Kind, PAGE_MAX, Select, document};
use super::object::{Put as _, child, children, int, is, text};
use super::pools::check_metadata;
use super::query::{Cell, Fields};
use super::schema::{self, Object};
use super::service::{Batch, Order, empty_answer, json_answer, resource_answer, written};
use super::simulation::check_simulation;
use super::spec::{check_range, check_setting, check_work};
use super::state::{Id, check_id};
use super::waiting::Waiting;
use crate::emulator::server::Answer;
use crate::emulator::stamp::Stamp;

impl Batch {
    pub(super) fn add_job(self: &Arc<Self>, order: &Order) -> Result<Answer, BatchError> {
        let mut body = schema::read("JobCreate", &order.body, order.dialect)?;
        check_job(&body)?;
        fill_job(&mut body);
        let id = text(&body, "id").unwrap_or_default().to_owned();
        let now = self.clock.now();
        let mut state = self.lock();
        let key = Id::of(&id);
        if let Some(job) = state.jobs.get(&key) {
            let code = if job.state == JobState::Deleting {
                "JobBeingDeleted"
            } else {
                "JobExists"
            };
            return Err(BatchError::of(code));
        }
        let active = state.jobs.values();
        let active = active
            .filter(|job| job.state != JobState::Completed)
            .count();
        if self.behaviour.jobs_max.is_some_and(|most| active >= most) {
            return Err(BatchError::of("ActiveJobAndScheduleQuotaReached"));
        }
        let job = Job {
            number: state.number(),
            body,
            stamp: Stamp::new(now),
            created: now,
            state: JobState::Active,
            state_since: now,
            previous: None,
            ended: None,
            terminate_reason: None,
            tasks: BTreeMap::new(),
            queue: VecDeque::new(),
            waiting: Waiting::default(),
            runs: 0,
            unfinished: 0,
            past_counts: VecDeque::new(),
            id,
        };
        // A quirk of the real service: the URLs do not end in the job's id.
        let answer = written(StatusCode::CREATED, &job.stamp, &self.job_url("job-1"));
        state.jobs.insert(key.clone(), job);
        self.watch_deadline(&state, &key);
        self.watch_counts(&state, &key);
        self.end_if_drained(&mut state, &key);
        Ok(answer)
    }

    pub(super) fn list_jobs(&self, order: &Order) -> Result<Answer, BatchError> {
        let page = self.page(&order.call, &JOBS)?;
        let after = Id::of(page.after.as_deref().unwrap_or_default());
        let state = self.lock();
        let jobs = state.jobs.range((Bound::Excluded(after), Bound::Unbounded));
        let taken = page.take(
            jobs.map(|(key, job)| (key.as_str(), job)),
            |job, with_stats| self.show_job(job, with_stats.then_some(order.dialect)),
        );
        Ok(json_answer(document(
            &order.call,
            &self.endpoint,
            JOBS.name,
            taken,
        )))
    }

    pub(super) fn get_job(&self, order: &Order, id: &str) -> Result<Answer, BatchError> {
        let select = Select::read(&order.call, &JOBS)?;
        let mut state = self.lock();
        let job = state.job(id)?;
        check(&order.call, &job.stamp)?;
        let mut object = self.show_job(job, select.with_stats.then_some(order.dialect));
        select.apply(&mut object);
        Ok(resource_answer(
            &self.endpoint,
            "jobs",
            object,
            Some(&job.stamp),
        ))
    }

    pub(super) fn patch_job(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let patch = schema::read("JobPatch", &order.body, order.dialect)?;
        self.change_job(order, id, patch)
    }

    pub(super) fn put_job(self: &Arc<Self>, order: &Order, id: &str) -> Result<Answer, BatchError> {
        // Clients send the whole job back; what cannot be written is not looked at.
        let value: Value = serde_json::from_slice(&order.body)
            .map_err(|error| BatchError::body(format!("The body is not JSON: {error}")))?;
        let Value::Object(mut whole) = value else {
            return Err(BatchError::body("The body is not an object."));
        };
        whole.retain(|name, _| {
            [
                "priority",
                "maxParallelTasks",
                "allowTaskPreemption",
                "onAllTasksComplete",
                "constraints",
                "poolInfo",
                "metadata",
            ]
            .contains(&name.as_str())
        });
        let mut body = schema::check("JobPatch", Value::Object(whole), order.dialect)?;
        if !body.contains_key("poolInfo") {
            return Err(BatchError::of("MissingRequiredProperty").with("PropertyName", "poolInfo"));
        }
        body.put_default("metadata", json!([]));
        fill_settings(&mut body);
        self.change_job(order, id, body)
    }

    /// Replaces each top-level property that `changes` holds.
    fn change_job(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
        mut changes: Object,
    ) -> Result<Answer, BatchError> {
        check_settings(&changes)?;
        if let Some(constraints) = changes
            .get_mut("constraints")
            .and_then(Value::as_object_mut)
        {
            fill_constraints(constraints);
        }
        let mut state = self.lock();
        let key = Id::of(id);
        let job = state.job(id)?;
        check(&order.call, &job.stamp)?;
        job.require_kept()?;
        if job.state == JobState::Completed {
            return Err(BatchError::of("JobCompleted"));
        }
        if job.ends_with_tasks() && is(&changes, "onAllTasksComplete", "noaction") {
            return Err(BatchError::property(
                "onAllTasksComplete",
                "noaction",
                "It cannot go back from terminatejob.",
            ));
        }
        if let Some(pool) = child(&changes, "poolInfo").and_then(|info| text(info, "poolId"))
            && !pool.eq_ignore_ascii_case(job.pool())
            && job.state != JobState::Disabled
        {
            return Err(BatchError::of("OperationInvalidForCurrentState").with(
                "Reason",
                "The pool of a job can be changed only while the job is disabled.",
            ));
        }
        job.body.extend(changes);
        job.stamp.touch(self.clock.now());
        let answer = written(StatusCode::OK, &job.stamp, &self.job_url(&job.id));
        self.watch_deadline(&state, &key);
        self.end_if_drained(&mut state, &key);
        self.schedule(&mut state);
        Ok(answer)
    }

    pub(super) fn delete_job(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let mut state = self.lock();
        let job = state.job(id)?;
        check(&order.call, &job.stamp)?;
        job.require_kept()?;
        self.begin_job_end(&mut state, &Id::of(id), JobState::Deleting, None);
        Ok(empty_answer(StatusCode::ACCEPTED))
    }

    pub(super) fn terminate_job(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let body = read_optional("JobTerminate", order)?;
        let reason = text(&body, "terminateReason")
            .unwrap_or("UserTerminate")
            .to_owned();
        let mut state = self.lock();
        let job = state.job(id)?;
        check(&order.call, &job.stamp)?;
        job.require_open()?;
        self.begin_job_end(&mut state, &Id::of(id), JobState::Terminating, Some(reason));
        let job = state.job(id)?;
        Ok(written(
            StatusCode::ACCEPTED,
            &job.stamp,
            &self.job_url(&job.id),
        ))
    }

    pub(super) fn disable_job(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let body = schema::read("JobDisable", &order.body, order.dialect)?;
        let mut state = self.lock();
        let job = state.job(id)?;
        check(&order.call, &job.stamp)?;
        job.require_open()?;
        job.stamp.touch(self.clock.now());
        let answer = written(StatusCode::ACCEPTED, &job.stamp, &self.job_url(&job.id));
        if job.state == JobState::Active {
            self.begin_disabling(&mut state, &Id::of(id), Disabling::read(&body));
        }
        Ok(answer)
    }

    pub(super) fn enable_job(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let job = state.job(id)?;
        check(&order.call, &job.stamp)?;
        job.require_open()?;
        job.set_state(JobState::Active, now);
        job.stamp.touch(now);
        let answer = written(StatusCode::ACCEPTED, &job.stamp, &self.job_url(&job.id));
        self.end_if_drained(&mut state, &Id::of(id));
        self.schedule(&mut state);
        Ok(answer)
    }

    pub(super) fn get_task_counts(&self, _order: &Order, id: &str) -> Result<Answer, BatchError> {
        let mut state = self.lock();
        let job = state.job(id)?;
        let counts = if self.behaviour.counts_lag.is_zero() {
            job.show_counts()
        } else {
            job.show_counts_at(self.clock.now() - self.behaviour.counts_lag)
        };
        Ok(resource_answer(
            &self.endpoint,
            "taskcountsresult",
            counts,
            None,
        ))
    }

    pub(super) fn list_preparations(&self, order: &Order, id: &str) -> Result<Answer, BatchError> {
        let page = self.page(&order.call, &PREPARATIONS)?;
        let after = page.after.clone().unwrap_or_default();
        let mut state = self.lock();
        let job = state.job(id)?;
        if !job.body.contains_key("jobPreparationTask") {
            return Err(BatchError::of("JobPreparationTaskNotSpecified"));
        }
        let (key, number) = (Id::of(id), job.number);
        let mut lines: Vec<Line> = Vec::new();
        for pool in state.pools.values() {
            for node in pool.nodes.values().filter(|node| node.id > after) {
                let found = node
                    .preparations
                    .get(&key)
                    .filter(|preparation| preparation.job == number);
                if let Some(preparation) = found {
                    let mut object = Object::new();
                    object
                        .put("poolId", pool.id.clone())
                        .put("nodeId", node.id.clone())
                        .put("nodeUrl", node.url(&self.endpoint, &pool.id))
                        .put("jobPreparationTaskExecutionInfo", preparation.info.clone())
                        .put_some("jobReleaseTaskExecutionInfo", preparation.release.clone());
                    lines.push(Line(node.id.clone(), object));
                }
            }
        }
        lines.sort_by(|left, right| left.0.cmp(&right.0));
        let taken = page.take(
            lines.iter().map(|line| (line.0.as_str(), line)),
            |line, _| line.1.clone(),
        );
        Ok(json_answer(document(
            &order.call,
            &self.endpoint,
            PREPARATIONS.name,
            taken,
        )))
    }

    /// URL of a job.
    pub(super) fn job_url(&self, id: &str) -> String {
        format!("{}/jobs/{id}", self.endpoint)
    }
}

/// Lists of preparations and releases.
const PREPARATIONS: Kind = Kind {
    name: "jobpreparationandreleasetaskstatuslist",
    page_max: PAGE_MAX,
    filterable: &["poolId", "nodeId"],
    members: "poolId nodeId nodeUrl jobPreparationTaskExecutionInfo jobReleaseTaskExecutionInfo",
    has_stats: false,
};

/// What one node did for a job, by the node's id.
struct Line(String, Object);

impl Fields for &Line {
    fn field(&self, path: &str) -> Cell<'_> {
        text(&self.1, path).map_or(Cell::Absent, Cell::text)
    }
}

fn read_optional(shape: &str, order: &Order) -> Result<Object, BatchError> {
    match order.body.as_slice() {
        [] => Ok(Object::new()),
        body => schema::read(shape, body, order.dialect),
    }
}

/// Checks what the shape of a job does not say.
fn check_job(body: &Object) -> Result<(), BatchError> {
    check_id(text(body, "id").unwrap_or_default())?;
    check_settings(body)?;
    if let Some(task) = child(body, "jobPreparationTask") {
        check_special(task)?;
    }
    match child(body, "jobReleaseTask") {
        Some(_) if !body.contains_key("jobPreparationTask") => {
            return Err(BatchError::property(
                "jobReleaseTask",
                "",
                "It needs a jobPreparationTask.",
            ));
        }
        Some(task) => check_special(task)?,
        None => {}
    }
    for setting in children(body, "commonEnvironmentSettings") {
        check_setting(setting)?;
    }
    check_simulation(body)
}

fn check_special(task: &Object) -> Result<(), BatchError> {
    if let Some(id) = text(task, "id") {
        check_id(id)?;
    }
    check_work(task)
}

/// Checks the settings that can also be changed later.
fn check_settings(body: &Object) -> Result<(), BatchError> {
    check_range("priority", int(body, "priority"), -1000, 1000)?;
    check_range(
        "maxParallelTasks",
        int(body, "maxParallelTasks"),
        -1,
        i64::from(i32::MAX),
    )?;
    if int(body, "maxParallelTasks") == Some(0) {
        return Err(BatchError::property(
            "maxParallelTasks",
            "0",
            "It must be -1 or greater than 0.",
        ));
    }
    if let Some(constraints) = child(body, "constraints") {
        check_range(
            "maxTaskRetryCount",
            int(constraints, "maxTaskRetryCount"),
            -1,
            i64::from(i32::MAX),
        )?;
    }
    if let Some(info) = child(body, "poolInfo") {
        match text(info, "poolId") {
            Some(id) => check_id(id)?,
            None => {
                return Err(BatchError::of("MissingRequiredProperty")
                    .with("PropertyName", "poolInfo.poolId"));
            }
        }
    }
    check_metadata(body)
}

fn fill_job(body: &mut Object) {
    body.put_default("usesTaskDependencies", false)
        .put_default("onTaskFailure", "noaction");
    fill_settings(body);
    if let Some(task) = body
        .get_mut("jobPreparationTask")
        .and_then(Value::as_object_mut)
    {
        task.put_default("id", "jobpreparation")
            .put_default("waitForSuccess", true)
            .put_default("rerunOnNodeRebootAfterSuccess", true)
            .put_default("constraints", json!({}));
        if let Some(constraints) = task.get_mut("constraints").and_then(Value::as_object_mut) {
            fill_constraints(constraints);
            constraints.put_default("retentionTime", "P7D");
        }
    }
    if let Some(task) = body
        .get_mut("jobReleaseTask")
        .and_then(Value::as_object_mut)
    {
        task.put_default("id", "jobrelease")
            .put_default("maxWallClockTime", "PT15M")
            .put_default("retentionTime", "P7D");
    }
}

fn fill_settings(body: &mut Object) {
    body.put_default("priority", 0)
        .put_default("maxParallelTasks", -1)
        .put_default("allowTaskPreemption", false)
        .put_default("onAllTasksComplete", "noaction")
        .put_default("constraints", json!({}));
    if let Some(constraints) = body.get_mut("constraints").and_then(Value::as_object_mut) {
        fill_constraints(constraints);
    }
}

fn fill_constraints(constraints: &mut Object) {
    constraints
        .put_default("maxWallClockTime", INFINITE)
        .put_default("maxTaskRetryCount", 0);
}
