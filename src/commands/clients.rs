//! The two services of an account, ready to be asked.

use std::time::Duration;

use crate::azure::batch::Batch;
use crate::azure::storage::Storage;
use crate::azure::{Observer, RetryPolicy, Tried};
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::progress::{Narrator, seconds};
use crate::settings::Services;

/// From this on a wait before another try is told without being asked.
const WAIT_TOLD: Duration = Duration::from_secs(3);

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

    /// The same clients; requests that are repeated are told to `narrator`.
    ///
    /// # Errors
    /// When a client cannot be set up anew.
    pub(crate) fn told_to(self, narrator: &Narrator) -> Result<Self, Failure> {
        let narrator = narrator.clone();
        let observer = Observer::new(move |tried| tell(&narrator, tried));
        Ok(Self {
            batch: self.batch.observed_by(observer.clone()),
            storage: self.storage.observed_by(observer).map_err(from_service)?,
        })
    }
}

/// Says that a service is slow to be reached, when a person would begin to wonder; the rest is detail.
fn tell(narrator: &Narrator, tried: &Tried<'_>) {
    let (Some(trouble), Some(next_in)) = (tried.trouble, tried.next_in) else {
        return;
    };
    if next_in >= WAIT_TOLD {
        let wait = seconds(next_in);
        narrator.warn(format_args!(
            "{}: {trouble}; again in {wait}",
            tried.operation
        ));
    } else {
        narrator.detail(tried);
    }
}
