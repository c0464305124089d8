//! The client of one storage account: its endpoint, the official clients, the service's clock.
//!
//! Operations are in `containers`, `blobs`, `upload` and `download`.

use std::sync::Arc;

use azure_storage_blob::clients::{
    BlobClient, BlobClientOptions, BlobContainerClient, BlobServiceClient, BlobServiceClientOptions,
};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use time::OffsetDateTime;

use crate::azure::auth::{Dialect, SharedKey};
use crate::azure::endpoint::Endpoint;
use crate::azure::error::{ErrorKind, Result, ServiceError};
use crate::azure::message::{Answer, Request};
use crate::azure::observer::Observer;
use crate::azure::retry::RetryPolicy;
use crate::azure::sas::{SasUrl, Target, Terms, service_sas};
use crate::azure::storage::pipeline::{client_options, service_error};
use crate::azure::transport::{Transport, server_time};

/// The version that every request names: it has all that is used here, and every emulator knows it.
const VERSION: &str = "2022-11-02";

/// A client of one storage account's Blob service. Cloning shares connections.
#[derive(Clone, Debug)]
pub struct Storage(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    transport: Transport,
    service: BlobServiceClient,
    blob_options: BlobClientOptions,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage")
            .field("endpoint", &self.endpoint)
            .field("key", self.transport.key())
            .finish()
    }
}

impl Storage {
    /// A client of the account of `key` at `endpoint`, which gets the account as its path where an address is given.
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(endpoint: &Endpoint, key: SharedKey, retry: RetryPolicy) -> Result<Self> {
        let endpoint = endpoint.with_account(key.account());
        let transport = Transport::new(&endpoint, key, Dialect::Storage, retry)?;
        Self::over(endpoint, transport)
    }

    /// The same client, whose tries `observer` is told of.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn observed_by(&self, observer: Observer) -> Result<Self> {
        Self::over(
            self.0.endpoint.clone(),
            self.0.transport.clone().observed_by(observer),
        )
    }

    fn over(endpoint: Endpoint, transport: Transport) -> Result<Self> {
        let client_options = client_options(transport.clone());
        let version = VERSION.to_owned();
        let options = BlobServiceClientOptions {
            client_options: client_options.clone(),
            version: version.clone(),
        };
        let service = BlobServiceClient::new(endpoint.url().clone(), None, Some(options))
            .map_err(|error| service_error("set up the Blob client", endpoint.url(), error))?;
        let blob_options = BlobClientOptions {
            client_options,
            version,
        };
        Ok(Self(Arc::new(Inner {
            endpoint,
            transport,
            service,
            blob_options,
        })))
    }

    /// Where the account is; on loopback the path is the account.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// The account's name.
    #[must_use]
    pub fn account(&self) -> &str {
        self.0.transport.key().account()
    }

    /// A URL with which its holder may do what `terms` say to `target`. Nothing is sent.
    #[must_use]
    pub fn sas(&self, target: Target<'_>, terms: &Terms) -> SasUrl {
        service_sas(&self.0.endpoint, self.0.transport.key(), target, terms)
    }

    /// The service's clock, read from the answer to a small request, which also proves the key.
    ///
    /// # Errors
    /// [`ServiceError`], also when the answer has no readable `Date`.
    pub async fn get_server_time(&self) -> Result<OffsetDateTime> {
        let mut url = self.0.endpoint.url().clone();
        url.set_query(Some("comp=list&maxresults=1"));
        let request = Request::new(
            "read the clock of Blob Storage".to_owned(),
            Method::GET,
            url,
        );
        let (operation, url) = (request.operation.clone(), request.url.clone());
        let answer = self.send(request).await?;
        server_time(&answer.headers).ok_or_else(|| {
            let message = "the answer has no `Date`".to_owned();
            ServiceError::local(ErrorKind::Unreadable, &operation, &url, message)
        })
    }

    /// Sends a request that the official crate does not make.
    pub(super) async fn send(&self, mut request: Request) -> Result<Answer> {
        request.headers.insert(
            HeaderName::from_static("x-ms-version"),
            HeaderValue::from_static(VERSION),
        );
        self.0.transport.send(&request).await
    }

    pub(super) fn service(&self) -> &BlobServiceClient {
        &self.0.service
    }

    pub(super) fn retry(&self) -> &RetryPolicy {
        self.0.transport.retry()
    }

    /// The official client of a container, if the name can be one.
    pub(super) fn container(&self, operation: &str, name: &str) -> Result<BlobContainerClient> {
        let bytes = name.as_bytes();
        let legal = (3..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-')
            && !name.contains("--");
        if !legal {
            let message = format!(
                "`{name}` is not a container's name (3 to 63 of a-z 0-9 -, no hyphen at an end or beside another)"
            );
            return Err(ServiceError::local(
                ErrorKind::NotSent,
                operation,
                self.0.endpoint.url(),
                message,
            ));
        }
        Ok(self.0.service.blob_container_client(name))
    }

    /// The official client of a blob, if the name can be one and means the same in a URL. Slashes stay slashes.
    pub(super) fn blob(&self, operation: &str, container: &str, name: &str) -> Result<BlobClient> {
        let mut url = self.container(operation, container)?.url().clone();
        let refuse = |why: &str| {
            let message = format!("`{name}` is not a usable blob name: {why}");
            Err(ServiceError::local(
                ErrorKind::NotSent,
                operation,
                self.0.endpoint.url(),
                message,
            ))
        };
        if name.is_empty() || name.chars().count() > 1024 {
            return refuse("it must have 1 to 1024 characters");
        }
        if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return refuse("no part between slashes may be empty, `.` or `..`");
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(name.split('/'));
        }
        BlobClient::new(url.clone(), None, Some(self.0.blob_options.clone()))
            .map_err(|error| service_error(operation, &url, error))
    }
}
