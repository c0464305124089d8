//! One failed try of a request: what it was, what the error will say, when the service wants to be asked again.
//!
//! Whether there is another try is decided by `retry` and done by `transport`; what a refusal says is read by `refusal`.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::Response;
use reqwest::header::RETRY_AFTER;

use crate::azure::error::{ErrorKind, Parts, shown_url};
use crate::azure::message::Request;
use crate::azure::refusal;
use crate::azure::retry::{Failure, read_retry_after};
use crate::clock;

/// An error's body is read up to this; the rest is dropped. Real ones have a few hundred bytes.
const ERROR_BODY_MAX_BYTES: usize = 64 << 10;
/// How long the rest of an error's body is waited for: what came is enough.
const ERROR_BODY_STILL_MAX: Duration = Duration::from_secs(5);

/// One failed try.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// How it failed.
    pub(crate) failure: Failure,
    /// The error, if there is no other try.
    pub(crate) error: Parts,
    /// How long the service wants not to be asked.
    pub(crate) retry_after: Option<Duration>,
}

impl Trouble {
    fn new(request: &Request, failure: Failure, kind: ErrorKind, message: String) -> Box<Self> {
        let error = Parts {
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
        };
        Box::new(Self {
            failure,
            error,
            retry_after: None,
        })
    }

    /// No answer came.
    pub(crate) fn unanswered(request: &Request, error: reqwest::Error) -> Box<Self> {
        let (failure, kind, message) = refusal::classify(&error);
        let mut trouble = Self::new(request, failure, kind, message);
        trouble.error.source = Some(error.without_url().into());
        trouble
    }

    /// No answer came in time.
    pub(crate) fn out_of_time(
        request: &Request,
        elapsed: tokio::time::error::Elapsed,
    ) -> Box<Self> {
        let message = "no answer in time; it may have been done".to_owned();
        let mut trouble = Self::new(request, Failure::NoAnswer, ErrorKind::NotAnswered, message);
        trouble.error.source = Some(elapsed.into());
        trouble
    }

    /// The answer's body ended, or stood still, after `bytes`.
    pub(crate) fn cut(request: &Request, bytes: usize, error: std::io::Error) -> Box<Self> {
        let message = format!("the answer ended early, after {bytes} bytes");
        let mut trouble = Self::new(request, Failure::BodyCut, ErrorKind::Unreadable, message);
        trouble.error.source = Some(error.into());
        trouble
    }

    /// The answer's body has `bytes` or more.
    pub(crate) fn too_long(request: &Request, bytes: usize) -> Box<Self> {
        let max = request.body_max_bytes;
        let message = format!("the answer has {bytes} bytes or more, at most {max} are accepted");
        Self::new(
            request,
            Failure::BodyTooLong,
            ErrorKind::Unreadable,
            message,
        )
    }

    /// The service refused; what it says is read.
    pub(crate) async fn refused(request: &Request, mut response: Response) -> Box<Self> {
        let mut body = BytesMut::new();
        while body.len() < ERROR_BODY_MAX_BYTES {
            // A refusal whose body is cut or stalls is still a refusal.
            match tokio::time::timeout(ERROR_BODY_STILL_MAX, response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    let room = ERROR_BODY_MAX_BYTES - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                }
                Ok(Ok(None) | Err(_)) | Err(_) => break,
            }
        }
        let status = response.status().as_u16();
        let said = refusal::read(status, response.headers(), &body);
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        let mut trouble = Self::new(
            request,
            Failure::Status(status),
            ErrorKind::Refused,
            said.message,
        );
        trouble.error.status = Some(status);
        trouble.error.code = said.code;
        let id = header("request-id").or_else(|| header("x-ms-request-id"));
        trouble.error.request_id = id.map(str::to_owned);
        trouble.retry_after =
            header(RETRY_AFTER.as_str()).and_then(|v| read_retry_after(v, clock::now()));
        trouble
    }
}
