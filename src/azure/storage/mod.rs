//! Azure Blob Storage: containers, blobs, uploads by block, downloads by range.
//!
//! Requests are made and answers are read by the official crate `azure_storage_blob`; they are signed, sent and
//! repeated by `azure::transport`, so that Batch and Blob Storage fail, wait and report alike. SAS URLs are made in
//! `azure::sas` and never used for requests of our own.

mod account;
mod blobs;
mod connection;
mod containers;
mod download;
mod pipeline;
mod upload;

pub use account::Storage;
pub use blobs::{BlobInfo, BlobList};
pub use connection::{ConnectionError, StorageAccount};
pub use containers::{AccessPolicy, ContainerInfo};
pub use download::{DownloadOptions, Downloaded};
pub use upload::{UploadOptions, Uploaded};

use crate::azure::error::ServiceError;

/// Why bytes did not get from here to there.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The service's side.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// This machine's side.
    #[error("{action}")]
    Local {
        /// What was being done with which file.
        action: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
