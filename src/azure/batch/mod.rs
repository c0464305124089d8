//! Azure Batch, data plane, version 2025-06-01: one method per REST operation that a run needs.
//!
//! Requests are typed and leave out what is not set; answers are read with every field optional, unknown fields
//! ignored and unknown enum values kept as text. Operations that a repeat could harm are told apart from those that
//! it cannot. No managed identity is created here (that is ARM's).

#[macro_use]
mod shape;
#[macro_use]
mod wire;
mod add;
mod client;
mod files;
mod job_answer;
mod job_body;
mod jobs;
mod pool_answer;
mod pool_body;
mod pools;
mod task_body;
mod tasks;

pub use add::{TASKS_PER_REQUEST_MAX, TasksAdded};
pub use client::{API_VERSION, Batch, ListQuery, quoted};
pub use files::{FilePart, FileSource};
pub use job_answer::{
    FileItem, FileProperties, Job, JobExecution, NodeInfo, PoolReference, PrepReleaseStatus, Task,
    TaskCounts, TaskCountsResult, TaskExecution,
};
pub use job_body::{JobConstraints, JobCreate, JobPatch, JobPreparationTask, JobReleaseTask};
pub use pool_answer::{
    AutoScaleRun, ErrorItem, FailureInfo, Image, MetadataItem, NameValue, Node, NodeCounts,
    NodeError, Pool, PoolNodeCounts, StartTaskInfo, SupportedImage,
};
pub use pool_body::{
    AutoScale, NetworkConfiguration, PoolCreate, PoolPatch, PoolResize, SchedulingPolicy,
    StartTask, VirtualMachine,
};
pub use task_body::{
    AutoUser, EnvironmentSetting, OutputContainer, OutputDestination, OutputFile, OutputOptions,
    ResourceFile, TaskConstraints, TaskCreate, TaskDependencies, TaskIdRange, UploadHeader,
    UserIdentity,
};
pub use wire::{
    AllocationState, AutoUserScope, ElevationLevel, ErrorCategory, IsoDuration, JobState,
    NodeState, OnAllTasksComplete, PoolState, ResultKind, RunState, TaskState, Timestamp,
    UploadCondition,
};
