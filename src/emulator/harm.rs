//! Faults put between a client and a service: answers replaced, delayed, cut.
//!
//! Which request is hit is up to `faults`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::Request;
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderValue;

use super::call::{Call, Skew};
use super::clock::Clock;
use super::effect::Effect;
use super::faults::{Faults, Target};
use super::server::{Answer, Body, Cut, Handler};
use super::stamp::http_date;

/// A service that can answer with an error of its own kind without doing anything.
pub(crate) trait Refuse: Handler {
    /// The error `code` with `status` as the answer to `call`.
    fn refuse(&self, call: &Call, status: u16, code: &str) -> Answer;
}

/// A service with faults before it.
pub(crate) struct Harmed<H> {
    inner: Arc<H>,
    faults: Arc<Faults>,
    clock: Arc<Clock>,
    target: Target,
}

impl<H: Refuse> Handler for Harmed<H> {
    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Result<Answer, Cut> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let hit = self
            .faults
            .on_request(self.target, request.method().as_str(), &path);
        if hit.slow_milliseconds > 0 {
            crate::clock::sleep(Duration::from_millis(hit.slow_milliseconds)).await;
        }
        request.extensions_mut().insert(Skew(hit.skew_seconds));
        let call = Call::new(&request);
        let mut answer = match hit.effect {
            Some(Effect::Cut { done: false }) => return Err(Cut),
            Some(Effect::Status {
                status,
                code,
                retry_after,
                done: false,
            }) => {
                let mut body = request.into_body();
                while let Some(Ok(_)) = body.frame().await {}
                self.refuse(&call, status, &code, retry_after)
            }
            effect => {
                let answer = Arc::clone(&self.inner).answer(request).await?;
                match effect {
                    Some(Effect::Cut { .. }) => return Err(Cut),
                    Some(Effect::Status {
                        status,
                        code,
                        retry_after,
                        ..
                    }) => self.refuse(&call, status, &code, retry_after),
                    Some(Effect::CutBody { bytes }) => answer.map(|body| cut_after(body, bytes)),
                    _ => answer,
                }
            }
        };
        let skew = self.clock.skew() + call.skew;
        if !skew.is_zero()
            && let Ok(date) = HeaderValue::from_str(&http_date(self.clock.dated() + call.skew))
        {
            answer.headers_mut().insert("date", date);
        }
        Ok(answer)
    }
}

impl<H: Refuse> Harmed<H> {
    /// `inner` with the faults meant for `target` before it.
    pub(crate) fn new(
        inner: &Arc<H>,
        faults: &Arc<Faults>,
        clock: &Arc<Clock>,
        target: Target,
    ) -> Self {
        Self {
            inner: Arc::clone(inner),
            faults: Arc::clone(faults),
            clock: Arc::clone(clock),
            target,
        }
    }

    fn refuse(&self, call: &Call, status: u16, code: &str, retry_after: Option<u64>) -> Answer {
        let mut answer = self.inner.refuse(call, status, code);
        if let Some(seconds) = retry_after {
            answer
                .headers_mut()
                .insert("retry-after", HeaderValue::from(seconds));
        }
        answer
    }
}

/// `body` that breaks after `left` bytes.
fn cut_after(body: Body, left: u64) -> Body {
    let parts = futures::stream::try_unfold((body, left), |(mut body, left)| async move {
        if left == 0 {
            // Lets the connection send what came before: an error at once would take it along.
            tokio::task::yield_now().await;
            return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
        }
        match body.frame().await.transpose()? {
            None => Ok(None),
            Some(frame) => {
                let mut data = frame.into_data().unwrap_or_else(|_trailers| Bytes::new());
                data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - data.len() as u64;
                Ok(Some((Frame::data(data), (body, left))))
            }
        }
    });
    http_body_util::BodyExt::boxed_unsync(StreamBody::new(parts))
}
