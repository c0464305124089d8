//! The Batch service as a whole: one request from its signature to its answer, and the end of everything.
//!
//! Which operation a request means is up to `route`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::error::{BatchError, MEDIA_TYPE};
use super::list::{Kind, Page, out_of_range};
use super::schema::{Dialect, Object};
use super::state::State;
use crate::emulator::behaviour::Behaviour;
use crate::emulator::call::Call;
use crate::emulator::clock::Clock;
use crate::emulator::exchange::Exchanges;
use crate::emulator::faults::Faults;
use crate::emulator::log::Log;
use crate::emulator::node::{Agent, kill_by_root};
use crate::emulator::server::{Answer, Cut, Handler, empty};
use crate::emulator::service::Endpoint;
use crate::emulator::signature::{Key, Names, batch_text};
use crate::emulator::stamp::{Stamp, http_date, parse_http_date};

/// How far the date of a request may be from now, in seconds.
const CLOCK_WINDOW_SECONDS: i64 = 15 * 60;
/// Longest time that a request may ask for, in seconds.
const TIMEOUT_MAX: usize = 30;
/// Every query parameter that there is.
const PARAMETERS: &[&str] = &[
    "$expand",
    "$filter",
    "$select",
    "$skiptoken",
    "api-version",
    "force",
    "maxresults",
    "recursive",
    "timeout",
];
/// Largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The Batch service of one account.
#[derive(Debug)]
pub(in crate::emulator) struct Batch {
    /// URL without a slash at its end.
    pub(super) endpoint: String,
    pub(super) account: String,
    key: Key,
    /// Where the directories of nodes are.
    pub(super) directory: PathBuf,
    pub(super) agent: Agent,
    state: Mutex<State>,
    /// Wakes those that wait for runs to end.
    pub(super) changed: Notify,
    works: Mutex<JoinSet<()>>,
    is_stopped: AtomicBool,
    pub(super) faults: Arc<Faults>,
    pub(super) clock: Arc<Clock>,
    pub(super) behaviour: Behaviour,
    exchanges: Option<Exchanges>,
    log: Log,
}

/// A request whose signature is right.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) call: Call,
    pub(super) body: Vec<u8>,
    pub(super) dialect: Dialect,
}

impl Batch {
    /// A service without pools and jobs, whose nodes will be directories in `directory`.
    ///
    /// # Errors
    /// If the HTTP client of the nodes cannot be made.
    pub(in crate::emulator) fn start(
        endpoint: &Endpoint,
        key: Key,
        directory: PathBuf,
        (faults, clock): (Arc<Faults>, Arc<Clock>),
        behaviour: Behaviour,
        (log, exchanges): (Log, Option<Exchanges>),
    ) -> Result<Arc<Self>, reqwest::Error> {
        Ok(Arc::new(Self {
            endpoint: endpoint.endpoint.clone(),
            account: endpoint.account.clone(),
            key,
            directory,
            agent: Agent::new(&clock)?,
            state: Mutex::new(State::default()),
            changed: Notify::new(),
            works: Mutex::new(JoinSet::new()),
            is_stopped: AtomicBool::new(false),
            faults,
            clock,
            behaviour,
            exchanges,
            log,
        }))
    }

    /// Ends everything that happens by itself, and every process.
    pub(in crate::emulator) async fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        let mut works = std::mem::take(&mut *self.lock_works());
        works.shutdown().await;
        self.kill_all();
    }

    /// Kills every process of every node, at once.
    pub(in crate::emulator) fn kill_all(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.lock_works().abort_all();
        self.agent.kill_all();
        kill_by_root(&self.directory);
    }

    /// All pools and jobs, locked; not to be held while waiting for anything.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a bug that one request pays for, not the whole service.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_works(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `work` happen beside the requests, until the service stops.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if self.is_stopped.load(Ordering::SeqCst) {
            return;
        }
        let mut works = self.lock_works();
        while works.try_join_next().is_some() {}
        works.spawn(self.clock.track(work));
    }

    /// Writes a line to the log.
    pub(super) fn log(&self, line: &str) {
        self.log.line(line);
    }

    /// Reads what `call` asks for of a list of `kind`.
    ///
    /// # Errors
    /// As [`Page::read`].
    pub(super) fn page(&self, call: &Call, kind: &Kind) -> Result<Page, BatchError> {
        Page::read(call, kind, self.behaviour.page_max)
    }

    async fn try_answer(
        self: &Arc<Self>,
        call: &Call,
        body: &mut Incoming,
        kept: &mut Vec<u8>,
    ) -> Result<Answer, BatchError> {
        let has_length = call.headers.contains_key("content-length");
        if !has_length && !matches!(call.method, Method::GET | Method::HEAD) {
            return Err(BatchError::of("MissingContentLengthHeader"));
        }
        self.authenticate(call)?;
        let dialect = read_version(call)?;
        check_query(call)?;
        let body = collect(body).await?;
        if self.exchanges.is_some() {
            kept.clone_from(&body);
        }
        if !body.is_empty() {
            check_media_type(call)?;
        }
        let order = Order {
            call: call.clone(),
            body,
            dialect,
        };
        self.route(&order).await
    }

    fn authenticate(&self, call: &Call) -> Result<(), BatchError> {
        let authorization = call.header("authorization").ok_or_else(|| {
            BatchError::unauthenticated("The Authorization header is not specified.")
        })?;
        let Some(credential) = authorization.strip_prefix("SharedKey ") else {
            let scheme = authorization.split(' ').next().unwrap_or_default();
            return Err(BatchError::missing(format!("authentication by `{scheme}`")));
        };
        let date = call
            .header("ocp-date")
            .or_else(|| call.header("date"))
            .unwrap_or_default();
        let now = self.clock.dated() + call.skew;
        let off = parse_http_date(date).map(|date| (now - date).whole_seconds().abs());
        if off.is_none_or(|off| off > CLOCK_WINDOW_SECONDS) {
            return Err(BatchError::unauthenticated(format!(
                "The Date header in the request is incorrect: '{date}'."
            )));
        }
        let (account, signature) = credential.split_once(':').unwrap_or_default();
        let is_right = |names| {
            self.key
                .verifies(&batch_text(call, &self.account, names), signature)
        };
        if account == self.account && (is_right(Names::Lower) || is_right(Names::AsSent)) {
            return Ok(());
        }
        let shown = batch_text(call, &self.account, Names::Lower).replace('\n', "\\n");
        Err(BatchError::unauthenticated(format!(
            "The MAC signature found in the HTTP request is not the same as any computed signature. Server used following string to sign: '{shown}'."
        )))
    }
}

impl Handler for Batch {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Cut> {
        let call = Call::new(&request);
        let mut body = request.into_body();
        let mut kept = Vec::new();
        let (mut answer, code) = match self.try_answer(&call, &mut body, &mut kept).await {
            Ok(answer) => (answer, ""),
            Err(error) => {
                // A client that is still sending would see a reset instead of the answer.
                while let Some(Ok(_)) = body.frame().await {}
                (error.answer(&call, &self.endpoint), error.code)
            }
        };
        finish(&mut answer, &call);
        self.log(&format!(
            "batch {} {} {} {code}",
            call.method,
            call.path,
            answer.status().as_u16()
        ));
        Ok(match &self.exchanges {
            Some(exchanges) => exchanges.note(&call, &kept, answer).await,
            None => answer,
        })
    }
}

/// Adds the headers that every answer has.
pub(super) fn finish(answer: &mut Answer, call: &Call) {
    let wants_id = call
        .header("return-client-request-id")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"));
    for (name, value) in [
        ("request-id", Some(call.request_id.as_str())),
        ("dataserviceversion", Some("3.0")),
        ("server", Some("Microsoft-HTTPAPI/2.0")),
        (
            "strict-transport-security",
            Some("max-age=31536000; includeSubDomains"),
        ),
        ("x-content-type-options", Some("nosniff")),
        (
            "client-request-id",
            call.header("client-request-id").filter(|_| wants_id),
        ),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            answer.headers_mut().insert(name, value);
        }
    }
}

fn read_version(call: &Call) -> Result<Dialect, BatchError> {
    match call.query("api-version") {
        Some("2025-06-01") => Ok(Dialect::Y2025),
        Some("2024-02-01.19.0") => Ok(Dialect::Y2024),
        None | Some("") => Err(BatchError::of("MissingRequiredQueryParameter")
            .with("QueryParameterName", "api-version")),
        Some(version) => Err(BatchError::of("UnsupportedRequestVersion")
            .with("RequestVersion", version)
            .with("SupportedVersions", "2025-06-01, 2024-02-01.19.0")),
    }
}

fn check_query(call: &Call) -> Result<(), BatchError> {
    let unknown = call.query.iter().find(|(name, _)| {
        !PARAMETERS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    });
    if let Some((name, _)) = unknown {
        return Err(
            BatchError::of("UnsupportedQueryParameter").with("QueryParameterName", name.as_str())
        );
    }
    match call.query("timeout") {
        None => Ok(()),
        Some(text)
            if text
                .parse::<usize>()
                .is_ok_and(|seconds| seconds <= TIMEOUT_MAX) =>
        {
            Ok(())
        }
        Some(text) if text.parse::<usize>().is_ok() => {
            Err(out_of_range("timeOut", text, TIMEOUT_MAX))
        }
        Some(text) => Err(BatchError::query(
            "timeOut",
            text,
            "It is not a number of seconds.",
        )),
    }
}

fn check_media_type(call: &Call) -> Result<(), BatchError> {
    let given = call.header("content-type").unwrap_or_default();
    let plain: String = given
        .to_lowercase()
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    let mut parts = plain.split(';');
    let is_json = parts.next() == Some("application/json");
    if is_json
        && parts.clone().any(|part| part == "odata=minimalmetadata")
        && parts.all(|part| matches!(part, "odata=minimalmetadata" | "charset=utf-8"))
    {
        return Ok(());
    }
    Err(BatchError::of("InvalidHeaderValue")
        .with("HeaderName", "Content-Type")
        .with("HeaderValue", given))
}

async fn collect(body: &mut Incoming) -> Result<Vec<u8>, BatchError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_client_gone| BatchError::of("InvalidRequestBody"))?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Err(
                BatchError::of("RequestBodyTooLarge").with("MaxLimit", BODY_BYTES_MAX.to_string())
            );
        }
    }
    Ok(bytes)
}

/// A document as an answer; in chunks of unknown number, as the real service sends them.
pub(super) fn json_answer(document: Object) -> Answer {
    let bytes = Bytes::from(Value::Object(document).to_string());
    let body = StreamBody::new(stream::iter([Ok(Frame::data(bytes))]));
    let mut answer = Response::new(BodyExt::boxed_unsync(body));
    set(&mut answer, "content-type", MEDIA_TYPE);
    answer
}

/// A document of one resource with its metadata and its stamp.
pub(super) fn resource_answer(
    endpoint: &str,
    kind: &str,
    mut object: Object,
    stamp: Option<&Stamp>,
) -> Answer {
    object.insert(
        "odata.metadata".to_owned(),
        format!("{endpoint}/$metadata#{kind}/@Element").into(),
    );
    let mut answer = json_answer(object);
    if let Some(stamp) = stamp {
        set_stamp(&mut answer, stamp);
    }
    answer
}

/// An empty answer.
pub(super) fn empty_answer(status: StatusCode) -> Answer {
    let mut answer = Response::new(empty());
    *answer.status_mut() = status;
    answer
}

/// The empty answer to a write: the resource's stamp, its URL, and for a create also the location.
pub(super) fn written(status: StatusCode, stamp: &Stamp, url: &str) -> Answer {
    let mut answer = empty_answer(status);
    set_stamp(&mut answer, stamp);
    set(&mut answer, "dataserviceid", url);
    if status == StatusCode::CREATED {
        set(&mut answer, "location", url);
    }
    answer
}

/// Sets `ETag`, without quotation marks, and `Last-Modified`.
pub(super) fn set_stamp(answer: &mut Answer, stamp: &Stamp) {
    set(answer, "etag", &stamp.etag());
    set(answer, "last-modified", &http_date(stamp.modified));
}

/// Sets a header; a value that no header can hold is left out.
pub(super) fn set(answer: &mut Answer, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
