//! Writing blobs: Put Blob, Put Block, Put Block List, metadata, properties, delete.
//!
//! Bodies go to files as they come; only their checksums are held in memory. Append and page blobs are refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt as _;

use super::access::Caller;
use super::checksum::{Checksum, Claims};
use super::condition::{Access, check_blob};
use super::containers::{read_metadata, set_stamp};
use super::error::BlobError;
use super::handler::{Blob, require_length, set, status, xml};
use super::store::{Container, Entry, Extent, Properties, container};
use super::xml::{Xml, leaves};
use crate::emulator::call::Call;
use crate::emulator::server::Answer;
use crate::emulator::stamp::Stamp;

/// Largest body of Put Blob since version 2019-12-12, in bytes.
const PUT_BLOB_BYTES_MAX: u64 = 5000 << 20;
/// Largest block since version 2019-12-12, in bytes.
const BLOCK_BYTES_MAX: u64 = 4000 << 20;
/// Most blocks of a committed blob.
const BLOCKS_MAX: usize = 50_000;
/// Most uncommitted blocks of a blob.
const STAGED_MAX: usize = 100_000;

/// A body that lies on disk, with its checksums in Base64.
struct Received {
    extent: Extent,
    md5: String,
    crc64: String,
}

impl Blob {
    pub(super) async fn put_blob(
        &self,
        call: &Call,
        body: &mut Incoming,
        caller: &Caller,
        (container_name, name): (&str, &str),
    ) -> Result<Answer, BlobError> {
        if let Some(source) = call.header("x-ms-copy-source") {
            return self.copy_blob(call, caller, source, (container_name, name));
        }
        match call.header("x-ms-blob-type") {
            Some("BlockBlob") => {}
            Some(kind @ ("AppendBlob" | "PageBlob")) => {
                return Err(BlobError::missing(format!("blobs of the type {kind}")));
            }
            Some(kind) => return Err(BlobError::header("x-ms-blob-type", kind)),
            None => {
                return Err(
                    BlobError::of("MissingRequiredHeader").with("HeaderName", "x-ms-blob-type")
                );
            }
        }
        if require_length(call)? > PUT_BLOB_BYTES_MAX {
            return Err(BlobError::of("RequestBodyTooLarge"));
        }
        let metadata = read_metadata(call)?;
        let mut properties = read_properties(call, true);
        {
            // Told before gigabytes are sent; checked again when they have come.
            let mut containers = self.store.lock();
            let found = container(&mut containers, container_name)?;
            let old = found.blobs.get(name);
            check_blob(call, old, Access::Write)?;
            caller.require_overwrite(old.is_some())?;
        }
        let received = self.receive(call, body).await?;
        properties.content_md5 = Some(
            call.header("x-ms-blob-content-md5")
                .map_or_else(|| received.md5.clone(), str::to_owned),
        );
        let mut answer = self.commit(call, caller, (container_name, name), |_found, _old| {
            Ok((properties, metadata, vec![(None, received.extent)]))
        })?;
        set(&mut answer, "content-md5", &received.md5);
        if !received.crc64.is_empty() {
            set(&mut answer, "x-ms-content-crc64", &received.crc64);
        }
        Ok(answer)
    }

    pub(super) async fn put_block(
        &self,
        call: &Call,
        body: &mut Incoming,
        (container_name, name): (&str, &str),
    ) -> Result<Answer, BlobError> {
        if call.header("x-ms-copy-source").is_some() {
            return Err(BlobError::missing("blocks from a URL"));
        }
        let id = call.query("blockid").unwrap_or_default().to_owned();
        if !STANDARD
            .decode(&id)
            .is_ok_and(|bytes| (1..=64).contains(&bytes.len()))
        {
            return Err(BlobError::query("blockid", &id));
        }
        if require_length(call)? > BLOCK_BYTES_MAX {
            return Err(BlobError::of("RequestBodyTooLarge"));
        }
        self.require_container(container_name)?;
        let received = self.receive(call, body).await?;
        let mut containers = self.store.lock();
        let found = container(&mut containers, container_name)?;
        let blocks = found.staged.entry(name.to_owned()).or_default();
        if blocks
            .keys()
            .next()
            .is_some_and(|known| known.len() != id.len())
        {
            // All ids of a blob have one length.
            return Err(BlobError::of("InvalidBlobOrBlock"));
        }
        if blocks.len() >= STAGED_MAX && !blocks.contains_key(&id) {
            return Err(BlobError::of("BlockCountExceedsLimit"));
        }
        let old = blocks.insert(id, received.extent);
        drop(containers);
        drop(old);
        let mut answer = status(StatusCode::CREATED);
        if call.header("content-md5").is_some() {
            set(&mut answer, "content-md5", &received.md5);
        } else {
            set(&mut answer, "x-ms-content-crc64", &received.crc64);
        }
        set(&mut answer, "x-ms-request-server-encrypted", "true");
        Ok(answer)
    }

    pub(super) fn put_block_list(
        &self,
        call: &Call,
        caller: &Caller,
        target: (&str, &str),
        document: &[u8],
    ) -> Result<Answer, BlobError> {
        let claims = Claims::read(call)?;
        let mut checksum = Checksum::new(true);
        checksum.update(document);
        let (md5, crc64) = checksum.finish();
        claims.check(&md5, &crc64)?;
        let mut wanted = Vec::new();
        for (path, id) in leaves(document)? {
            match path
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .as_slice()
            {
                ["BlockList"] => {}
                ["BlockList", kind @ ("Latest" | "Committed" | "Uncommitted")] => {
                    wanted.push(((*kind).to_owned(), id));
                }
                _ => return Err(BlobError::of("InvalidXmlDocument")),
            }
        }
        if wanted.len() > BLOCKS_MAX {
            return Err(BlobError::of("BlockListTooLong"));
        }
        let metadata = read_metadata(call)?;
        let properties = read_properties(call, false);
        self.commit(call, caller, target, |staged, old| {
            let extents = wanted
                .into_iter()
                .map(|(kind, id)| {
                    let fresh = staged.and_then(|blocks| blocks.get(&id));
                    let committed = old.and_then(|old| {
                        old.extents
                            .iter()
                            .find(|(known, _)| known.as_ref() == Some(&id))
                            .map(|(_, extent)| extent)
                    });
                    let extent = match kind.as_str() {
                        "Uncommitted" => fresh,
                        "Committed" => committed,
                        _ => fresh.or(committed),
                    };
                    extent
                        .map(|extent| (Some(id), extent.clone()))
                        .ok_or_else(|| BlobError::of("InvalidBlockList"))
                })
                .collect::<Result<_, _>>()?;
            Ok((properties, metadata, extents))
        })
    }

    /// Makes or replaces a blob by what `make` returns, which sees the uncommitted blocks and the blob so far.
    fn commit<F>(
        &self,
        call: &Call,
        caller: &Caller,
        (container_name, name): (&str, &str),
        make: F,
    ) -> Result<Answer, BlobError>
    where
        F: FnOnce(
            Option<&std::collections::BTreeMap<String, Extent>>,
            Option<&Entry>,
        ) -> Result<
            (
                Properties,
                super::store::Metadata,
                Vec<(Option<String>, Extent)>,
            ),
            BlobError,
        >,
    {
        let now = self.clock.now();
        let mut containers = self.store.lock();
        let Container { blobs, staged, .. } = container(&mut containers, container_name)?;
        let old = blobs.get(name);
        check_blob(call, old, Access::Write)?;
        caller.require_overwrite(old.is_some())?;
        let (properties, metadata, extents) = make(staged.get(name), old)?;
        let mut stamp = old.map_or_else(|| Stamp::new(now), |old| old.stamp);
        if old.is_some() {
            stamp.touch(now);
        }
        let created = old.map_or(now, |old| old.created);
        let entry = Entry {
            stamp,
            created,
            properties,
            metadata,
            extents,
            copy: Vec::new(),
        };
        let replaced = (blobs.insert(name.to_owned(), entry), staged.remove(name));
        drop(containers);
        drop(replaced);
        let mut answer = status(StatusCode::CREATED);
        set_stamp(&mut answer, &stamp);
        set(&mut answer, "x-ms-request-server-encrypted", "true");
        Ok(answer)
    }

    /// Writes the body of `call` to a new file and checks what the request claims of it.
    async fn receive(&self, call: &Call, body: &mut Incoming) -> Result<Received, BlobError> {
        let claims = Claims::read(call)?;
        let mut checksum = Checksum::new(
            claims.crc64.is_some() || call.query("comp") == Some("block") && claims.md5.is_none(),
        );
        let disk = |error: std::io::Error| BlobError::disk(&error);
        let file = self.store.new_file();
        let mut out = tokio::io::BufWriter::with_capacity(
            1 << 20,
            tokio::fs::File::create(file.path()).await.map_err(disk)?,
        );
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            // A body that ends early comes as an error, so a short blob is never kept.
            let frame = frame.map_err(|_client_gone| BlobError::of("InvalidInput"))?;
            if let Some(data) = frame.data_ref() {
                checksum.update(data);
                out.write_all(data).await.map_err(disk)?;
                length += data.len() as u64;
            }
        }
        out.flush().await.map_err(disk)?;
        let (md5, crc64) = checksum.finish();
        claims.check(&md5, &crc64)?;
        Ok(Received {
            extent: Extent { file, length },
            md5,
            crc64,
        })
    }

    pub(super) fn put_blob_metadata(
        &self,
        call: &Call,
        (container_name, name): (&str, &str),
    ) -> Result<Answer, BlobError> {
        let metadata = read_metadata(call)?;
        self.change(call, container_name, name, |entry| {
            entry.metadata = metadata;
        })
    }

    pub(super) fn put_blob_properties(
        &self,
        call: &Call,
        (container_name, name): (&str, &str),
    ) -> Result<Answer, BlobError> {
        let properties = read_properties(call, false);
        self.change(call, container_name, name, |entry| {
            entry.properties = properties;
        })
    }

    fn change(
        &self,
        call: &Call,
        container_name: &str,
        name: &str,
        change: impl FnOnce(&mut Entry),
    ) -> Result<Answer, BlobError> {
        let mut containers = self.store.lock();
        let entry = container(&mut containers, container_name)?.blob(name)?;
        check_blob(call, Some(entry), Access::Write)?;
        change(entry);
        entry.stamp.touch(self.clock.now());
        let mut answer = status(StatusCode::OK);
        set_stamp(&mut answer, &entry.stamp);
        Ok(answer)
    }

    pub(super) fn delete_blob(
        &self,
        call: &Call,
        (container_name, name): (&str, &str),
    ) -> Result<Answer, BlobError> {
        let mut containers = self.store.lock();
        let found = container(&mut containers, container_name)?;
        check_blob(call, Some(found.blob(name)?), Access::Write)?;
        let gone = found.blobs.remove(name);
        drop(containers);
        drop(gone);
        Ok(status(StatusCode::ACCEPTED))
    }

    pub(super) fn get_block_list(
        &self,
        call: &Call,
        (container_name, name): (&str, &str),
    ) -> Result<Answer, BlobError> {
        let kind = call.query("blocklisttype").unwrap_or("committed");
        let mut containers = self.store.lock();
        let found = container(&mut containers, container_name)?;
        let (blob, staged) = (found.blobs.get(name), found.staged.get(name));
        if blob.is_none() && staged.is_none() {
            return Err(BlobError::of("BlobNotFound"));
        }
        let mut document = Xml::new();
        let push = |document: &mut Xml, id: &str, extent: &Extent| {
            document
                .open("Block")
                .element("Name", id)
                .element("Size", &extent.length.to_string())
                .close("Block");
        };
        document.open("BlockList");
        if matches!(kind, "committed" | "all") {
            document.open("CommittedBlocks");
            for (id, extent) in blob.iter().flat_map(|blob| &blob.extents) {
                if let Some(id) = id {
                    push(&mut document, id, extent);
                }
            }
            document.close("CommittedBlocks");
        }
        if matches!(kind, "uncommitted" | "all") {
            document.open("UncommittedBlocks");
            for (id, extent) in staged.into_iter().flatten() {
                push(&mut document, id, extent);
            }
            document.close("UncommittedBlocks");
        }
        document.close("BlockList");
        let mut answer = xml(document.finish());
        if let Some(blob) = blob {
            set_stamp(&mut answer, &blob.stamp);
            set(
                &mut answer,
                "x-ms-blob-content-length",
                &blob.length().to_string(),
            );
        }
        Ok(answer)
    }
}

/// The `x-ms-blob-` headers; with `plain`, the standard headers stand in for missing ones.
pub(super) fn read_properties(call: &Call, plain: bool) -> Properties {
    let read = |own: &str, standard: &str| {
        call.header(own)
            .or_else(|| call.header(standard).filter(|_| plain))
            .map(str::to_owned)
    };
    Properties {
        content_type: read("x-ms-blob-content-type", "content-type"),
        content_encoding: read("x-ms-blob-content-encoding", "content-encoding"),
        content_language: read("x-ms-blob-content-language", "content-language"),
        content_disposition: read("x-ms-blob-content-disposition", "content-disposition"),
        cache_control: read("x-ms-blob-cache-control", "cache-control"),
        content_md5: call.header("x-ms-blob-content-md5").map(str::to_owned),
    }
}
