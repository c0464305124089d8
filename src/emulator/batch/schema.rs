//! The shapes of request bodies: which properties exist, of which type, which are required.
//!
//! It checks one body by itself; what depends on other resources is checked by their operations. A property that the
//! service knows but this one does not act on is refused by name, never skipped.
//!
//! Source: models of the Batch REST reference, 2025-06-01 and 2024-02-01.19.0.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::duration::parse_duration;
use super::error::BatchError;

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// One shape a paragraph: its name, then `property type`. `!` after a property: required. Types: `str int bool dur time any`,
/// `a|b` an enumeration, `[T]` a list, a shape by name. Before a property: `~` refused with 501, `<` only before
/// 2025-06-01, `>` only since. `any` is kept and shown but changes nothing on nodes that are directories.
const SHAPES: &str = "
PoolCreate
id! str
displayName str
vmSize! str
virtualMachineConfiguration! VirtualMachine
~cloudServiceConfiguration any
resizeTimeout dur
targetDedicatedNodes int
targetLowPriorityNodes int
enableAutoScale bool
autoScaleFormula str
autoScaleEvaluationInterval dur
enableInterNodeCommunication bool
~networkConfiguration any
startTask StartTask
~applicationPackageReferences any
~applicationLicenses any
~certificateReferences any
taskSlotsPerNode int
taskSchedulingPolicy SchedulingPolicy
~userAccounts any
metadata [Metadata]
~mountConfiguration any
~upgradePolicy any
<targetNodeCommunicationMode default|classic|simplified
<resourceTags any

PoolPatch
displayName str
~vmSize any
~enableInterNodeCommunication any
startTask StartTask
~applicationPackageReferences any
metadata [Metadata]
~virtualMachineConfiguration any
taskSlotsPerNode int
taskSchedulingPolicy SchedulingPolicy
~networkConfiguration any
~userAccounts any
~mountConfiguration any
~upgradePolicy any
~certificateReferences any
<targetNodeCommunicationMode default|classic|simplified

PoolReplace
startTask StartTask
applicationPackageReferences! [Unsupported]
<certificateReferences [Unsupported]
metadata! [Metadata]
<targetNodeCommunicationMode default|classic|simplified

PoolResize
targetDedicatedNodes int
targetLowPriorityNodes int
resizeTimeout dur
nodeDeallocationOption requeue|terminate|taskcompletion

NodeRemove
nodeList! [str]
resizeTimeout dur
nodeDeallocationOption requeue|terminate|taskcompletion

EnableAutoScale
autoScaleFormula str
autoScaleEvaluationInterval dur

EvaluateAutoScale
autoScaleFormula! str

VirtualMachine
imageReference! ImageReference
nodeAgentSKUId! str
~windowsConfiguration any
~dataDisks any
licenseType any
~containerConfiguration any
diskEncryptionConfiguration any
nodePlacementConfiguration any
~extensions any
osDisk any
securityProfile any
serviceArtifactReference any

ImageReference
publisher str
offer str
sku str
version str
~virtualMachineImageId str
~sharedGalleryImageId str
~communityGalleryImageId str

SchedulingPolicy
>jobDefaultOrder none|creationtime
nodeFillType! spread|pack

Metadata
name! str
value! str

StartTask
commandLine! str
~containerSettings any
resourceFiles [ResourceFile]
environmentSettings [Environment]
userIdentity UserIdentity
maxTaskRetryCount int
waitForSuccess bool

ResourceFile
autoStorageContainerName str
storageContainerUrl str
httpUrl str
blobPrefix str
filePath str
fileMode str
~identityReference any

Environment
name! str
value str

UserIdentity
~username str
autoUser AutoUser

AutoUser
scope task|pool
elevationLevel nonadmin|admin

JobCreate
id! str
displayName str
usesTaskDependencies bool
priority int
allowTaskPreemption bool
maxParallelTasks int
constraints JobConstraints
~jobManagerTask any
jobPreparationTask PreparationTask
jobReleaseTask ReleaseTask
commonEnvironmentSettings [Environment]
poolInfo! PoolInfo
onAllTasksComplete noaction|terminatejob
onTaskFailure noaction|performexitoptionsjobaction
~networkConfiguration any
metadata [Metadata]

JobPatch
priority int
maxParallelTasks int
allowTaskPreemption bool
onAllTasksComplete noaction|terminatejob
constraints JobConstraints
poolInfo PoolInfo
metadata [Metadata]
~networkConfiguration any

JobConstraints
maxWallClockTime dur
maxTaskRetryCount int

PoolInfo
poolId str
~autoPoolSpecification any

PreparationTask
id str
commandLine! str
~containerSettings any
resourceFiles [ResourceFile]
environmentSettings [Environment]
constraints TaskConstraints
waitForSuccess bool
userIdentity UserIdentity
rerunOnNodeRebootAfterSuccess bool

ReleaseTask
id str
commandLine! str
~containerSettings any
resourceFiles [ResourceFile]
environmentSettings [Environment]
maxWallClockTime dur
retentionTime dur
userIdentity UserIdentity

TaskConstraints
maxWallClockTime dur
retentionTime dur
maxTaskRetryCount int

JobTerminate
terminateReason str

JobDisable
disableTasks! requeue|terminate|wait

TaskCreate
id! str
displayName str
exitConditions ExitConditions
commandLine! str
~containerSettings any
resourceFiles [ResourceFile]
outputFiles [OutputFile]
environmentSettings [Environment]
affinityInfo AffinityInfo
constraints TaskConstraints
requiredSlots int
userIdentity UserIdentity
~multiInstanceSettings any
dependsOn Dependencies
~applicationPackageReferences any
~authenticationTokenSettings any

TaskGroup
value! [any]

AffinityInfo
affinityId! str

Dependencies
taskIds [str]
taskIdRanges [IdRange]

IdRange
start! int
end! int

ExitConditions
exitCodes [ExitCode]
exitCodeRanges [ExitCodeRange]
preProcessingError ExitOptions
fileUploadError ExitOptions
default ExitOptions

ExitCode
code! int
exitOptions! ExitOptions

ExitCodeRange
start! int
end! int
exitOptions! ExitOptions

ExitOptions
jobAction none|disable|terminate
dependencyAction satisfy|block

OutputFile
filePattern! str
destination! Destination
uploadOptions! UploadOptions

Destination
container Container

Container
path str
containerUrl! str
~identityReference any
uploadHeaders [UploadHeader]

UploadHeader
name! str
value str

UploadOptions
uploadCondition! tasksuccess|taskfailure|taskcompletion

Deallocate
nodeDeallocateOption requeue|terminate|taskcompletion

DisableScheduling
nodeDisableSchedulingOption requeue|terminate|taskcompletion
";

/// The version of the API that a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dialect {
    /// 2024-02-01.19.0: 64-bit integers are numbers.
    Y2024,
    /// 2025-06-01: 64-bit integers are strings.
    Y2025,
}

struct Property {
    name: &'static str,
    kind: &'static str,
    is_required: bool,
    is_refused: bool,
    only: Option<Dialect>,
}

static TABLE: LazyLock<HashMap<&'static str, Vec<Property>>> = LazyLock::new(|| {
    SHAPES
        .trim()
        .split("\n\n")
        .filter_map(|paragraph| {
            let (name, properties) = paragraph.split_once('\n')?;
            Some((name, properties.lines().filter_map(read_property).collect()))
        })
        .collect()
});

fn read_property(line: &'static str) -> Option<Property> {
    let (name, kind) = line.split_once(' ')?;
    let only = match name.as_bytes().first()? {
        b'<' => Some(Dialect::Y2024),
        b'>' => Some(Dialect::Y2025),
        _ => None,
    };
    Some(Property {
        name: name
            .trim_start_matches(['~', '<', '>'])
            .trim_end_matches('!'),
        kind,
        is_required: name.ends_with('!'),
        is_refused: name.starts_with('~'),
        only,
    })
}

/// Reads `body` as an object of the shape `shape`, without its nulls.
///
/// # Errors
/// `InvalidRequestBody`, `MissingRequiredProperty`, `InvalidPropertyValue`, or 501 for what is not offered.
pub(super) fn read(shape: &str, body: &[u8], dialect: Dialect) -> Result<Object, BatchError> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| BatchError::body(format!("The body is not JSON: {error}")))?;
    check(shape, value, dialect)
}

/// Like [`read`], for a value that is parsed already.
///
/// # Errors
/// As [`read`].
pub(super) fn check(shape: &str, mut value: Value, dialect: Dialect) -> Result<Object, BatchError> {
    drop_nulls(&mut value);
    check_value(shape, &value, "", dialect)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(BatchError::body("The body is not an object.")),
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn check_value(kind: &str, value: &Value, path: &str, dialect: Dialect) -> Result<(), BatchError> {
    let wrong =
        |expected: &str| BatchError::body(format!("The property '{path}' is not {expected}."));
    match kind {
        "any" => Ok(()),
        "str" => value.as_str().map(|_| ()).ok_or_else(|| wrong("a string")),
        "bool" => value
            .as_bool()
            .map(|_| ())
            .ok_or_else(|| wrong("a boolean")),
        "int" => value
            .as_i64()
            .filter(|number| i32::try_from(*number).is_ok())
            .map(|_| ())
            .ok_or_else(|| wrong("a 32-bit integer")),
        "dur" => value
            .as_str()
            .and_then(parse_duration)
            .map(|_| ())
            .ok_or_else(|| wrong("an ISO 8601 duration")),
        _ if kind.starts_with('[') => {
            let items = value.as_array().ok_or_else(|| wrong("a list"))?;
            let kind = kind.trim_start_matches('[').trim_end_matches(']');
            for (index, item) in items.iter().enumerate() {
                check_value(kind, item, &format!("{path}[{index}]"), dialect)?;
            }
            Ok(())
        }
        _ if kind.contains('|') => {
            let text = value.as_str().ok_or_else(|| wrong("a string"))?;
            if kind
                .split('|')
                .any(|known| known.eq_ignore_ascii_case(text))
            {
                Ok(())
            } else {
                Err(BatchError::property(
                    path,
                    text,
                    format!("It must be one of {kind}."),
                ))
            }
        }
        shape => {
            let object = value.as_object().ok_or_else(|| wrong("an object"))?;
            check_object(shape, object, path, dialect)
        }
    }
}

fn check_object(
    shape: &str,
    object: &Object,
    path: &str,
    dialect: Dialect,
) -> Result<(), BatchError> {
    let Some(properties) = TABLE.get(shape) else {
        return Err(BatchError::missing(format!("`{path}`")));
    };
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    for (name, value) in object {
        let known = properties.iter().find(|property| {
            property.name == name && property.only.is_none_or(|only| only == dialect)
        });
        match known {
            None => {
                return Err(BatchError::body(format!(
                    "The property '{}' does not exist on the type '{shape}' of this API version.",
                    join(name)
                )));
            }
            Some(property) if property.is_refused && is_said(value) => {
                return Err(BatchError::missing(format!(
                    "the property `{}`",
                    join(name)
                )));
            }
            Some(property) if property.is_refused => {}
            Some(property) => check_value(property.kind, value, &join(name), dialect)?,
        }
    }
    match properties
        .iter()
        .find(|property| property.is_required && !object.contains_key(property.name))
    {
        Some(property) => {
            Err(BatchError::of("MissingRequiredProperty").with("PropertyName", join(property.name)))
        }
        None => Ok(()),
    }
}

/// Whether a refused property says anything: empty lists come from clients that send all they know.
fn is_said(value: &Value) -> bool {
    value.as_array().is_none_or(|items| !items.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(shape: &str, body: &str) -> (u16, &'static str) {
        let error = read(shape, body.as_bytes(), Dialect::Y2025).expect_err(body);
        (error.status, error.code)
    }

    #[test]
    fn every_type_that_a_shape_names_exists() {
        for (shape, properties) in TABLE.iter() {
            for property in properties {
                let kind = property.kind.trim_start_matches('[').trim_end_matches(']');
                let known = ["str", "int", "bool", "dur", "any", "Unsupported"].contains(&kind)
                    || kind.contains('|')
                    || TABLE.contains_key(kind);
                assert!(known, "{shape}.{}: {kind}", property.name);
            }
        }
    }

    #[test]
    fn a_body_is_refused_for_the_reason_that_the_service_gives() {
        assert_eq!(refused("TaskCreate", "{"), (400, "InvalidRequestBody"));
        assert_eq!(refused("TaskCreate", "[]"), (400, "InvalidRequestBody"));
        assert_eq!(
            refused("TaskCreate", r#"{"id":"a"}"#),
            (400, "MissingRequiredProperty")
        );
        let task = |more: &str| {
            refused(
                "TaskCreate",
                &format!(r#"{{"id":"a","commandLine":"b",{more}}}"#),
            )
        };
        assert_eq!(task(r#""colour":1"#), (400, "InvalidRequestBody"));
        assert_eq!(task(r#""requiredSlots":"1""#), (400, "InvalidRequestBody"));
        assert_eq!(
            task(r#""multiInstanceSettings":{}"#),
            (501, "NotImplemented")
        );
        assert_eq!(
            task(r#""constraints":{"maxWallClockTime":"1h"}"#),
            (400, "InvalidRequestBody")
        );
        assert_eq!(
            task(r#""userIdentity":{"autoUser":{"scope":"all"}}"#),
            (400, "InvalidPropertyValue")
        );
    }

    #[test]
    fn nulls_and_empty_lists_say_nothing() {
        let body =
            br#"{"id":"a","commandLine":"b","displayName":null,"applicationPackageReferences":[]}"#;
        let task = read("TaskCreate", body, Dialect::Y2025).expect("valid");
        assert!(!task.contains_key("displayName"));
    }

    #[test]
    fn a_property_of_the_other_version_does_not_exist() {
        let body = br#"{"targetNodeCommunicationMode":"simplified"}"#;
        assert!(read("PoolPatch", body, Dialect::Y2024).is_ok());
        assert!(read("PoolPatch", body, Dialect::Y2025).is_err());
    }
}
