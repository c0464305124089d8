//! What requests about tasks hold: what they run, as whom, with which files.
//!
//! SAS URLs are redacted however a body is printed, except by `encode_body` on the way to the service.

use serde::Serialize;

use crate::azure::batch::wire::{AutoUserScope, ElevationLevel, IsoDuration, UploadCondition};
use crate::azure::sas::SasUrl;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::sas::encode_body;

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
