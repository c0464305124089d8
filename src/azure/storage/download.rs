//! Downloads blobs by ranges under one `ETag`: a cut is resumed where it happened, a blob that changes is an error.
//!
//! It does not know what a blob holds.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use azure_core::http::Etag;
use azure_core::http::headers::HeaderName;
use azure_storage_blob::models::{BlobClientDownloadOptions, HttpRange};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use md5::{Digest as _, Md5};

use crate::azure::error::{ErrorKind, Result, ServiceError};
use crate::azure::storage::pipeline::{service_error, streamed};
use crate::azure::storage::{BlobInfo, Storage, TransferError};
use crate::clock;

/// How a download is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownloadOptions {
    /// Bytes of a part.
    pub part_bytes: u64,
    /// Parts under way at once. Memory does not grow with the size of parts: they go to the file as they come.
    pub parallel: usize,
}

impl Default for DownloadOptions {
    /// 16 MiB × 4.
    fn default() -> Self {
        Self {
            part_bytes: 16 << 20,
            parallel: 4,
        }
    }
}

/// What a download did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes of the blob.
    pub bytes: u64,
    /// The version that was read.
    pub etag: String,
}

/// Where the bytes of an answer stand in the blob.
const CONTENT_RANGE: HeaderName = HeaderName::from_static("content-range");

type Transfer<T> = std::result::Result<T, TransferError>;

impl Storage {
    /// Downloads a blob to `path`, which appears whole or not at all; a file that is there is replaced.
    ///
    /// - `progress` is told how many more bytes have come.
    /// - Guarantee: the bytes are those of one version of the blob, as many as it has, and match its MD5 where it has
    ///   one. They are in `path` with `.part` added until then, which is removed on an error.
    ///
    /// # Errors
    /// [`TransferError`]: not found; changed meanwhile (412); cut more often than it is resumed; the file cannot be written.
    pub async fn download(
        &self,
        container: &str,
        name: &str,
        path: &Path,
        options: DownloadOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Transfer<Downloaded> {
        let info = self.blob_or_error(container, name).await?;
        let part_path = Partial::beside(path);
        let action =
            |what: &str, path: &Path| format!("{what} `{}` for blob `{name}`", path.display());
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&part_path.0)
            .map_err(|source| TransferError::Local {
                action: action("create", &part_path.0),
                source,
            })?;
        let file = Arc::new(file);
        let part_bytes = options.part_bytes.max(1);
        let (info, shared) = (&info, &file);
        stream::iter((0..info.bytes.div_ceil(part_bytes)).map(|index| index * part_bytes))
            .map(|start| {
                let range = start..info.bytes.min(start + part_bytes);
                self.read_range(container, info, range, move |at, bytes| {
                    shared.write_all_at(&bytes, at)?;
                    progress(u64::try_from(bytes.len()).unwrap_or(0));
                    Ok(())
                })
            })
            .buffer_unordered(options.parallel.max(1))
            .try_collect::<()>()
            .await?;
        self.check_md5(container, info, file, action("check", &part_path.0))
            .await?;
        std::fs::rename(&part_path.0, path).map_err(|source| TransferError::Local {
            action: action("rename to", path),
            source,
        })?;
        Ok(Downloaded {
            bytes: info.bytes,
            etag: info.etag.clone(),
        })
    }

    /// Downloads a blob to `out`, in order.
    ///
    /// - Guarantee: as [`download`](Self::download), but on an error `out` has got a first part of the blob.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    pub async fn download_to(
        &self,
        container: &str,
        name: &str,
        out: &mut (dyn Write + Send),
        progress: &(dyn Fn(u64) + Sync),
    ) -> Transfer<Downloaded> {
        let info = self.blob_or_error(container, name).await?;
        let mut md5 = Md5::new();
        self.read_range(container, &info, 0..info.bytes, |_, bytes| {
            md5.update(&bytes);
            out.write_all(&bytes)?;
            progress(u64::try_from(bytes.len()).unwrap_or(0));
            Ok(())
        })
        .await?;
        self.compare_md5(container, &info, &md5.finalize())?;
        Ok(Downloaded {
            bytes: info.bytes,
            etag: info.etag,
        })
    }

    async fn blob_or_error(&self, container: &str, name: &str) -> Result<BlobInfo> {
        self.get_blob_info(container, name).await?.ok_or_else(|| {
            let operation = operation(container, name);
            ServiceError::missing(
                &operation,
                self.endpoint().url(),
                "BlobNotFound",
                "there is no such blob",
            )
        })
    }

    /// Reads a range of one version of a blob into `sink`, in order; each byte once, whatever is cut.
    ///
    /// A try that brought something starts the count of failures anew: a bad line is slow, not an end.
    pub(super) async fn read_range(
        &self,
        container: &str,
        info: &BlobInfo,
        range: Range<u64>,
        mut sink: impl FnMut(u64, Bytes) -> io::Result<()> + Send,
    ) -> Transfer<()> {
        let operation = operation(container, &info.name);
        let client = self.blob(&operation, container, &info.name)?;
        let (mut at, mut failures, mut begun) = (range.start, 0, clock::instant());
        while at < range.end {
            let before = at;
            let options = BlobClientDownloadOptions {
                range: Some(HttpRange::new(at, range.end - at)),
                if_match: Some(Etag::from(info.etag.clone())),
                // One request for the whole range: parts are cut by our callers.
                partition_size: usize::try_from(range.end - at)
                    .ok()
                    .and_then(std::num::NonZero::new),
                parallel: std::num::NonZero::new(1),
                method_options: streamed(&operation),
                ..BlobClientDownloadOptions::default()
            };
            let answer = client.download(Some(options)).await;
            let answer = answer.map_err(|error| service_error(&operation, client.url(), error))?;
            if let Some(range) = answer.headers.get_optional_str(&CONTENT_RANGE)
                && !range.starts_with(&format!("bytes {at}-"))
            {
                let message =
                    format!("the answer holds `{range}`, not what was asked for from {at} on");
                return Err(unreadable(&operation, client.url(), message).into());
            }
            let mut body = answer.body;
            let cut = loop {
                match body.next().await {
                    Some(Ok(bytes)) => {
                        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                        if length > range.end - at {
                            let message = format!(
                                "more than the {} bytes asked for",
                                range.end - range.start
                            );
                            return Err(unreadable(&operation, client.url(), message).into());
                        }
                        sink(at, bytes).map_err(|source| TransferError::Local {
                            action: format!("write {length} bytes of blob `{}` at {at}", info.name),
                            source,
                        })?;
                        at += length;
                    }
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            };
            if at == range.end {
                break;
            }
            if at > before {
                (failures, begun) = (0, clock::instant());
            }
            failures += 1;
            let Some(delay) = self
                .retry()
                .delay(failures, begun.elapsed(), None, rand::random())
            else {
                let message = format!("cut at byte {at} of {}, {failures} times", info.bytes);
                let error = unreadable(&operation, client.url(), message);
                return Err(match cut {
                    Some(cause) => error.caused_by(cause).into(),
                    None => error.into(),
                });
            };
            clock::sleep(delay).await;
        }
        Ok(())
    }

    /// Reads a whole file back, on a thread that may wait, if the blob has an MD5 to compare with.
    async fn check_md5(
        &self,
        container: &str,
        info: &BlobInfo,
        file: Arc<File>,
        action: String,
    ) -> Transfer<()> {
        if info.content_md5.is_none() {
            return Ok(());
        }
        let digest = tokio::task::spawn_blocking(move || {
            let mut md5 = Md5::new();
            let (mut at, mut buffer) = (0, vec![0; 1 << 20]);
            loop {
                match file.read_at(&mut buffer, at)? {
                    0 => return Ok(md5.finalize()),
                    read => {
                        md5.update(&buffer[..read]);
                        at += u64::try_from(read).unwrap_or(u64::MAX);
                    }
                }
            }
        });
        let digest = digest
            .await
            .unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
        let digest = digest.map_err(|source| TransferError::Local { action, source })?;
        Ok(self.compare_md5(container, info, &digest)?)
    }

    fn compare_md5(&self, container: &str, info: &BlobInfo, found: &[u8]) -> Result<()> {
        if info
            .content_md5
            .as_deref()
            .is_none_or(|expected| expected == found)
        {
            return Ok(());
        }
        let message = "the bytes do not match the blob's MD5".to_owned();
        Err(unreadable(
            &operation(container, &info.name),
            self.endpoint().url(),
            message,
        ))
    }
}

fn operation(container: &str, name: &str) -> String {
    format!("download blob `{name}` of container `{container}`")
}

fn unreadable(operation: &str, url: &url::Url, message: String) -> ServiceError {
    ServiceError::local(ErrorKind::Unreadable, operation, url, message)
}

/// A file that is removed unless it was renamed away.
struct Partial(PathBuf);

impl Partial {
    fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        Self(PathBuf::from(name))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing to remove, and on an error nothing better to do.
        drop(std::fs::remove_file(&self.0));
    }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
