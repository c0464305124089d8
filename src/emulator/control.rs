//! The control endpoint: faults, the clock, and harm to nodes, for whoever holds the token.
//!
//! It answers only requests to a loopback host that carry the token, and sends no header that would let a web page read
//! its answers.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{Batch, NodeHarm};
use super::faults::{Fault, Faults};
use super::server::{Answer, Cut, Handler, full};
use crate::secret::Secret;

/// Largest body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The control endpoint of one service.
pub(crate) struct ControlPanel {
    pub(crate) faults: Arc<Faults>,
    pub(crate) batch: Arc<Batch>,
    pub(crate) token: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Clock {
    skew_seconds: i64,
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
                self.faults.add(parse::<Fault>(&body)?);
                Ok((StatusCode::CREATED, json!({})))
            }
            ("POST", "/clock") => {
                self.faults.set_skew(parse::<Clock>(&body)?.skew_seconds);
                Ok((StatusCode::OK, json!({})))
            }
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
                "there are GET, POST and DELETE /faults, POST /clock and POST /nodes",
            )),
        }
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
