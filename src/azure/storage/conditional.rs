//! Blobs that are written only as the first, or only over the version that was read: so that two clients do not
//! overwrite each other.
//!
//! What they hold is up to their users. A write whose outcome is unknown is found out by reading.

use std::num::NonZero;

use azure_core::http::Etag;
use azure_storage_blob::models::BlockBlobClientUploadOptions;
use bytes::{Bytes, BytesMut};

use crate::azure::error::{Creation, ErrorKind, Result, ServiceError};
use crate::azure::storage::Storage;
use crate::azure::storage::blobs::PUT_MAX_BYTES;
use crate::azure::storage::pipeline::{labelled, service_error};

impl Storage {
    /// Put Blob, only if there is none of this name. One that is there with the same content counts as made.
    ///
    /// - `content`: at most 64 MiB; with something in it that no other client writes, it tells whose blob it is.
    ///
    /// # Errors
    /// [`ServiceError`]: a conflict `BlobAlreadyExists` if there is one with other content.
    pub async fn create_blob(
        &self,
        container: &str,
        name: &str,
        content: Bytes,
    ) -> Result<Creation> {
        let operation = format!("create blob `{name}` of container `{container}`");
        let only_new = BlockBlobClientUploadOptions::default().if_not_exists();
        let Err(error) = self
            .put(&operation, container, name, content.clone(), only_new)
            .await
        else {
            return Ok(Creation::New);
        };
        if is_doubtful(&error) && self.version_with(container, name, &content).await.is_some() {
            return Ok(Creation::Existed);
        }
        // The service says 409; another that takes the condition at its word says 412.
        Err(if error.status() == Some(412) {
            error.with_code(409, "BlobAlreadyExists")
        } else {
            error
        })
    }

    /// Put Blob, only over the version `etag`. Gives the version that is there then, or nothing if the blob was changed or
    /// deleted meanwhile, and then changes nothing.
    ///
    /// - `content`: at most 64 MiB.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn replace_blob(
        &self,
        container: &str,
        name: &str,
        content: Bytes,
        etag: &str,
    ) -> Result<Option<String>> {
        let operation = format!("replace blob `{name}` of container `{container}`");
        let only_over = BlockBlobClientUploadOptions {
            if_match: Some(Etag::from(etag)),
            ..BlockBlobClientUploadOptions::default()
        };
        let error = match self
            .put(&operation, container, name, content.clone(), only_over)
            .await
        {
            Ok(etag) => return Ok(Some(etag)),
            Err(error) => error,
        };
        let repeated = error.attempts() > 1 || error.kind() == ErrorKind::NotAnswered;
        if repeated && is_doubtful(&error) {
            let found = self.version_with(container, name, &content).await;
            if found.is_some() {
                return Ok(found);
            }
        }
        match error.status() {
            Some(412 | 404) => Ok(None),
            _ => Err(error),
        }
    }

    /// Put Blob in one request; gives the new version.
    pub(super) async fn put(
        &self,
        operation: &str,
        container: &str,
        name: &str,
        content: Bytes,
        options: BlockBlobClientUploadOptions<'_>,
    ) -> Result<String> {
        let client = self.blob(operation, container, name)?.block_blob_client();
        if content.len() > PUT_MAX_BYTES {
            let message = format!(
                "{} bytes in one request, at most {PUT_MAX_BYTES} are sent",
                content.len()
            );
            return Err(ServiceError::local(
                ErrorKind::NotSent,
                operation,
                client.url(),
                message,
            ));
        }
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX).max(1);
        let options = BlockBlobClientUploadOptions {
            // As long as the content: one request.
            partition_size: NonZero::new(size),
            method_options: labelled(operation),
            ..options
        };
        let done = client.upload(content.into(), Some(options)).await;
        let done = done.map_err(|error| service_error(operation, client.url(), error))?;
        done.etag.map(|etag| etag.to_string()).ok_or_else(|| {
            let message = "the answer has no `ETag`".to_owned();
            ServiceError::local(ErrorKind::Unreadable, operation, client.url(), message)
        })
    }

    /// The version of a blob, if it can be read and holds `content`.
    async fn version_with(&self, container: &str, name: &str, content: &Bytes) -> Option<String> {
        let info = self.get_blob_info(container, name).await.ok()??;
        let mut found = BytesMut::new();
        if info.bytes != u64::try_from(content.len()).ok()? {
            return None;
        }
        let read = self.read_range(container, &info, 0..info.bytes, |_, bytes| {
            found.extend_from_slice(&bytes);
            Ok(())
        });
        read.await.ok()?;
        (found == content).then_some(info.etag)
    }
}

/// Whether a write that ended so may have been done, by this client, before.
fn is_doubtful(error: &ServiceError) -> bool {
    error.kind() == ErrorKind::NotAnswered
        || error
            .status()
            .is_some_and(|s| s == 409 || s == 412 || s >= 500)
}
