//! Add Task Collection: many tasks in few requests, each result checked.
//!
//! It cuts by count and by bytes, halves what is still too large, repeats what the service failed at, and takes a task
//! that is there as added. It does not look at what the tasks are.

use std::collections::HashMap;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;
use serde::Deserialize;

use crate::azure::batch::client::{Batch, decode, unreadable, with_json};
use crate::azure::batch::task_body::TaskCreate;
use crate::azure::batch::wire::or_default;
use crate::azure::error::{ErrorKind, Parts, Result, ServiceError};
use crate::azure::message::Request;
use crate::azure::sas::encode_body;
use crate::clock;

/// How many tasks one request may have.
pub const TASKS_PER_REQUEST_MAX: usize = 100;
/// How many bytes one request may have: below 1 MB in either reading, with room for what a proxy adds.
const REQUEST_MAX_BYTES: usize = 950_000;
/// Requests under way at once: enough to hide the latency, few enough not to be throttled.
const PARALLEL: usize = 4;
/// What stands around and between the tasks of a body.
const BODY_START: &[u8] = b"{\"value\":[";

/// What came of adding tasks; all of them are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TasksAdded {
    /// How many were added now.
    pub added_count: usize,
    /// The ids of those that were there: from an earlier try, or from an earlier client.
    pub existed: Vec<String>,
}

/// A task as it will stand in a body.
#[derive(Clone, Debug)]
struct Encoded {
    id: String,
    json: Vec<u8>,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default, deserialize_with = "or_default")]
    value: Vec<TaskResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskResult {
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    task_id: String,
    error: Option<TaskError>,
}

#[derive(Deserialize)]
struct TaskError {
    #[serde(default, deserialize_with = "or_default")]
    code: String,
    message: Option<Text>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

impl Batch {
    /// Adds `tasks` to `job`, at most [`TASKS_PER_REQUEST_MAX`] and less than 1 MB a request, four requests at once.
    ///
    /// - Ids differ in more than letter case.
    /// - `progress` is told how many more are there, after each request.
    /// - Guarantee: on success every task is in the job. On an error some may be; adding all again is harmless.
    ///
    /// # Errors
    /// [`ServiceError`]: the first request that failed, or the first task that was refused, with its code.
    pub async fn add_tasks(
        &self,
        job: &str,
        tasks: &[TaskCreate],
        progress: impl Fn(usize) + Sync,
    ) -> Result<TasksAdded> {
        let operation = format!("add {} tasks to job `{job}`", tasks.len());
        let request = self.request(
            operation,
            Method::POST,
            &["jobs", job, "addtaskcollection"],
            &[],
        )?;
        let mut encoded = Vec::with_capacity(tasks.len());
        for task in tasks {
            let json = encode_body(task).map_err(|error| {
                let message = format!("task `{}` cannot be JSON", task.id);
                ServiceError::local(
                    ErrorKind::NotSent,
                    &request.operation,
                    &request.url,
                    message,
                )
                .caused_by(error)
            })?;
            encoded.push(Encoded {
                id: task.id.clone(),
                json,
            });
        }
        let chunks = cut(encoded);
        let (request, progress) = (&request, &progress);
        let mut all = stream::iter(chunks)
            .map(|chunk| async move {
                let added = self.add_chunk(request, chunk).await?;
                progress(added.added_count + added.existed.len());
                Ok::<_, ServiceError>(added)
            })
            .buffer_unordered(PARALLEL)
            .try_fold(TasksAdded::default(), |mut sum, added| async move {
                sum.added_count += added.added_count;
                sum.existed.extend(added.existed);
                Ok(sum)
            })
            .await?;
        all.existed.sort_unstable();
        Ok(all)
    }

    /// Adds one chunk: halves it while it is too large, sends again what the service failed at.
    async fn add_chunk(&self, request: &Request, chunk: Vec<Encoded>) -> Result<TasksAdded> {
        let begun = clock::instant();
        let mut sum = TasksAdded::default();
        let mut waiting = vec![chunk];
        let mut failures = 0;
        while let Some(mut chunk) = waiting.pop() {
            let answer = match self.send(&with_json(request.clone(), join(&chunk))).await {
                Ok(answer) => answer,
                Err(error) if error.is_too_large() && chunk.len() > 1 => {
                    waiting.push(chunk.split_off(chunk.len() / 2));
                    waiting.push(chunk);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let results: Results = decode(request, &answer)?;
            let again = self.sort(request, chunk, results, &mut sum)?;
            if again.is_empty() {
                continue;
            }
            failures += 1;
            let Some(delay) =
                self.retry()
                    .delay(failures, begun.elapsed(), None, rand::random::<f64>())
            else {
                let message = format!(
                    "the service failed at task `{}` {failures} times",
                    again[0].id
                );
                return Err(unreadable(request, message));
            };
            clock::sleep(delay.max(Duration::from_millis(1))).await;
            waiting.push(again);
        }
        Ok(sum)
    }

    /// Adds up the results of a chunk and returns its tasks that have to be sent again: those at which the service
    /// failed and those of which it said nothing.
    fn sort(
        &self,
        request: &Request,
        chunk: Vec<Encoded>,
        results: Results,
        sum: &mut TasksAdded,
    ) -> Result<Vec<Encoded>> {
        let mut by_id: HashMap<String, TaskResult> = results
            .value
            .into_iter()
            .map(|r| (r.task_id.to_lowercase(), r))
            .collect();
        let mut again = Vec::new();
        for task in chunk {
            let Some(result) = by_id.remove(&task.id.to_lowercase()) else {
                again.push(task);
                continue;
            };
            let code = result.error.as_ref().map_or("", |e| e.code.as_str());
            if result.status.eq_ignore_ascii_case("success") {
                sum.added_count += 1;
            } else if code.eq_ignore_ascii_case("TaskExists") {
                sum.existed.push(task.id);
            } else if result.status.eq_ignore_ascii_case("servererror") {
                again.push(task);
            } else {
                return Err(refused_task(request, &task.id, result));
            }
        }
        Ok(again)
    }
}

fn refused_task(request: &Request, id: &str, result: TaskResult) -> ServiceError {
    let error = result.error;
    let message = error
        .as_ref()
        .and_then(|e| e.message.as_ref())
        .map_or("no message", |m| m.value.as_str());
    let message = message.split("\nRequestId:").next().unwrap_or_default();
    ServiceError::new(Parts {
        kind: ErrorKind::Refused,
        operation: request.operation.clone(),
        method: Method::POST,
        url: crate::azure::error::shown_url(&request.url),
        status: None,
        code: error
            .as_ref()
            .map(|e| e.code.clone())
            .filter(|code| !code.is_empty()),
        message: format!("task `{id}` ({}): {message}", result.status),
        request_id: None,
        attempts: 1,
        elapsed: Duration::ZERO,
        source: None,
    })
}

/// Cuts tasks, in order, into chunks within both limits; a task that is too large alone gets a chunk of its own, for the
/// service to refuse.
fn cut(tasks: Vec<Encoded>) -> Vec<Vec<Encoded>> {
    let mut chunks: Vec<Vec<Encoded>> = Vec::new();
    let mut room = 0;
    for task in tasks {
        // One for the comma.
        let bytes = task.json.len() + 1;
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < TASKS_PER_REQUEST_MAX && bytes <= room => {
                room -= bytes;
                chunk.push(task);
            }
            _ => {
                room = (REQUEST_MAX_BYTES - BODY_START.len() - 2).saturating_sub(bytes);
                chunks.push(vec![task]);
            }
        }
    }
    chunks
}

fn join(chunk: &[Encoded]) -> Vec<u8> {
    let mut body = Vec::with_capacity(chunk.iter().map(|t| t.json.len() + 1).sum::<usize>() + 16);
    body.extend_from_slice(BODY_START);
    for (index, task) in chunk.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&task.json);
    }
    body.extend_from_slice(b"]}");
    body
}

#[cfg(test)]
#[path = "add_tests.rs"]
mod tests;
