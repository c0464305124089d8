//! One HTTP request in parts: method, path as on the wire, query, headers.
//!
//! It reads no body and judges nothing: which parts are allowed is up to the two services.

use hyper::header::HeaderMap;
use hyper::{Method, Request};
use percent_encoding::percent_decode_str;

/// A request without its body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path as on the wire, percent-encoded, with its leading slash.
    pub(crate) path: String,
    /// Query parameters in the order of the wire, names as sent, values decoded.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// Id that the answer carries.
    pub(crate) request_id: String,
    /// How wrong the clock is for this request alone, by a fault.
    pub(crate) skew: time::Duration,
}

/// Travels with a request that meets a wrong clock: seconds ahead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Skew(pub(crate) i64);

impl Call {
    /// The parts of `request`, with a fresh request id.
    pub(crate) fn new<B>(request: &Request<B>) -> Self {
        let uri = request.uri();
        let query_raw = uri.query().unwrap_or_default();
        let skew = request.extensions().get::<Skew>();
        Self {
            method: request.method().clone(),
            path: uri.path().to_owned(),
            query: parse_query(query_raw),
            headers: request.headers().clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            skew: time::Duration::seconds(skew.map_or(0, |skew| skew.0)),
        }
    }

    /// The first value of the query parameter `name`, whose case does not matter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The header `name` as text; `None` if it is absent or not text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The decoded path segments. Empty ones are dropped; a segment may hold a decoded `/`.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode)
            .collect()
    }
}

/// `text` with `%XX` decoded; ill-formed UTF-8 shows as U+FFFD. `+` stays.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The parameters of the query `raw`, values decoded.
pub(crate) fn parse_query(raw: &str) -> Vec<(String, String)> {
    raw.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_apart_without_losing_its_spelling() {
        let request = Request::builder()
            .uri("/jobs/a%2Fb/c?$filter=x%20eq%20'1+2'&flag&timeOut=30")
            .body(())
            .expect("valid request");
        let call = Call::new(&request);
        assert_eq!(call.path, "/jobs/a%2Fb/c");
        assert_eq!(call.segments(), ["jobs", "a/b", "c"]);
        assert_eq!(call.query("$filter"), Some("x eq '1+2'"));
        assert_eq!(call.query("flag"), Some(""));
        assert_eq!(call.query("timeout"), Some("30"));
        assert_eq!(call.query("other"), None);
    }
}
