//! Output files: which files match, and bringing them to their container.
//!
//! What is uploaded lies in the node's directory, links followed only there. A pattern that matches nothing is no
//! failure.

use std::io::SeekFrom;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::Stream;
use reqwest::{Body, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use url::Url;

use super::agent::{Failure, Spec, Stage};
use super::fetch::{STORAGE_VERSION, back_off, is_passing};
use super::pattern::{expand_variables, has_wildcard, matches};

/// Up to here a file is one Put Blob, above it is put in blocks of this size: 64 MiB.
const BLOCK_BYTES: u64 = 64 << 20;
/// Bytes read from disk at a time.
const READ_BYTES: usize = 256 << 10;
/// How often a request is tried that failed for a passing reason.
const ATTEMPTS_MAX: u32 = 4;

/// One output file entry of a task.
#[derive(Debug, Clone)]
pub(in crate::emulator) struct Output {
    pub(in crate::emulator) pattern: String,
    pub(in crate::emulator) container_url: String,
    /// Blob name, or with wildcards the directory before it; may be empty.
    pub(in crate::emulator) path: String,
    pub(in crate::emulator) headers: Vec<(String, String)>,
    pub(in crate::emulator) condition: Condition,
}

/// When an output file is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emulator) enum Condition {
    Success,
    Failure,
    Completion,
}

impl Condition {
    fn holds(self, is_success: bool) -> bool {
        match self {
            Self::Success => is_success,
            Self::Failure => !is_success,
            Self::Completion => true,
        }
    }
}

/// Uploads every output file of `spec` whose condition holds; the first failure counts, the others are tried all the
/// same. What happened stands in `fileuploadout.txt` and `fileuploaderr.txt` of the task's directory.
///
/// # Errors
/// The first [`Failure`].
pub(super) async fn upload(
    client: &reqwest::Client,
    spec: &Spec,
    is_success: bool,
) -> Result<(), Failure> {
    let due: Vec<&Output> = spec
        .outputs
        .iter()
        .filter(|output| output.condition.holds(is_success))
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut result = Ok(());
    for output in due {
        let uploaded = upload_one(client, spec, output, &mut out).await;
        if let Err(failure) = &uploaded {
            err.push(format!(
                "{}: {} {:?}
",
                output.pattern, failure.code, failure.details
            ));
        }
        result = result.and(uploaded);
    }
    for (name, lines) in [("fileuploadout.txt", out), ("fileuploaderr.txt", err)] {
        // The log of an upload is no reason for a task to fail.
        drop(std::fs::write(spec.directory.join(name), lines.concat()));
    }
    result
}

async fn upload_one(
    client: &reqwest::Client,
    spec: &Spec,
    output: &Output,
    log: &mut Vec<String>,
) -> Result<(), Failure> {
    let pattern = expand_variables(&output.pattern, &spec.environment);
    let container = Url::parse(&output.container_url)
        .map_err(|error| upload_failed("FileUploadMiscError").with("Message", error.to_string()))?;
    let matched = find(spec, &pattern)
        .map_err(|error| upload_failed("FileUploadMiscError").with("Message", error.to_string()))?;
    for (file, name) in matched {
        let name = match (output.path.trim_matches('/'), has_wildcard(&pattern)) {
            ("", _) => name,
            (path, true) => format!("{path}/{name}"),
            (path, false) => path.to_owned(),
        };
        let mut url = container.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(name.split('/'));
        }
        put_file(client, &url, &file, &output.headers).await?;
        log.push(format!("{} -> {name}\n", file.display()));
    }
    Ok(())
}

/// The files that match `pattern`, each with its path below the part of the pattern that has no wildcard.
fn find(spec: &Spec, pattern: &str) -> std::io::Result<Vec<(PathBuf, String)>> {
    let root = spec.root.canonicalize()?;
    let start = normalize(&spec.directory.join("wd").join(pattern));
    if !start.starts_with(&spec.root) {
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "the pattern leaves the node's directory",
        ));
    }
    let inside = |path: &Path| {
        path.canonicalize()
            .is_ok_and(|path| path.starts_with(&root))
    };
    if !has_wildcard(pattern) {
        let name = start
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        return Ok(if start.is_file() && inside(&start) {
            vec![(start, name)]
        } else {
            Vec::new()
        });
    }
    let text = start.to_string_lossy();
    let segments: Vec<&str> = text.split('/').collect();
    let fixed = segments
        .iter()
        .position(|segment| has_wildcard(segment))
        .unwrap_or(segments.len());
    let (fixed, wild) = segments.split_at(fixed);
    let mut found = Vec::new();
    walk(
        Path::new(&fixed.join("/")),
        &mut Vec::new(),
        &mut |path, names| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if matches(wild, &names) && inside(path) {
                found.push((path.to_owned(), names.join("/")));
            }
        },
    );
    found.sort();
    Ok(found)
}

/// Calls `visit` for every file below `directory` with its names from there; links to directories are not followed.
fn walk(directory: &Path, names: &mut Vec<String>, visit: &mut impl FnMut(&Path, &[String])) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        names.push(entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, names, visit);
        } else if path.is_file() {
            visit(&path, names);
        }
        names.pop();
    }
}

/// `path` without `.` and `..`, by its text alone.
fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// A failure to upload, with one of the codes of the service.
pub(super) fn upload_failed(code: &'static str) -> Failure {
    let message = match code {
        "FileUploadAccessDenied" => {
            "Access was denied while uploading one of the specified output files."
        }
        "FileUploadContainerNotFound" => {
            "The container of one of the specified output files was not found."
        }
        "FileUploadConflict" => {
            "A conflict occurred while uploading one of the specified output files."
        }
        "FileUploadTimedOut" => "Uploading one of the specified output files timed out.",
        _ => "Miscellaneous error encountered while uploading one of the specified output files.",
    };
    Failure::new(Stage::Upload, code, message)
}

async fn put_file(
    client: &reqwest::Client,
    url: &Url,
    file: &Path,
    headers: &[(String, String)],
) -> Result<(), Failure> {
    let length = file
        .metadata()
        .map_err(|error| upload_failed("FileUploadMiscError").with("Message", error.to_string()))?
        .len();
    if length <= BLOCK_BYTES {
        let mut all = vec![("x-ms-blob-type".to_owned(), "BlockBlob".to_owned())];
        all.extend_from_slice(headers);
        return put(client, url, &all, (file, 0, length)).await;
    }
    let mut ids = String::new();
    let mut start = 0;
    while start < length {
        let id = STANDARD.encode(format!("{start:020}"));
        let mut block = url.clone();
        block
            .query_pairs_mut()
            .append_pair("comp", "block")
            .append_pair("blockid", &id);
        put(
            client,
            &block,
            &[],
            (file, start, BLOCK_BYTES.min(length - start)),
        )
        .await?;
        ids = format!("{ids}<Latest>{id}</Latest>");
        start += BLOCK_BYTES;
    }
    let document =
        format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{ids}</BlockList>");
    let mut list = url.clone();
    list.query_pairs_mut().append_pair("comp", "blocklist");
    send(|| {
        let request = client.put(list.clone()).body(document.clone());
        headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    })
    .await
}

/// PUTs a part of a file: where it starts and how long it is.
async fn put(
    client: &reqwest::Client,
    url: &Url,
    headers: &[(String, String)],
    (file, start, length): (&Path, u64, u64),
) -> Result<(), Failure> {
    send(|| {
        let body = if length == 0 {
            Body::from("")
        } else {
            Body::wrap_stream(part(file.to_owned(), start, length))
        };
        let request = client
            .put(url.clone())
            .header("content-length", length)
            .body(body);
        headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    })
    .await
}

async fn send(request: impl Fn() -> reqwest::RequestBuilder) -> Result<(), Failure> {
    let mut attempt = 1;
    loop {
        let answer = request()
            .header("x-ms-version", STORAGE_VERSION)
            .send()
            .await;
        let is_passing = match &answer {
            Ok(answer) => is_passing(answer.status()),
            Err(error) => !error.is_builder(),
        };
        if is_passing && attempt < ATTEMPTS_MAX {
            back_off(attempt).await;
            attempt += 1;
            continue;
        }
        return match answer {
            Ok(answer) if answer.status() == StatusCode::CREATED => Ok(()),
            Ok(answer) => {
                let code = match answer.status() {
                    StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "FileUploadAccessDenied",
                    StatusCode::NOT_FOUND => "FileUploadContainerNotFound",
                    StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => "FileUploadConflict",
                    _ => "FileUploadMiscError",
                };
                Err(upload_failed(code)
                    .with("HttpStatusCode", answer.status().as_u16().to_string()))
            }
            Err(error) => {
                let code = if error.is_timeout() {
                    "FileUploadTimedOut"
                } else {
                    "FileUploadMiscError"
                };
                Err(upload_failed(code).with("Message", error.without_url().to_string()))
            }
        };
    }
}

/// `length` bytes of `path` from `start` on.
fn part(
    path: PathBuf,
    start: u64,
    length: u64,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    futures::stream::try_unfold((None, length), move |(file, left)| {
        let path = path.clone();
        async move {
            if left == 0 {
                return Ok(None);
            }
            let mut file = match file {
                Some(file) => file,
                None => {
                    let mut file = tokio::fs::File::open(&path).await?;
                    file.seek(SeekFrom::Start(start)).await?;
                    file
                }
            };
            let wanted = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
            let mut buffer = vec![0; wanted];
            file.read_exact(&mut buffer).await?;
            let left = left - buffer.len() as u64;
            Ok(Some((Bytes::from(buffer), (Some(file), left))))
        }
    })
}
