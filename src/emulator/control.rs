//! The control endpoint: faults, the clock, and harm to nodes, for whoever holds the token.
//!
//! It answers only requests to a loopback host that carry the token, and sends no header that would let a web page read
//! its answers.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{Batch, NodeHarm};
use super::catalogue::catalogue;
use super::clock::Clock;
use super::faults::{Fault, Faults};
use super::server::{Answer, Cut, Handler, full};
use super::stamp::iso;
use crate::secret::Secret;

/// Largest body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Furthest step of the clock.
const ADVANCE_MAX: Duration = Duration::from_secs(365 * 86_400);

/// The control endpoint of one service.
pub(crate) struct ControlPanel {
    pub(crate) faults: Arc<Faults>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) batch: Arc<Batch>,
    pub(crate) token: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockOrder {
    /// How wrong the dates of requests and answers are.
    skew_seconds: Option<i64>,
    /// Whether the clock stands still.
    frozen: Option<bool>,
    /// By how much it goes forward at once.
    advance_seconds: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NodeOrder {
    pool: String,
    /// A node's id; any node of the pool if absent.
    node: Option<String>,
    action: NodeHarm,
}

type Reply = (StatusCode, Value);

impl Handler for ControlPanel {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Cut> {
        let (status, body) = self.try_answer(request).await.unwrap_or_else(|reply| reply);
        let mut answer = Response::new(full(body.to_string()));
        *answer.status_mut() = status;
        answer
            .headers_mut()
            .insert("content-type", HeaderValue::from_static("application/json"));
        Ok(answer)
    }
}

impl ControlPanel {
    async fn try_answer(&self, request: Request<Incoming>) -> Result<Reply, Reply> {
        let text = |name: &str| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let host = text("host")
            .rsplit_once(':')
            .map_or(text("host"), |(host, _)| host);
        if !matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
            return Err(refused(
                StatusCode::FORBIDDEN,
                "the host is not a loopback one",
            ));
        }
        let token = text("authorization")
            .strip_prefix("Bearer ")
            .unwrap_or_default();
        if !is_same(token, self.token.expose()) {
            return Err(refused(
                StatusCode::UNAUTHORIZED,
                "the token of the ready line is missing or wrong",
            ));
        }
        let (method, path) = (
            request.method().as_str().to_owned(),
            request.uri().path().to_owned(),
        );
        let body = read(request.into_body()).await?;
        match (method.as_str(), path.as_str()) {
            ("GET", "/faults") => Ok((StatusCode::OK, json!({"faults": self.faults.list()}))),
            ("DELETE", "/faults") => {
                self.faults.clear();
                Ok((StatusCode::OK, json!({})))
            }
            ("POST", "/faults") => {
                let text = String::from_utf8_lossy(&body);
                let fault = Fault::read(text.trim().trim_matches('"'))
                    .map_err(|error| refused(StatusCode::BAD_REQUEST, error))?;
                self.faults.add(fault);
                Ok((StatusCode::CREATED, json!({})))
            }
            ("POST", "/clock") => {
                self.set_clock(parse(&body)?).await?;
                Ok((StatusCode::OK, self.show_clock()))
            }
            ("GET", "/clock") => Ok((StatusCode::OK, self.show_clock())),
            ("GET", "/faults/named") => Ok((StatusCode::OK, json!({"named": catalogue()}))),
            ("POST", "/nodes") => {
                let order = parse::<NodeOrder>(&body)?;
                let node = self
                    .batch
                    .harm_node(&order.pool, order.node.as_deref(), order.action)
                    .ok_or_else(|| refused(StatusCode::NOT_FOUND, "there is no such node"))?;
                Ok((StatusCode::ACCEPTED, json!({"node": node})))
            }
            _ => Err(refused(
                StatusCode::NOT_FOUND,
                "there are GET, POST and DELETE /faults, GET /faults/named, GET and POST /clock, and POST /nodes",
            )),
        }
    }
}

impl ControlPanel {
    async fn set_clock(&self, order: ClockOrder) -> Result<(), Reply> {
        if let Some(seconds) = order.skew_seconds {
            self.clock.set_skew(seconds);
        }
        if let Some(is_frozen) = order.frozen {
            self.clock.set_frozen(is_frozen);
        }
        if let Some(seconds) = order.advance_seconds {
            let by = Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|by| *by <= ADVANCE_MAX)
                .ok_or_else(|| {
                    refused(
                        StatusCode::BAD_REQUEST,
                        "advanceSeconds must be 0 to 31,536,000, a year",
                    )
                })?;
            self.clock.advance(by).await;
        }
        Ok(())
    }

    fn show_clock(&self) -> Value {
        json!({
            "now": iso(self.clock.now()),
            "frozen": self.clock.is_frozen(),
            "skewSeconds": self.clock.skew().whole_seconds(),
        })
    }
}

fn refused(status: StatusCode, why: impl std::fmt::Display) -> Reply {
    (status, json!({"error": why.to_string()}))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Reply> {
    serde_json::from_slice(body).map_err(|error| refused(StatusCode::BAD_REQUEST, error))
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, Reply> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refused(StatusCode::BAD_REQUEST, error))?;
        bytes.extend(frame.data_ref().into_iter().flatten());
        if bytes.len() > BODY_BYTES_MAX {
            return Err(refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is larger than 1 MiB",
            ));
        }
    }
    Ok(bytes)
}

/// Compares without telling by its time where the first difference is.
fn is_same(given: &str, wanted: &str) -> bool {
    given.len() == wanted.len()
        && given
            .bytes()
            .zip(wanted.bytes())
            .fold(0, |difference, (left, right)| difference | (left ^ right))
            == 0
}
