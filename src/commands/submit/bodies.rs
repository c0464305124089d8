//! What the service is told, from the plan: the bodies of pool, job and tasks.
//!
//! The only secrets in them are the signed URLs; printed, they are redacted.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::scale::{INTERVAL, formula};
use crate::azure::batch::{
    AutoUser, AutoUserScope, ElevationLevel, JobConstraints, JobCreate, MetadataItem,
    OnAllTasksComplete, OutputContainer, OutputDestination, OutputFile, OutputOptions, PoolCreate,
    PoolReference, ResourceFile, StartTask, SupportedImage, TaskConstraints, TaskCreate,
    UploadCondition, UserIdentity, VirtualMachine,
};
use crate::azure::sas::SasUrl;
use crate::plan::{RunId, RunPlan, TaskOutput, TaskPlan};

/// Metadata name of the run's id, on pools, jobs and containers.
pub(crate) const METADATA_RUN: &str = "fanout_run";

/// Metadata name of the run's deadline.
pub(crate) const METADATA_DEADLINE: &str = "fanout_deadline";

/// Times that a start task is tried again: once it is a hiccup of a download, twice it is bad luck.
const START_TASK_RETRIES: i32 = 2;

/// What nodes may read and write.
#[derive(Debug, Clone)]
pub(crate) struct Grants {
    /// The program's blob, to read.
    pub(crate) program: SasUrl,
    /// The container of the shards, to read and list.
    pub(crate) inputs: SasUrl,
    /// The container of results, to create and write.
    pub(crate) outputs: SasUrl,
}

/// Name and value of everything that marks a thing as the run's.
pub(crate) fn marks(run: &RunId, deadline: OffsetDateTime) -> [(&'static str, String); 2] {
    let deadline = deadline.replace_nanosecond(0).unwrap_or(deadline);
    [
        (METADATA_RUN, run.to_string()),
        (
            METADATA_DEADLINE,
            deadline.format(&Rfc3339).unwrap_or_default(),
        ),
    ]
}

pub(super) fn metadata(run: &RunId, deadline: OffsetDateTime) -> Vec<MetadataItem> {
    let item = |(name, value): (&str, String)| MetadataItem {
        name: name.to_owned(),
        value,
    };
    marks(run, deadline).into_iter().map(item).collect()
}

/// A user of the pool without rights beyond its own.
fn pool_user() -> UserIdentity {
    UserIdentity {
        auto_user: Some(AutoUser {
            scope: Some(AutoUserScope::Pool),
            elevation_level: Some(ElevationLevel::NonAdmin),
        }),
    }
}

/// The pool: `plan.nodes` nodes of `vm_size`, each of which installs and tries the program before it takes a task. The
/// service takes them away at `deadline`, and once nothing is pending after `settled`.
pub(crate) fn pool_body(
    plan: &RunPlan,
    vm_size: &str,
    image: &SupportedImage,
    settled: OffsetDateTime,
    deadline: OffsetDateTime,
    grants: &Grants,
) -> PoolCreate {
    let mut image_reference = image.image_reference.clone();
    image_reference
        .version
        .get_or_insert_with(|| "latest".to_owned());
    PoolCreate {
        id: plan.run.to_string(),
        vm_size: vm_size.to_owned(),
        virtual_machine_configuration: Some(VirtualMachine {
            image_reference,
            node_agent_sku_id: image.node_agent_sku_id.clone(),
        }),
        enable_auto_scale: Some(true),
        auto_scale_formula: Some(formula(plan.nodes, settled, deadline)),
        auto_scale_evaluation_interval: Some(INTERVAL.into()),
        task_slots_per_node: Some(1),
        start_task: Some(StartTask {
            command_line: plan.start_command_line.clone(),
            resource_files: Some(vec![ResourceFile {
                http_url: Some(grants.program.clone()),
                file_path: Some("topn".to_owned()),
                file_mode: Some("0755".to_owned()),
                ..ResourceFile::default()
            }]),
            user_identity: Some(pool_user()),
            max_task_retry_count: Some(START_TASK_RETRIES),
            wait_for_success: Some(true),
            ..StartTask::default()
        }),
        metadata: Some(metadata(&plan.run, deadline)),
        ..PoolCreate::default()
    }
}

/// The job: it ends at the run's time to live, and never by itself when its tasks do.
pub(crate) fn job_body(plan: &RunPlan, deadline: OffsetDateTime) -> JobCreate {
    let retries = i32::try_from(plan.retries).unwrap_or(i32::MAX);
    JobCreate {
        id: plan.run.to_string(),
        pool_info: PoolReference {
            pool_id: Some(plan.run.to_string()),
        },
        constraints: Some(JobConstraints {
            max_wall_clock_time: Some(plan.ttl.into()),
            max_task_retry_count: Some(retries),
        }),
        on_all_tasks_complete: Some(OnAllTasksComplete::NoAction),
        metadata: Some(metadata(&plan.run, deadline)),
        ..JobCreate::default()
    }
}

/// One task a shard.
pub(crate) fn task_bodies(plan: &RunPlan, grants: &Grants) -> Vec<TaskCreate> {
    plan.tasks
        .iter()
        .map(|task| task_body(plan, task, grants))
        .collect()
}

fn task_body(plan: &RunPlan, task: &TaskPlan, grants: &Grants) -> TaskCreate {
    TaskCreate {
        id: task.id.to_string(),
        command_line: task.command_line.clone(),
        resource_files: Some(vec![ResourceFile {
            storage_container_url: Some(grants.inputs.clone()),
            blob_prefix: Some(task.blob_prefix.clone()),
            file_path: Some("in".to_owned()),
            ..ResourceFile::default()
        }]),
        output_files: Some(
            task.outputs
                .iter()
                .map(|output| output_file(*output, task.id, grants))
                .collect(),
        ),
        constraints: Some(TaskConstraints {
            max_task_retry_count: Some(i32::try_from(plan.retries).unwrap_or(i32::MAX)),
            ..TaskConstraints::default()
        }),
        user_identity: Some(pool_user()),
        ..TaskCreate::default()
    }
}

fn output_file(output: TaskOutput, task_id: u64, grants: &Grants) -> OutputFile {
    let upload_condition = if output.needs_success() {
        UploadCondition::TaskSuccess
    } else {
        UploadCondition::TaskCompletion
    };
    OutputFile {
        file_pattern: output.pattern().to_owned(),
        destination: OutputDestination {
            container: OutputContainer {
                container_url: grants.outputs.clone(),
                path: Some(output.blob_path(task_id)),
                upload_headers: None,
            },
        },
        upload_options: OutputOptions { upload_condition },
    }
}
