//! Containers: create, read, delete, metadata, access policies.
//!
//! Public access and leases are refused. A deleted container is gone at once; the real service keeps its name for some
//! 30 seconds.

use hyper::StatusCode;

use super::condition::{Access, check};
use super::error::BlobError;
use super::handler::{Blob, set, status, xml};
use super::policy;
use super::store::{Container, Metadata, container};
use crate::emulator::call::Call;
use crate::emulator::server::Answer;
use crate::emulator::stamp::{Stamp, http_date};

/// Largest sum of names and values of metadata, in bytes.
const METADATA_BYTES_MAX: usize = 8 << 10;

impl Blob {
    pub(super) fn put_container(&self, call: &Call, name: &str) -> Result<Answer, BlobError> {
        refuse_public(call)?;
        let metadata = read_metadata(call)?;
        let mut containers = self.store.lock();
        if containers.contains_key(name) {
            return Err(BlobError::of("ContainerAlreadyExists"));
        }
        let made = Container::new(self.clock.now(), metadata);
        let mut answer = status(StatusCode::CREATED);
        set_stamp(&mut answer, &made.stamp);
        containers.insert(name.to_owned(), made);
        Ok(answer)
    }

    pub(super) fn get_container(&self, call: &Call, name: &str) -> Result<Answer, BlobError> {
        let mut containers = self.store.lock();
        let found = container(&mut containers, name)?;
        check(call, Some(&found.stamp), Access::Read)?;
        let mut answer = status(StatusCode::OK);
        set_stamp(&mut answer, &found.stamp);
        set_metadata(&mut answer, &found.metadata);
        for (name, value) in [
            ("x-ms-lease-status", "unlocked"),
            ("x-ms-lease-state", "available"),
            ("x-ms-has-immutability-policy", "false"),
            ("x-ms-has-legal-hold", "false"),
            ("x-ms-default-encryption-scope", "$account-encryption-key"),
            ("x-ms-deny-encryption-scope-override", "false"),
        ] {
            set(&mut answer, name, value);
        }
        Ok(answer)
    }

    pub(super) fn delete_container(&self, call: &Call, name: &str) -> Result<Answer, BlobError> {
        let mut containers = self.store.lock();
        let found = container(&mut containers, name)?;
        check(call, Some(&found.stamp), Access::Write)?;
        let gone = containers.remove(name);
        drop(containers);
        // The files go here, not while the index is locked.
        drop(gone);
        Ok(status(StatusCode::ACCEPTED))
    }

    pub(super) fn put_container_metadata(
        &self,
        call: &Call,
        name: &str,
    ) -> Result<Answer, BlobError> {
        let metadata = read_metadata(call)?;
        let mut containers = self.store.lock();
        let found = container(&mut containers, name)?;
        check(call, Some(&found.stamp), Access::Write)?;
        found.metadata = metadata;
        found.stamp.touch(self.clock.now());
        let mut answer = status(StatusCode::OK);
        set_stamp(&mut answer, &found.stamp);
        Ok(answer)
    }

    pub(super) fn get_policies(&self, call: &Call, name: &str) -> Result<Answer, BlobError> {
        let mut containers = self.store.lock();
        let found = container(&mut containers, name)?;
        check(call, Some(&found.stamp), Access::Read)?;
        let mut answer = xml(policy::write(&found.policies));
        set_stamp(&mut answer, &found.stamp);
        Ok(answer)
    }

    pub(super) fn put_policies(
        &self,
        call: &Call,
        name: &str,
        document: &[u8],
    ) -> Result<Answer, BlobError> {
        refuse_public(call)?;
        let policies = policy::read(document)?;
        let mut containers = self.store.lock();
        let found = container(&mut containers, name)?;
        check(call, Some(&found.stamp), Access::Write)?;
        found.policies = policies;
        found.stamp.touch(self.clock.now());
        let mut answer = status(StatusCode::OK);
        set_stamp(&mut answer, &found.stamp);
        Ok(answer)
    }
}

fn refuse_public(call: &Call) -> Result<(), BlobError> {
    match call.header("x-ms-blob-public-access") {
        Some(_) => Err(BlobError::of("PublicAccessNotPermitted")),
        None => Ok(()),
    }
}

/// The `x-ms-meta-` headers of `call`.
///
/// # Errors
/// 400 for a name that is no identifier, a value that is not ASCII, or too much.
pub(super) fn read_metadata(call: &Call) -> Result<Metadata, BlobError> {
    let mut metadata = Metadata::new();
    let mut bytes = 0;
    for (header, value) in &call.headers {
        let Some(name) = header.as_str().strip_prefix("x-ms-meta-") else {
            continue;
        };
        let value = value
            .to_str()
            .map_err(|_not_ascii| BlobError::header(header.as_str(), "not ASCII"))?;
        let is_name = name.bytes().enumerate().all(|(at, byte)| {
            byte == b'_' || byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit())
        });
        if name.is_empty() || !is_name {
            return Err(BlobError::new(
                400,
                "InvalidMetadata",
                format!("The metadata name `{name}` is not an identifier."),
            ));
        }
        bytes += name.len() + value.len();
        metadata.insert(name.to_owned(), value.to_owned());
    }
    if bytes > METADATA_BYTES_MAX {
        return Err(BlobError::new(
            400,
            "MetadataTooLarge",
            "The size of the specified metadata exceeds the maximum size permitted.",
        ));
    }
    Ok(metadata)
}

/// Sets `ETag`, quoted, and `Last-Modified`.
pub(super) fn set_stamp(answer: &mut Answer, stamp: &Stamp) {
    set(answer, "etag", &format!("\"{}\"", stamp.etag()));
    set(answer, "last-modified", &http_date(stamp.modified));
}

/// Sets the `x-ms-meta-` headers.
pub(super) fn set_metadata(answer: &mut Answer, metadata: &Metadata) {
    for (name, value) in metadata {
        let name = hyper::header::HeaderName::from_bytes(format!("x-ms-meta-{name}").as_bytes());
        if let (Ok(name), Ok(value)) = (name, value.parse()) {
            answer.headers_mut().insert(name, value);
        }
    }
}
