//! The four conditional headers of Batch requests.
//!
//! `ETag`s travel without quotation marks; quoted ones are accepted too.

use hyper::Method;

use super::error::BatchError;
use crate::emulator::call::Call;
use crate::emulator::stamp::{Stamp, parse_http_date};

const NAMES: [&str; 4] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];

/// Checks the condition of `call`, of which there may be one, against a resource that exists.
///
/// # Errors
/// `ConditionNotMet` with 412, or 304 for a read of something unchanged; 400 for two conditions or a bad date.
pub(super) fn check(call: &Call, stamp: &Stamp) -> Result<(), BatchError> {
    let mut given = NAMES
        .iter()
        .filter_map(|name| call.header(name).map(|value| (*name, value)));
    let Some((name, value)) = given.next() else {
        return Ok(());
    };
    if given.next().is_some() {
        return Err(BatchError::of("MultipleConditionHeadersNotSupported"));
    }
    let is_read = matches!(call.method, Method::GET | Method::HEAD);
    let is_same = || {
        value
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.trim_matches('"') == stamp.etag())
    };
    let is_newer = || {
        parse_http_date(value)
            .map(|since| stamp.modified.unix_timestamp() > since.unix_timestamp())
            .ok_or_else(|| {
                BatchError::of("InvalidHeaderValue")
                    .with("HeaderName", name)
                    .with("HeaderValue", value)
            })
    };
    let (holds, is_unchanged) = match name {
        "if-match" => (is_same(), false),
        "if-none-match" => (!is_same(), true),
        "if-modified-since" => (is_newer()?, true),
        _ => (!is_newer()?, false),
    };
    if holds {
        return Ok(());
    }
    let mut error = BatchError::of("ConditionNotMet");
    if is_read && is_unchanged {
        error.status = 304;
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn status(method: &str, headers: &[(&str, &str)]) -> u16 {
        let stamp = Stamp::new(datetime!(2026-11-20 10:15:31 UTC));
        let mut request = hyper::Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, value.replace("ETAG", &stamp.etag()));
        }
        let call = Call::new(&request.body(()).expect("valid request"));
        check(&call, &stamp).map_or_else(|error| error.status, |()| 200)
    }

    #[test]
    fn each_condition_is_held_to() {
        assert_eq!(status("DELETE", &[("if-match", "ETAG")]), 200);
        assert_eq!(status("DELETE", &[("if-match", "\"ETAG\"")]), 200);
        assert_eq!(status("DELETE", &[("if-match", "0x1")]), 412);
        assert_eq!(status("GET", &[("if-none-match", "ETAG")]), 304);
        assert_eq!(status("DELETE", &[("if-none-match", "*")]), 412);
        assert_eq!(
            status(
                "GET",
                &[("if-modified-since", "Fri, 20 Nov 2026 10:15:31 GMT")]
            ),
            304
        );
        assert_eq!(
            status(
                "GET",
                &[("if-unmodified-since", "Fri, 20 Nov 2026 10:15:30 GMT")]
            ),
            412
        );
        assert_eq!(status("GET", &[("if-modified-since", "yesterday")]), 400);
        assert_eq!(
            status("GET", &[("if-match", "*"), ("if-none-match", "0x1")]),
            400
        );
    }
}
