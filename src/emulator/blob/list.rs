//! List Containers and List Blobs: prefix, delimiter, pages.
//!
//! Snapshots, versions, tags and deleted blobs are not listed: asking for them answers 501.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::ops::Bound;

use super::error::BlobError;
use super::handler::{Blob, xml};
use super::store::{Entry, Metadata, container};
use super::xml::Xml;
use crate::emulator::call::Call;
use crate::emulator::server::Answer;
use crate::emulator::stamp::{Stamp, http_date};

/// Most items of a page.
const PAGE_MAX: usize = 5000;

/// One line of a list.
enum Item<'a> {
    Blob(&'a str, &'a Entry),
    Prefix(String),
}

impl Blob {
    pub(super) fn list_containers(&self, call: &Call) -> Result<Answer, BlobError> {
        let prefix = call.query("prefix").unwrap_or_default();
        let after = read_marker(call)?;
        let page = read_page(call)?;
        let with_metadata = read_include(call, &["metadata"], &["system", "deleted"])?;
        let containers = self.store.lock();
        let mut document = self.begin(call, None, page);
        document.open("Containers");
        let mut names = containers
            .range::<str, _>((start(prefix, after.as_deref()), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .peekable();
        let mut last = "";
        for (name, found) in names.by_ref().take(page) {
            last = name;
            document
                .open("Container")
                .element("Name", name)
                .open("Properties");
            push_stamp(&mut document, &found.stamp);
            for (tag, value) in [
                ("LeaseStatus", "unlocked"),
                ("LeaseState", "available"),
                ("HasImmutabilityPolicy", "false"),
                ("HasLegalHold", "false"),
            ] {
                document.element(tag, value);
            }
            document.close("Properties");
            if with_metadata {
                push_metadata(&mut document, &found.metadata);
            }
            document.close("Container");
        }
        document.close("Containers");
        let next = names.peek().is_some().then_some(last);
        Ok(end(document, next))
    }

    pub(super) fn list_blobs(&self, call: &Call, name: &str) -> Result<Answer, BlobError> {
        let prefix = call.query("prefix").unwrap_or_default();
        let delimiter = call.query("delimiter").unwrap_or_default();
        let after = read_marker(call)?;
        let page = read_page(call)?;
        let with_metadata = read_include(call, &["metadata", "uncommittedblobs", "copy"], &[])?;
        let with_uncommitted = call
            .query("include")
            .is_some_and(|include| include.contains("uncommittedblobs"));
        if with_uncommitted {
            return Err(BlobError::missing("listing uncommitted blobs"));
        }
        let mut containers = self.store.lock();
        let found = container(&mut containers, name)?;
        let mut items = Vec::new();
        let mut from = start(prefix, after.as_deref());
        // One item more than the page tells whether there is a next one. A group of blobs is passed by one step.
        while items.len() <= page {
            let Some((name, entry)) = found.blobs.range::<str, _>((from, Bound::Unbounded)).next()
            else {
                break;
            };
            let Some(rest) = name.strip_prefix(prefix) else {
                break;
            };
            let cut = rest.find(delimiter).filter(|_| !delimiter.is_empty());
            match cut {
                Some(at) => {
                    let group = &name[..prefix.len() + at + delimiter.len()];
                    if after.as_deref() != Some(group) {
                        items.push(Item::Prefix(group.to_owned()));
                    }
                    let next = found
                        .blobs
                        .range::<str, _>((Bound::Excluded(name.as_str()), Bound::Unbounded))
                        .find(|(name, _)| !name.starts_with(group));
                    match next {
                        Some((name, _)) => from = Bound::Included(name),
                        None => break,
                    }
                }
                None => {
                    items.push(Item::Blob(name, entry));
                    from = Bound::Excluded(name);
                }
            }
        }
        let next = (items.len() > page).then(|| item_name(&items[page - 1]).to_owned());
        items.truncate(page);
        let mut document = self.begin(call, Some(name), page);
        document.open("Blobs");
        for item in &items {
            match item {
                Item::Blob(name, entry) => push_blob(&mut document, name, entry, with_metadata),
                Item::Prefix(name) => {
                    document
                        .open("BlobPrefix")
                        .element("Name", name)
                        .close("BlobPrefix");
                }
            }
        }
        document.close("Blobs");
        Ok(end(document, next.as_deref()))
    }

    /// Opens the document and repeats what was asked for.
    fn begin(&self, call: &Call, container: Option<&str>, page: usize) -> Xml {
        let mut document = Xml::new();
        let mut tag = format!("EnumerationResults ServiceEndpoint=\"{}/\"", self.endpoint);
        if let Some(name) = container {
            // A container's name needs no escapes.
            tag = format!("{tag} ContainerName=\"{name}\"");
        }
        document.open(&tag);
        for (name, tag) in [("prefix", "Prefix"), ("marker", "Marker")] {
            if let Some(value) = call.query(name) {
                document.element(tag, value);
            }
        }
        if call.query("maxresults").is_some() {
            document.element("MaxResults", &page.to_string());
        }
        if let Some(delimiter) = call.query("delimiter") {
            document.element("Delimiter", delimiter);
        }
        document
    }
}

fn item_name<'a>(item: &'a Item<'_>) -> &'a str {
    match item {
        Item::Blob(name, _) => name,
        Item::Prefix(name) => name,
    }
}

fn end(mut document: Xml, next: Option<&str>) -> Answer {
    let marker = next
        .map(|name| URL_SAFE_NO_PAD.encode(name))
        .unwrap_or_default();
    document
        .element("NextMarker", &marker)
        .close("EnumerationResults");
    xml(document.finish())
}

/// Where a page starts: after the last name of the page before, or at the prefix.
fn start<'a>(prefix: &'a str, after: Option<&'a str>) -> Bound<&'a str> {
    match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    }
}

fn read_marker(call: &Call) -> Result<Option<String>, BlobError> {
    match call.query("marker") {
        None | Some("") => Ok(None),
        Some(marker) => URL_SAFE_NO_PAD
            .decode(marker)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Some)
            .ok_or_else(|| BlobError::query("marker", marker)),
    }
}

fn read_page(call: &Call) -> Result<usize, BlobError> {
    match call.query("maxresults") {
        None => Ok(PAGE_MAX),
        Some(text) => match text.parse::<usize>() {
            Ok(0) | Err(_) => {
                Err(BlobError::of("OutOfRangeInput").with("QueryParameterName", "maxresults"))
            }
            Ok(number) => Ok(number.min(PAGE_MAX)),
        },
    }
}

/// Whether metadata is asked for; `known` is done or harmless, `harmless` adds nothing here.
fn read_include(call: &Call, known: &[&str], harmless: &[&str]) -> Result<bool, BlobError> {
    let include = call.query("include").unwrap_or_default();
    for word in include.split(',').filter(|word| !word.is_empty()) {
        if !known.contains(&word) && !harmless.contains(&word) {
            return Err(BlobError::missing(format!("lists with include={word}")));
        }
    }
    Ok(include.split(',').any(|word| word == "metadata"))
}

fn push_stamp(document: &mut Xml, stamp: &Stamp) {
    document
        .element("Last-Modified", &http_date(stamp.modified))
        .element("Etag", &stamp.etag());
}

fn push_metadata(document: &mut Xml, metadata: &Metadata) {
    document.open("Metadata");
    for (name, value) in metadata {
        document.element(name, value);
    }
    document.close("Metadata");
}

fn push_blob(document: &mut Xml, name: &str, entry: &Entry, with_metadata: bool) {
    let properties = &entry.properties;
    document
        .open("Blob")
        .element("Name", name)
        .open("Properties")
        .element("Creation-Time", &http_date(entry.created));
    push_stamp(document, &entry.stamp);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    for (tag, value) in [
        ("Content-Length", entry.length().to_string()),
        (
            "Content-Type",
            properties
                .content_type
                .clone()
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
        ),
        ("Content-Encoding", text(&properties.content_encoding)),
        ("Content-Language", text(&properties.content_language)),
        ("Content-MD5", text(&properties.content_md5)),
        ("Cache-Control", text(&properties.cache_control)),
        ("Content-Disposition", text(&properties.content_disposition)),
        ("BlobType", "BlockBlob".to_owned()),
        ("AccessTier", "Hot".to_owned()),
        ("AccessTierInferred", "true".to_owned()),
        ("LeaseStatus", "unlocked".to_owned()),
        ("LeaseState", "available".to_owned()),
        ("ServerEncrypted", "true".to_owned()),
    ] {
        document.element(tag, &value);
    }
    document.close("Properties");
    if with_metadata {
        push_metadata(document, &entry.metadata);
    }
    document.close("Blob");
}
