//! What Batch answers about pools, nodes and images.
//!
//! Every field may be absent or `null`, unknown fields are ignored; nothing here is required to be consistent. What the
//! service answers about one thing may lag behind another.

use serde::{Deserialize, Serialize};

use crate::azure::batch::wire::{
    AllocationState, ErrorCategory, NodeState, PoolState, ResultKind, RunState, Timestamp,
    or_default,
};

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
