//! Operations on tasks: add one or many, list, get, replace, delete, terminate, reactivate.
//!
//! What follows from them happens in `schedule`, `run` and `ending`.

use std::ops::Bound;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::condition::check;
use super::duration::INFINITE;
use super::error::BatchError;
use super::job::Job;
use super::list::{Select, document};
use super::object::{Put as _, child, children, int, text};
use super::schema::{self, Dialect, Object};
use super::service::{Batch, Order, empty_answer, json_answer, resource_answer, written};
use super::spec::check_work;
use super::state::{Id, State, check_id};
use super::task::{Execution, Spent, TASKS, Task, TaskState, Waits};
use super::waiting::{unsatisfy, wait_or_queue};
use crate::emulator::node::{Failure, Outcome};
use crate::emulator::server::Answer;
use crate::emulator::stamp::{Stamp, iso};

/// Most tasks of one collection.
const COLLECTION_MAX: usize = 100;
/// Most characters of all ids that a task depends on.
const DEPENDENCY_CHARACTERS_MAX: usize = 64_000;

impl Batch {
    pub(super) fn add_task(
        self: &Arc<Self>,
        order: &Order,
        job_id: &str,
    ) -> Result<Answer, BatchError> {
        let body = schema::read("TaskCreate", &order.body, order.dialect)?;
        let mut state = self.lock();
        state.job(job_id)?.require_open()?;
        let stamp = insert_task(&mut state, job_id, body, self.clock.now())?;
        let job = &state.job(job_id)?.id;
        let id = task_id(&order.body);
        let answer = written(StatusCode::CREATED, &stamp, &self.task_url(job, &id));
        self.schedule(&mut state);
        Ok(answer)
    }

    pub(super) fn add_tasks(
        self: &Arc<Self>,
        order: &Order,
        job_id: &str,
    ) -> Result<Answer, BatchError> {
        let mut group = schema::read("TaskGroup", &order.body, order.dialect)?;
        let Some(Value::Array(tasks)) = group.remove("value") else {
            return Err(BatchError::body("The property 'value' is not a list."));
        };
        if !(1..=COLLECTION_MAX).contains(&tasks.len()) {
            return Err(BatchError::property(
                "value",
                tasks.len().to_string(),
                format!("It must hold 1 to {COLLECTION_MAX} tasks."),
            ));
        }
        let mut state = self.lock();
        state.job(job_id)?.require_open()?;
        let job = state.job(job_id)?.id.clone();
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(self.add_one(&mut state, &job, task, order));
        }
        self.schedule(&mut state);
        let mut document = Object::new();
        document
            .put(
                "odata.metadata",
                format!("{}/$metadata#taskaddresult", self.endpoint),
            )
            .put("value", results);
        Ok(json_answer(document))
    }

    /// Adds one task of a collection; its line in the result.
    fn add_one(&self, state: &mut State, job: &str, task: Value, order: &Order) -> Value {
        let id = task
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let added = self
            .item_fault(job, &id)
            .map_or_else(|| read_task(task, order.dialect), Err)
            .and_then(|body| insert_task(state, job, body, self.clock.now()));
        match added {
            Ok(stamp) => json!({
                // A quirk of the real service: not the casing of its own description.
                "status": "Success",
                "taskId": id,
                "eTag": stamp.etag(),
                "lastModified": iso(stamp.modified),
                "location": self.task_url(job, &id),
            }),
            Err(error) => {
                let status = if error.status >= 500 && error.status != 501 {
                    "ServerError"
                } else {
                    "ClientError"
                };
                json!({"status": status, "taskId": id, "error": error.json(&order.call.request_id)})
            }
        }
    }

    pub(super) fn list_tasks(&self, order: &Order, job_id: &str) -> Result<Answer, BatchError> {
        let page = self.page(&order.call, &TASKS)?;
        let after = Id::of(page.after.as_deref().unwrap_or_default());
        let mut state = self.lock();
        let job = &*state.job(job_id)?;
        let tasks = job.tasks.range((Bound::Excluded(after), Bound::Unbounded));
        let taken = page.take(
            tasks.map(|(key, task)| (key.as_str(), task)),
            |task, with_stats| self.show_task(job, task, with_stats.then_some(order.dialect)),
        );
        Ok(json_answer(document(
            &order.call,
            &self.endpoint,
            TASKS.name,
            taken,
        )))
    }

    pub(super) fn get_task(
        &self,
        order: &Order,
        job_id: &str,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let select = Select::read(&order.call, &TASKS)?;
        let mut state = self.lock();
        state.task(job_id, id)?;
        let job = &*state.job(job_id)?;
        let task = job
            .tasks
            .get(&Id::of(id))
            .ok_or_else(|| BatchError::of("TaskNotFound"))?;
        check(&order.call, &task.stamp)?;
        let with_stats = select.with_stats.then_some(order.dialect);
        let mut object = self.show_task(job, task, with_stats);
        select.apply(&mut object);
        Ok(resource_answer(
            &self.endpoint,
            "tasks",
            object,
            Some(&task.stamp),
        ))
    }

    pub(super) fn put_task(
        &self,
        order: &Order,
        job_id: &str,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let value: Value = serde_json::from_slice(&order.body)
            .map_err(|error| BatchError::body(format!("The body is not JSON: {error}")))?;
        let constraints = value
            .get("constraints")
            .cloned()
            .unwrap_or_else(|| json!({}));
        let mut constraints = schema::check("TaskConstraints", constraints, order.dialect)?;
        let mut state = self.lock();
        let job = state.job(job_id)?;
        job.require_open()?;
        fill_constraints(&mut constraints, job);
        let job_name = job.id.clone();
        let task = state.task(job_id, id)?;
        check(&order.call, &task.stamp)?;
        if task.state == TaskState::Completed {
            return Err(BatchError::of("TaskCompleted"));
        }
        task.body.put("constraints", constraints);
        task.stamp.touch(self.clock.now());
        Ok(written(
            StatusCode::OK,
            &task.stamp,
            &self.task_url(&job_name, &task.id),
        ))
    }

    pub(super) fn delete_task(
        self: &Arc<Self>,
        order: &Order,
        job_id: &str,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let mut state = self.lock();
        let task = state.task(job_id, id)?;
        check(&order.call, &task.stamp)?;
        let job = state.job(job_id)?;
        job.require_kept()?;
        let key = Id::of(id);
        let directory = job
            .tasks
            .get(&key)
            .and_then(|task| Some((task.place.clone()?, task.directory(&job.id))));
        unsatisfy(job, &key);
        if let Some(task) = job.tasks.remove(&key) {
            job.unfinished -= usize::from(task.state != TaskState::Completed);
            if let Some(run) = &task.run {
                run.cancel.send_replace(true);
            }
        }
        if let Some((place, directory)) = directory
            && let Some(node) = state.node_at(&place)
        {
            self.remove_directory(node.root.join(directory));
        }
        self.end_if_drained(&mut state, &Id::of(job_id));
        self.schedule(&mut state);
        Ok(empty_answer(StatusCode::OK))
    }

    pub(super) fn terminate_task(
        self: &Arc<Self>,
        order: &Order,
        job_id: &str,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let job = state.job(job_id)?;
        job.require_open()?;
        let job_name = job.id.clone();
        let task = state.task(job_id, id)?;
        check(&order.call, &task.stamp)?;
        if task.state == TaskState::Completed {
            return Err(BatchError::of("TaskCompleted"));
        }
        task.stamp.touch(now);
        let answer = written(
            StatusCode::NO_CONTENT,
            &task.stamp,
            &self.task_url(&job_name, &task.id),
        );
        if let Some(run) = &task.run {
            run.cancel.send_replace(true);
        }
        let outcome = Outcome {
            failure: Some(Failure::ended()),
            ..Outcome::default()
        };
        self.complete_task(&mut state, &Id::of(job_id), &Id::of(id), outcome);
        self.schedule(&mut state);
        Ok(answer)
    }

    pub(super) fn reactivate_task(
        self: &Arc<Self>,
        order: &Order,
        job_id: &str,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let job = state.job(job_id)?;
        job.require_open()?;
        let job_name = job.id.clone();
        let task = state.task(job_id, id)?;
        check(&order.call, &task.stamp)?;
        if task.state != TaskState::Completed {
            return Err(BatchError::of("TaskNotCompleted"));
        }
        if task.is_success() {
            return Err(BatchError::of("TaskSucceeded"));
        }
        let key = Id::of(id);
        unsatisfy(state.job(job_id)?, &key);
        let task = state.task(job_id, id)?;
        task.execution = Execution::default();
        task.requeue(now);
        task.stamp.touch(now);
        let answer = written(
            StatusCode::NO_CONTENT,
            &task.stamp,
            &self.task_url(&job_name, &task.id),
        );
        let job = state.job(job_id)?;
        job.unfinished += 1;
        wait_or_queue(job, key);
        self.schedule(&mut state);
        Ok(answer)
    }

    /// URL of a task.
    pub(super) fn task_url(&self, job: &str, id: &str) -> String {
        format!("{}/jobs/{job}/tasks/{id}", self.endpoint)
    }
}

fn task_id(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|value| value.get("id")?.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn read_task(task: Value, dialect: Dialect) -> Result<Object, BatchError> {
    schema::check("TaskCreate", task, dialect)
}

/// Adds a task to its job and to what waits there.
fn insert_task(
    state: &mut State,
    job_id: &str,
    mut body: Object,
    now: OffsetDateTime,
) -> Result<Stamp, BatchError> {
    let job = state.job(job_id)?;
    let id = text(&body, "id").unwrap_or_default().to_owned();
    check_task(&body, job)?;
    let key = Id::of(&id);
    if job.tasks.contains_key(&key) {
        return Err(BatchError::of("TaskExists"));
    }
    body.put_default("requiredSlots", 1)
        .put_default(
            "userIdentity",
            json!({"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}),
        )
        .put_default("constraints", json!({}));
    if let Some(constraints) = body.get_mut("constraints").and_then(Value::as_object_mut) {
        fill_constraints(constraints, job);
    }
    let stamp = Stamp::new(now);
    let task = Task {
        id,
        body,
        stamp,
        created: now,
        state: TaskState::Active,
        state_since: now,
        previous: None,
        execution: Execution::default(),
        place: None,
        run: None,
        is_cleaned: false,
        waits: Waits::No,
        first_started: None,
        spent: Spent::default(),
    };
    job.tasks.insert(key.clone(), task);
    job.unfinished += 1;
    wait_or_queue(job, key);
    Ok(stamp)
}

fn fill_constraints(constraints: &mut Object, job: &Job) {
    let retries = child(&job.body, "constraints")
        .and_then(|constraints| int(constraints, "maxTaskRetryCount"));
    constraints
        .put_default("maxWallClockTime", INFINITE)
        .put_default("retentionTime", "P7D")
        .put_default("maxTaskRetryCount", retries.unwrap_or(0));
}

/// Checks what the shape of a task does not say, and what depends on its job.
fn check_task(body: &Object, job: &Job) -> Result<(), BatchError> {
    let id = text(body, "id").unwrap_or_default();
    check_id(id)?;
    check_work(body)?;
    for (kind, code) in [
        ("jobPreparationTask", "TaskIdSameAsJobPreparationTask"),
        ("jobReleaseTask", "TaskIdSameAsJobReleaseTask"),
    ] {
        let special = child(&job.body, kind).and_then(|task| text(task, "id"));
        if special.is_some_and(|special| special.eq_ignore_ascii_case(id)) {
            return Err(BatchError::of(code));
        }
    }
    if let Some(dependencies) = child(body, "dependsOn") {
        if !job.uses_dependencies() {
            return Err(BatchError::of("TaskDependenciesNotSpecifiedOnJob"));
        }
        let ids = dependencies
            .get("taskIds")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let characters: usize = ids.filter_map(Value::as_str).map(str::len).sum();
        if characters > DEPENDENCY_CHARACTERS_MAX {
            return Err(BatchError::of("TaskDependencyListTooLong"));
        }
        for range in children(dependencies, "taskIdRanges") {
            if int(range, "start") > int(range, "end") {
                return Err(BatchError::property(
                    "taskIdRanges",
                    "",
                    "A range starts after its end.",
                ));
            }
        }
    }
    match child(body, "exitConditions") {
        Some(conditions) if !job.acts_on_failure() && has_job_action(conditions) => {
            Err(BatchError::property(
                "exitConditions",
                "",
                "A jobAction needs the job's onTaskFailure to be performexitoptionsjobaction.",
            ))
        }
        _ => Ok(()),
    }
}

fn has_job_action(conditions: &Object) -> bool {
    let of_codes = ["exitCodes", "exitCodeRanges"]
        .into_iter()
        .flat_map(|name| children(conditions, name))
        .filter_map(|mapping| child(mapping, "exitOptions"));
    let of_cases = ["preProcessingError", "fileUploadError", "default"]
        .into_iter()
        .filter_map(|name| child(conditions, name));
    of_codes
        .chain(of_cases)
        .any(|options| options.contains_key("jobAction"))
}
