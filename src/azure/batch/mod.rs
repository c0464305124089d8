//! Azure Batch, data plane, version 2025-06-01: one method per REST operation that a run needs.
//!
//! Requests are typed and leave out what is not set; answers are read with every field optional, unknown fields
//! ignored and unknown enum values kept as text. Operations that a repeat could harm are told apart from those that
//! it cannot. No managed identity is created here (that is ARM's).

#[macro_use]
mod wire;
mod add;
mod answer;
mod body;
mod client;
mod files;
mod jobs;
mod pools;
mod tasks;

pub use add::{TASKS_PER_REQUEST_MAX, TasksAdded};
pub use answer::{
    AutoScaleRun, ErrorItem, FailureInfo, FileItem, FileProperties, Image, Job, JobExecution,
    MetadataItem, NameValue, Node, NodeCounts, NodeError, NodeInfo, Pool, PoolNodeCounts,
    PoolReference, PrepReleaseStatus, StartTaskInfo, SupportedImage, Task, TaskCounts,
    TaskCountsResult, TaskExecution,
};
pub use body::{
    AutoScale, AutoUser, EnvironmentSetting, JobConstraints, JobCreate, JobPatch,
    JobPreparationTask, JobReleaseTask, NetworkConfiguration, OutputContainer, OutputDestination,
    OutputFile, OutputOptions, PoolCreate, PoolPatch, PoolResize, ResourceFile, SchedulingPolicy,
    StartTask, TaskConstraints, TaskCreate, TaskDependencies, TaskIdRange, UploadHeader,
    UserIdentity, VirtualMachine,
};
pub use client::{API_VERSION, Batch, ListQuery, quoted};
pub use files::{FilePart, FileSource};
pub use wire::{
    AllocationState, AutoUserScope, ElevationLevel, ErrorCategory, IsoDuration, JobState,
    NodeState, OnAllTasksComplete, PoolState, ResultKind, RunState, TaskState, Timestamp,
    UploadCondition,
};
