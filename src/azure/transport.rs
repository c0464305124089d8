//! Sends requests: signs each try, repeats what may be repeated, reads answers within a bound, and turns every failure
//! into a [`ServiceError`].
//!
//! It does not know operations (`batch`, `storage`) or which failures are repeated (`retry`). Bodies that are streamed
//! ([`Transport::open`]) are resumed by their reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::azure::auth::{Dialect, SharedKey};
use crate::azure::endpoint::Endpoint;
use crate::azure::error::{ErrorKind, Result, ServiceError, shown_url};
use crate::azure::http_date;
use crate::azure::message::{Answer, Opened, Patience, Request};
use crate::azure::observer::{Observer, Tried};
use crate::azure::retry::{RetryPolicy, is_retryable};
use crate::azure::trouble::Trouble;
use crate::clock;

/// How long a connection may take: an address that answers at all answers within a second or two.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The slowest way up that is waited for, per request: a block of 8 MiB gets 256 s more.
const UPLOAD_MIN_BYTES_PER_SECOND: usize = 32 << 10;

/// The way to one service: a connection pool, credentials and the retry policy. Cloning shares all of it.
#[derive(Clone, Debug)]
pub struct Transport {
    client: Client,
    key: SharedKey,
    dialect: Dialect,
    retry: RetryPolicy,
    patience: Patience,
    observer: Observer,
    /// Whether this service has answered anything yet.
    met: Arc<AtomicBool>,
}

/// The tries of one request.
struct Tries {
    count: u32,
    begun: Instant,
    last_begun: Instant,
}

impl Tries {
    fn begin() -> Self {
        let now = clock::instant();
        Self {
            count: 1,
            begun: now,
            last_begun: now,
        }
    }
}

type Try<T> = std::result::Result<T, Box<Trouble>>;

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
            patience: Patience::PRACTICAL,
            observer: Observer::default(),
            met: Arc::new(AtomicBool::new(false)),
        })
    }

    /// The same transport, whose tries `observer` is told of.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// The same transport with other patience.
    #[cfg(test)]
    pub(crate) fn impatient(mut self) -> Self {
        let short = Duration::from_millis(50);
        self.patience = Patience {
            answer: short,
            still: short,
            whole: short,
        };
        self
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
        let mut tries = Tries::begin();
        loop {
            let outcome = match self.exchange(request).await {
                Ok(opened) => self.read_whole(request, opened).await,
                Err(trouble) => Err(trouble),
            };
            match outcome {
                Ok(answer) => {
                    self.tell(request, &tries, Some(answer.status), None, None);
                    return Ok(Answer {
                        attempts: tries.count,
                        ..answer
                    });
                }
                Err(trouble) => self.wait_or_fail(request, trouble, &mut tries).await?,
            }
        }
    }

    /// Sends `request` until it is answered with success or may not be repeated; the body is the caller's to read.
    ///
    /// # Errors
    /// [`ServiceError`] of the last try.
    pub async fn open(&self, request: &Request) -> Result<Opened> {
        let mut tries = Tries::begin();
        loop {
            match self.exchange(request).await {
                Ok(opened) => {
                    self.tell(request, &tries, Some(opened.status()), None, None);
                    return Ok(opened);
                }
                Err(trouble) => self.wait_or_fail(request, trouble, &mut tries).await?,
            }
        }
    }

    /// Waits until the next try, or gives the error of the last one.
    async fn wait_or_fail(
        &self,
        request: &Request,
        mut trouble: Box<Trouble>,
        tries: &mut Tries,
    ) -> Result<()> {
        let elapsed = tries.begun.elapsed();
        let delay = is_retryable(trouble.failure, self.met.load(Ordering::Relaxed))
            .then(|| {
                self.retry
                    .delay(tries.count, elapsed, trouble.retry_after, rand::random())
            })
            .flatten();
        self.tell(
            request,
            tries,
            trouble.error.status,
            Some(&trouble.error.message),
            delay,
        );
        let Some(delay) = delay else {
            trouble.error.attempts = tries.count;
            trouble.error.elapsed = elapsed;
            return Err(ServiceError::new(trouble.error));
        };
        clock::sleep(delay).await;
        tries.count += 1;
        tries.last_begun = clock::instant();
        Ok(())
    }

    fn tell(
        &self,
        request: &Request,
        tries: &Tries,
        status: Option<u16>,
        trouble: Option<&str>,
        next_in: Option<Duration>,
    ) {
        self.observer.tell(&Tried {
            operation: &request.operation,
            method: &request.method,
            url: &shown_url(&request.url),
            attempt: tries.count,
            status,
            trouble,
            elapsed: tries.last_begun.elapsed(),
            next_in,
        });
    }

    /// One try: dates, signs, sends, and reads the body only of a refusal.
    async fn exchange(&self, request: &Request) -> Try<Opened> {
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
            .send();
        let sending =
            Duration::from_secs((request.body.len() / UPLOAD_MIN_BYTES_PER_SECOND) as u64);
        let response = match tokio::time::timeout(self.patience.answer + sending, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Trouble::unanswered(request, error)),
            Err(elapsed) => return Err(Trouble::out_of_time(request, elapsed)),
        };
        self.met.store(true, Ordering::Relaxed);
        if response.status().is_success() {
            let patience = self.patience;
            return Ok(Opened { response, patience });
        }
        Err(Trouble::refused(request, response).await)
    }

    async fn read_whole(&self, request: &Request, mut opened: Opened) -> Try<Answer> {
        let max = request.body_max_bytes;
        let declared = opened
            .response
            .content_length()
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0);
        // A HEAD declares the length of a body that it does not send.
        if declared > max && request.method != Method::HEAD {
            return Err(Trouble::too_long(request, declared));
        }
        let mut body = BytesMut::with_capacity(declared.min(max).min(1 << 20));
        let begun = clock::instant();
        loop {
            match opened.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > max => {
                    return Err(Trouble::too_long(request, body.len() + chunk.len()));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Err(Trouble::cut(request, body.len(), error)),
            }
            if begun.elapsed() > self.patience.whole {
                let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
                return Err(Trouble::cut(request, body.len(), error));
            }
        }
        let (status, headers) = (opened.status(), opened.headers().clone());
        Ok(Answer {
            status,
            headers,
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

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
