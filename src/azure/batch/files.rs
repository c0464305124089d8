//! Files of tasks and nodes, whole or in parts: what a task printed, why a start task failed.
//!
//! Results do not come this way: they are uploaded to Blob Storage.

use std::ops::Range;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue};

use crate::azure::batch::client::{Batch, ListQuery, unreadable};
use crate::azure::batch::job_answer::FileItem;
use crate::azure::error::Result;
use crate::azure::message::Answer;

/// The most that one part may have.
const PART_MAX_BYTES: u64 = 16 << 20;

/// Whose files are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSource<'a> {
    /// A task's directory: `stdout.txt`, `stderr.txt`, `wd/…`.
    Task {
        /// The job.
        job: &'a str,
        /// The task.
        task: &'a str,
    },
    /// A node's root: `startup/stdout.txt`, `workitems/JOB/job-1/TASK/…`.
    Node {
        /// The pool.
        pool: &'a str,
        /// The node.
        node: &'a str,
    },
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePart {
    /// Where it starts.
    pub offset: u64,
    /// What it holds.
    pub bytes: Bytes,
    /// How long the file was at that moment.
    pub file_bytes: u64,
}

impl<'a> FileSource<'a> {
    fn segments(&self) -> [&'a str; 5] {
        match *self {
            Self::Task { job, task } => ["jobs", job, "tasks", task, "files"],
            Self::Node { pool, node } => ["pools", pool, "nodes", node, "files"],
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Task { job, task } => format!("task `{task}` of job `{job}`"),
            Self::Node { pool, node } => format!("node `{node}` of pool `{pool}`"),
        }
    }
}

impl Batch {
    /// List Files.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError): a conflict `TaskFilesUnavailable` if the task has not run or its
    /// node is gone.
    pub async fn list_files(
        &self,
        source: FileSource<'_>,
        recursive: bool,
    ) -> Result<Vec<FileItem>> {
        let operation = format!("list files of {}", source.shown());
        if !recursive {
            return self
                .list(operation, &source.segments(), &ListQuery::default())
                .await;
        }
        self.list_with(operation, &source.segments(), &[("recursive", "true")])
            .await
    }

    /// Get File Properties: its length in bytes; nothing if there is no such file.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError), also when the answer has no length.
    pub async fn get_file_length(&self, source: FileSource<'_>, path: &str) -> Result<Option<u64>> {
        let segments = [&source.segments()[..], &[path]].concat();
        let operation = format!("look for file `{path}` of {}", source.shown());
        let request = self.request(operation, Method::HEAD, &segments, &[])?;
        match self.send(&request).await {
            Ok(answer) => match length(&answer.headers) {
                Some(length) => Ok(Some(length)),
                None => Err(unreadable(
                    &request,
                    "the answer has no `Content-Length`".to_owned(),
                )),
            },
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Get File: up to `bytes_max` bytes (at most 16 MiB) from `offset`; nothing if there is no such file. Past the end
    /// the part is empty.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn get_file_part(
        &self,
        source: FileSource<'_>,
        path: &str,
        offset: u64,
        bytes_max: u64,
    ) -> Result<Option<FilePart>> {
        let Some(file_bytes) = self.get_file_length(source, path).await? else {
            return Ok(None);
        };
        let end = offset
            .saturating_add(bytes_max.min(PART_MAX_BYTES))
            .min(file_bytes);
        self.get_file_range(source, path, offset..end, file_bytes)
            .await
    }

    /// The last `bytes_max` bytes (at most 16 MiB) of a file; nothing if there is no such file.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn get_file_tail(
        &self,
        source: FileSource<'_>,
        path: &str,
        bytes_max: u64,
    ) -> Result<Option<FilePart>> {
        let Some(file_bytes) = self.get_file_length(source, path).await? else {
            return Ok(None);
        };
        let offset = file_bytes.saturating_sub(bytes_max.min(PART_MAX_BYTES));
        self.get_file_range(source, path, offset..file_bytes, file_bytes)
            .await
    }

    async fn get_file_range(
        &self,
        source: FileSource<'_>,
        path: &str,
        range: Range<u64>,
        file_bytes: u64,
    ) -> Result<Option<FilePart>> {
        let offset = range.start;
        let part = |bytes| {
            Ok(Some(FilePart {
                offset,
                bytes,
                file_bytes,
            }))
        };
        if range.is_empty() {
            return part(Bytes::new());
        }
        let segments = [&source.segments()[..], &[path]].concat();
        let operation = format!("read file `{path}` of {}", source.shown());
        let mut request = self.request(operation, Method::GET, &segments, &[])?;
        if let Ok(value) = HeaderValue::from_str(&format!("bytes={offset}-{}", range.end - 1)) {
            request
                .headers
                .insert(HeaderName::from_static("ocp-range"), value);
        }
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("application/octet-stream"));
        match self.send(&request).await {
            Ok(answer) => part(part_of(&answer, offset, range.end)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) if error.status() == Some(416) => part(Bytes::new()),
            Err(error) => Err(error),
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The bytes from `offset` to `end` of an answer that is either that part or, from a service that knows no parts, the whole
/// file: a part is marked by its status or its range, or is not longer than was asked for.
fn part_of(answer: &Answer, offset: u64, end: u64) -> Bytes {
    let body = &answer.body;
    let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX);
    let is_part =
        answer.status == 206 || answer.headers.contains_key(CONTENT_RANGE) || body.len() <= wanted;
    let start = if is_part {
        0
    } else {
        usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(body.len())
    };
    body.slice(start..start.saturating_add(wanted).min(body.len()))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
