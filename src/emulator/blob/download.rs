//! Reading blobs: Get Blob with ranges, and Get Blob Properties.
//!
//! A reader holds the files of the blob it began with, so a blob replaced or deleted meanwhile changes nothing for it.

use std::collections::VecDeque;
use std::io::SeekFrom;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::{Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::access::Caller;
use super::condition::{Access, check_blob};
use super::containers::{set_metadata, set_stamp};
use super::error::BlobError;
use super::handler::{Blob, set, status};
use super::store::{Entry, Extent, container};
use crate::emulator::call::Call;
use crate::emulator::server::{Answer, Body};
use crate::emulator::stamp::http_date;

/// Bytes read from disk at a time: large enough that the switches between threads do not show.
const READ_BYTES: usize = 512 << 10;

impl Blob {
    pub(super) fn get_blob(
        &self,
        call: &Call,
        caller: &Caller,
        target: (&str, &str),
    ) -> Result<Answer, BlobError> {
        let entry = self.find(call, target)?;
        let length = entry.length();
        let range = read_range(call, length)?;
        let (first, count) = range.unwrap_or((0, length));
        let mut answer = Response::new(body(&entry, first, count));
        if range.is_some() {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let last = (first + count).saturating_sub(1);
            set(
                &mut answer,
                "content-range",
                &format!("bytes {first}-{last}/{length}"),
            );
        }
        describe(&mut answer, &entry, caller, range.is_some());
        set(&mut answer, "content-length", &count.to_string());
        Ok(answer)
    }

    pub(super) fn get_blob_properties(
        &self,
        call: &Call,
        caller: &Caller,
        target: (&str, &str),
    ) -> Result<Answer, BlobError> {
        let entry = self.find(call, target)?;
        let mut answer = status(StatusCode::OK);
        if call.query("comp") == Some("metadata") {
            set_stamp(&mut answer, &entry.stamp);
            set_metadata(&mut answer, &entry.metadata);
            return Ok(answer);
        }
        describe(&mut answer, &entry, caller, false);
        set(&mut answer, "x-ms-access-tier", "Hot");
        set(&mut answer, "x-ms-access-tier-inferred", "true");
        set(&mut answer, "content-length", &entry.length().to_string());
        Ok(answer)
    }

    fn find(&self, call: &Call, (container_name, name): (&str, &str)) -> Result<Entry, BlobError> {
        let mut containers = self.store.lock();
        let entry = container(&mut containers, container_name)?.blob(name)?;
        check_blob(call, Some(entry), Access::Read)?;
        Ok(entry.clone())
    }
}

/// The range that `call` asks for as first byte and count; `None` for the whole blob.
fn read_range(call: &Call, length: u64) -> Result<Option<(u64, u64)>, BlobError> {
    let Some(text) = call.header("x-ms-range").or_else(|| call.header("range")) else {
        return Ok(None);
    };
    // Other forms, as the last n bytes, are ignored by the service too.
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let Ok(first) = first.trim().parse::<u64>() else {
        return Ok(None);
    };
    let last = match last.trim() {
        "" => u64::MAX,
        last => match last.parse::<u64>() {
            Ok(last) if last >= first => last,
            _ => return Ok(None),
        },
    };
    if first >= length {
        return Err(
            BlobError::of("InvalidRange").with_header("content-range", format!("bytes */{length}"))
        );
    }
    Ok(Some((first, last.min(length - 1) - first + 1)))
}

/// Sets the headers that tell of a blob.
fn describe(answer: &mut Answer, entry: &Entry, caller: &Caller, is_part: bool) {
    set_stamp(answer, &entry.stamp);
    set_metadata(answer, &entry.metadata);
    let properties = &entry.properties;
    let md5_header = if is_part {
        "x-ms-blob-content-md5"
    } else {
        "content-md5"
    };
    let content_type = properties
        .content_type
        .as_deref()
        .unwrap_or("application/octet-stream");
    for (name, value) in [
        ("content-type", Some(content_type)),
        ("content-encoding", properties.content_encoding.as_deref()),
        ("content-language", properties.content_language.as_deref()),
        (
            "content-disposition",
            properties.content_disposition.as_deref(),
        ),
        ("cache-control", properties.cache_control.as_deref()),
        (md5_header, properties.content_md5.as_deref()),
        ("accept-ranges", Some("bytes")),
        ("x-ms-blob-type", Some("BlockBlob")),
        ("x-ms-lease-status", Some("unlocked")),
        ("x-ms-lease-state", Some("available")),
        ("x-ms-server-encrypted", Some("true")),
        (
            "x-ms-creation-time",
            Some(http_date(entry.created).as_str()),
        ),
    ] {
        if let Some(value) = value {
            set(answer, name, value);
        }
    }
    for (name, value) in &entry.copy {
        set(answer, name, value);
    }
    if let Caller::Guest(grant) = caller {
        for (name, value) in &grant.overrides {
            set(answer, name, value);
        }
    }
}

/// Where a body stands: extents still to send, each with where to start and how much.
struct Reading {
    extents: VecDeque<(Extent, u64, u64)>,
    file: Option<tokio::fs::File>,
}

/// `count` bytes of `entry` from `first` on.
fn body(entry: &Entry, first: u64, count: u64) -> Body {
    let mut extents = VecDeque::new();
    let (mut skip, mut left) = (first, count);
    for (_, extent) in &entry.extents {
        let start = skip.min(extent.length);
        let take = left.min(extent.length - start);
        skip -= start;
        left -= take;
        if take > 0 {
            extents.push_back((extent.clone(), start, take));
        }
    }
    let reading = Reading {
        extents,
        file: None,
    };
    BodyExt::boxed_unsync(StreamBody::new(stream::try_unfold(reading, next_part)))
}

async fn next_part(mut reading: Reading) -> std::io::Result<Option<(Frame<Bytes>, Reading)>> {
    let Some((extent, start, left)) = reading.extents.front_mut() else {
        return Ok(None);
    };
    let mut file = match reading.file.take() {
        Some(file) => file,
        None => {
            let mut file = tokio::fs::File::open(extent.file.path()).await?;
            file.set_max_buf_size(READ_BYTES);
            file.seek(SeekFrom::Start(*start)).await?;
            file
        }
    };
    let wanted = usize::try_from(*left).unwrap_or(READ_BYTES).min(READ_BYTES);
    let mut part = bytes::BytesMut::with_capacity(wanted);
    while part.len() < wanted {
        let missing = (wanted - part.len()) as u64;
        if (&mut file).take(missing).read_buf(&mut part).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    *left -= part.len() as u64;
    if *left == 0 {
        reading.extents.pop_front();
    } else {
        reading.file = Some(file);
    }
    Ok(Some((Frame::data(part.freeze()), reading)))
}
