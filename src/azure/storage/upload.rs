//! Uploads a part of a file as one blob: blocks in parallel, each with its MD5, memory bounded.
//!
//! It does not cut files into shards, and a file that changes meanwhile is for its caller to notice.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use azure_storage_blob::clients::BlockBlobClient;
use azure_storage_blob::models::{
    BlobClientUploadOptions, BlockBlobClientCommitBlockListOptions,
    BlockBlobClientGetBlockListOptions, BlockBlobClientStageBlockOptions, BlockListType,
    BlockLookupList,
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use md5::{Digest as _, Md5};

use crate::azure::error::{Result, ServiceError};
use crate::azure::storage::pipeline::{labelled, service_error, with_md5};
use crate::azure::storage::{Storage, TransferError};

/// Blocks that a blob can have.
const BLOCKS_MAX: u64 = 50_000;
/// How often a block that arrives damaged is sent again.
const DAMAGED_MAX: u32 = 3;

/// How an upload is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadOptions {
    /// Bytes of a block; more where a blob would have more than 50 000 of them.
    pub block_bytes: u64,
    /// Blocks under way at once. Memory is about `block_bytes` × `parallel`.
    pub parallel: usize,
}

impl Default for UploadOptions {
    /// 8 MiB × 4: few enough requests that latency does not count, 32 MiB of memory.
    fn default() -> Self {
        Self {
            block_bytes: 8 << 20,
            parallel: 4,
        }
    }
}

/// What an upload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Bytes of the blob.
    pub bytes: u64,
    /// Blocks that they were cut into.
    pub block_count: u64,
    /// Blocks of them that an earlier upload, which did not come to its end, had left there.
    pub found_count: u64,
}

impl Storage {
    /// Puts `length` bytes of `file` from `offset` on as blob `name`, replacing one that is there.
    ///
    /// - `progress` is told how many more bytes have arrived, after each block.
    /// - Guarantee: the blob is there whole or not at all; each block is checked by the service against its MD5.
    /// - Blocks that an upload of the same bytes left when it was interrupted are not sent again.
    /// - The position of `file` is not used or moved.
    ///
    /// # Errors
    /// [`TransferError`]: the file ends early or cannot be read, or the service refused.
    pub async fn upload(
        &self,
        container: &str,
        name: &str,
        file: Arc<File>,
        range: std::ops::Range<u64>,
        options: UploadOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> std::result::Result<Uploaded, TransferError> {
        let operation = format!("upload blob `{name}` of container `{container}`");
        let length = range.end.saturating_sub(range.start);
        let block_bytes = options
            .block_bytes
            .clamp(1, 4000 << 20)
            .max(length.div_ceil(BLOCKS_MAX));
        let client = self.blob(&operation, container, name)?.block_blob_client();
        if length <= block_bytes {
            let (content, md5) = read_block(file, range.start, length, name).await?;
            put_whole(&client, &operation, content, md5).await?;
            progress(length);
            return Ok(Uploaded {
                bytes: length,
                block_count: 1,
                found_count: 0,
            });
        }
        let block_count = length.div_ceil(block_bytes);
        let (client, operation) = (&client, operation.as_str());
        let there = list_staged(client, operation).await?;
        let (there, found_count) = (&there, &AtomicU64::new(0));
        let mut staged: Vec<(u64, Vec<u8>)> = stream::iter(0..block_count)
            .map(|index| {
                let file = Arc::clone(&file);
                async move {
                    let start = range.start + index * block_bytes;
                    let bytes = block_bytes.min(range.end - start);
                    let (content, md5) = read_block(file, start, bytes, name).await?;
                    let id = block_id(index, &md5);
                    if there.contains(&(id.clone(), bytes)) {
                        found_count.fetch_add(1, Ordering::Relaxed);
                    } else {
                        stage(client, operation, &id, content, md5).await?;
                    }
                    progress(bytes);
                    Ok::<_, TransferError>((index, id))
                }
            })
            .buffer_unordered(options.parallel.max(1))
            .try_collect()
            .await?;
        staged.sort_unstable();
        let list = BlockLookupList {
            latest: Some(staged.into_iter().map(|(_, id)| id).collect()),
            ..BlockLookupList::default()
        };
        let to_error = |error| service_error(operation, client.url(), error);
        let commit = BlockBlobClientCommitBlockListOptions {
            method_options: labelled(operation),
            ..BlockBlobClientCommitBlockListOptions::default()
        };
        client
            .commit_block_list(list.try_into().map_err(to_error)?, Some(commit))
            .await
            .map_err(to_error)?;
        Ok(Uploaded {
            bytes: length,
            block_count,
            found_count: found_count.load(Ordering::Relaxed),
        })
    }
}

/// The name of a block: its index and MD5, so that blocks of different content never share one.
fn block_id(index: u64, md5: &[u8; 16]) -> Vec<u8> {
    [&index.to_be_bytes()[..], md5].concat()
}

/// The blocks, with their sizes, that an earlier upload staged and did not commit.
async fn list_staged(client: &BlockBlobClient, operation: &str) -> Result<HashSet<(Vec<u8>, u64)>> {
    let options = BlockBlobClientGetBlockListOptions {
        method_options: labelled(operation),
        ..BlockBlobClientGetBlockListOptions::default()
    };
    let to_error = |error| service_error(operation, client.url(), error);
    let list = match client
        .get_block_list(BlockListType::Uncommitted, Some(options))
        .await
        .map_err(to_error)
    {
        Ok(answer) => answer.into_model().map_err(to_error)?,
        // Nothing was staged: there is no such blob, or no such container, which staging will say.
        Err(error) if error.is_not_found() => return Ok(HashSet::new()),
        Err(error) => return Err(error),
    };
    let blocks = list.uncommitted_blocks.unwrap_or_default().into_iter();
    Ok(blocks
        .filter_map(|block| Some((block.name?, u64::try_from(block.size?).ok()?)))
        .collect())
}

/// Sends a block.
async fn stage(
    client: &BlockBlobClient,
    operation: &str,
    id: &[u8],
    content: Bytes,
    md5: [u8; 16],
) -> Result<()> {
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let mut tries = 1;
    loop {
        let options = BlockBlobClientStageBlockOptions {
            method_options: with_md5(operation, md5),
            ..BlockBlobClientStageBlockOptions::default()
        };
        let body = content.clone().into();
        match client.stage_block(id, length, body, Some(options)).await {
            Ok(_) => return Ok(()),
            Err(error) => damaged(service_error(operation, client.url(), error), tries)?,
        }
        tries += 1;
    }
}

/// Sends a blob of one block.
async fn put_whole(
    client: &BlockBlobClient,
    operation: &str,
    content: Bytes,
    md5: [u8; 16],
) -> Result<()> {
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX).max(1);
    let mut tries = 1;
    loop {
        let options = BlobClientUploadOptions {
            // As long as the content: one request.
            partition_size: std::num::NonZero::new(length),
            method_options: with_md5(operation, md5),
            ..BlobClientUploadOptions::default()
        };
        match client.upload(content.clone().into(), Some(options)).await {
            Ok(_) => return Ok(()),
            Err(error) => damaged(service_error(operation, client.url(), error), tries)?,
        }
        tries += 1;
    }
}

/// Passes over what the service says arrived damaged, a few times.
fn damaged(error: ServiceError, tries: u32) -> Result<()> {
    if error.is_code("Md5Mismatch") && tries < DAMAGED_MAX {
        Ok(())
    } else {
        Err(error)
    }
}

/// Reads a block and its MD5 on a thread that may wait.
async fn read_block(
    file: Arc<File>,
    offset: u64,
    bytes: u64,
    name: &str,
) -> std::result::Result<(Bytes, [u8; 16]), TransferError> {
    let action = format!("read {bytes} bytes from {offset} on for blob `{name}`");
    let length = usize::try_from(bytes).unwrap_or(usize::MAX);
    let read = tokio::task::spawn_blocking(move || {
        let mut block = vec![0; length];
        file.read_exact_at(&mut block, offset)?;
        let md5 = Md5::digest(&block).into();
        Ok((Bytes::from(block), md5))
    });
    match read.await {
        Ok(Ok(block)) => Ok(block),
        Ok(Err(source)) => Err(TransferError::Local { action, source }),
        Err(panicked) => Err(TransferError::Local {
            action,
            source: std::io::Error::other(panicked),
        }),
    }
}
