//! The Batch service as a whole.

use std::path::PathBuf;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::emulator::log::Log;
use crate::emulator::server::{Answer, Cut, Handler, empty};
use crate::emulator::service::Endpoint;
use crate::emulator::signature::Key;

/// The Batch service.
#[derive(Debug)]
pub(in crate::emulator) struct Batch {}

impl Batch {
    pub(in crate::emulator) fn start(
        _endpoint: &Endpoint,
        _key: Key,
        _directory: PathBuf,
        _log: Log,
    ) -> Result<Arc<Self>, reqwest::Error> {
        Ok(Arc::new(Self {}))
    }

    pub(in crate::emulator) async fn stop(&self) {}

    pub(in crate::emulator) fn kill_all(&self) {}
}

impl Handler for Batch {
    async fn answer(self: Arc<Self>, _request: Request<Incoming>) -> Result<Answer, Cut> {
        let mut answer = Response::new(empty());
        *answer.status_mut() = hyper::StatusCode::NOT_IMPLEMENTED;
        Ok(answer)
    }
}
