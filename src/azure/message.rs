//! A request before it is sent, and an answer after it came.
//!
//! Sending is done by `transport`.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use url::Url;

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
    pub(crate) response: Response,
    pub(crate) patience: Patience,
}

impl Opened {
    /// The status, 200 to 299.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next bytes of the body; nothing at its end.
    ///
    /// # Errors
    /// When the body is cut, or nothing comes for a minute.
    pub async fn chunk(&mut self) -> std::io::Result<Option<Bytes>> {
        match tokio::time::timeout(self.patience.still, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(std::io::Error::other(error.without_url())),
            Err(elapsed) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed)),
        }
    }
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the head of an answer to a request without body. Twice the 30 s after which Batch itself gives up.
    pub(crate) answer: Duration,
    /// For the next bytes of an answer.
    pub(crate) still: Duration,
    /// For an answer that is read whole, so that one that trickles for ever ends.
    pub(crate) whole: Duration,
}

impl Patience {
    /// What is waited for real services.
    pub(crate) const PRACTICAL: Self = Self {
        answer: Duration::from_secs(60),
        still: Duration::from_secs(60),
        whole: Duration::from_secs(300),
    };
}
