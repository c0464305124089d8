//! Containers: made and removed so that a repeat does no harm, listed with their metadata, their access policies.
//!
//! What is in them is in `blobs`, `upload` and `download`.

use std::collections::{BTreeMap, HashMap};

use azure_storage_blob::models::{
    BlobContainerClientCreateOptions, BlobContainerClientDeleteOptions,
    BlobContainerClientGetPropertiesOptions, BlobContainerClientGetPropertiesResultHeaders as _,
    BlobContainerClientSetMetadataOptions, BlobServiceClientListContainersOptions,
    ListContainersIncludeType,
};
use futures::TryStreamExt as _;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use time::OffsetDateTime;

use crate::azure::error::{Creation, ErrorKind, Result, ServiceError};
use crate::azure::http_date::to_iso;
use crate::azure::message::Request;
use crate::azure::sas::Rights;
use crate::azure::storage::Storage;
use crate::azure::storage::pipeline::{labelled, service_error};

/// A container in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerInfo {
    /// Its name.
    pub name: String,
    /// Its metadata; names in lower case.
    pub metadata: BTreeMap<String, String>,
    /// When it, or its metadata, was last changed.
    pub last_modified: Option<OffsetDateTime>,
}

/// A stored access policy, to which a SAS can refer: changed or removed, it changes or ends every such SAS within about
/// 30 s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    /// Its id, 1 to 64 characters.
    pub id: String,
    /// What it allows.
    pub rights: Rights,
    /// From when.
    pub start: OffsetDateTime,
    /// Until when.
    pub expiry: OffsetDateTime,
}

impl Storage {
    /// Create Container. When the outcome is unknown or the container is there, it is read: it counts as made if it
    /// carries all of `metadata`, and there is some.
    ///
    /// - `metadata`: names are letters, digits and `_`; values are ASCII.
    ///
    /// # Errors
    /// [`ServiceError`]: a conflict `ContainerAlreadyExists` if it is another's.
    pub async fn create_container(
        &self,
        name: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Creation> {
        let operation = format!("create container `{name}`");
        let client = self.container(&operation, name)?;
        let pairs: HashMap<String, String> = metadata.clone().into_iter().collect();
        let options = BlobContainerClientCreateOptions {
            metadata: (!pairs.is_empty()).then_some(pairs),
            method_options: labelled(&operation),
            ..BlobContainerClientCreateOptions::default()
        };
        let Err(error) = client.create(Some(options)).await else {
            return Ok(Creation::New);
        };
        let error = service_error(&operation, client.url(), error);
        if (error.is_conflict("ContainerAlreadyExists") || error.is_unknown())
            && !metadata.is_empty()
            && let Ok(Some(found)) = self.get_container_metadata(name).await
            && metadata
                .iter()
                .all(|(key, value)| found.get(&key.to_lowercase()) == Some(value))
        {
            return Ok(Creation::Existed);
        }
        Err(error)
    }

    /// Get Container Metadata, names in lower case; nothing if there is no such container.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn get_container_metadata(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>> {
        let operation = format!("get container `{name}`");
        let client = self.container(&operation, name)?;
        let options = BlobContainerClientGetPropertiesOptions {
            method_options: labelled(&operation),
            ..BlobContainerClientGetPropertiesOptions::default()
        };
        let to_error = |error| service_error(&operation, client.url(), error);
        match client.get_properties(Some(options)).await.map_err(to_error) {
            Ok(found) => Ok(Some(lower(found.metadata().map_err(to_error)?))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Set Container Metadata: replaces all of it.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn set_container_metadata(
        &self,
        name: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<()> {
        let operation = format!("set metadata of container `{name}`");
        let client = self.container(&operation, name)?;
        let pairs: HashMap<String, String> = metadata.clone().into_iter().collect();
        let options = BlobContainerClientSetMetadataOptions {
            method_options: labelled(&operation),
            ..BlobContainerClientSetMetadataOptions::default()
        };
        let done = client.set_metadata(&pairs, Some(options)).await;
        done.map(drop)
            .map_err(|error| service_error(&operation, client.url(), error))
    }

    /// Delete Container with everything in it. One that is not there, or is going away, counts as deleted. Its name can be
    /// used again only after half a minute or more.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn delete_container(&self, name: &str) -> Result<()> {
        let operation = format!("delete container `{name}`");
        let client = self.container(&operation, name)?;
        let options = BlobContainerClientDeleteOptions {
            method_options: labelled(&operation),
            ..BlobContainerClientDeleteOptions::default()
        };
        match client.delete(Some(options)).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = service_error(&operation, client.url(), error);
                let gone = error.is_not_found() || error.is_conflict("ContainerBeingDeleted");
                if gone { Ok(()) } else { Err(error) }
            }
        }
    }

    /// List Containers whose names begin with `prefix`, in order, with their metadata; all pages.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn list_containers(&self, prefix: &str) -> Result<Vec<ContainerInfo>> {
        let operation = format!("list containers that begin with `{prefix}`");
        let to_error = |error| service_error(&operation, self.service().url(), error);
        let options = BlobServiceClientListContainersOptions {
            include: Some(vec![ListContainersIncludeType::Metadata]),
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
            method_options: azure_core::http::pager::PagerOptions {
                context: labelled(&operation).context,
                ..azure_core::http::pager::PagerOptions::default()
            },
            ..BlobServiceClientListContainersOptions::default()
        };
        let mut pages = self
            .service()
            .list_containers(Some(options))
            .map_err(to_error)?
            .into_pages();
        let mut all = Vec::new();
        while let Some(page) = pages.try_next().await.map_err(to_error)? {
            for item in page.into_model().map_err(to_error)?.container_items {
                all.push(ContainerInfo {
                    name: item.name.unwrap_or_default(),
                    metadata: lower(item.metadata.unwrap_or_default()),
                    last_modified: item.properties.and_then(|p| p.last_modified),
                });
            }
        }
        Ok(all)
    }

    /// Set Container ACL: replaces the stored access policies, at most five; an empty list ends every SAS by policy. Public
    /// access stays off. A change takes up to 30 s to work.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn set_access_policies(&self, name: &str, policies: &[AccessPolicy]) -> Result<()> {
        let operation = format!("set access policies of container `{name}`");
        let mut url = self.container(&operation, name)?.url().clone();
        if let Some(policy) = policies.iter().find(|p| !is_policy_id(&p.id)) {
            let message = format!(
                "`{}` is not a policy's id (1 to 64 of A-Z a-z 0-9 - _)",
                policy.id
            );
            return Err(not_sent(&operation, &url, message));
        }
        url.set_query(Some("restype=container&comp=acl"));
        let mut request = Request::new(operation, Method::PUT, url);
        request
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        request.body = policies_xml(policies).into();
        self.send(request).await.map(drop)
    }
}

fn is_policy_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The body of Set Container ACL. The official crate writes an access policy before its id; this is the order of the
/// service's own pages.
fn policies_xml(policies: &[AccessPolicy]) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?><SignedIdentifiers>".to_owned();
    for AccessPolicy {
        id,
        rights,
        start,
        expiry,
    } in policies
    {
        let (start, expiry, rights) = (to_iso(*start), to_iso(*expiry), rights.letters());
        xml.extend([
            "<SignedIdentifier><Id>",
            id,
            "</Id><AccessPolicy><Start>",
            &start,
            "</Start><Expiry>",
            &expiry,
        ]);
        xml.extend([
            "</Expiry><Permission>",
            rights,
            "</Permission></AccessPolicy></SignedIdentifier>",
        ]);
    }
    xml.push_str("</SignedIdentifiers>");
    xml
}

/// Metadata as it is compared: the service keeps the case of names only in lists.
fn lower(metadata: HashMap<String, String>) -> BTreeMap<String, String> {
    metadata
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect()
}

impl ContainerInfo {
    /// The value of a metadata name, in any letter case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.metadata.get(&name.to_lowercase()).map(String::as_str)
    }
}

/// An error that nothing was sent for.
pub(super) fn not_sent(operation: &str, url: &url::Url, message: String) -> ServiceError {
    ServiceError::local(ErrorKind::NotSent, operation, url, message)
}
