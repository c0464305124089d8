//! What the Blob service keeps: an index in memory, the bytes of blobs and blocks as files.
//!
//! It knows no HTTP. A blob is a list of extents, so committing blocks copies nothing; a file goes with the last blob or
//! reader that holds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use super::error::BlobError;
use super::policy::Policy;
use crate::emulator::stamp::Stamp;

/// Names (lower case, without `x-ms-meta-`) and values in the order of their names.
pub(super) type Metadata = BTreeMap<String, String>;

/// Containers by name.
pub(super) type Containers = BTreeMap<String, Container>;

/// Everything that the service keeps.
pub(super) struct Store {
    directory: PathBuf,
    next_file: AtomicU64,
    containers: Mutex<Containers>,
}

/// A container with its blobs and its uncommitted blocks.
pub(super) struct Container {
    pub(super) stamp: Stamp,
    pub(super) metadata: Metadata,
    pub(super) policies: Vec<Policy>,
    pub(super) blobs: BTreeMap<String, Entry>,
    /// Uncommitted blocks by blob name and block id.
    pub(super) staged: BTreeMap<String, BTreeMap<String, Extent>>,
}

/// A committed blob.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    pub(super) created: OffsetDateTime,
    pub(super) properties: Properties,
    pub(super) metadata: Metadata,
    /// The bytes, in order; with the id of the block for blobs made of blocks.
    pub(super) extents: Vec<(Option<String>, Extent)>,
    /// Headers that tell of the copy that made it.
    pub(super) copy: Vec<(&'static str, String)>,
}

/// What a blob's readers are told with its bytes.
#[derive(Clone, Default)]
pub(super) struct Properties {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) cache_control: Option<String>,
    /// MD5 of the whole blob in Base64.
    pub(super) content_md5: Option<String>,
}

/// A file's worth of bytes.
#[derive(Clone)]
pub(super) struct Extent {
    pub(super) file: Arc<DataFile>,
    pub(super) length: u64,
}

/// A file that is removed when nobody holds it any more.
pub(super) struct DataFile {
    path: PathBuf,
}

impl DataFile {
    /// Where the bytes are.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        // What stays goes with the service's directory.
        drop(std::fs::remove_file(&self.path));
    }
}

impl Entry {
    /// Bytes in the blob.
    pub(super) fn length(&self) -> u64 {
        self.extents.iter().map(|(_, extent)| extent.length).sum()
    }
}

impl Container {
    /// An empty container.
    pub(super) fn new(now: OffsetDateTime, metadata: Metadata) -> Self {
        Self {
            stamp: Stamp::new(now),
            metadata,
            policies: Vec::new(),
            blobs: BTreeMap::new(),
            staged: BTreeMap::new(),
        }
    }

    /// The blob `name`.
    ///
    /// # Errors
    /// `BlobNotFound`.
    pub(super) fn blob(&mut self, name: &str) -> Result<&mut Entry, BlobError> {
        self.blobs
            .get_mut(name)
            .ok_or_else(|| BlobError::of("BlobNotFound"))
    }
}

impl Store {
    /// An empty store whose files lie in `directory`.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            next_file: AtomicU64::new(0),
            containers: Mutex::new(BTreeMap::new()),
        }
    }

    /// All containers, locked; not to be held while waiting for anything.
    pub(super) fn lock(&self) -> MutexGuard<'_, Containers> {
        // Every change is made in one step, so a panic elsewhere leaves the index sound.
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A new file, not yet made.
    pub(super) fn new_file(&self) -> Arc<DataFile> {
        let number = self.next_file.fetch_add(1, Ordering::Relaxed);
        Arc::new(DataFile {
            path: self.directory.join(number.to_string()),
        })
    }
}

/// The container `name` of `containers`.
///
/// # Errors
/// `ContainerNotFound`.
pub(super) fn container<'a>(
    containers: &'a mut Containers,
    name: &str,
) -> Result<&'a mut Container, BlobError> {
    containers
        .get_mut(name)
        .ok_or_else(|| BlobError::of("ContainerNotFound"))
}
