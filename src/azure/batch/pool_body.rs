//! What requests about pools hold.
//!
//! Files, users and environments of their start task are in `task_body`.

use serde::Serialize;

use crate::azure::batch::pool_answer::{Image, MetadataItem};
use crate::azure::batch::task_body::{EnvironmentSetting, ResourceFile, UserIdentity};
use crate::azure::batch::wire::IsoDuration;

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

#[cfg(test)]
mod tests {
    use super::*;
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
}
