//! The two Shared Key schemes: what is signed, and whether a signature is right.
//!
//! It decides only about the key. Clock windows, accounts and the answers to a wrong signature belong to `batch` and
//! `blob`.
//!
//! Source: "Authenticate with Shared Key" of the Batch and of the Blob REST reference.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::call::Call;
use crate::secret::Secret;

/// An account key, decoded.
#[derive(Clone)]
pub(crate) struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::secret::REDACTED)
    }
}

impl Key {
    /// Decodes a key written in Base64; `None` if it is not Base64 or empty.
    pub(crate) fn decode(secret: &Secret) -> Option<Self> {
        let bytes = STANDARD.decode(secret.expose()).ok()?;
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// A fresh random key of 64 bytes, in Base64.
    pub(crate) fn generate() -> Secret {
        let bytes: [u8; 64] = rand::random();
        Secret::new(STANDARD.encode(bytes))
    }

    /// Whether `signature` (Base64) is the HMAC-SHA256 of `text`; takes the same time for every wrong one.
    pub(crate) fn verifies(&self, text: &str, signature: &str) -> bool {
        let Ok(given) = STANDARD.decode(signature) else {
            return false;
        };
        self.mac(text)
            .is_some_and(|mac| mac.verify_slice(&given).is_ok())
    }

    /// The HMAC-SHA256 of `text` in Base64.
    #[cfg(test)]
    pub(crate) fn sign(&self, text: &str) -> String {
        self.mac(text).map_or_else(String::new, |mac| {
            STANDARD.encode(mac.finalize().into_bytes())
        })
    }

    fn mac(&self, text: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(text.as_bytes());
        Some(mac)
    }
}

/// How Batch treats the names of query parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// In lower case, as the REST page says.
    Lower,
    /// As sent, as the newer Python client signs `timeOut`.
    AsSent,
}

/// The text that a Batch client signs for `call` in `account`.
pub(crate) fn batch_text(call: &Call, account: &str, names: Names) -> String {
    let mut text = call.method.as_str().to_owned();
    let with_date = call.header("ocp-date").is_none();
    for name in [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ] {
        text.push('\n');
        if name != "date" || with_date {
            text.push_str(call.header(name).unwrap_or_default());
        }
    }
    text.push('\n');
    push_headers(&mut text, call, "ocp-");
    text.push('/');
    text.push_str(account);
    text.push_str(&call.path);
    let mut query: Vec<(String, &str)> = call
        .query
        .iter()
        .map(|(name, value)| {
            let name = match names {
                Names::Lower => name.to_lowercase(),
                Names::AsSent => name.clone(),
            };
            (name, value.as_str())
        })
        .collect();
    query.sort_by_key(|(name, _)| name.to_lowercase());
    for (name, value) in query {
        text.push('\n');
        text.push_str(&name);
        text.push(':');
        text.push_str(value);
    }
    text
}

/// The text that a Blob client signs for `call` in `account`.
pub(crate) fn blob_text(call: &Call, account: &str) -> String {
    let mut text = call.method.as_str().to_owned();
    let with_date = call.header("x-ms-date").is_none();
    for name in [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ] {
        let value = call.header(name).unwrap_or_default();
        text.push('\n');
        // Unlike Batch, a length of 0 is signed as nothing since version 2015-02-21.
        if (name != "date" || with_date) && (name != "content-length" || value != "0") {
            text.push_str(value);
        }
    }
    text.push('\n');
    push_headers(&mut text, call, "x-ms-");
    text.push('/');
    text.push_str(account);
    text.push_str(&call.path);
    let mut query: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, value) in &call.query {
        let name = name.to_lowercase();
        match query.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => query.push((name, vec![value])),
        }
    }
    query.sort();
    for (name, mut values) in query {
        values.sort_unstable();
        text.push('\n');
        text.push_str(&name);
        text.push(':');
        text.push_str(&values.join(","));
    }
    text
}

/// Appends `name:value` lines of every header whose name starts with `prefix`, sorted by name.
fn push_headers(text: &mut String, call: &Call, prefix: &str) {
    let mut names: Vec<&str> = call
        .headers
        .keys()
        .map(hyper::header::HeaderName::as_str)
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_unstable();
    for name in names {
        text.push_str(name);
        text.push(':');
        text.push_str(call.header(name).unwrap_or_default().trim());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    const KEY: &str =
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";
    const LONG_TYPE: &str = "application/json; odata=minimalmetadata; charset=utf-8";
    const SHORT_TYPE: &str = "application/json; odata=minimalmetadata";
    const OLD: &str = "api-version=2024-02-01.19.0";

    type Row = (
        &'static str,
        String,
        &'static [(&'static str, &'static str)],
        &'static str,
    );

    /// Requests of the official Python clients 14.2.0 and 15.1.0, captured on loopback with a dummy key.
    fn captured() -> Vec<Row> {
        const NEW: &str = "api-version=2025-06-01";
        vec![
            (
                "GET",
                format!(
                    "/jobs/job1/tasks?{OLD}&$filter=state%20eq%20%27completed%27&$select=id%2Cstate%2CexecutionInfo&maxresults=100&timeout=30"
                ),
                &[],
                "oKh9MXZwtTmAMmjDO8crVn2E6aXgB6TJVQM2B2u+Uz8=",
            ),
            (
                "POST",
                format!("/jobs/job1/tasks?{OLD}&timeout=30"),
                &[("content-length", "61"), ("content-type", LONG_TYPE)],
                "e4j5huiKzMiaVoZzMJv/b8jh15IRV1iZQXSuKmRZsY8=",
            ),
            (
                "DELETE",
                format!("/jobs/job1/tasks/task-0001?{OLD}&timeout=30"),
                &[("content-length", "0")],
                "F9UxTm4SwHla6JLIyvWJav4QXCeKvPazGI5h+3JmDZA=",
            ),
            (
                "POST",
                format!("/jobs/job1/terminate?{OLD}&timeout=30"),
                &[("content-length", "0"), ("content-type", LONG_TYPE)],
                "cybJY9DQ+CxRpALTOyMKBEJVLzjWB66EHS4YzBbvH+Q=",
            ),
            (
                "POST",
                format!("/jobs/job1/enable?{OLD}&timeout=30"),
                &[("content-length", "0"), ("if-match", "0x8DCF3C953387E09")],
                "yKvG3EnP7iU9W/1x6+teCt66ubnENPOKWGZ/jCZDEoI=",
            ),
            (
                "POST",
                format!("/jobs/job1/tasks?{NEW}"),
                &[("content-length", "61"), ("content-type", SHORT_TYPE)],
                "MCR0OYuR8av/QdnMiguA+9tAaSVHOoNCss6zZLIwqCw=",
            ),
            (
                "DELETE",
                format!("/jobs/job1/tasks/task-0001?{NEW}"),
                &[("content-length", "0")],
                "zA2VRvZ1iq1rwG1H2I1ZaUaubgJ8TpwRz9SRjK64uhg=",
            ),
            (
                "POST",
                format!("/jobs/job1/tasks/task-0001/reactivate?{NEW}"),
                &[("content-length", "0")],
                "TOo4/AXBZLi1RGYOnsGeuBPGxhsjeLD3a/WjwJrmlQw=",
            ),
            (
                "GET",
                format!("/jobs/job1/tasks/task-0001/files/wd%2Fout%20dir%2Fa%20b.txt?{NEW}"),
                &[("ocp-range", "bytes=0-99")],
                "QgTs3eqfZgwM7T8g0yBc1czVQ+UtL9zyjQjgbbQ8QQQ=",
            ),
            (
                "GET",
                format!(
                    "/jobs/job1/tasks?{NEW}&timeOut=30&maxresults=100&$filter=state%20eq%20%27completed%27&$select=id,state,executionInfo"
                ),
                &[],
                "zMAzJGkvWpoxc/huCczUapksQFjQyaP1NoNg4ydG9fg=",
            ),
        ]
    }

    #[test]
    fn signatures_of_the_official_batch_clients_verify() {
        let key = Key::decode(&Secret::new(KEY)).expect("base64");
        for (method, uri, headers, signature) in captured() {
            let mut request = Request::builder()
                .method(method)
                .uri(&uri)
                .header("ocp-date", "Fri, 20 Nov 2026 10:15:30 GMT");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let call = Call::new(&request.body(()).expect("valid request"));
            let verified = [Names::Lower, Names::AsSent]
                .into_iter()
                .any(|names| key.verifies(&batch_text(&call, "testaccount", names), signature));
            assert!(verified, "{method} {uri}");
            assert!(!key.verifies(&batch_text(&call, "other", Names::Lower), signature));
        }
    }

    #[test]
    fn a_key_is_not_printed_and_a_bad_one_is_refused() {
        let key = Key::decode(&Key::generate()).expect("own keys are valid");
        assert_eq!(format!("{key:?}"), crate::secret::REDACTED);
        assert!(Key::decode(&Secret::new("not base64!")).is_none());
        assert!(!key.verifies("text", "%%%"));
        assert!(key.verifies("text", &key.sign("text")));
    }
}
