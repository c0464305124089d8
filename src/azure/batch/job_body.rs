//! What requests about jobs hold.
//!
//! Their tasks are in `task_body`.

use serde::Serialize;

use crate::azure::batch::job_answer::PoolReference;
use crate::azure::batch::pool_answer::MetadataItem;
use crate::azure::batch::task_body::{
    EnvironmentSetting, ResourceFile, TaskConstraints, UserIdentity,
};
use crate::azure::batch::wire::{IsoDuration, OnAllTasksComplete};

body! {
    /// Add Job.
    #[derive(Default)]
    JobCreate {
        /// As a pool's id.
        id: String,
        /// The pool; it may come later.
        pool_info: PoolReference,
        ;
        /// For people.
        display_name: String,
        /// -1000 to 1000.
        priority: i32,
        /// Whether tasks may depend on others.
        uses_task_dependencies: bool,
        /// Its limits.
        constraints: JobConstraints,
        /// What happens at the end of all tasks.
        on_all_tasks_complete: OnAllTasksComplete,
        /// Set for every task.
        common_environment_settings: Vec<EnvironmentSetting>,
        /// Run on a node before the job's first task there.
        job_preparation_task: JobPreparationTask,
        /// Run on those nodes when the job ends; needs a preparation.
        job_release_task: JobReleaseTask,
        /// The run that it belongs to.
        metadata: Vec<MetadataItem>,
    }
}
body! {
    /// Limits of a job.
    #[derive(Default)]
    JobConstraints {
        ;
        /// From its creation.
        max_wall_clock_time: IsoDuration,
        /// Retries of each task after a non-zero exit.
        max_task_retry_count: i32,
    }
}
body! {
    /// Run on a node before a job's first task there.
    #[derive(Default)]
    JobPreparationTask {
        /// Run directly, without a shell.
        command_line: String,
        ;
        /// `jobpreparation` if not set.
        id: String,
        /// What is downloaded first.
        resource_files: Vec<ResourceFile>,
        /// Its environment; never a secret.
        environment_settings: Vec<EnvironmentSetting>,
        /// Its limits.
        constraints: TaskConstraints,
        /// Whether the job's tasks wait for its success.
        wait_for_success: bool,
        /// Whose user it runs as.
        user_identity: UserIdentity,
        /// Whether it runs again after a reboot.
        rerun_on_node_reboot_after_success: bool,
    }
}
body! {
    /// Run on the nodes that ran the preparation, when the job ends.
    #[derive(Default)]
    JobReleaseTask {
        /// Run directly, without a shell.
        command_line: String,
        ;
        /// `jobrelease` if not set.
        id: String,
        /// Its environment; never a secret.
        environment_settings: Vec<EnvironmentSetting>,
        /// At most 15 minutes.
        max_wall_clock_time: IsoDuration,
        /// How long its files stay.
        retention_time: IsoDuration,
        /// Whose user it runs as.
        user_identity: UserIdentity,
    }
}
body! {
    /// Update Job: each member that is set replaces the whole one.
    #[derive(Default)]
    JobPatch {
        ;
        /// May go from `noaction` to `terminatejob`, not back.
        on_all_tasks_complete: OnAllTasksComplete,
        /// Both limits: one that is not set goes back to its default.
        constraints: JobConstraints,
        /// -1000 to 1000.
        priority: i32,
        /// Empty clears.
        metadata: Vec<MetadataItem>,
    }
}
