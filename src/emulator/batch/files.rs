//! Files of nodes and tasks: list, read with ranges, properties, delete.
//!
//! Only what lies in the node's directory is shown; a link that leads out is not found.

use std::io::SeekFrom;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::{Method, Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::error::BatchError;
use super::list::{Kind, PAGE_MAX, document};
use super::node::NodeState;
use super::object::Put as _;
use super::query::{Cell, Fields};
use super::schema::{Dialect, Object};
use super::service::{Batch, Order, empty_answer, json_answer, set};
use crate::emulator::call::Call;
use crate::emulator::node::is_relative_inside;
use crate::emulator::root::remove_tree;
use crate::emulator::server::{Answer, Body, empty};
use crate::emulator::stamp::{Stamp, http_date, iso, parse_http_date};

/// Lists of files.
const FILES: Kind = Kind {
    name: "files",
    page_max: PAGE_MAX,
    filterable: &["name"],
    members: "",
    has_stats: false,
};
/// Bytes read from disk at a time.
const READ_BYTES: usize = 256 << 10;

/// Files that an operation may see: a directory, inside a node's, and the URL that its files have.
struct Area {
    root: PathBuf,
    directory: PathBuf,
    url: String,
}

/// A file or directory with its name from the area's directory.
struct Item {
    name: String,
    about: std::fs::Metadata,
}

impl Fields for &Item {
    fn field(&self, path: &str) -> Cell<'_> {
        if path == "name" {
            Cell::text(&self.name)
        } else {
            Cell::Absent
        }
    }
}

impl Batch {
    pub(super) fn list_node_files(
        &self,
        order: &Order,
        pool: &str,
        node: &str,
    ) -> Result<Answer, BatchError> {
        self.list_files(order, &self.node_area(pool, node)?)
    }

    pub(super) async fn node_file(
        self: &Arc<Self>,
        order: &Order,
        (pool, node): (&str, &str),
        path: &str,
    ) -> Result<Answer, BatchError> {
        let area = self.node_area(pool, node)?;
        Self::file(order, &area, path).await
    }

    pub(super) fn list_task_files(
        &self,
        order: &Order,
        job: &str,
        task: &str,
    ) -> Result<Answer, BatchError> {
        self.list_files(order, &self.task_area(job, task)?)
    }

    pub(super) async fn task_file(
        self: &Arc<Self>,
        order: &Order,
        (job, task): (&str, &str),
        path: &str,
    ) -> Result<Answer, BatchError> {
        let area = self.task_area(job, task)?;
        Self::file(order, &area, path).await
    }

    fn node_area(&self, pool: &str, node: &str) -> Result<Area, BatchError> {
        let mut state = self.lock();
        let node = state.node(pool, node)?;
        let root = node.root.clone();
        match node.state {
            NodeState::Creating | NodeState::Starting if node.booted.is_none() => {
                return Err(BatchError::of("NodeBeingCreated"));
            }
            NodeState::Unusable | NodeState::Unknown => {
                return Err(BatchError::of("NodeStateUnusable"));
            }
            _ if node.booted.is_none() => {
                return Err(BatchError::of("OperationInvalidForCurrentState"));
            }
            _ => {}
        }
        let url = format!("{}/files", node.url(&self.endpoint, pool));
        Ok(Area {
            directory: root.clone(),
            root,
            url,
        })
    }

    fn task_area(&self, job: &str, task: &str) -> Result<Area, BatchError> {
        let mut state = self.lock();
        state.task(job, task)?;
        let job = state.job(job)?;
        let url = |task: &str| format!("{}/files", self.task_url(&job.id, task));
        let task = job
            .tasks
            .get(&super::state::Id::of(task))
            .ok_or_else(|| BatchError::of("TaskNotFound"))?;
        if task.is_cleaned {
            return Err(BatchError::of("TaskFilesCleanedup"));
        }
        let url = url(&task.id);
        let (place, directory) = (task.place.clone(), task.directory(&job.id));
        let root = place.and_then(|place| state.node_at(&place).map(|node| node.root.clone()));
        let root = root.filter(|_| self.behaviour.simulated.is_none());
        let root = root.ok_or_else(|| BatchError::of("TaskFilesUnavailable"))?;
        Ok(Area {
            directory: root.join(directory),
            root,
            url,
        })
    }

    fn list_files(&self, order: &Order, area: &Area) -> Result<Answer, BatchError> {
        let page = self.page(&order.call, &FILES)?;
        let is_recursive = order
            .call
            .query("recursive")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let mut items = Vec::new();
        walk(&area.directory, "", is_recursive, &mut items);
        items.sort_by(|left: &Item, right| left.name.cmp(&right.name));
        let after = page.after.clone().unwrap_or_default();
        let rest = items
            .iter()
            .filter(|item| item.name > after)
            .map(|item| (item.name.as_str(), item));
        let taken = page.take(rest, |item, _| show(item, area, order.dialect));
        Ok(json_answer(document(
            &order.call,
            &self.endpoint,
            FILES.name,
            taken,
        )))
    }

    async fn file(order: &Order, area: &Area, path: &str) -> Result<Answer, BatchError> {
        let not_found = || BatchError::of("FileNotFound");
        if !is_relative_inside(path) {
            return Err(not_found());
        }
        let found = area
            .directory
            .join(path)
            .canonicalize()
            .map_err(|_missing| not_found())?;
        let root = area.root.canonicalize().map_err(|_gone| not_found())?;
        if !found.starts_with(&root) {
            return Err(not_found());
        }
        let about = found.metadata().map_err(|_gone| not_found())?;
        let item = Item {
            name: path.to_owned(),
            about,
        };
        check_dates(&order.call, &item)?;
        match order.call.method {
            Method::DELETE => delete(order, &found, &item, found == root),
            Method::HEAD => {
                let mut answer = empty_answer(StatusCode::OK);
                describe(&mut answer, &item, area);
                set(&mut answer, "content-length", &length(&item).to_string());
                Ok(answer)
            }
            _ if item.about.is_dir() => Err(BatchError::of("OperationInvalidForCurrentState")),
            _ => read(order, &found, &item, area).await,
        }
    }
}

fn delete(order: &Order, path: &Path, item: &Item, is_root: bool) -> Result<Answer, BatchError> {
    let is_recursive = order
        .call
        .query("recursive")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let removed = match (item.about.is_dir(), is_recursive) {
        _ if is_root => return Err(BatchError::of("OperationInvalidForCurrentState")),
        (true, true) => remove_tree(path),
        (true, false) => std::fs::remove_dir(path),
        (false, _) => std::fs::remove_file(path),
    };
    removed
        .map(|()| empty_answer(StatusCode::OK))
        .map_err(|error| {
            BatchError::of("OperationInvalidForCurrentState").with("Reason", error.to_string())
        })
}

async fn read(order: &Order, path: &Path, item: &Item, area: &Area) -> Result<Answer, BatchError> {
    let total = item.about.len();
    // A part answers 200 too: the official clients take 206 for an error.
    let (first, count) = read_range(&order.call, total)?.unwrap_or((0, total));
    let file = tokio::fs::File::open(path)
        .await
        .map_err(|_gone| BatchError::of("FileNotFound"))?;
    let mut answer = Response::new(if count == 0 {
        empty()
    } else {
        body(file, first, count).await
    });
    describe(&mut answer, item, area);
    set(&mut answer, "content-length", &count.to_string());
    Ok(answer)
}

/// The `ocp-range` of `call` as first byte and count.
fn read_range(call: &Call, total: u64) -> Result<Option<(u64, u64)>, BatchError> {
    let Some(text) = call.header("ocp-range") else {
        return Ok(None);
    };
    let invalid = || {
        BatchError::of("InvalidHeaderValue")
            .with("HeaderName", "ocp-range")
            .with("HeaderValue", text)
    };
    let (first, last) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .ok_or_else(invalid)?;
    let first: u64 = first.trim().parse().map_err(|_no_number| invalid())?;
    let last = match last.trim() {
        "" => u64::MAX,
        last => last.parse().map_err(|_no_number| invalid())?,
    };
    if last < first {
        return Err(invalid());
    }
    if first >= total {
        return Err(BatchError::of("InvalidRange"));
    }
    Ok(Some((first, last.min(total - 1) - first + 1)))
}

/// `count` bytes of `file` from `first` on; a file that has become shorter cuts the connection.
async fn body(mut file: tokio::fs::File, first: u64, count: u64) -> Body {
    let started = file
        .seek(SeekFrom::Start(first))
        .await
        .map(|_| (file, count));
    BodyExt::boxed_unsync(StreamBody::new(stream::try_unfold(
        started,
        |reading| async move {
            let (mut file, left) = reading?;
            if left == 0 {
                return Ok(None);
            }
            let mut part = vec![0; usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES)];
            file.read_exact(&mut part).await?;
            let left = left - part.len() as u64;
            Ok(Some((Frame::data(Bytes::from(part)), Ok((file, left)))))
        },
    )))
}

fn walk(directory: &Path, prefix: &str, is_recursive: bool, items: &mut Vec<Item>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let Ok(about) = entry.metadata() else {
            continue;
        };
        let is_directory = about.is_dir();
        if is_recursive && is_directory {
            walk(&entry.path(), &format!("{name}/"), true, items);
        }
        items.push(Item { name, about });
    }
}

fn length(item: &Item) -> u64 {
    if item.about.is_dir() {
        0
    } else {
        item.about.len()
    }
}

fn modified(item: &Item) -> OffsetDateTime {
    item.about
        .modified()
        .map_or(OffsetDateTime::UNIX_EPOCH, OffsetDateTime::from)
}

fn created(item: &Item) -> OffsetDateTime {
    item.about
        .created()
        .map_or_else(|_unknown| modified(item), OffsetDateTime::from)
}

fn content_type(name: &str) -> &'static str {
    if Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
    {
        "text/plain"
    } else {
        "application/octet-stream"
    }
}

fn mode(item: &Item) -> String {
    format!("0o{:o}", item.about.mode())
}

fn file_url(area: &Area, name: &str) -> String {
    format!(
        "{}/{}",
        area.url,
        utf8_percent_encode(name, NON_ALPHANUMERIC)
    )
}

fn show(item: &Item, area: &Area, dialect: Dialect) -> Object {
    let mut object = Object::new();
    object
        .put("name", item.name.clone())
        .put("url", format!("{}/{}", area.url, item.name))
        .put("isDirectory", item.about.is_dir());
    if !item.about.is_dir() {
        let mut properties = Object::new();
        properties
            .put("creationTime", iso(created(item)))
            .put("lastModified", iso(modified(item)));
        match dialect {
            Dialect::Y2024 => properties.put("contentLength", length(item)),
            Dialect::Y2025 => properties.put("contentLength", length(item).to_string()),
        };
        properties
            .put("contentType", content_type(&item.name))
            .put("fileMode", mode(item));
        object.put("properties", properties);
    }
    object
}

fn describe(answer: &mut Answer, item: &Item, area: &Area) {
    for (name, value) in [
        ("content-type", content_type(&item.name).to_owned()),
        ("last-modified", http_date(modified(item))),
        ("etag", Stamp::new(modified(item)).etag()),
        ("ocp-creation-time", http_date(created(item))),
        (
            "ocp-batch-file-isdirectory",
            if item.about.is_dir() { "True" } else { "False" }.to_owned(),
        ),
        ("ocp-batch-file-url", file_url(area, &item.name)),
        ("ocp-batch-file-mode", mode(item)),
    ] {
        set(answer, name, &value);
    }
}

fn check_dates(call: &Call, item: &Item) -> Result<(), BatchError> {
    let modified = modified(item).unix_timestamp();
    let since = |name: &str| {
        call.header(name)
            .and_then(parse_http_date)
            .map(OffsetDateTime::unix_timestamp)
    };
    let mut error = BatchError::of("ConditionNotMet");
    if since("if-modified-since").is_some_and(|since| modified <= since) {
        error.status = 304;
        return Err(error);
    }
    if since("if-unmodified-since").is_some_and(|since| modified > since) {
        return Err(error);
    }
    Ok(())
}
