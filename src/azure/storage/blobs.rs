//! Single blobs: small ones put and got whole, properties, lists, deletes.
//!
//! Files go through `upload` and `download`.

use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobClientGetPropertiesOptions,
    BlobClientGetPropertiesResultHeaders as _, BlobContainerClientListBlobsOptions,
    BlockBlobClientUploadOptions,
};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, TryStreamExt as _};

use crate::azure::error::{ErrorKind, Result, ServiceError};
use crate::azure::storage::pipeline::{labelled, service_error};
use crate::azure::storage::{Storage, TransferError};

/// The largest blob that is put in one request; the service takes more, but repeats would be dear.
pub(super) const PUT_MAX_BYTES: usize = 64 << 20;

/// What is known of a blob without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name in its container.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its version: changes with every write.
    pub etag: String,
    /// The MD5 of its content, where its writer gave one.
    pub content_md5: Option<Vec<u8>>,
}

/// The blobs of one page.
pub type BlobList = Vec<BlobInfo>;

impl Storage {
    /// Put Blob: makes or replaces a block blob with `content`, which travels and is kept with its MD5.
    ///
    /// - `content`: at most 64 MiB.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn put_blob(&self, container: &str, name: &str, content: Bytes) -> Result<()> {
        let operation = format!("put blob `{name}` of container `{container}`");
        self.put(
            &operation,
            container,
            name,
            content,
            BlockBlobClientUploadOptions::default(),
        )
        .await
        .map(drop)
    }

    /// Get Blob Properties; nothing if there is no such blob or container.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn get_blob_info(&self, container: &str, name: &str) -> Result<Option<BlobInfo>> {
        let operation = format!("look for blob `{name}` of container `{container}`");
        let client = self.blob(&operation, container, name)?;
        let to_error = |error| service_error(&operation, client.url(), error);
        let options = BlobClientGetPropertiesOptions {
            method_options: labelled(&operation),
            ..BlobClientGetPropertiesOptions::default()
        };
        let found = match client.get_properties(Some(options)).await.map_err(to_error) {
            Ok(found) => found,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let missing = |what: &str| {
            let message = format!("the answer has no `{what}`");
            ServiceError::local(ErrorKind::Unreadable, &operation, client.url(), message)
        };
        Ok(Some(BlobInfo {
            name: name.to_owned(),
            bytes: found
                .content_length()
                .map_err(to_error)?
                .ok_or_else(|| missing("Content-Length"))?,
            etag: found
                .etag()
                .map_err(to_error)?
                .ok_or_else(|| missing("ETag"))?
                .to_string(),
            content_md5: found.content_md5().map_err(to_error)?,
        }))
    }

    /// Get Blob: a whole small blob; nothing if there is no such blob or container.
    ///
    /// # Errors
    /// [`ServiceError`], also when the blob has more than `bytes_max` bytes.
    pub async fn get_blob(
        &self,
        container: &str,
        name: &str,
        bytes_max: usize,
    ) -> Result<Option<Bytes>> {
        let Some(info) = self.get_blob_info(container, name).await? else {
            return Ok(None);
        };
        let operation = format!("get blob `{name}` of container `{container}`");
        let max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        if info.bytes > max {
            let message = format!(
                "the blob has {} bytes, at most {bytes_max} are read",
                info.bytes
            );
            return Err(ServiceError::local(
                ErrorKind::Unreadable,
                &operation,
                self.endpoint().url(),
                message,
            ));
        }
        let mut content = BytesMut::with_capacity(usize::try_from(info.bytes).unwrap_or(0));
        let read = self.read_range(container, &info, 0..info.bytes, |_, bytes| {
            content.extend_from_slice(&bytes);
            Ok(())
        });
        match read.await {
            Ok(()) => Ok(Some(content.freeze())),
            Err(TransferError::Service(error)) => Err(error),
            // Memory does not fail as a file does.
            Err(TransferError::Local { source, .. }) => {
                let message = "the blob could not be kept".to_owned();
                let url = self.endpoint().url();
                Err(
                    ServiceError::local(ErrorKind::Unreadable, &operation, url, message)
                        .caused_by(source),
                )
            }
        }
    }

    /// List Blobs whose names begin with `prefix`, in order, all pages.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn list_blobs(&self, container: &str, prefix: &str) -> Result<BlobList> {
        let mut pages = std::pin::pin!(self.list_blob_pages(container, prefix, None)?);
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            all.extend(page?);
        }
        Ok(all)
    }

    /// The same, a page at a time, so that memory does not grow with the container.
    ///
    /// - `page_max`: blobs of a page, 1 to 5000; the service decides if not given.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn list_blob_pages(
        &self,
        container: &str,
        prefix: &str,
        page_max: Option<u16>,
    ) -> Result<impl Stream<Item = Result<BlobList>> + Send + use<>> {
        let operation = format!("list blobs of container `{container}` that begin with `{prefix}`");
        let client = self.container(&operation, container)?;
        let url = client.url().clone();
        let options = BlobContainerClientListBlobsOptions {
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
            maxresults: page_max.map(i32::from),
            method_options: azure_core::http::pager::PagerOptions {
                context: labelled(&operation).context,
                ..azure_core::http::pager::PagerOptions::default()
            },
            ..BlobContainerClientListBlobsOptions::default()
        };
        let pages = client
            .list_blobs(Some(options))
            .map_err(|error| service_error(&operation, &url, error))?
            .into_pages();
        Ok(pages
            .and_then(|page| async move { page.into_model() })
            .map_ok(|page| page.blob_items.into_iter().map(info).collect())
            .map_err(move |error| service_error(&operation, &url, error)))
    }

    /// Delete Blob. One that is not there counts as deleted.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn delete_blob(&self, container: &str, name: &str) -> Result<()> {
        let operation = format!("delete blob `{name}` of container `{container}`");
        let client = self.blob(&operation, container, name)?;
        let options = BlobClientDeleteOptions {
            method_options: labelled(&operation),
            ..BlobClientDeleteOptions::default()
        };
        match client.delete(Some(options)).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = service_error(&operation, client.url(), error);
                if error.is_not_found() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }
}

fn info(item: azure_storage_blob::models::BlobItem) -> BlobInfo {
    let properties = item.properties.unwrap_or_default();
    BlobInfo {
        name: item.name.unwrap_or_default(),
        bytes: properties.content_length.unwrap_or(0),
        etag: properties.etag.map(|e| e.to_string()).unwrap_or_default(),
        content_md5: properties.content_md5,
    }
}
