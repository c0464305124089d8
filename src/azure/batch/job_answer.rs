//! What Batch answers about jobs, tasks and their files.
//!
//! Read as leniently as answers about pools.

use serde::{Deserialize, Serialize};

use crate::azure::batch::pool_answer::{FailureInfo, MetadataItem, StartTaskInfo};
use crate::azure::batch::wire::{
    JobState, OnAllTasksComplete, ResultKind, TaskState, Timestamp, number, or_default,
};

/// The pool of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolReference {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_id: Option<String>,
}

answer! {
    /// A job.
    Job {
        /// Its id.
        id: String,
        /// Its state.
        state: JobState,
        /// Its pool.
        pool_info: PoolReference,
        /// What its maker noted.
        metadata: Vec<MetadataItem>,
        ;
        /// Since when it has its state.
        state_transition_time: Timestamp,
        /// When it was made.
        creation_time: Timestamp,
        /// What happens at the end of all tasks.
        on_all_tasks_complete: OnAllTasksComplete,
        /// How it went.
        execution_info: JobExecution,
    }
}
answer! {
    /// How a job went.
    JobExecution {
        ;
        /// When it began.
        start_time: Timestamp,
        /// When it ended.
        end_time: Timestamp,
        /// The pool that it ran on.
        pool_id: String,
        /// Why it could not be scheduled.
        scheduling_error: FailureInfo,
        /// Why it ended, such as `MaxWallClockTimeExpiry`.
        terminate_reason: String,
    }
}
answer! {
    /// A task.
    Task {
        /// Its id.
        id: String,
        /// Its state.
        state: TaskState,
        ;
        /// For people.
        display_name: String,
        /// What it runs.
        command_line: String,
        /// Since when it has its state.
        state_transition_time: Timestamp,
        /// When it was added.
        creation_time: Timestamp,
        /// The state before.
        previous_state: TaskState,
        /// How it went.
        execution_info: TaskExecution,
        /// Where it runs or ran last.
        node_info: NodeInfo,
    }
}
answer! {
    /// How a task went.
    TaskExecution {
        /// Retries after a non-zero exit.
        retry_count: u32,
        /// How often it was put back by a user's request.
        requeue_count: u32,
        ;
        /// When it last began, downloads included.
        start_time: Timestamp,
        /// When it ended.
        end_time: Timestamp,
        /// What it exited with; absent if it never ran.
        exit_code: i32,
        /// Why it failed.
        failure_info: FailureInfo,
        /// How it ended.
        result: ResultKind,
        /// When it was last retried.
        last_retry_time: Timestamp,
        /// When it was last put back.
        last_requeue_time: Timestamp,
    }
}
answer! {
    /// Where a task runs or ran last.
    NodeInfo {
        ;
        /// The pool.
        pool_id: String,
        /// The node.
        node_id: String,
        /// Where its files are below the node's root.
        task_root_directory: String,
    }
}
answer! {
    /// How many tasks, or slots of tasks, are in which state; lags behind.
    TaskCounts {
        /// Waiting.
        active: u32,
        /// Running or preparing.
        running: u32,
        /// Ended.
        completed: u32,
        /// Ended well.
        succeeded: u32,
        /// Ended not well.
        failed: u32,
        ;
    }
}
answer! {
    /// The counts of a job's tasks.
    TaskCountsResult {
        /// By task.
        task_counts: TaskCounts,
        /// By slot.
        task_slot_counts: TaskCounts,
        ;
    }
}
answer! {
    /// A file or directory on a node.
    FileItem {
        /// Its path below the task's directory or the node's root.
        name: String,
        /// Whether it is a directory.
        is_directory: bool,
        ;
        /// Absent for a directory.
        properties: FileProperties,
    }
}
answer! {
    /// What is known of a file.
    FileProperties {
        ;
        /// In bytes.
        #[serde(deserialize_with = "number")]
        content_length: i64,
        /// When it was last written.
        last_modified: Timestamp,
    }
}
answer! {
    /// How preparation and release went on one node.
    PrepReleaseStatus {
        ;
        /// The node's pool.
        pool_id: String,
        /// The node.
        node_id: String,
        /// The preparation.
        job_preparation_task_execution_info: StartTaskInfo,
        /// The release.
        job_release_task_execution_info: StartTaskInfo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::batch::{ErrorCategory, Pool};

    #[test]
    fn an_answer_of_nothing_is_read() {
        assert_eq!(serde_json::from_str::<Task>("{}").unwrap(), Task::default());
        let nulls = r#"{"id":null,"state":null,"resizeErrors":null,"metadata":null,"news":[1]}"#;
        assert_eq!(
            serde_json::from_str::<Pool>(nulls).unwrap(),
            Pool::default()
        );
    }

    #[test]
    fn a_failed_task_is_read_as_recorded() {
        let text = r#"{"id":"frame-0001","eTag":"0x8","creationTime":"2026-11-20T10:15:31.1234567Z",
            "state":"completed","previousState":"running","commandLine":"/bin/false",
            "constraints":{"maxWallClockTime":"P10675199DT2H48M5.4775807S"},
            "executionInfo":{"startTime":"2026-11-20T10:15:40.6Z","exitCode":7,"result":"failure",
              "failureInfo":{"category":"UserError","code":"FailureExitCode","message":"m",
                "details":[{"name":"Message","value":"v"}]},"retryCount":2,"requeueCount":0},
            "nodeInfo":{"poolId":"p","nodeId":"n"}}"#;
        let task: Task = serde_json::from_str(text).unwrap();
        let run = task.execution_info.unwrap();
        assert_eq!(
            (task.state, run.exit_code, run.retry_count),
            (TaskState::Completed, Some(7), 2)
        );
        let failure = run.failure_info.unwrap();
        assert_eq!(
            (failure.category, failure.details.len()),
            (ErrorCategory::UserError, 1)
        );
        assert_eq!(task.node_info.unwrap().node_id.as_deref(), Some("n"));
    }

    #[test]
    fn a_file_has_its_length_as_a_string() {
        let text =
            r#"{"name":"stdout.txt","isDirectory":false,"properties":{"contentLength":"16"}}"#;
        let file: FileItem = serde_json::from_str(text).unwrap();
        assert_eq!(file.properties.unwrap().content_length, Some(16));
    }
}
