//! Sends requests: signs each try, repeats what may be repeated, reads answers within a bound, and turns every failure
//! into a [`ServiceError`].
//!
//! It does not know operations (`batch`, `storage`) or which failures are repeated (`retry`). Bodies that are streamed
//! ([`Transport::open`]) are resumed by their reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response};
use time::OffsetDateTime;
use tokio::time::Instant;
use url::Url;

use crate::azure::auth::{Dialect, SharedKey};
use crate::azure::endpoint::Endpoint;
use crate::azure::error::{ErrorKind, Parts, Result, ServiceError, shown_url};
use crate::azure::http_date;
use crate::azure::refusal;
use crate::azure::retry::{Failure, RetryPolicy, is_retryable, read_retry_after};
use crate::clock;

/// How long a connection may take: an address that answers at all answers within a second or two.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long an answer may stand still: twice the 30 s after which Batch itself gives up.
const READ_MAX: Duration = Duration::from_secs(60);
/// How long one try of a request that is read whole may take, so that a body that trickles for ever ends: an 8 MiB block
/// at 30 KB/s takes 280 s.
const ATTEMPT_MAX: Duration = Duration::from_secs(300);
/// An error's body is read up to this; the rest is dropped. Real ones have a few hundred bytes.
const ERROR_BODY_MAX_BYTES: usize = 64 << 10;
/// What an operation's answer may have unless it says otherwise: a page of 1000 tasks with all fields has about 3 MB.
pub const BODY_MAX_BYTES: usize = 32 << 20;

/// A request as an operation describes it, not yet dated or signed.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is being done, as in "create pool `p`".
    pub operation: String,
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: Url,
    /// Headers, without date, signature, length and request id.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// A longer answer is an error.
    pub body_max_bytes: usize,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(operation: String, method: Method, url: Url) -> Self {
        Self {
            operation,
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            body_max_bytes: BODY_MAX_BYTES,
        }
    }
}

/// An answer that was read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, 200 to 299.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Tries that it took; above 1 the operation may have been done by an earlier one.
    pub attempts: u32,
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Opened {
    /// Status, headers and the body.
    pub response: Response,
}

/// The way to one service: a connection pool, credentials and the retry policy. Cloning shares all of it.
#[derive(Clone, Debug)]
pub struct Transport {
    client: Client,
    key: SharedKey,
    dialect: Dialect,
    retry: RetryPolicy,
    /// Whether this service has answered anything yet.
    met: Arc<AtomicBool>,
}

/// One failed try.
struct Trouble {
    failure: Failure,
    error: Parts,
    retry_after: Option<Duration>,
}

impl Transport {
    /// A transport to `endpoint`; nothing is connected yet. A proxy from the environment is used, except for loopback.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(
        endpoint: &Endpoint,
        key: SharedKey,
        dialect: Dialect,
        retry: RetryPolicy,
    ) -> Result<Self> {
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(READ_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("fanout/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            let message = "the HTTP client could not be set up".to_owned();
            ServiceError::local(
                ErrorKind::NotSent,
                "set up the HTTP client",
                endpoint.url(),
                message,
            )
            .caused_by(error.without_url())
        })?;
        Ok(Self {
            client,
            key,
            dialect,
            retry,
            met: Arc::new(AtomicBool::new(false)),
        })
    }

    /// The key that signs.
    #[must_use]
    pub fn key(&self) -> &SharedKey {
        &self.key
    }

    /// The retry policy.
    #[must_use]
    pub fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Sends `request` until it succeeds or may not be repeated, and reads the answer whole.
    ///
    /// - A body that is cut or stalls counts as a failed try.
    /// - Cancel-safe: dropping the future ends the try; the service may still have done it.
    ///
    /// # Errors
    /// [`ServiceError`] of the last try.
    pub async fn send(&self, request: &Request) -> Result<Answer> {
        let begun = clock::instant();
        let mut attempts = 1;
        loop {
            let read = async {
                let response = self.exchange(request).await?;
                self.read_whole(request, response).await
            };
            let outcome = tokio::time::timeout(ATTEMPT_MAX, read).await;
            match outcome.unwrap_or_else(|elapsed| Err(out_of_time(request, elapsed))) {
                Ok(answer) => return Ok(Answer { attempts, ..answer }),
                Err(trouble) => self.wait_or_fail(trouble, attempts, begun).await?,
            }
            attempts += 1;
        }
    }

    /// Sends `request` until it is answered with success or may not be repeated; the body is the caller's to read.
    ///
    /// # Errors
    /// [`ServiceError`] of the last try.
    pub async fn open(&self, request: &Request) -> Result<Opened> {
        let begun = clock::instant();
        let mut attempts = 1;
        loop {
            match self.exchange(request).await {
                Ok(response) => return Ok(Opened { response }),
                Err(trouble) => self.wait_or_fail(trouble, attempts, begun).await?,
            }
            attempts += 1;
        }
    }

    /// Waits until the next try, or gives the error of the last one.
    async fn wait_or_fail(
        &self,
        mut trouble: Box<Trouble>,
        attempts: u32,
        begun: Instant,
    ) -> Result<()> {
        let elapsed = begun.elapsed();
        let delay = is_retryable(trouble.failure, self.met.load(Ordering::Relaxed))
            .then(|| {
                self.retry
                    .delay(attempts, elapsed, trouble.retry_after, rand::random())
            })
            .flatten();
        let Some(delay) = delay else {
            trouble.error.attempts = attempts;
            trouble.error.elapsed = elapsed;
            return Err(ServiceError::new(trouble.error));
        };
        clock::sleep(delay).await;
        Ok(())
    }

    /// One try: dates, signs, sends, and reads the body only of a refusal.
    async fn exchange(&self, request: &Request) -> std::result::Result<Response, Box<Trouble>> {
        let mut headers = request.headers.clone();
        set_length(&mut headers, request);
        if self.dialect == Dialect::Batch {
            let id = uuid::Uuid::new_v4().to_string();
            if let Ok(id) = HeaderValue::from_str(&id) {
                headers.insert(HeaderName::from_static("client-request-id"), id);
            }
        }
        self.key.authorize(
            self.dialect,
            &request.method,
            &request.url,
            &mut headers,
            clock::now(),
        );
        let sent = self
            .client
            .request(request.method.clone(), request.url.clone())
            .headers(headers)
            .body(request.body.clone())
            .send()
            .await;
        let response = sent.map_err(|error| unanswered(request, error))?;
        self.met.store(true, Ordering::Relaxed);
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refused(request, response).await)
    }

    async fn read_whole(
        &self,
        request: &Request,
        mut response: Response,
    ) -> std::result::Result<Answer, Box<Trouble>> {
        let max = request.body_max_bytes;
        let declared = response
            .content_length()
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0);
        let mut body = BytesMut::with_capacity(declared.min(max).min(1 << 20));
        let too_long = |length: usize| {
            let message =
                format!("the answer has {length} bytes or more, at most {max} are accepted");
            Box::new(Trouble {
                failure: Failure::BodyTooLong,
                error: parts(request, ErrorKind::Unreadable, message),
                retry_after: None,
            })
        };
        // A HEAD declares the length of a body that it does not send.
        if declared > max && request.method != Method::HEAD {
            return Err(too_long(declared));
        }
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > max => {
                    return Err(too_long(body.len() + chunk.len()));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    let message = format!("the answer ended early, after {} bytes", body.len());
                    let mut parts = parts(request, ErrorKind::Unreadable, message);
                    parts.source = Some(error.without_url().into());
                    return Err(Box::new(Trouble {
                        failure: Failure::BodyCut,
                        error: parts,
                        retry_after: None,
                    }));
                }
            }
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: body.freeze(),
            attempts: 1,
        })
    }
}

/// `Content-Length` is always said where a body could be, `0` included: the services refuse a request without (411).
fn set_length(headers: &mut HeaderMap, request: &Request) {
    if request.method == Method::GET || request.method == Method::HEAD {
        headers.remove(CONTENT_LENGTH);
    } else {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(request.body.len()));
    }
}

/// The moment at which the service answered, by its own clock.
#[must_use]
pub fn server_time(headers: &HeaderMap) -> Option<OffsetDateTime> {
    headers
        .get(reqwest::header::DATE)?
        .to_str()
        .ok()
        .and_then(http_date::from_http)
}

fn parts(request: &Request, kind: ErrorKind, message: String) -> Parts {
    Parts {
        kind,
        operation: request.operation.clone(),
        method: request.method.clone(),
        url: shown_url(&request.url),
        status: None,
        code: None,
        message,
        request_id: None,
        attempts: 1,
        elapsed: Duration::ZERO,
        source: None,
    }
}

fn out_of_time(request: &Request, elapsed: tokio::time::error::Elapsed) -> Box<Trouble> {
    let message = format!("no whole answer within {} s", ATTEMPT_MAX.as_secs());
    let mut error = parts(request, ErrorKind::NotAnswered, message);
    error.source = Some(elapsed.into());
    Box::new(Trouble {
        failure: Failure::NoAnswer,
        error,
        retry_after: None,
    })
}

fn unanswered(request: &Request, error: reqwest::Error) -> Box<Trouble> {
    let (failure, kind, message) = refusal::classify(&error);
    let mut error_parts = parts(request, kind, message);
    error_parts.source = Some(error.without_url().into());
    Box::new(Trouble {
        failure,
        error: error_parts,
        retry_after: None,
    })
}

async fn refused(request: &Request, mut response: Response) -> Box<Trouble> {
    let mut body = BytesMut::new();
    while body.len() < ERROR_BODY_MAX_BYTES {
        // A refusal whose body is cut or stalls is still a refusal: what came is enough.
        match tokio::time::timeout(CONNECT_MAX, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = ERROR_BODY_MAX_BYTES - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    let status = response.status().as_u16();
    let said = refusal::read(status, response.headers(), &body);
    let text = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned)
    };
    let mut error = parts(request, ErrorKind::Refused, said.message);
    error.status = Some(status);
    error.code = said.code;
    error.request_id = text("request-id").or_else(|| text("x-ms-request-id"));
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| read_retry_after(v, clock::now()));
    Box::new(Trouble {
        failure: Failure::Status(status),
        error,
        retry_after,
    })
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
