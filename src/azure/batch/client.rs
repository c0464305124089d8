//! The Batch client: one account's endpoint, URLs, reading answers, following pages.
//!
//! Operations are in `pools`, `jobs`, `tasks`, `add` and `files`; signing and repeating in `transport`.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;

use crate::azure::auth::{Dialect, SharedKey};
use crate::azure::batch::pool_answer::MetadataItem;
use crate::azure::endpoint::Endpoint;
use crate::azure::error::{ErrorKind, Result, ServiceError};
use crate::azure::message::{Answer, Request};
use crate::azure::observer::Observer;
use crate::azure::refusal;
use crate::azure::retry::RetryPolicy;
use crate::azure::sas::encode_body;
use crate::azure::transport::{Transport, server_time};

/// The version of the data plane that every request names.
pub const API_VERSION: &str = "2025-06-01";
/// The media type of a body; another is refused with `InvalidHeaderValue`.
const JSON: &str = "application/json; odata=minimalmetadata";
/// Pages that a list may have: 10 million entries. More is a service that goes in circles.
const PAGES_MAX: usize = 10_000;
/// What stays in a segment of a path; a slash does not.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What stays in a name or value of a query.
const QUERY: &AsciiSet = &SEGMENT.remove(b'$').remove(b',');

/// A client of one Batch account. Cloning shares connections.
#[derive(Clone, Debug)]
pub struct Batch {
    endpoint: Endpoint,
    transport: Transport,
}

/// What a list leaves out.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// An `OData` filter; see [`quoted`].
    pub filter: Option<String>,
    /// The top-level fields that are wanted, joined by commas; all if not set.
    pub select: Option<String>,
    /// Entries of a page, 1 to 1000.
    pub page_max: Option<u32>,
}

/// `text` as a string of an `OData` filter: in single quotes, its own doubled.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default = "Vec::new")]
    value: Vec<T>,
    #[serde(rename = "odata.nextLink")]
    next: Option<String>,
}

impl ListQuery {
    /// Those whose id begins with `prefix`.
    #[must_use]
    pub fn by_prefix(prefix: &str) -> Self {
        Self {
            filter: Some(format!("startswith(id,{})", quoted(prefix))),
            ..Self::default()
        }
    }
}

impl Batch {
    /// A client of the account at `endpoint`; nothing is connected yet.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(endpoint: Endpoint, key: SharedKey, retry: RetryPolicy) -> Result<Self> {
        let transport = Transport::new(&endpoint, key, Dialect::Batch, retry)?;
        Ok(Self {
            endpoint,
            transport,
        })
    }

    /// The same client, whose tries `observer` is told of.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.transport = self.transport.observed_by(observer);
        self
    }

    /// Where the account is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The service's clock, read from the answer to a small request.
    ///
    /// # Errors
    /// [`ServiceError`], also when the answer has no readable `Date`.
    pub async fn get_server_time(&self) -> Result<OffsetDateTime> {
        let query = [("maxresults", "1")];
        let request = self.request(
            "read the service's clock".to_owned(),
            Method::GET,
            &["pools"],
            &query,
        )?;
        let answer = self.transport.send(&request).await?;
        server_time(&answer.headers)
            .ok_or_else(|| unreadable(&request, "the answer has no `Date`".to_owned()))
    }

    /// A request to `segments` below the endpoint; each is encoded whole, a slash in it as `%2F`.
    pub(super) fn request(
        &self,
        operation: String,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Request> {
        let mut url = self.endpoint.url().clone();
        if let Some(bad) = segments.iter().find(|s| matches!(**s, "" | "." | "..")) {
            let message = format!("`{bad}` cannot stand in a URL");
            return Err(ServiceError::local(
                ErrorKind::NotSent,
                &operation,
                &url,
                message,
            ));
        }
        let encode = |text: &str, set| utf8_percent_encode(text, set).to_string();
        let path: Vec<String> = segments.iter().map(|s| encode(s, SEGMENT)).collect();
        url.set_path(&format!(
            "{}/{}",
            url.path().trim_end_matches('/'),
            path.join("/")
        ));
        let mut text = format!("api-version={API_VERSION}");
        for (name, value) in query {
            text.extend(["&", &encode(name, QUERY), "=", &encode(value, QUERY)]);
        }
        url.set_query(Some(&text));
        let mut request = Request::new(operation, method, url);
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        Ok(request)
    }

    pub(super) async fn send(&self, request: &Request) -> Result<Answer> {
        self.transport.send(request).await
    }

    pub(super) fn retry(&self) -> &RetryPolicy {
        self.transport.retry()
    }

    /// Reads one thing.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        operation: String,
        segments: &[&str],
    ) -> Result<T> {
        let request = self.request(operation, Method::GET, segments, &[])?;
        let answer = self.send(&request).await?;
        decode(&request, &answer)
    }

    /// Reads a list, following its pages to the end.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        operation: String,
        segments: &[&str],
        query: &ListQuery,
    ) -> Result<Vec<T>> {
        let page_max = query.page_max.map(|n| n.to_string());
        let pairs: Vec<(&str, &str)> = [
            ("$filter", query.filter.as_deref()),
            ("$select", query.select.as_deref()),
            ("maxresults", page_max.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        self.list_with(operation, segments, &pairs).await
    }

    /// Reads a list that `query` narrows.
    pub(super) async fn list_with<T: DeserializeOwned>(
        &self,
        operation: String,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let mut request = self.request(operation, Method::GET, segments, query)?;
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let answer = self.send(&request).await?;
            let page: Page<T> = decode(&request, &answer)?;
            all.extend(page.value);
            let Some(next) = page.next.filter(|link| !link.is_empty()) else {
                return Ok(all);
            };
            request.url = self.next_page(&request, &next)?;
        }
        Err(unreadable(
            &request,
            format!("the list has more than {PAGES_MAX} pages"),
        ))
    }

    /// The next page's URL: path and query as the service gives them, always on our endpoint. Behind a gateway the service
    /// names a host that is not ours, and no other host may get a signature.
    fn next_page(&self, request: &Request, link: &str) -> Result<Url> {
        let link = self.endpoint.url().join(link).map_err(|error| {
            unreadable(request, "the link to the next page is not a URL".to_owned())
                .caused_by(error)
        })?;
        let mut url = self.endpoint.url().clone();
        url.set_path(link.path());
        url.set_query(link.query());
        if url == request.url {
            return Err(unreadable(request, "the next page is this page".to_owned()));
        }
        Ok(url)
    }

    /// Does something that answers without a body.
    pub(super) async fn act(
        &self,
        operation: String,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer> {
        let request = self.request(operation, method, segments, query)?;
        self.send(&request).await
    }

    /// Does something with a body.
    pub(super) async fn act_with(
        &self,
        operation: String,
        method: Method,
        segments: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<Answer> {
        let request = self.request(operation, method, segments, &[])?;
        let body = encode_body(body).map_err(|error| {
            let message = "the body cannot be JSON".to_owned();
            ServiceError::local(
                ErrorKind::NotSent,
                &request.operation,
                &request.url,
                message,
            )
            .caused_by(error)
        })?;
        self.send(&with_json(request, body)).await
    }
}

/// `request` with a JSON body.
pub(super) fn with_json(mut request: Request, body: Vec<u8>) -> Request {
    request
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    request.body = Bytes::from(body);
    request
}

/// Reads a JSON answer.
pub(super) fn decode<T: DeserializeOwned>(request: &Request, answer: &Answer) -> Result<T> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let message = if error.is_data() {
            format!("the answer's JSON is not what the operation defines: {error}")
        } else {
            refusal::describe("JSON", &answer.headers, &answer.body)
        };
        unreadable(request, message).caused_by(error)
    })
}

pub(super) fn unreadable(request: &Request, message: String) -> ServiceError {
    ServiceError::local(
        ErrorKind::Unreadable,
        &request.operation,
        &request.url,
        message,
    )
}

/// Whether a create whose outcome is `error` may have been done: by an earlier try of it, or by an earlier client.
pub(super) fn may_exist(error: &ServiceError, exists: &[&str]) -> bool {
    error.is_unknown() || exists.iter().any(|code| error.is_conflict(code))
}

/// Whether what was `found` carries everything that was `wanted`; never for a create without metadata, because then
/// nothing tells whose it is.
pub(super) fn is_ours(wanted: Option<&Vec<MetadataItem>>, found: &[MetadataItem]) -> bool {
    wanted.is_some_and(|items| !items.is_empty() && items.iter().all(|item| found.contains(item)))
}

/// `Ok` for a delete that was done before, or is being done.
pub(super) fn done_if_gone(result: Result<Answer>, deleting: &str) -> Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() || error.is_conflict(deleting) => Ok(()),
        // An earlier try may have been done, and what this one conflicts with was cut off.
        Err(error)
            if error.attempts() > 1 && error.status() == Some(409) && error.code().is_none() =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}
