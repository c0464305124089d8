//! Copying a blob of this account: Copy Blob, Copy Blob From URL, Put Blob From URL.
//!
//! The bytes are shared, not copied, so a copy is done at once. Sources elsewhere, and parts of sources, are refused.

use hyper::{Method, StatusCode};

use super::access::{Caller, Level, Times};
use super::condition::{Access, check_blob};
use super::containers::{read_metadata, set_stamp};
use super::error::BlobError;
use super::handler::{Blob, parse_path, set, status};
use super::store::{Entry, container};
use super::upload::read_properties;
use crate::emulator::call::{Call, parse_query};
use crate::emulator::server::Answer;
use crate::emulator::stamp::{Stamp, http_date};

impl Blob {
    /// Carries out the copy that `call` asks for in `x-ms-copy-source`.
    pub(super) fn copy_blob(
        &self,
        call: &Call,
        caller: &Caller,
        source: &str,
        (container_name, name): (&str, &str),
    ) -> Result<Answer, BlobError> {
        let is_put = call.header("x-ms-blob-type").is_some();
        let from = self.find_source(call, caller, source)?;
        let metadata = read_metadata(call)?;
        let now = self.clock.now();
        let mut containers = self.store.lock();
        let found = container(&mut containers, container_name)?;
        let old = found.blobs.get(name);
        check_blob(call, old, Access::Write)?;
        caller.require_overwrite(old.is_some())?;
        let mut stamp = old.map_or_else(|| Stamp::new(now), |old| old.stamp);
        if old.is_some() {
            stamp.touch(now);
        }
        let mut properties = from.properties.clone();
        if is_put {
            let given = read_properties(call, false);
            properties.content_type = given.content_type.or(properties.content_type);
        }
        let id = uuid::Uuid::new_v4().to_string();
        let shown_source = source.split('?').next().unwrap_or_default().to_owned();
        let copy = vec![
            ("x-ms-copy-id", id),
            ("x-ms-copy-status", "success".to_owned()),
            ("x-ms-copy-source", shown_source),
            ("x-ms-copy-progress", format!("{0}/{0}", from.length())),
            ("x-ms-copy-completion-time", http_date(now)),
        ];
        let entry = Entry {
            stamp,
            created: old.map_or(now, |old| old.created),
            properties,
            metadata: if metadata.is_empty() {
                from.metadata.clone()
            } else {
                metadata
            },
            extents: from.extents.clone(),
            copy: if is_put { Vec::new() } else { copy },
        };
        let mut answer = status(if is_put {
            StatusCode::CREATED
        } else {
            StatusCode::ACCEPTED
        });
        set_stamp(&mut answer, &stamp);
        for (name, value) in entry.copy.iter().take(2) {
            set(&mut answer, name, value);
        }
        if let (true, Some(md5)) = (is_put, &entry.properties.content_md5) {
            set(&mut answer, "content-md5", md5);
        }
        let replaced = (
            found.blobs.insert(name.to_owned(), entry),
            found.staged.remove(name),
        );
        drop(containers);
        drop(replaced);
        Ok(answer)
    }

    /// The blob that `source` names, which the caller must be able to read: by a SAS in it, or by the account's key.
    fn find_source(&self, call: &Call, caller: &Caller, source: &str) -> Result<Entry, BlobError> {
        let host = self
            .endpoint
            .strip_suffix(self.account.as_str())
            .unwrap_or(&self.endpoint);
        let host = host.trim_end_matches('/');
        let Some(rest) = source.strip_prefix(host) else {
            return Err(BlobError::missing("copying from another service"));
        };
        if call.header("x-ms-source-range").is_some() {
            return Err(BlobError::missing("copying a part of a blob"));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let target = parse_path(path, &self.account)?;
        let (Some(container_name), Some(name)) = (target.container, target.blob) else {
            return Err(BlobError::of("CannotVerifyCopySource"));
        };
        let mut containers = self.store.lock();
        let found = containers
            .get_mut(&container_name)
            .ok_or_else(|| BlobError::of("CannotVerifyCopySource"))?;
        let mut read = call.clone();
        read.method = Method::GET;
        path.clone_into(&mut read.path);
        read.query = parse_query(query);
        read.headers.remove("authorization");
        if read.query("sig").is_some() || *caller != Caller::Owner {
            let reader = Caller::of(
                &read,
                Times::of(&self.clock, call),
                &self.key,
                &self.account,
                Some(&container_name),
                Some(&name),
                &found.policies,
            )?;
            reader.require(Level::Blob, "r")?;
        }
        found
            .blobs
            .get(&name)
            .cloned()
            .ok_or_else(|| BlobError::of("CannotVerifyCopySource"))
    }
}
