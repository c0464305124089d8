//! From a Blob request to its answer: path, caller, operation, common headers.
//!
//! The operations themselves are in `containers`, `upload`, `download` and `list`.

use std::path::PathBuf;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};

use super::access::{Caller, Level, Times};
use super::error::BlobError;
use super::store::{Store, container};
use crate::emulator::call::{Call, decode};
use crate::emulator::clock::Clock;
use crate::emulator::harm::Refuse;
use crate::emulator::log::Log;
use crate::emulator::server::{Answer, Cut, Handler, empty, full};
use crate::emulator::service::Endpoint;
use crate::emulator::signature::Key;

/// Largest body of a request that is not a blob or a block, in bytes: 8 MiB hold 50,000 block ids of 64 bytes.
const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// The Blob service of one account.
pub(in crate::emulator) struct Blob {
    pub(super) account: String,
    /// URL of the account, without a slash at its end.
    pub(super) endpoint: String,
    pub(super) key: Key,
    pub(super) store: Store,
    pub(super) clock: Arc<Clock>,
    log: Log,
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) container: Option<String>,
    pub(super) blob: Option<String>,
}

impl Blob {
    /// A service without containers whose files will lie in `directory`.
    pub(in crate::emulator) fn new(
        endpoint: &Endpoint,
        key: Key,
        directory: PathBuf,
        clock: Arc<Clock>,
        log: Log,
    ) -> Self {
        Self {
            account: endpoint.account.clone(),
            endpoint: endpoint.endpoint.clone(),
            key,
            store: Store::new(directory),
            clock,
            log,
        }
    }

    async fn try_answer(&self, call: &Call, body: &mut Incoming) -> Result<Answer, BlobError> {
        let target = parse_path(&call.path, &self.account)?;
        let policies = target
            .container
            .as_ref()
            .and_then(|name| {
                self.store
                    .lock()
                    .get(name)
                    .map(|found| found.policies.clone())
            })
            .unwrap_or_default();
        let caller = Caller::of(
            call,
            Times::of(&self.clock, call),
            &self.key,
            &self.account,
            target.container.as_deref(),
            target.blob.as_deref(),
            &policies,
        )?;
        match (target.container.as_deref(), target.blob.as_deref()) {
            (None, _) => self.answer_account(call, &caller),
            (Some(container), None) => self.answer_container(call, body, &caller, container).await,
            (Some(container), Some(blob)) => {
                self.answer_blob(call, body, &caller, (container, blob))
                    .await
            }
        }
    }

    fn answer_account(&self, call: &Call, caller: &Caller) -> Result<Answer, BlobError> {
        let comp = call.query("comp").unwrap_or_default();
        match (
            call.method.as_str(),
            call.query("restype").unwrap_or_default(),
            comp,
        ) {
            ("GET", "", "list") => {
                caller.require(Level::Service, "l")?;
                self.list_containers(call)
            }
            ("GET" | "HEAD", "account", "properties") => Ok(account_properties()),
            (method, restype, comp) => Err(BlobError::missing(format!(
                "{method} of the account with restype=`{restype}` and comp=`{comp}`"
            ))),
        }
    }

    async fn answer_container(
        &self,
        call: &Call,
        body: &mut Incoming,
        caller: &Caller,
        name: &str,
    ) -> Result<Answer, BlobError> {
        if call.query("restype") != Some("container") {
            return Err(BlobError::of("InvalidUri"));
        }
        match (call.method.as_str(), call.query("comp").unwrap_or_default()) {
            ("PUT", "") => {
                caller.require(Level::Container, "cw")?;
                self.put_container(call, name)
            }
            ("GET" | "HEAD", "" | "metadata") => {
                caller.require(Level::Container, "r")?;
                self.get_container(call, name)
            }
            ("DELETE", "") => {
                caller.require(Level::Container, "d")?;
                self.delete_container(call, name)
            }
            ("PUT", "metadata") => {
                caller.require(Level::Container, "w")?;
                self.put_container_metadata(call, name)
            }
            ("GET" | "HEAD", "acl") => {
                require_owner(caller)?;
                self.get_policies(call, name)
            }
            ("PUT", "acl") => {
                require_owner(caller)?;
                let document = document(body).await?;
                self.put_policies(call, name, &document)
            }
            ("GET", "list") => {
                caller.require(Level::Container, "l")?;
                self.list_blobs(call, name)
            }
            ("GET" | "HEAD", "properties") => Ok(account_properties()),
            (method, comp) => Err(BlobError::missing(format!(
                "{method} of a container with comp=`{comp}`"
            ))),
        }
    }

    async fn answer_blob(
        &self,
        call: &Call,
        body: &mut Incoming,
        caller: &Caller,
        target: (&str, &str),
    ) -> Result<Answer, BlobError> {
        if call.query("snapshot").is_some() || call.query("versionid").is_some() {
            return Err(BlobError::missing("snapshots and versions"));
        }
        match (call.method.as_str(), call.query("comp").unwrap_or_default()) {
            ("GET", "") => {
                caller.require(Level::Blob, "r")?;
                self.get_blob(call, caller, target)
            }
            ("HEAD", "") | ("GET" | "HEAD", "metadata") => {
                caller.require(Level::Blob, "r")?;
                self.get_blob_properties(call, caller, target)
            }
            ("PUT", "") => {
                caller.require(Level::Blob, "cw")?;
                self.put_blob(call, body, caller, target).await
            }
            ("PUT", "block") => {
                caller.require(Level::Blob, "cw")?;
                self.put_block(call, body, target).await
            }
            ("PUT", "blocklist") => {
                caller.require(Level::Blob, "cw")?;
                let document = document(body).await?;
                self.put_block_list(call, caller, target, &document)
            }
            ("GET", "blocklist") => {
                caller.require(Level::Blob, "r")?;
                self.get_block_list(call, target)
            }
            ("PUT", "metadata") => {
                caller.require(Level::Blob, "w")?;
                self.put_blob_metadata(call, target)
            }
            ("PUT", "properties") => {
                caller.require(Level::Blob, "w")?;
                self.put_blob_properties(call, target)
            }
            ("DELETE", "") => {
                caller.require(Level::Blob, "d")?;
                self.delete_blob(call, target)
            }
            (method, comp) => Err(BlobError::missing(format!(
                "{method} of a blob with comp=`{comp}`"
            ))),
        }
    }

    /// The container `name` must exist.
    ///
    /// # Errors
    /// `ContainerNotFound`.
    pub(super) fn require_container(&self, name: &str) -> Result<(), BlobError> {
        container(&mut self.store.lock(), name).map(|_found| ())
    }
}

impl Handler for Blob {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Cut> {
        let call = Call::new(&request);
        let mut body = request.into_body();
        let mut answer = match self.try_answer(&call, &mut body).await {
            Ok(answer) => answer,
            Err(error) => {
                // A client that is still sending would see a reset instead of the answer.
                while let Some(Ok(_)) = body.frame().await {}
                error.answer(&call)
            }
        };
        finish(&mut answer, &call);
        self.log.line(&format!(
            "blob {} {} {}",
            call.method,
            call.path,
            answer.status().as_u16()
        ));
        Ok(answer)
    }
}

impl Refuse for Blob {
    fn refuse(&self, call: &Call, status: u16, code: &str) -> Answer {
        let mut answer = BlobError::named(code, status).answer(call);
        finish(&mut answer, call);
        self.log.line(&format!(
            "blob {} {} {status} {code} by fault",
            call.method, call.path
        ));
        answer
    }
}

/// Adds the headers that every answer has.
fn finish(answer: &mut Answer, call: &Call) {
    let headers = answer.headers_mut();
    let version = call
        .header("x-ms-version")
        .or_else(|| call.query("sv"))
        .unwrap_or("2021-12-02");
    for (name, value) in [
        ("x-ms-request-id", Some(call.request_id.as_str())),
        ("x-ms-version", Some(version)),
        (
            "x-ms-client-request-id",
            call.header("x-ms-client-request-id"),
        ),
        (
            "server",
            Some("Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"),
        ),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
}

/// An answer without a body.
pub(super) fn status(code: StatusCode) -> Answer {
    let mut answer = Response::new(empty());
    *answer.status_mut() = code;
    answer
}

/// A document as an answer.
pub(super) fn xml(document: String) -> Answer {
    let mut answer = Response::new(full(document));
    set(&mut answer, "content-type", "application/xml");
    answer
}

/// Sets a header; a value that no header can hold is left out.
pub(super) fn set(answer: &mut Answer, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn account_properties() -> Answer {
    let mut answer = status(StatusCode::OK);
    set(&mut answer, "x-ms-sku-name", "Standard_LRS");
    set(&mut answer, "x-ms-account-kind", "StorageV2");
    set(&mut answer, "x-ms-is-hns-enabled", "false");
    answer
}

fn require_owner(caller: &Caller) -> Result<(), BlobError> {
    match caller {
        Caller::Owner => Ok(()),
        Caller::Guest(_) => Err(BlobError::of("AuthorizationPermissionMismatch")),
    }
}

/// The whole body of a request that carries a document.
async fn document(body: &mut Incoming) -> Result<Vec<u8>, BlobError> {
    let mut document = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_client_gone| BlobError::of("InvalidInput"))?;
        if let Some(data) = frame.data_ref() {
            document.extend_from_slice(data);
        }
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(BlobError::of("RequestBodyTooLarge"));
        }
    }
    Ok(document)
}

/// Takes `/account/container/blob` apart; the blob's name is all that follows, decoded.
pub(super) fn parse_path(path: &str, account: &str) -> Result<Target, BlobError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (given, rest) = path.split_once('/').unwrap_or((path, ""));
    if decode(given) != account {
        return Err(BlobError::new(
            404,
            "ResourceNotFound",
            format!(
                "The account in the path is not `{account}`; URLs are HOST/ACCOUNT/CONTAINER/BLOB."
            ),
        ));
    }
    let (container, blob) = rest.split_once('/').unwrap_or((rest, ""));
    let container = decode(container);
    let blob = decode(blob);
    if !container.is_empty() && !is_container_name(&container) {
        return Err(BlobError::of("InvalidResourceName"));
    }
    if blob.chars().count() > 1024 {
        return Err(BlobError::of("InvalidResourceName"));
    }
    Ok(Target {
        container: (!container.is_empty()).then_some(container),
        blob: (!blob.is_empty()).then_some(blob),
    })
}

/// 3 to 63 lower-case letters, digits and hyphens, no hyphen at an end or beside another.
fn is_container_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// Refuses a method that has a body without its length.
///
/// # Errors
/// `MissingContentLengthHeader`.
pub(super) fn require_length(call: &Call) -> Result<u64, BlobError> {
    debug_assert_eq!(call.method, Method::PUT);
    call.header("content-length")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| BlobError::of("MissingContentLengthHeader"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_account_container_and_blob() {
        let target = parse_path("/acct/con/a%2Fb//c%20d", "acct").expect("valid");
        assert_eq!(target.container.as_deref(), Some("con"));
        assert_eq!(target.blob.as_deref(), Some("a/b//c d"));
        let target = parse_path("/acct/", "acct").expect("valid");
        assert_eq!((target.container, target.blob), (None, None));
        assert!(parse_path("/other/con", "acct").is_err());
        assert!(parse_path("/acct/Upper", "acct").is_err());
    }
}
