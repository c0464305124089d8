//! The bridge from `azure_storage_blob` to our transport: the last policy of its pipeline.
//!
//! The official crate writes each request and reads each answer; between them stands this policy, which gives the
//! request to [`Transport`] and brings answers and [`ServiceError`]s back. The crate's own retries are off.

use std::sync::Arc;

use azure_core::error::ErrorKind as CoreKind;
use azure_core::http::headers::Headers;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::request::Body;
use azure_core::http::{
    AsyncRawResponse, ClientMethodOptions, ClientOptions, Context, Request as CoreRequest,
    RetryOptions, Transport as CoreTransport,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream;
use md5::{Digest as _, Md5};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

use crate::azure::error::{ErrorKind, ServiceError};
use crate::azure::message::Request;
use crate::azure::transport::Transport;

/// The header that guards a body on its way; the service refuses a body that does not match.
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// What a request is for, carried through the pipeline.
#[derive(Clone, Debug)]
struct Label {
    operation: String,
    streamed: bool,
    content_md5: Option<[u8; 16]>,
}

impl Label {
    fn new(operation: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            streamed: false,
            content_md5: None,
        }
    }

    fn options<'a>(self) -> ClientMethodOptions<'a> {
        ClientMethodOptions {
            context: Context::new().with_value(self),
        }
    }
}

/// Options that carry the name of an operation to its error.
pub(super) fn labelled<'a>(operation: &str) -> ClientMethodOptions<'a> {
    Label::new(operation).options()
}

/// The same, for a body whose MD5 is known already.
pub(super) fn with_md5<'a>(operation: &str, content_md5: [u8; 16]) -> ClientMethodOptions<'a> {
    Label {
        content_md5: Some(content_md5),
        ..Label::new(operation)
    }
    .options()
}

/// The same, for an answer whose body is read by the caller.
pub(super) fn streamed<'a>(operation: &str) -> ClientMethodOptions<'a> {
    Label {
        streamed: true,
        ..Label::new(operation)
    }
    .options()
}

/// Client options that send everything through `transport`.
pub(super) fn client_options(transport: Transport) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(CoreTransport::with_policy(Arc::new(Wire { transport }))),
        ..ClientOptions::default()
    }
}

/// The [`ServiceError`] inside an error of the official crate; an error of its own, such as XML that it cannot read, is
/// an unreadable answer.
pub(super) fn service_error(
    operation: &str,
    url: &url::Url,
    error: azure_core::Error,
) -> ServiceError {
    error
        .into_downcast::<ServiceError>()
        .unwrap_or_else(|error| {
            let message = "the answer is not what the operation defines".to_owned();
            ServiceError::local(ErrorKind::Unreadable, operation, url, message).caused_by(error)
        })
}

#[derive(Debug)]
struct Wire {
    transport: Transport,
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature leaves this lifetime out"
)]
#[async_trait::async_trait]
impl Policy for Wire {
    async fn send(
        &self,
        context: &Context,
        request: &mut CoreRequest,
        _next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let label = context.value::<Label>().cloned();
        let label = label.unwrap_or_else(|| Label::new("call Blob Storage"));
        let request = translate(request, &label)?;
        if label.streamed {
            let opened = self.transport.open(&request).await.map_err(wrap)?;
            let (status, headers) = (opened.status(), core_headers(opened.headers()));
            let body = stream::try_unfold(opened, async |mut opened| {
                let chunk = opened.chunk().await.map_err(|error| {
                    azure_core::Error::with_error(CoreKind::Io, error, "the body was cut")
                })?;
                Ok(chunk.map(|bytes| (bytes, opened)))
            });
            Ok(AsyncRawResponse::new(
                status.into(),
                headers,
                Box::pin(body),
            ))
        } else {
            let answer = self.transport.send(&request).await.map_err(wrap)?;
            Ok(AsyncRawResponse::from_bytes(
                answer.status.into(),
                core_headers(&answer.headers),
                answer.body,
            ))
        }
    }
}

fn wrap(error: ServiceError) -> azure_core::Error {
    azure_core::Error::new(CoreKind::Other, error)
}

/// The request in our terms: same method, URL, headers and body, and an MD5 of the body where there is none yet.
fn translate(request: &CoreRequest, label: &Label) -> azure_core::Result<Request> {
    let body = match request.body() {
        Body::Bytes(bytes) => bytes.clone(),
        Body::SeekableStream(_) => {
            let message = "bodies that are streams are not sent";
            return Err(azure_core::Error::with_message(CoreKind::Other, message));
        }
    };
    // The official crate writes a space of a query as `+`, which a signature takes as it stands: `%20` has one meaning.
    let mut url = request.url().clone();
    let query = url.query().map(|q| q.replace('+', "%20"));
    url.set_query(query.as_deref());
    let method = Method::from_bytes(request.method().as_ref().as_bytes()).unwrap_or(Method::GET);
    let mut translated = Request::new(label.operation.clone(), method, url);
    for (name, value) in request.headers().iter() {
        let name = HeaderName::try_from(name.as_str());
        let value = HeaderValue::try_from(value.as_str());
        match (name, value) {
            (Ok(name), Ok(value)) if name != CONTENT_LENGTH => {
                translated.headers.insert(name, value);
            }
            (Ok(_), Ok(_)) => {}
            _ => {
                let message = "a header holds a character that headers cannot hold";
                return Err(azure_core::Error::with_message(CoreKind::Other, message));
            }
        }
    }
    if !body.is_empty() {
        let md5 = label
            .content_md5
            .unwrap_or_else(|| Md5::digest(&body).into());
        translated.headers.insert(CONTENT_MD5, md5_header(md5));
    }
    translated.body = body;
    Ok(translated)
}

fn md5_header(md5: [u8; 16]) -> HeaderValue {
    // Base64 is always a header.
    HeaderValue::try_from(STANDARD.encode(md5)).unwrap_or(HeaderValue::from_static(""))
}

fn core_headers(headers: &HeaderMap) -> Headers {
    let mut core = Headers::new();
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            core.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    core
}
