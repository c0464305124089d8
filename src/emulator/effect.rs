//! What faults do: one variant a kind.
//!
//! What they hit, and how often, is in `faults`; `harm` and `batch::harm` carry them out.

use serde::{Deserialize, Serialize};

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Effect {
    /// A request is answered by an error.
    Status {
        /// Status, 400 to 599.
        status: u16,
        /// Code of the error.
        code: String,
        /// Value of `Retry-After` in seconds; no such header if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// Whether the work is done all the same.
        #[serde(default)]
        done: bool,
    },
    /// The connection of a request ends without an answer.
    Cut {
        /// Whether the work is done all the same.
        #[serde(default)]
        done: bool,
    },
    /// The connection ends after so many bytes of the answer's body.
    CutBody {
        /// Bytes that still come.
        bytes: u64,
    },
    /// A request waits before it is looked at.
    Slow {
        /// How long, in milliseconds.
        milliseconds: u64,
    },
    /// To a request the service's clock is wrong: its date is refused beyond 15 minutes, and so is that of the answer.
    ClockSkew {
        /// How far ahead it is, in seconds.
        seconds: i64,
    },
    /// A task of a collection is refused with `ServerError`.
    Item {
        /// Code of the error.
        code: String,
    },
    /// A resize ends without its nodes.
    Resize {
        /// Code of the resize error, one of [`RESIZE_CODES`].
        code: String,
        /// How many nodes come all the same.
        #[serde(default)]
        nodes: usize,
    },
    /// A node's start task exits with this code instead of running.
    StartTask {
        /// The exit code, not 0.
        exit_code: i32,
    },
    /// A node becomes unusable while it boots.
    Unusable {},
    /// A node is lost for good while a task runs on it.
    Lost {
        /// How long after the task began, in milliseconds.
        #[serde(default)]
        after_milliseconds: u64,
    },
    /// A node is taken away while a task runs on it, and comes back empty.
    Preempt {
        /// How long after the task began, in milliseconds.
        #[serde(default)]
        after_milliseconds: u64,
    },
    /// The resource files of a task cannot be fetched.
    ResourceFile {
        /// Code of the failure, one of [`RESOURCE_CODES`].
        code: String,
    },
    /// The output files of a task cannot be uploaded.
    OutputFile {
        /// Code of the failure, one of [`OUTPUT_CODES`].
        code: String,
    },
}

/// Codes of resize errors.
///
/// Source: "`ResizeError`" of the Batch REST reference.
pub const RESIZE_CODES: &[&str] = &[
    "AccountCoreQuotaReached",
    "AccountLowPriorityCoreQuotaReached",
    "AccountSpotCoreQuotaReached",
    "AccountVMSeriesCoreQuotaReached",
    "AllocationFailed",
    "AllocationTimedout",
    "CommunicationEnabledPoolReachedMaxVMCount",
    "OverconstrainedAllocationRequestError",
    "RemoveNodesFailed",
    "ResizeStopped",
    "Unknown",
    "UnsupportedVMSize",
];

/// Codes of failures to fetch resource files.
pub const RESOURCE_CODES: &[&str] = &[
    "BlobAccessDenied",
    "BlobDownloadMiscError",
    "BlobDownloadTimedOut",
    "BlobNotFound",
    "DiskFull",
    "ResourceContainerAccessDenied",
    "ResourceContainerListMiscError",
    "ResourceContainerListTimedOut",
    "ResourceContainerNotFound",
    "ResourceDirectoryCreateFailed",
    "ResourceFileCreateFailed",
    "ResourceFileWriteFailed",
];

/// Codes of failures to upload output files.
pub const OUTPUT_CODES: &[&str] = &[
    "FileUploadAccessDenied",
    "FileUploadConflict",
    "FileUploadContainerNotFound",
    "FileUploadMiscError",
    "FileUploadTimedOut",
];

/// What an effect happens to, as the catalogue tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Victim {
    /// A request.
    Request,
    /// A task, when it is added.
    AddedTask,
    /// A pool, when it is resized.
    Pool,
    /// A node, when it boots.
    Node,
    /// A task, when it runs.
    Task,
}

impl Effect {
    /// What it happens to.
    #[must_use]
    pub fn victim(&self) -> Victim {
        match self {
            Self::Status { .. }
            | Self::Cut { .. }
            | Self::CutBody { .. }
            | Self::Slow { .. }
            | Self::ClockSkew { .. } => Victim::Request,
            Self::Item { .. } => Victim::AddedTask,
            Self::Resize { .. } => Victim::Pool,
            Self::StartTask { .. } | Self::Unusable {} => Victim::Node,
            Self::Lost { .. }
            | Self::Preempt { .. }
            | Self::ResourceFile { .. }
            | Self::OutputFile { .. } => Victim::Task,
        }
    }

    /// Whether it lets the request go on, so that another effect may come on top.
    pub(crate) fn is_beside_others(&self) -> bool {
        matches!(self, Self::Slow { .. } | Self::ClockSkew { .. })
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let one_of = |code: &str, codes: &[&str]| {
            if codes.contains(&code) {
                Ok(())
            } else {
                Err(format!("`{code}` is not one of {}", codes.join(", ")))
            }
        };
        match self {
            Self::Status { status, .. } if !(400..=599).contains(status) => {
                Err(format!("the status {status} is not 400 to 599"))
            }
            Self::StartTask { exit_code: 0 } => Err("the exit code 0 is no failure".to_owned()),
            Self::Resize { code, .. } => one_of(code, RESIZE_CODES),
            Self::ResourceFile { code } => one_of(code, RESOURCE_CODES),
            Self::OutputFile { code } => one_of(code, OUTPUT_CODES),
            _ => Ok(()),
        }
    }
}
