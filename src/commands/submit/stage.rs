//! Step 2: the program and the shards become blobs that nodes can fetch.
//!
//! A blob is named after its shard and its place in it. Who may read it is decided in `session`.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::prepare::{Prepared, Source, check_unchanged};
use crate::azure::storage::{Storage, TransferError, UploadOptions};
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::Piece;
use crate::progress::{Narrator, Unit, size};

/// The program's blob.
pub(super) const PROGRAM_BLOB: &str = "topn";

/// Files under way at once: many small ones wait for answers, not for bandwidth.
const FILES_PARALLEL: usize = 8;

/// Blocks of one file under way at once: with all files 128 MiB of memory at most.
const UPLOAD: UploadOptions = UploadOptions {
    block_bytes: 8 << 20,
    parallel: 2,
};

/// Puts the files of a run into its containers.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    /// The account.
    pub(super) storage: &'a Storage,
    /// What is staged.
    pub(super) prepared: &'a Prepared,
    /// Where progress is told.
    pub(super) narrator: &'a Narrator,
    /// Whether blobs of an earlier try may be there already.
    pub(super) resumed: bool,
}

impl Stage<'_> {
    /// Uploads the program and every piece of every shard, then checks that no input changed meanwhile.
    ///
    /// # Errors
    /// Exit 9 when a file cannot be read or changed, others when the service refuses.
    pub(super) async fn everything(&self) -> Result<(), Failure> {
        let plan = &self.prepared.plan;
        let program = &self.prepared.program;
        let bytes: u64 = plan.shards.iter().map(|shard| shard.bytes()).sum();
        self.narrator.step(
            2,
            "stage",
            format_args!(
                "{} of text in {} shards, and topn ({})",
                size(bytes),
                plan.shards.len(),
                size(program.bytes)
            ),
        );
        let bar = self
            .narrator
            .bar("upload", bytes + program.bytes, Unit::Bytes);
        let progress = |more| bar.inc(more);
        let file = open(&program.path)?;
        let options = UPLOAD;
        self.storage
            .upload(
                &plan.run.app_container(),
                PROGRAM_BLOB,
                file,
                0..program.bytes,
                options,
                &progress,
            )
            .await
            .map_err(from_transfer)?;
        let container = plan.run.in_container();
        let there = self.already_there(&container).await?;
        let pieces = plan.shards.iter().flat_map(|shard| {
            shard
                .pieces
                .iter()
                .enumerate()
                .map(|(index, piece)| (format!("{}/{index:06}", shard.number), piece))
                .filter(|(name, piece)| there.get(name) != Some(&piece.bytes()))
        });
        stream::iter(pieces)
            .map(|(name, piece)| self.piece(&container, name, piece, &progress))
            .buffer_unordered(FILES_PARALLEL)
            .try_collect::<()>()
            .await?;
        bar.finish_and_clear();
        self.prepared.files.iter().try_for_each(check_unchanged)
    }

    /// Name and size of the blobs that an earlier try put there; a blob appears whole or not at all.
    async fn already_there(&self, container: &str) -> Result<HashMap<String, u64>, Failure> {
        if !self.resumed {
            return Ok(HashMap::new());
        }
        let blobs = self
            .storage
            .list_blobs(container, "")
            .await
            .map_err(from_service)?;
        Ok(blobs
            .into_iter()
            .map(|blob| (blob.name, blob.bytes))
            .collect())
    }

    async fn piece(
        &self,
        container: &str,
        name: String,
        piece: &Piece,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Failure> {
        let source: &Source = &self.prepared.files[piece.file_index];
        let file = open(&source.read_from)?;
        self.storage
            .upload(
                container,
                &name,
                file,
                piece.start..piece.end,
                UPLOAD,
                progress,
            )
            .await
            .map(drop)
            .map_err(|error| {
                from_transfer(error).context(format!("staging `{}`", source.file.path.display()))
            })
    }
}

fn open(path: &std::path::Path) -> Result<Arc<File>, Failure> {
    File::open(path).map(Arc::new).map_err(|error| {
        Failure::new(Exit::LocalIo, error).context(format!("opening `{}`", path.display()))
    })
}

/// The failure that an upload or a download ends a command with.
pub(super) fn from_transfer(error: TransferError) -> Failure {
    match error {
        TransferError::Service(error) => from_service(error),
        error @ TransferError::Local { .. } => Failure::new(Exit::LocalIo, error),
    }
}
