//! Azure Blob Storage: containers, blobs, uploads by block, downloads by range.
//!
//! Requests are made and answers are read by the official crate `azure_storage_blob`; they are signed, sent and
//! repeated by `azure::transport`, so that Batch and Blob Storage fail, wait and report alike. SAS URLs are made in
//! `azure::sas` and never used for requests of our own.

mod account;
mod blobs;
mod conditional;
mod connection;
mod containers;
mod download;
mod pipeline;
mod transfer;
mod upload;

pub use account::Storage;
pub use blobs::{BlobInfo, BlobList};
pub use connection::{ConnectionError, StorageAccount};
pub use containers::{AccessPolicy, ContainerInfo};
pub use download::{DownloadOptions, Downloaded};
pub use transfer::TransferError;
pub use upload::{UploadOptions, Uploaded};
