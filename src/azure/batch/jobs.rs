//! Jobs.
//!
//! Their tasks are in `tasks` and `add`.

use reqwest::Method;
use serde::Serialize;

use crate::azure::batch::client::{Batch, ListQuery, done_if_gone, is_ours, may_exist};
use crate::azure::batch::job_answer::{Job, PrepReleaseStatus, TaskCountsResult};
use crate::azure::batch::job_body::{JobCreate, JobPatch};
use crate::azure::batch::wire::JobState;
use crate::azure::error::{Creation, Result};

impl Batch {
    /// Add Job. When the outcome is unknown or a job of this id is there, the job is read: it counts as made if it is
    /// not going away and carries all of `job`'s metadata.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError): a conflict `JobExists` if the job is another's or going away.
    pub async fn create_job(&self, job: &JobCreate) -> Result<Creation> {
        let operation = format!("create job `{}`", job.id);
        let Err(error) = self.act_with(operation, Method::POST, &["jobs"], job).await else {
            return Ok(Creation::New);
        };
        if may_exist(&error, &["JobExists"])
            && let Ok(found) = self.get_job(&job.id).await
            && found.state != JobState::Deleting
            && is_ours(job.metadata.as_ref(), &found.metadata)
        {
            return Ok(Creation::Existed);
        }
        Err(error)
    }

    /// Get Job.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError): not found if there is none.
    pub async fn get_job(&self, job: &str) -> Result<Job> {
        self.get(format!("get job `{job}`"), &["jobs", job]).await
    }

    /// List Jobs.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn list_jobs(&self, query: &ListQuery) -> Result<Vec<Job>> {
        self.list("list jobs".to_owned(), &["jobs"], query).await
    }

    /// Update Job: replaces the members that are set.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn patch_job(&self, job: &str, patch: &JobPatch) -> Result<()> {
        self.act_with(
            format!("update job `{job}`"),
            Method::PATCH,
            &["jobs", job],
            patch,
        )
        .await
        .map(drop)
    }

    /// Terminate Job: starts it. Done already, or under way, counts as done.
    ///
    /// - `reason`: kept by the job as its `terminateReason`.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn terminate_job(&self, job: &str, reason: &str) -> Result<()> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            terminate_reason: &'a str,
        }
        let body = Body {
            terminate_reason: reason,
        };
        let segments = ["jobs", job, "terminate"];
        match self
            .act_with(
                format!("terminate job `{job}`"),
                Method::POST,
                &segments,
                &body,
            )
            .await
        {
            Ok(_) => Ok(()),
            Err(error)
                if ["JobCompleted", "JobBeingTerminated", "JobBeingDeleted"]
                    .iter()
                    .any(|c| error.is_conflict(c)) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Delete Job with its tasks: starts it. Done already counts as done.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn delete_job(&self, job: &str) -> Result<()> {
        let done = self
            .act(
                format!("delete job `{job}`"),
                Method::DELETE,
                &["jobs", job],
                &[],
            )
            .await;
        done_if_gone(done, "JobBeingDeleted")
    }

    /// Get Task Counts; they lag behind the tasks, by minutes at times, so nothing final is decided by them.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn get_task_counts(&self, job: &str) -> Result<TaskCountsResult> {
        self.get(
            format!("count tasks of job `{job}`"),
            &["jobs", job, "taskcounts"],
        )
        .await
    }

    /// List Preparation and Release Task Status: one entry for each node that ran the job's preparation; none for a job
    /// without one.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn list_prep_release_status(&self, job: &str) -> Result<Vec<PrepReleaseStatus>> {
        let segments = ["jobs", job, "jobpreparationandreleasetaskstatus"];
        let operation = format!("list preparations of job `{job}`");
        match self.list(operation, &segments, &ListQuery::default()).await {
            Err(error) if error.is_conflict("JobPreparationTaskNotSpecified") => Ok(Vec::new()),
            other => other,
        }
    }
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
