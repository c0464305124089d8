//! A log of Batch requests with their answers, for whoever judges what goes over the wire: one JSON object a line.
//!
//! Several services may write to one file. Signatures are redacted; the content of files is left out.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use http_body_util::BodyExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::call::Call;
use super::server::{Answer, full};
use crate::secret::redact;

/// A log that is open.
#[derive(Debug)]
pub(crate) struct Exchanges(Mutex<File>);

impl Exchanges {
    /// Opens the file at `path` to add to it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self(Mutex::new(file)))
    }

    /// Notes `call`, whose body was `request`, with its `answer`, which is returned as it was.
    pub(crate) async fn note(&self, call: &Call, request: &[u8], answer: Answer) -> Answer {
        let is_file = call.path.contains("/files/") && answer.status().is_success();
        let (answer, text) = if is_file {
            (answer, None)
        } else {
            let (parts, body) = answer.into_parts();
            match body.collect().await {
                Ok(collected) => {
                    let bytes = collected.to_bytes();
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    (Answer::from_parts(parts, full(bytes)), Some(text))
                }
                Err(_) => (Answer::from_parts(parts, super::server::empty()), None),
            }
        };
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let query: Vec<String> = call
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let line = json!({
            "agent": call.header("user-agent"),
            "version": call.query("api-version"),
            "method": call.method.as_str(),
            "target": format!("{}?{}", call.path, query.join("&")),
            "request": redact(&String::from_utf8_lossy(request)),
            "status": answer.status().as_u16(),
            "answer": text.as_deref().map(redact),
        });
        if let Ok(mut file) = self.0.lock() {
            // A log that cannot be written fails whoever judges it, not the service.
            drop(file.write_all(format!("{line}\n").as_bytes()));
        }
        answer
    }
}
