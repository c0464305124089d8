//! From a task's body to what a node is told: command line, variables, resource files, output files, limits.
//!
//! It also checks, when a body comes, what its shape does not say about files.

use std::path::Path;

use super::duration::limit;
use super::error::BatchError;
use super::node::Node;
use super::object::{child, children, int, is, text};
use super::pool::Pool;
use super::schema::Object;
use super::service::Batch;
use super::simulation::{check_simulation, simulate};
use crate::emulator::behaviour::Span;
use crate::emulator::node::{
    Condition, FileFaults, Output, Resource, Simulation, Source, Spec, is_relative_inside,
};

/// Permission bits of a resource file that names none.
const FILE_MODE: u32 = 0o770;
/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Free space below which a real node counts as full, as the documentation shows it.
const RESERVED_DISK_BYTES: &str = "1000000";

/// Whose variables a task gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) job: &'a str,
    pub(super) task: &'a str,
    /// Settings that every task of the job gets.
    pub(super) common: &'a Object,
    /// Id of the job preparation task, for the tasks that come after one.
    pub(super) preparation: Option<&'a str>,
    /// Whether it prepares or cleans up for the others.
    pub(super) is_special: bool,
}

impl Batch {
    /// What the node `node` of `pool` needs to run `body` in `directory`, below its own; `owner` is absent for a start task.
    pub(super) fn spec(
        &self,
        (pool, node): (&Pool, &Node),
        body: &Object,
        directory: &str,
        owner: Option<Owner<'_>>,
        is_retried: bool,
    ) -> Spec {
        let constraints = child(body, "constraints").unwrap_or(body);
        let directory = node.root.join(directory);
        Spec {
            command_line: text(body, "commandLine").unwrap_or_default().to_owned(),
            resources: children(body, "resourceFiles")
                .filter_map(read_resource)
                .collect(),
            outputs: children(body, "outputFiles")
                .filter_map(read_output)
                .collect(),
            environment: self.environment((pool, node), body, &directory, owner),
            root: node.root.clone(),
            directory,
            wall_clock_max: limit(text(constraints, "maxWallClockTime")),
            is_retried,
            faults: FileFaults::default(),
            simulation: self.simulation(body, owner),
        }
    }

    /// What `body` does if tasks are simulated: a task takes its time, what prepares for it none.
    fn simulation(&self, body: &Object, owner: Option<Owner<'_>>) -> Option<Simulation> {
        let span = self.behaviour.simulated?;
        Some(match owner {
            Some(owner) if !owner.is_special => simulate(body, Some(owner.common), span),
            _ => simulate(body, None, Span::default()),
        })
    }

    fn environment(
        &self,
        (pool, node): (&Pool, &Node),
        body: &Object,
        directory: &Path,
        owner: Option<Owner<'_>>,
    ) -> Vec<(String, String)> {
        let at = |name: &str| node.root.join(name).display().to_string();
        let working = directory.join("wd").display().to_string();
        let mut variables = vec![
            ("PATH".to_owned(), PATH.to_owned()),
            ("HOME".to_owned(), working.clone()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ];
        let common = owner
            .iter()
            .flat_map(|owner| children(owner.common, "commonEnvironmentSettings"));
        for setting in common.chain(children(body, "environmentSettings")) {
            let name = text(setting, "name").unwrap_or_default().to_owned();
            variables.push((name, text(setting, "value").unwrap_or_default().to_owned()));
        }
        let mut set =
            |name: &str, value: String| variables.push((format!("AZ_BATCH_{name}"), value));
        set("ACCOUNT_NAME", self.account.clone());
        set("ACCOUNT_URL", format!("{}/", self.endpoint));
        set("POOL_ID", pool.id.clone());
        set("NODE_ID", node.id.clone());
        set("NODE_IS_DEDICATED", node.is_dedicated.to_string());
        set("NODE_ROOT_DIR", node.root.display().to_string());
        set("NODE_SHARED_DIR", at("shared"));
        set("NODE_STARTUP_DIR", at("startup"));
        set("NODE_MOUNTS_DIR", at("fsmounts"));
        set("TASK_DIR", directory.display().to_string());
        set("TASK_WORKING_DIR", working);
        set(
            "TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES",
            RESERVED_DISK_BYTES.to_owned(),
        );
        if let Some(owner) = owner {
            set("JOB_ID", owner.job.to_owned());
            set("TASK_ID", owner.task.to_owned());
            if let Some(id) = owner.preparation {
                let directory = format!("workitems/{}/job-1/{id}", owner.job);
                set("JOB_PREP_DIR", at(&directory));
                set("JOB_PREP_WORKING_DIR", at(&format!("{directory}/wd")));
            }
        }
        variables
    }
}

fn read_resource(object: &Object) -> Option<Resource> {
    let source = match (text(object, "httpUrl"), text(object, "storageContainerUrl")) {
        (Some(url), _) => Source::Url(url.to_owned()),
        (None, Some(url)) => Source::Container {
            url: url.to_owned(),
            prefix: text(object, "blobPrefix").unwrap_or_default().to_owned(),
        },
        (None, None) => return None,
    };
    let mode = text(object, "fileMode").and_then(|mode| u32::from_str_radix(mode, 8).ok());
    let path = text(object, "filePath").unwrap_or_default();
    Some(Resource {
        source,
        path: if path == "." {
            String::new()
        } else {
            path.to_owned()
        },
        mode: mode.unwrap_or(FILE_MODE),
    })
}

fn read_output(object: &Object) -> Option<Output> {
    let container = child(child(object, "destination")?, "container")?;
    let options = child(object, "uploadOptions")?;
    let condition = if is(options, "uploadCondition", "tasksuccess") {
        Condition::Success
    } else if is(options, "uploadCondition", "taskfailure") {
        Condition::Failure
    } else {
        Condition::Completion
    };
    Some(Output {
        pattern: text(object, "filePattern")?.to_owned(),
        container_url: text(container, "containerUrl")?.to_owned(),
        path: text(container, "path").unwrap_or_default().to_owned(),
        headers: children(container, "uploadHeaders")
            .filter_map(|header| {
                Some((
                    text(header, "name")?.to_owned(),
                    text(header, "value").unwrap_or_default().to_owned(),
                ))
            })
            .collect(),
        condition,
    })
}

/// Checks what the shape of a task does not say: its command line, files, retries and slots.
///
/// # Errors
/// `InvalidPropertyValue`, `MissingRequiredProperty`, `OutOfRangeProperty`, or 501 for auto-storage.
pub(super) fn check_work(body: &Object) -> Result<(), BatchError> {
    if text(body, "commandLine").is_some_and(|line| line.trim().is_empty()) {
        return Err(BatchError::property(
            "commandLine",
            "",
            "It must not be empty.",
        ));
    }
    for resource in children(body, "resourceFiles") {
        check_resource(resource)?;
    }
    for output in children(body, "outputFiles") {
        if child(output, "destination")
            .is_some_and(|destination| !destination.contains_key("container"))
        {
            return Err(BatchError::of("MissingRequiredProperty").with("PropertyName", "container"));
        }
    }
    for setting in children(body, "environmentSettings") {
        check_setting(setting)?;
    }
    check_simulation(body)?;
    let constraints = child(body, "constraints").unwrap_or(body);
    check_range(
        "maxTaskRetryCount",
        int(constraints, "maxTaskRetryCount"),
        -1,
        i64::from(i32::MAX),
    )?;
    check_range("requiredSlots", int(body, "requiredSlots"), 1, 256)
}

/// Checks one environment setting.
///
/// # Errors
/// `InvalidPropertyValue`.
pub(super) fn check_setting(setting: &Object) -> Result<(), BatchError> {
    let name = text(setting, "name").unwrap_or_default();
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(BatchError::property(
            "environmentSettings.name",
            name,
            "It is not the name of a variable.",
        ));
    }
    match text(setting, "value") {
        Some(value) if value.contains('\0') => Err(BatchError::property(
            "environmentSettings.value",
            name,
            "It holds a NUL.",
        )),
        _ => Ok(()),
    }
}

/// Checks that a number lies between two others.
///
/// # Errors
/// `OutOfRangeProperty`.
pub(super) fn check_range(
    name: &str,
    value: Option<i64>,
    low: i64,
    high: i64,
) -> Result<(), BatchError> {
    match value {
        Some(value) if !(low..=high).contains(&value) => Err(BatchError::of("OutOfRangeProperty")
            .with("PropertyName", name)
            .with("PropertyValue", value.to_string())
            .with("MinimumAllowed", low.to_string())
            .with("MaximumAllowed", high.to_string())),
        _ => Ok(()),
    }
}

fn check_resource(resource: &Object) -> Result<(), BatchError> {
    let sources = ["httpUrl", "storageContainerUrl", "autoStorageContainerName"];
    if sources
        .iter()
        .filter(|name| resource.contains_key(**name))
        .count()
        != 1
    {
        return Err(BatchError::property(
            "resourceFiles",
            "",
            format!("Exactly one of {} must be given.", sources.join(", ")),
        ));
    }
    if resource.contains_key("autoStorageContainerName") {
        return Err(BatchError::missing(
            "auto-storage (`autoStorageContainerName`)",
        ));
    }
    if let Some(prefix) = text(resource, "blobPrefix")
        && resource.contains_key("httpUrl")
    {
        return Err(BatchError::property(
            "blobPrefix",
            prefix,
            "It goes with containers only.",
        ));
    }
    for name in sources {
        if let Some(url) = text(resource, name)
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(BatchError::property(name, "", "It is not an HTTP URL."));
        }
    }
    match text(resource, "filePath") {
        None | Some("") if resource.contains_key("httpUrl") => {
            Err(BatchError::of("MissingRequiredProperty").with("PropertyName", "filePath"))
        }
        Some(path) if !path.is_empty() && !is_relative_inside(path) => Err(BatchError::property(
            "filePath",
            path,
            "It must be relative and must not contain `..`.",
        )),
        _ => match text(resource, "fileMode") {
            Some(mode) if !u32::from_str_radix(mode, 8).is_ok_and(|mode| mode <= 0o7777) => Err(
                BatchError::property("fileMode", mode, "It is not an octal file mode."),
            ),
            _ => Ok(()),
        },
    }
}
