//! The two services of an account, ready to be asked.

use crate::azure::RetryPolicy;
use crate::azure::batch::Batch;
use crate::azure::storage::Storage;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::settings::Services;

/// Clients of Batch and Storage.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// Pools, jobs, tasks.
    pub(crate) batch: Batch,
    /// Containers and blobs.
    pub(crate) storage: Storage,
}

impl Clients {
    /// Clients of `services`. Nothing is connected yet.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub(crate) fn new(services: &Services) -> Result<Self, Failure> {
        let retry = RetryPolicy::default();
        let (batch, storage) = (services.batch.clone(), services.storage.clone());
        Ok(Self {
            batch: Batch::new(batch.endpoint, batch.key, retry.clone()).map_err(from_service)?,
            storage: Storage::new(&storage.endpoint, storage.key, retry).map_err(from_service)?,
        })
    }
}
