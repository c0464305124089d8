//! What requests to Batch hold: pools, jobs, tasks and their files.
//!
//! Members that are not set are left out; nothing is sent as `null`. SAS URLs are redacted however a body is printed,
//! except by `encode_body` on the way to the service.

use serde::Serialize;

use crate::azure::batch::answer::{Image, MetadataItem, PoolReference};
use crate::azure::batch::wire::{
    AutoUserScope, ElevationLevel, IsoDuration, OnAllTasksComplete, UploadCondition,
};
use crate::azure::sas::SasUrl;

/// Defines a body: its optional members are left out when not set.
macro_rules! body {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$rmeta:meta])* $required:ident: $rtype:ty,)* ;
        $($(#[$ometa:meta])* $optional:ident: $otype:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$rmeta])* pub $required: $rtype,)*
            $($(#[$ometa])* #[serde(skip_serializing_if = "Option::is_none")] pub $optional: Option<$otype>,)*
        }
    };
}

body! {
    /// Add Pool. Fixed pools set a target, autoscale pools a formula.
    #[derive(Default)]
    PoolCreate {
        /// 1 to 64 of A-Z a-z 0-9 - _, unlike any other in any letter case.
        id: String,
        /// The machine, such as `standard_d2s_v5`.
        vm_size: String,
        ;
        /// For people; at most 1024 characters.
        display_name: String,
        /// System and agent.
        virtual_machine_configuration: VirtualMachine,
        /// How long the first allocation may take; at least 5 minutes.
        resize_timeout: IsoDuration,
        /// Nodes that are not taken away.
        target_dedicated_nodes: u32,
        /// Spot nodes.
        target_low_priority_nodes: u32,
        /// Whether a formula sets the targets.
        enable_auto_scale: bool,
        /// At most 8192 characters.
        auto_scale_formula: String,
        /// 5 minutes to 168 hours.
        auto_scale_evaluation_interval: IsoDuration,
        /// The nodes' network.
        network_configuration: NetworkConfiguration,
        /// What each node runs when it joins.
        start_task: StartTask,
        /// Slots of each node: at most 4 × cores and 256.
        task_slots_per_node: u32,
        /// How tasks are spread.
        task_scheduling_policy: SchedulingPolicy,
        /// The run that it belongs to.
        metadata: Vec<MetadataItem>,
    }
}
body! {
    /// System and agent of a node.
    VirtualMachine {
        /// The image.
        image_reference: Image,
        /// The agent that fits the image.
        #[serde(rename = "nodeAgentSKUId")]
        node_agent_sku_id: String,
        ;
    }
}
body! {
    /// The nodes' network.
    #[derive(Default)]
    NetworkConfiguration {
        ;
        /// The ARM id of a subnet.
        subnet_id: String,
    }
}
body! {
    /// How tasks are spread over nodes.
    SchedulingPolicy {
        /// `spread` or `pack`.
        node_fill_type: String,
        ;
    }
}
body! {
    /// What each node runs when it joins the pool, reboots or is reimaged.
    #[derive(Default)]
    StartTask {
        /// Run directly, without a shell.
        command_line: String,
        ;
        /// What is downloaded first.
        resource_files: Vec<ResourceFile>,
        /// Its environment; never a secret.
        environment_settings: Vec<EnvironmentSetting>,
        /// Whose user it runs as.
        user_identity: UserIdentity,
        /// Retries after a non-zero exit; -1 for no end.
        max_task_retry_count: i32,
        /// Whether the node takes tasks only after its success.
        wait_for_success: bool,
    }
}
body! {
    /// A download to a node: exactly one of the two URLs.
    #[derive(Default)]
    ResourceFile {
        ;
        /// One blob or file; needs `file_path`.
        http_url: SasUrl,
        /// A whole container, or the blobs of it that `blob_prefix` begins.
        storage_container_url: SasUrl,
        /// What blobs' names begin with.
        blob_prefix: String,
        /// Where it goes, below the working directory.
        file_path: String,
        /// Octal, such as `0755`; 0770 if not set.
        file_mode: String,
    }
}
body! {
    /// An upload from a node.
    OutputFile {
        /// Below the working directory; `../stdout.txt` reaches the task's output.
        file_pattern: String,
        /// Where it goes.
        destination: OutputDestination,
        /// When.
        upload_options: OutputOptions,
        ;
    }
}
body! {
    /// Where an upload goes.
    OutputDestination {
        /// The container.
        container: OutputContainer,
        ;
    }
}
body! {
    /// A container that takes uploads.
    OutputContainer {
        /// Its URL with the right to write.
        container_url: SasUrl,
        ;
        /// The blob's name if the pattern has no wildcard, else a directory.
        path: String,
        /// Headers of the upload.
        upload_headers: Vec<UploadHeader>,
    }
}
body! {
    /// A header of an upload.
    UploadHeader {
        /// Its name.
        name: String,
        ;
        /// Its value.
        value: String,
    }
}
body! {
    /// When an upload happens.
    OutputOptions {
        /// The condition.
        upload_condition: UploadCondition,
        ;
    }
}
body! {
    /// One variable of an environment.
    EnvironmentSetting {
        /// Its name.
        name: String,
        ;
        /// Its value, taken as it is.
        value: String,
    }
}
body! {
    /// Whose user a task runs as.
    #[derive(Default)]
    UserIdentity {
        ;
        /// A user that the service makes.
        auto_user: AutoUser,
    }
}
body! {
    /// A user that the service makes.
    #[derive(Default)]
    AutoUser {
        ;
        /// Of a task or of the pool.
        scope: AutoUserScope,
        /// Its rights.
        elevation_level: ElevationLevel,
    }
}
body! {
    /// Update Pool: each member that is set replaces the whole one.
    #[derive(Default)]
    PoolPatch {
        ;
        /// For nodes that join from now on.
        start_task: StartTask,
        /// Empty clears.
        metadata: Vec<MetadataItem>,
    }
}
body! {
    /// Resize Pool.
    #[derive(Default)]
    PoolResize {
        ;
        /// Nodes that are not taken away.
        target_dedicated_nodes: u32,
        /// Spot nodes.
        target_low_priority_nodes: u32,
        /// At least 5 minutes.
        resize_timeout: IsoDuration,
        /// `requeue`, `terminate` or `taskcompletion`.
        node_deallocation_option: String,
    }
}
body! {
    /// Enable Auto Scale; also changes formula and interval of a pool that has it, at most once in 30 s.
    #[derive(Default)]
    AutoScale {
        ;
        /// At most 8192 characters.
        auto_scale_formula: String,
        /// 5 minutes to 168 hours.
        auto_scale_evaluation_interval: IsoDuration,
    }
}
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
body! {
    /// Add Task.
    #[derive(Default)]
    TaskCreate {
        /// As a pool's id; decimal if a range of dependencies names it.
        id: String,
        /// Run directly, without a shell.
        command_line: String,
        ;
        /// For people.
        display_name: String,
        /// What is downloaded first.
        resource_files: Vec<ResourceFile>,
        /// What is uploaded after.
        output_files: Vec<OutputFile>,
        /// Its environment; never a secret.
        environment_settings: Vec<EnvironmentSetting>,
        /// Its limits.
        constraints: TaskConstraints,
        /// Slots that it needs on one node.
        required_slots: u32,
        /// Whose user it runs as.
        user_identity: UserIdentity,
        /// What must have succeeded before.
        depends_on: TaskDependencies,
    }
}
body! {
    /// Limits of a task.
    #[derive(Default)]
    TaskConstraints {
        ;
        /// Of each try.
        max_wall_clock_time: IsoDuration,
        /// How long its directory stays after its end.
        retention_time: IsoDuration,
        /// Retries after a non-zero exit; -1 for no end.
        max_task_retry_count: i32,
    }
}
body! {
    /// What must have succeeded before a task.
    #[derive(Default)]
    TaskDependencies {
        ;
        /// Tasks by id, 64 000 characters in all.
        task_ids: Vec<String>,
        /// Tasks by decimal id.
        task_id_ranges: Vec<TaskIdRange>,
    }
}
body! {
    /// Decimal ids from `start` to `end`, both included.
    TaskIdRange {
        /// The first.
        start: u32,
        /// The last.
        end: u32,
        ;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::sas::encode_body;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn what_is_not_set_is_left_out_and_names_are_spelled_as_the_service_does() {
        let pool = PoolCreate {
            id: "p".to_owned(),
            vm_size: "s".to_owned(),
            virtual_machine_configuration: Some(VirtualMachine {
                image_reference: Image {
                    publisher: Some("canonical".to_owned()),
                    ..Image::default()
                },
                node_agent_sku_id: "a".to_owned(),
            }),
            resize_timeout: Some(Duration::from_secs(900).into()),
            ..PoolCreate::default()
        };
        let expected = json!({
            "id": "p", "vmSize": "s", "resizeTimeout": "PT15M",
            "virtualMachineConfiguration": {
                "imageReference": {"publisher": "canonical"}, "nodeAgentSKUId": "a"
            }
        });
        assert_eq!(serde_json::to_value(&pool).unwrap(), expected);
    }

    #[test]
    fn a_body_shows_its_signatures_to_the_service_alone() {
        let task = TaskCreate {
            id: "1".to_owned(),
            resource_files: Some(vec![ResourceFile {
                http_url: Some(SasUrl::new("http://h/b?sig=hush")),
                ..ResourceFile::default()
            }]),
            ..TaskCreate::default()
        };
        assert!(
            !serde_json::to_string_pretty(&task)
                .unwrap()
                .contains("hush")
        );
        assert!(!format!("{task:?}").contains("hush"));
        let sent = String::from_utf8(encode_body(&task).unwrap()).unwrap();
        let expected =
            r#"{"id":"1","commandLine":"","resourceFiles":[{"httpUrl":"http://h/b?sig=hush"}]}"#;
        assert_eq!(sent, expected);
    }
}
