//! The claim on a run: a small blob that says which client works on it, written anew as long as it does.
//!
//! There is no lease: a client that is gone leaves a claim that grows old, and the next takes it over by a conditional
//! write. So of two clients one goes on, and the other says so and touches nothing. Between processes of one machine the
//! lock of the record decides before this.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::azure::ServiceError;
use crate::azure::storage::Storage;
use crate::clock;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::{Narrator, seconds};

/// The claim's blob in `RUN-app`, to which no node can write.
const CLAIM_BLOB: &str = "claim.json";

/// More than any claim has.
const CLAIM_BYTES_MAX: usize = 4 << 10;

/// How often a client says that it is still there.
const BEAT: Duration = Duration::from_secs(30);

/// A client that was not heard of for so long is gone: five beats, so that a short outage is none.
const GONE_AFTER: time::Duration = time::Duration::seconds(150);

/// How often a claim is read that changes meanwhile.
const READ_TRIES: u32 = 5;

/// What is in the blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    version: u32,
    /// Whose it is: drawn by each process.
    client: String,
    /// When it was last there, by the clock of the service, RFC 3339.
    heard: String,
}

/// Why a claim does not hold any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Another client works on the run.
    Taken,
    /// The run's containers are gone.
    Removed,
}

impl Lost {
    /// What the command ends with.
    pub(crate) fn failure(self, run: &RunId) -> Failure {
        match self {
            Self::Taken => Failure::message(
                Exit::Other,
                format_args!(
                    "run {run} was taken over by another client, which finishes it; nothing was removed"
                ),
            ),
            Self::Removed => Failure::message(
                Exit::Other,
                format_args!("run {run} was removed by another client: its containers are gone"),
            ),
        }
    }
}

/// A claim that this process holds.
#[derive(Debug)]
pub(crate) struct Claim {
    storage: Storage,
    run: RunId,
    client: String,
    /// The blob's version as this process wrote it.
    etag: Mutex<String>,
}

impl Claim {
    /// Claims `run`, whose `RUN-app` is there, for this process.
    ///
    /// - `own`: the file in which this machine keeps every client that it was. A claim of one of those is that of a process
    ///   which is gone, since this one has the record's lock.
    ///
    /// # Errors
    /// Exit 1 while another client is there, 9 when `own` cannot be written, others when the service refuses.
    pub(crate) async fn take(storage: &Storage, run: &RunId, own: &Path) -> Result<Self, Failure> {
        let client = uuid::Uuid::new_v4().simple().to_string();
        // Before the claim: whatever becomes of this process, the next one here knows that it was.
        note_own(own, &client).map_err(|error| {
            Failure::new(Exit::LocalIo, error).context(format!("writing `{}`", own.display()))
        })?;
        let claim = Self {
            storage: storage.clone(),
            run: run.clone(),
            client,
            etag: Mutex::default(),
        };
        let content = claim.content().await.map_err(from_service)?;
        let container = run.app_container();
        match storage
            .create_blob(&container, CLAIM_BLOB, content.clone())
            .await
        {
            Ok(_) => claim.remember_version().await.map_err(from_service)?,
            Err(error) if error.is_conflict("BlobAlreadyExists") => {
                // The version first: a claim that is renewed after it was read is not overwritten.
                claim.remember_version().await.map_err(from_service)?;
                let found = Found::read(storage, run).await?;
                if let Some(found) = found.filter(|found| found.is_anothers(own)) {
                    return Err(found.failure(run));
                }
                if !claim.write(content).await.map_err(from_service)? {
                    let message = format!("another client took run {run} in the same moment");
                    return Err(Failure::message(Exit::Other, message));
                }
            }
            Err(error) => return Err(from_service(error)),
        }
        Ok(claim)
    }

    /// Says from time to time that this process is there, until it is not the one that works on the run.
    ///
    /// A service that cannot be reached ends nothing: whether the claim still holds shows when it is back.
    pub(crate) async fn keep(&self, narrator: &Narrator) -> Lost {
        loop {
            clock::sleep(BEAT).await;
            match self.renew().await {
                Ok(None) => {}
                Ok(Some(lost)) => return lost,
                Err(error) => narrator.detail(format_args!("claim: {error}")),
            }
        }
    }

    /// Says once that this process is there; why it does not hold the claim, if it does not.
    ///
    /// # Errors
    /// What the service refuses: then it is not known.
    pub(crate) async fn renew(&self) -> Result<Option<Lost>, ServiceError> {
        let content = self.content().await?;
        if self.write(content).await? {
            return Ok(None);
        }
        let there = self
            .storage
            .get_container_metadata(&self.run.app_container())
            .await?;
        Ok(Some(if there.is_some() {
            Lost::Taken
        } else {
            Lost::Removed
        }))
    }

    /// Lets go: the next client need not wait.
    pub(crate) async fn release(&self, narrator: &Narrator) {
        if let Err(error) = self
            .storage
            .delete_blob(&self.run.app_container(), CLAIM_BLOB)
            .await
        {
            narrator.detail(format_args!("claim: {error}"));
        }
    }

    async fn content(&self) -> Result<Bytes, ServiceError> {
        let heard = self.storage.get_server_time().await?;
        let said = Said {
            version: 1,
            client: self.client.clone(),
            heard: heard.format(&Rfc3339).unwrap_or_default(),
        };
        // Text is always JSON.
        Ok(serde_json::to_vec(&said).unwrap_or_default().into())
    }

    /// Writes over the version that is known; whether it was still there.
    async fn write(&self, content: Bytes) -> Result<bool, ServiceError> {
        let known = self
            .etag
            .lock()
            .map(|etag| etag.clone())
            .unwrap_or_default();
        let replaced = self
            .storage
            .replace_blob(&self.run.app_container(), CLAIM_BLOB, content, &known)
            .await?;
        let Some(etag) = replaced else {
            return Ok(false);
        };
        self.set_version(etag);
        Ok(true)
    }

    async fn remember_version(&self) -> Result<(), ServiceError> {
        let info = self
            .storage
            .get_blob_info(&self.run.app_container(), CLAIM_BLOB)
            .await?;
        self.set_version(info.map(|info| info.etag).unwrap_or_default());
        Ok(())
    }

    fn set_version(&self, etag: String) {
        if let Ok(mut known) = self.etag.lock() {
            *known = etag;
        }
    }
}

/// Adds `client` to the file `own`.
fn note_own(own: &Path, client: &str) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(own)?;
    // A line that a kill cut must not run into this one.
    file.write_all(format!("\n{client}\n").as_bytes())?;
    file.sync_data()
}

/// A claim that is there.
#[derive(Debug)]
pub(crate) struct Found {
    /// Whose it is.
    client: String,
    /// How long ago it was heard of.
    age: time::Duration,
}

impl Found {
    /// The claim on `run`; nothing when nobody claims it.
    ///
    /// # Errors
    /// What the service refuses.
    pub(crate) async fn read(storage: &Storage, run: &RunId) -> Result<Option<Self>, Failure> {
        let container = run.app_container();
        let mut tries = 0;
        let blob = loop {
            tries += 1;
            let read = storage.get_blob(&container, CLAIM_BLOB, CLAIM_BYTES_MAX);
            match read.await {
                // It was renewed while it was read.
                Err(error) if error.status() == Some(412) && tries < READ_TRIES => {}
                blob => break blob.map_err(from_service)?,
            }
        };
        let Some(bytes) = blob else {
            return Ok(None);
        };
        let now = storage.get_server_time().await.map_err(from_service)?;
        // What is no claim was not written by a client: nobody is there.
        let said = serde_json::from_slice::<Said>(&bytes).ok();
        let heard = said
            .as_ref()
            .and_then(|said| OffsetDateTime::parse(&said.heard, &Rfc3339).ok());
        Ok(said.zip(heard).map(|(said, heard)| Self {
            client: said.client,
            age: now - heard,
        }))
    }

    /// Whether its client is there and none of those in the file `own`, which this machine was.
    pub(crate) fn is_anothers(&self, own: &Path) -> bool {
        let own = std::fs::read_to_string(own).unwrap_or_default();
        self.age < GONE_AFTER && own.lines().all(|client| client != self.client)
    }

    /// What a second client ends with.
    pub(crate) fn failure(&self, run: &RunId) -> Failure {
        let age = seconds(Duration::try_from(self.age).unwrap_or_default());
        let gone = seconds(Duration::try_from(GONE_AFTER).unwrap_or_default());
        Failure::message(
            Exit::Other,
            format_args!("another client works on run {run}: it was heard of {age} ago"),
        )
        .hint(format!(
            "fanout watch {run} follows it, fanout cancel {run} ends it; after {gone} of silence it can be taken over"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(client: &str, seconds: i64) -> Found {
        Found {
            client: client.to_owned(),
            age: time::Duration::seconds(seconds),
        }
    }

    #[test]
    fn a_claim_is_anothers_unless_it_is_old_or_this_machine_was_it() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("clients");
        assert!(found("a", 0).is_anothers(&own));
        assert!(found("a", 149).is_anothers(&own));
        assert!(!found("a", 150).is_anothers(&own));
        // Cut by a kill, then gone on with.
        std::fs::write(&own, "b\nc").unwrap();
        note_own(&own, "a").unwrap();
        for client in ["a", "b"] {
            assert!(!found(client, 0).is_anothers(&own), "{client}");
        }
        assert!(found("ca", 0).is_anothers(&own));
    }
}
