//! Tasks, one at a time and listed.
//!
//! Adding many is in `add`; their files are in `files`.

use reqwest::Method;

use crate::azure::batch::client::{Batch, ListQuery};
use crate::azure::batch::job_answer::Task;
use crate::azure::error::Result;

impl Batch {
    /// List Tasks of a job.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn list_tasks(&self, job: &str, query: &ListQuery) -> Result<Vec<Task>> {
        self.list(
            format!("list tasks of job `{job}`"),
            &["jobs", job, "tasks"],
            query,
        )
        .await
    }

    /// Get Task.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn get_task(&self, job: &str, task: &str) -> Result<Task> {
        self.get(
            format!("get task `{task}` of job `{job}`"),
            &["jobs", job, "tasks", task],
        )
        .await
    }

    /// Reactivate Task: puts a completed task that failed back, with its retries. A repeat that finds it put back by an
    /// earlier try counts as done.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError): conflicts `TaskSucceeded`, `TaskNotCompleted`, `JobCompleted`.
    pub async fn reactivate_task(&self, job: &str, task: &str) -> Result<()> {
        self.task_action("reactivate", job, task, |error| {
            error.attempts() > 1 && error.is_conflict("TaskNotCompleted")
        })
        .await
    }

    /// Terminate Task. A task that has ended counts as done.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn terminate_task(&self, job: &str, task: &str) -> Result<()> {
        self.task_action("terminate", job, task, |error| {
            error.is_conflict("TaskCompleted")
        })
        .await
    }

    /// Delete Task with its files. A task that is not there counts as done.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn delete_task(&self, job: &str, task: &str) -> Result<()> {
        let operation = format!("delete task `{task}` of job `{job}`");
        match self
            .act(
                operation,
                Method::DELETE,
                &["jobs", job, "tasks", task],
                &[],
            )
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn task_action(
        &self,
        action: &str,
        job: &str,
        task: &str,
        done: impl Fn(&crate::azure::ServiceError) -> bool,
    ) -> Result<()> {
        let operation = format!("{action} task `{task}` of job `{job}`");
        match self
            .act(
                operation,
                Method::POST,
                &["jobs", job, "tasks", task, action],
                &[],
            )
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if done(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
