//! The record of a run as its session keeps it: each step noted before and after, a copy beside the program.
//!
//! A run on the embedded service has none: it ends with its process.

use std::fs::File;
use std::sync::Arc;

use super::stage::from_transfer;
use crate::azure::storage::{Storage, UploadOptions};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::record::{Event, Journal, RecordError, Recorded, StateDirectory, Step};

/// The copy's blob in `RUN-app`, to which no node can write.
pub(crate) const RECORD_BLOB: &str = "record.ndjson";

/// What is written of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Where the run keeps its files, and its record.
    kept: Option<(StateDirectory, Journal)>,
    /// What was recorded before this process.
    before: Option<Recorded>,
}

impl Ledger {
    /// No record at all.
    pub(crate) fn none() -> Self {
        Self {
            kept: None,
            before: None,
        }
    }

    /// The record `journal` in `state`, of which `before` was written by an earlier process.
    pub(crate) fn new(state: StateDirectory, journal: Journal, before: Option<Recorded>) -> Self {
        Self {
            kept: Some((state, journal)),
            before,
        }
    }

    /// Where merged partials are kept.
    pub(crate) fn state(&self) -> Option<&StateDirectory> {
        self.kept.as_ref().map(|(state, _)| state)
    }

    /// Whether an earlier process did `step`.
    pub(crate) fn was_done(&self, step: Step) -> bool {
        self.before
            .as_ref()
            .is_some_and(|before| before.is_done(step))
    }

    /// Whether an earlier process began `step`.
    pub(crate) fn was_begun(&self, step: Step) -> bool {
        self.before
            .as_ref()
            .is_some_and(|before| before.is_begun(step))
    }

    /// Whether an earlier process worked on the run.
    pub(crate) fn is_resumed(&self) -> bool {
        self.before.is_some()
    }

    /// Does `step`, noted on disk before and after.
    pub(crate) async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.note(&Event::Begun { step })?;
        let done = work.await?;
        self.note(&Event::Done { step })?;
        Ok(done)
    }

    /// Notes `event` on disk.
    pub(crate) fn note(&self, event: &Event) -> Result<(), Failure> {
        let noted = self
            .kept
            .as_ref()
            .map_or(Ok(()), |(_, journal)| journal.append(event));
        noted.map_err(from_record)
    }

    /// Puts a copy of the record beside the program of `run`, for other machines.
    pub(crate) async fn copy(&self, storage: &Storage, run: &RunId) -> Result<(), Failure> {
        let Some((_, journal)) = &self.kept else {
            return Ok(());
        };
        let open = || {
            let file = File::open(journal.path())?;
            let bytes = file.metadata()?.len();
            Ok((Arc::new(file), bytes))
        };
        let (file, bytes) = open().map_err(|error: std::io::Error| {
            Failure::new(Exit::LocalIo, error).context("reading the record")
        })?;
        storage
            .upload(
                &run.app_container(),
                RECORD_BLOB,
                file,
                0..bytes,
                UploadOptions::default(),
                &|_| (),
            )
            .await
            .map(drop)
            .map_err(from_transfer)
    }
}

/// The failure that a record ends a command with.
pub(crate) fn from_record(error: RecordError) -> Failure {
    let exit = match &error {
        RecordError::File { .. } => Exit::LocalIo,
        _ => Exit::Other,
    };
    Failure::message(
        exit,
        format_args!("failed to {:#}", anyhow::Error::new(error)),
    )
}
