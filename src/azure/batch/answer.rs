//! What Batch answers: pools, nodes, jobs, tasks, files.
//!
//! Every field may be absent or `null`, unknown fields are ignored; nothing here is required to be consistent. What the
//! service answers about one thing may lag behind another.

use serde::{Deserialize, Serialize};

use crate::azure::batch::wire::{
    AllocationState, ErrorCategory, JobState, NodeState, OnAllTasksComplete, PoolState, ResultKind,
    RunState, TaskState, Timestamp, number, or_default,
};

/// Defines an answer: the members before `;` have a default when absent, those after are optional.
macro_rules! answer {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$dmeta:meta])* $default:ident: $dtype:ty,)* ;
        $($(#[$ometa:meta])* $optional:ident: $otype:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$dmeta])* #[serde(default, deserialize_with = "or_default")] pub $default: $dtype,)*
            $($(#[$ometa])* #[serde(default)] pub $optional: Option<$otype>,)*
        }
    };
}

/// A name and a value that a user gave to a pool or job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct MetadataItem {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// The image of a node's system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    /// The publisher, such as `canonical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// The offer, such as `ubuntu-24_04-lts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// The variant, such as `server`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// `latest` or a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The ARM id of an image of one's own, instead of the four above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_machine_image_id: Option<String>,
}

/// The pool of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolReference {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_id: Option<String>,
}

answer! {
    /// A name and a value that the service gives.
    NameValue {
        /// The name.
        #[serde(alias = "key")]
        name: String,
        /// The value.
        value: String,
        ;
    }
}
answer! {
    /// An error inside an answer, such as one of a resize.
    ErrorItem {
        /// The code, such as `AccountCoreQuotaReached`.
        code: String,
        /// What it says.
        message: String,
        /// Its details.
        values: Vec<NameValue>,
        ;
    }
}
answer! {
    /// A pool.
    Pool {
        /// Its id.
        id: String,
        /// Its state.
        state: PoolState,
        /// Whether it has the nodes that it should.
        allocation_state: AllocationState,
        /// Errors of the last resize; those of an earlier one may still stand here.
        resize_errors: Vec<ErrorItem>,
        /// What its maker noted.
        metadata: Vec<MetadataItem>,
        ;
        /// Since when it has its state.
        state_transition_time: Timestamp,
        /// Since when it has its allocation state.
        allocation_state_transition_time: Timestamp,
        /// When it was made.
        creation_time: Timestamp,
        /// Its machines.
        vm_size: String,
        /// Nodes now.
        current_dedicated_nodes: u32,
        /// Spot nodes now.
        current_low_priority_nodes: u32,
        /// Nodes wanted.
        target_dedicated_nodes: u32,
        /// Spot nodes wanted.
        target_low_priority_nodes: u32,
        /// Whether a formula sets the targets.
        enable_auto_scale: bool,
        /// The formula.
        auto_scale_formula: String,
        /// Its last evaluation.
        auto_scale_run: AutoScaleRun,
        /// Slots of each node.
        task_slots_per_node: u32,
    }
}
answer! {
    /// One evaluation of an autoscale formula.
    AutoScaleRun {
        /// `$Name=value;` for each variable.
        results: String,
        ;
        /// When.
        timestamp: Timestamp,
        /// What went wrong.
        error: ErrorItem,
    }
}
answer! {
    /// How many nodes are in which state.
    NodeCounts {
        /// See [`NodeState::Creating`].
        creating: u32,
        /// See [`NodeState::Idle`].
        idle: u32,
        /// See [`NodeState::Offline`].
        offline: u32,
        /// See [`NodeState::Preempted`].
        preempted: u32,
        /// See [`NodeState::Rebooting`].
        rebooting: u32,
        /// See [`NodeState::Reimaging`].
        reimaging: u32,
        /// See [`NodeState::Running`].
        running: u32,
        /// See [`NodeState::Starting`].
        starting: u32,
        /// See [`NodeState::StartTaskFailed`].
        start_task_failed: u32,
        /// See [`NodeState::LeavingPool`].
        leaving_pool: u32,
        /// See [`NodeState::Lost`].
        unknown: u32,
        /// See [`NodeState::Unusable`].
        unusable: u32,
        /// See [`NodeState::WaitingForStartTask`].
        waiting_for_start_task: u32,
        /// All of them.
        total: u32,
        ;
    }
}
answer! {
    /// The nodes of a pool by state.
    PoolNodeCounts {
        /// The pool.
        pool_id: String,
        /// Nodes that are not taken away.
        dedicated: NodeCounts,
        /// Spot nodes.
        low_priority: NodeCounts,
        ;
    }
}
answer! {
    /// A node.
    Node {
        /// Its id.
        id: String,
        /// Its state.
        state: NodeState,
        /// What is wrong with it.
        errors: Vec<NodeError>,
        ;
        /// Since when it has its state.
        state_transition_time: Timestamp,
        /// When it last started.
        last_boot_time: Timestamp,
        /// When it was allocated.
        allocation_time: Timestamp,
        /// Whether it is not a spot node.
        is_dedicated: bool,
        /// `enabled` or `disabled`.
        scheduling_state: String,
        /// How its start task went.
        start_task_info: StartTaskInfo,
        /// Tasks that run on it.
        running_tasks_count: u32,
        /// Tasks that ran on it.
        total_tasks_run: u32,
        /// Its machine.
        vm_size: String,
    }
}
answer! {
    /// What is wrong with a node.
    NodeError {
        /// The code.
        code: String,
        /// What it says.
        message: String,
        /// Its details.
        error_details: Vec<NameValue>,
        ;
    }
}
answer! {
    /// How a start, preparation or release task went on a node.
    StartTaskInfo {
        /// Whether it has ended.
        state: RunState,
        /// Retries so far.
        retry_count: u32,
        ;
        /// When it last began.
        start_time: Timestamp,
        /// When it ended.
        end_time: Timestamp,
        /// What it exited with.
        exit_code: i32,
        /// Why it failed.
        failure_info: FailureInfo,
        /// How it ended.
        result: ResultKind,
        /// Where its files are below the node's root.
        task_root_directory: String,
    }
}
answer! {
    /// Why a task failed.
    FailureInfo {
        /// Whose fault it is.
        category: ErrorCategory,
        /// The code, such as `FailureExitCode`.
        code: String,
        /// What it says.
        message: String,
        /// Its details.
        details: Vec<NameValue>,
        ;
    }
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
answer! {
    /// An image that nodes can have, with the agent that fits it.
    SupportedImage {
        /// The agent.
        #[serde(rename = "nodeAgentSKUId")]
        node_agent_sku_id: String,
        /// The image.
        image_reference: Image,
        /// `linux` or `windows`, in any letter case.
        os_type: String,
        /// `verified` or `unverified`, in any letter case.
        verification_type: String,
        /// Such as `DockerCompatible`.
        capabilities: Vec<String>,
        ;
        /// From when Batch no longer supports it.
        batch_support_end_of_life: Timestamp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
