//! Resource files: fetching blobs into a task's working directory.
//!
//! A node knows only the URLs that it is given, with the SAS in them; it holds no key.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use futures::StreamExt as _;
use quick_xml::XmlVersion;
use quick_xml::events::Event;
use quick_xml::reader::Reader;
use reqwest::{Response, StatusCode};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use super::agent::{Failure, Spec, Stage};
use super::paths::place;

/// The storage version that nodes speak when the SAS names none.
pub(super) const STORAGE_VERSION: &str = "2021-12-02";
/// How often a request is tried that failed for a passing reason.
const ATTEMPTS_MAX: u32 = 4;

/// One resource file of a task.
#[derive(Debug, Clone)]
pub(in crate::emulator) struct Resource {
    pub(in crate::emulator) source: Source,
    /// The file, or for a container the directory, relative to the working directory; empty for that itself.
    pub(in crate::emulator) path: String,
    /// Permission bits of the files.
    pub(in crate::emulator) mode: u32,
}

/// Where a resource file comes from.
#[derive(Debug, Clone)]
pub(in crate::emulator) enum Source {
    /// One URL.
    Url(String),
    /// Every blob of a container whose name starts with the prefix.
    Container { url: String, prefix: String },
}

/// Fetches `resource` into the working directory of `spec`.
///
/// # Errors
/// A [`Failure`] with the code that the service gives.
pub(super) async fn fetch(
    client: &reqwest::Client,
    resource: &Resource,
    spec: &Spec,
) -> Result<(), Failure> {
    match &resource.source {
        Source::Url(url) => {
            let url = parse(url)?;
            fetch_file(client, &url, &resource.path, resource.mode, spec).await
        }
        Source::Container { url, prefix } => {
            let container = parse(url)?;
            let mut marker = String::new();
            loop {
                let (names, next) = list(client, &container, prefix, &marker).await?;
                for name in names {
                    let mut url = container.clone();
                    if let Ok(mut segments) = url.path_segments_mut() {
                        segments.pop_if_empty().extend(name.split('/'));
                    }
                    let path = match resource.path.trim_end_matches('/') {
                        "" => name,
                        directory => format!("{directory}/{name}"),
                    };
                    fetch_file(client, &url, &path, resource.mode, spec).await?;
                }
                if next.is_empty() {
                    return Ok(());
                }
                marker = next;
            }
        }
    }
}

fn parse(url: &str) -> Result<Url, Failure> {
    Url::parse(url).map_err(|error| {
        download_failed("BlobDownloadMiscError").with("Message", error.to_string())
    })
}

/// A failure to fetch, with one of the codes of the service.
pub(super) fn download_failed(code: &'static str) -> Failure {
    let (message, is_server) = match code {
        "BlobNotFound" => ("The specified Azure Blob(s) was not found.", false),
        "BlobAccessDenied" => (
            "Access for one of the specified Azure Blob(s) is denied.",
            false,
        ),
        "BlobDownloadTimedOut" => (
            "Download for one of the specified Azure Blob(s) timed out.",
            true,
        ),
        "ResourceContainerNotFound" => (
            "One of the specified Azure Blob container(s) was not found.",
            false,
        ),
        "ResourceContainerAccessDenied" => (
            "Access for one of the specified Azure Blob container(s) is denied.",
            false,
        ),
        "ResourceContainerListTimedOut" => (
            "Listing one of the specified Azure Blob container(s) timed out.",
            true,
        ),
        "ResourceContainerListMiscError" => (
            "Miscellaneous error encountered while listing one of the specified Azure Blob container(s).",
            true,
        ),
        "ResourceFileCreateFailed" => (
            "One of the specified resource files could not be created.",
            false,
        ),
        "ResourceFileWriteFailed" => (
            "One of the specified resource files could not be written.",
            false,
        ),
        _ => (
            "Miscellaneous error encountered while downloading one of the specified Azure Blob(s).",
            true,
        ),
    };
    let failure = Failure::new(Stage::Before, code, message);
    if is_server { failure.server() } else { failure }
}

/// Codes for: not found, denied, timed out, anything else.
type Codes = [&'static str; 4];
const FILE_CODES: Codes = [
    "BlobNotFound",
    "BlobAccessDenied",
    "BlobDownloadTimedOut",
    "BlobDownloadMiscError",
];
const LIST_CODES: Codes = [
    "ResourceContainerNotFound",
    "ResourceContainerAccessDenied",
    "ResourceContainerListTimedOut",
    "ResourceContainerListMiscError",
];

/// GETs `url` until it answers 200; other answers and errors become failures with one of `codes`.
async fn get(client: &reqwest::Client, url: &Url, codes: Codes) -> Result<Response, Failure> {
    let mut attempt = 1;
    loop {
        let answer = client
            .get(url.clone())
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
        let place = format!("{}{}", url.authority(), url.path());
        return match answer {
            Ok(answer) if answer.status() == StatusCode::OK => Ok(answer),
            Ok(answer) => {
                let code = match answer.status() {
                    StatusCode::NOT_FOUND => codes[0],
                    StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::CONFLICT => {
                        codes[1]
                    }
                    _ => codes[3],
                };
                Err(download_failed(code)
                    .with("FilePath", place)
                    .with("HttpStatusCode", answer.status().as_u16().to_string()))
            }
            Err(error) => {
                let code = if error.is_timeout() {
                    codes[2]
                } else {
                    codes[3]
                };
                let error = error.without_url().to_string();
                Err(download_failed(code)
                    .with("FilePath", place)
                    .with("Message", error))
            }
        };
    }
}

/// Whether trying again may help.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// Waits before the attempt after `attempt`.
pub(super) async fn back_off(attempt: u32) {
    crate::clock::sleep(Duration::from_millis(100 << attempt)).await;
}

async fn fetch_file(
    client: &reqwest::Client,
    url: &Url,
    path: &str,
    mode: u32,
    spec: &Spec,
) -> Result<(), Failure> {
    let told = |code: &'static str, error: &dyn std::fmt::Display| {
        download_failed(code)
            .with("FilePath", path.to_owned())
            .with("Message", error.to_string())
    };
    let mut attempt = 1;
    loop {
        let answer = get(client, url, FILE_CODES).await?;
        let target = place(&spec.root, &spec.directory.join("wd"), path)
            .map_err(|error| told("ResourceFileCreateFailed", &error))?;
        let mut file = tokio::fs::File::create(&target)
            .await
            .map_err(|error| told("ResourceFileCreateFailed", &error))?;
        let mut body = answer.bytes_stream();
        let broken = loop {
            match body.next().await {
                None => break None,
                Some(Err(error)) => break Some(error),
                Some(Ok(part)) => {
                    file.write_all(&part)
                        .await
                        .map_err(|error| told("ResourceFileWriteFailed", &error))?;
                }
            }
        };
        file.flush()
            .await
            .map_err(|error| told("ResourceFileWriteFailed", &error))?;
        match broken {
            None => {
                return std::fs::set_permissions(&target, std::fs::Permissions::from_mode(mode))
                    .map_err(|error| told("ResourceFileCreateFailed", &error));
            }
            // A body cut short: from the start again.
            Some(_) if attempt < ATTEMPTS_MAX => {
                back_off(attempt).await;
                attempt += 1;
            }
            Some(error) => return Err(told(FILE_CODES[3], &error.without_url())),
        }
    }
}

/// One page of a container's blobs: their names and the marker of the next page.
async fn list(
    client: &reqwest::Client,
    container: &Url,
    prefix: &str,
    marker: &str,
) -> Result<(Vec<String>, String), Failure> {
    let mut url = container.clone();
    url.query_pairs_mut()
        .append_pair("restype", "container")
        .append_pair("comp", "list")
        .append_pair("prefix", prefix);
    if !marker.is_empty() {
        url.query_pairs_mut().append_pair("marker", marker);
    }
    // Form encoding writes a space as `+`, which storage takes literally.
    let query = url.query().unwrap_or_default().replace('+', "%20");
    url.set_query(Some(&query));
    let answer = get(client, &url, LIST_CODES).await?;
    let unreadable =
        || download_failed(LIST_CODES[3]).with("Message", "The list could not be read");
    let text = answer.text().await.map_err(|_cut| unreadable())?;
    read_list(&text).ok_or_else(unreadable)
}

/// The `Name` of each `Blob`, and the `NextMarker`.
fn read_list(text: &str) -> Option<(Vec<String>, String)> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{FEFF}'));
    let (mut names, mut next, mut value) = (Vec::new(), String::new(), String::new());
    let mut path: Vec<String> = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                path.push(tag.name().as_ref().to_owned());
                value.clear();
            }
            Event::Text(text) => value.push_str(&text.xml_content(XmlVersion::Implicit1_0)),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(character) => value.push(character),
                None => value.push_str(quick_xml::escape::resolve_xml_entity(&reference)?),
            },
            Event::End(_) => {
                match path
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .as_slice()
                {
                    [_, "Blobs", "Blob", "Name"] => names.push(std::mem::take(&mut value)),
                    [_, "NextMarker"] => next = std::mem::take(&mut value),
                    _ => {}
                }
                path.pop();
            }
            Event::Eof => return Some((names, next)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_list_are_unescaped_and_groups_are_left_out() {
        let text = "<?xml version=\"1.0\"?><EnumerationResults><Blobs><Blob><Name>a&amp;b &#x263A;</Name></Blob><BlobPrefix><Name>p/</Name></BlobPrefix></Blobs><NextMarker>m</NextMarker></EnumerationResults>";
        let (names, next) = read_list(text).expect("well-formed");
        assert_eq!(names, ["a&b ☺"]);
        assert_eq!(next, "m");
    }
}
