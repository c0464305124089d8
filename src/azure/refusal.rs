//! Reads what a refusal says: Batch's JSON, Storage's XML, a proxy's HTML, or nothing; and why no answer came.
//!
//! It decides nothing: which failure is repeated stands in `retry`.

use std::error::Error;
use std::io;

use reqwest::header::{CONTENT_TYPE, HeaderMap};

use crate::azure::error::ErrorKind;
use crate::azure::retry::Failure;
use crate::secret::redact;

/// What a refusal says.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The service's code.
    pub code: Option<String>,
    /// Its message in one line, redacted; or what came instead of one.
    pub message: String,
}

/// How much of a foreign text is shown.
const SHOWN_MAX_CHARS: usize = 300;

/// Reads a refusal of any service.
///
/// - `body`: its first bytes, possibly cut.
#[must_use]
pub fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Refusal {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    let header_code = headers
        .get("x-ms-error-code")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let (code, message) = if let Some(said) = from_json(text) {
        said
    } else if let Some(said) = from_xml(text) {
        said
    } else if let Some(title) = html_title(media, text) {
        (
            None,
            format!("answered with a web page ({title}): is this a proxy, or another server?"),
        )
    } else {
        (None, text.to_owned())
    };
    let message = one_line(&message);
    let message = if message.is_empty() {
        reason(status)
    } else {
        message
    };
    Refusal {
        code: code.or(header_code),
        message,
    }
}

/// What an answer that should have been `wanted` is instead, for an error's message.
#[must_use]
pub fn describe(wanted: &str, headers: &HeaderMap, body: &[u8]) -> String {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("no content type");
    let text = String::from_utf8_lossy(&body[..body.len().min(2048)]);
    match html_title(media, text.trim()) {
        Some(title) => format!(
            "expected {wanted}, got a web page ({title}): is this a proxy, or another server?"
        ),
        None => format!(
            "expected {wanted}, got {} bytes of {media} that are not",
            body.len()
        ),
    }
}

/// Says why no answer came.
#[must_use]
pub fn classify(error: &reqwest::Error) -> (Failure, ErrorKind, String) {
    let chain = chain(error);
    let says = |part: &str| chain.iter().any(|text| text.contains(part));
    let not_sent = |failure, message: &str| (failure, ErrorKind::NotSent, message.to_owned());
    if error.is_builder() {
        return not_sent(Failure::NotBuilt, "the request could not be built");
    }
    if error.is_connect() {
        if has_io_kind(error, io::ErrorKind::ConnectionRefused) {
            return not_sent(
                Failure::ConnectionRefused,
                "connection refused: nothing listens there",
            );
        }
        if says("certificate") {
            return not_sent(
                Failure::Certificate,
                "no TLS connection: the server's certificate was not accepted",
            );
        }
        if says("tls") || says("TLS") || says("InvalidContentType") || says("corrupt message") {
            return not_sent(
                Failure::Certificate,
                "no TLS connection: the server speaks something else",
            );
        }
        if says("dns error") || says("failed to lookup address") {
            return not_sent(
                Failure::NameNotResolved,
                "the host's name could not be resolved",
            );
        }
        let message = if error.is_timeout() {
            "no connection within 5 s"
        } else {
            "no connection"
        };
        return not_sent(Failure::NotConnected, message);
    }
    // How the HTTP library names what it cannot read.
    if says("parsed") || says("message head is too large") {
        let message = "what came is no HTTP answer: is this another server?".to_owned();
        return (Failure::NotHttp, ErrorKind::Unreadable, message);
    }
    let message = if error.is_timeout() {
        "no answer in time; it may have been done"
    } else {
        "the connection ended before an answer came; it may have been done"
    };
    (
        Failure::NoAnswer,
        ErrorKind::NotAnswered,
        message.to_owned(),
    )
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}

fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    causes(error).map(ToString::to_string).collect()
}

fn has_io_kind(error: &(dyn Error + 'static), kind: io::ErrorKind) -> bool {
    causes(error)
        .filter_map(|e| e.downcast_ref::<io::Error>())
        .any(|e| e.kind() == kind)
}

/// Batch: `{code, message: {value}, values: [{key, value}]}`; also the plain `{error: {code, message}}`.
fn from_json(text: &str) -> Option<(Option<String>, String)> {
    let whole: serde_json::Value = serde_json::from_str(text).ok()?;
    let root = [whole.get("error"), whole.get("odata.error")]
        .into_iter()
        .flatten()
        .next()
        .unwrap_or(&whole);
    let code = root.get("code").and_then(|c| c.as_str()).map(str::to_owned);
    let message = match root.get("message") {
        Some(serde_json::Value::String(text)) => text.as_str(),
        Some(object) => object
            .get("value")
            .and_then(|v| v.as_str())
            .unwrap_or_default(),
        None => "",
    };
    if code.is_none() && message.is_empty() {
        return None;
    }
    let mut message = without_trailer(message).to_owned();
    for detail in root
        .get("values")
        .and_then(|v| v.as_array())
        .into_iter()
        .flatten()
    {
        let part = |name| {
            detail
                .get(name)
                .and_then(|v| v.as_str())
                .unwrap_or_default()
        };
        let (key, value) = (part("key"), part("value"));
        // What was wrong with a signature is said with the signature: it stays here.
        if !key.is_empty() && !value.to_ascii_lowercase().contains("signature") {
            message.push_str(&format_args!("; {key}: {value}").to_string());
        }
    }
    Some((code, message))
}

/// Storage: `<Error><Code>…</Code><Message>…</Message>…`. Its `AuthenticationErrorDetail` repeats the request's signature
/// and is left out.
fn from_xml(text: &str) -> Option<(Option<String>, String)> {
    let error = text.split_once("<Error>")?.1;
    let element = |name: &str| {
        let inner = error.split_once(&format!("<{name}>"))?.1;
        Some(unescape(inner.split_once(&format!("</{name}>"))?.0))
    };
    let message = element("Message").unwrap_or_default();
    Some((element("Code"), without_trailer(&message).to_owned()))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

/// The services end a message with `RequestId:` and `Time:` lines, which stand elsewhere.
fn without_trailer(message: &str) -> &str {
    message
        .split("\nRequestId:")
        .next()
        .unwrap_or(message)
        .trim()
}

fn html_title(media: &str, text: &str) -> Option<String> {
    let start: String = text
        .chars()
        .take(15)
        .collect::<String>()
        .to_ascii_lowercase();
    if !media.contains("html")
        && !start.starts_with("<!doctype html")
        && !start.starts_with("<html")
    {
        return None;
    }
    // ASCII lower case keeps every byte where it is.
    let lower = text.to_ascii_lowercase();
    let title = lower
        .find("<title")
        .and_then(|at| lower[at..].find('>').map(|end| at + end + 1))
        .and_then(|from| {
            lower[from..]
                .find("</title")
                .map(|length| &text[from..from + length])
        })
        .map(one_line)
        .filter(|title| !title.is_empty());
    Some(title.map_or_else(
        || "without a title".to_owned(),
        |title| format!("\"{title}\""),
    ))
}

/// `text` with runs of white and control characters as one space, cut, and redacted.
fn one_line(text: &str) -> String {
    let joined = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|p| !p.is_empty());
    let line = joined.collect::<Vec<_>>().join(" ");
    let line = redact(&line).into_owned();
    match line.char_indices().nth(SHOWN_MAX_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn reason(status: u16) -> String {
    reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .map_or_else(|| "no message".to_owned(), str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    fn said(body: &str) -> (Option<String>, String) {
        let refusal = read(418, &HeaderMap::new(), body.as_bytes());
        (refusal.code, refusal.message)
    }

    #[test]
    fn a_batch_refusal_is_read_with_its_details_and_without_its_trailer() {
        let body = r#"{"odata.metadata":"x","code":"InvalidHeaderValue","message":{"lang":"en-US","value":
            "A header is wrong.\nRequestId:a461\nTime:2026"},"values":[{"key":"HeaderName","value":"Content-Type"},
            {"key":"AuthenticationErrorDetail","value":"The MAC signature abc is not"}]}"#;
        let expected = "A header is wrong.; HeaderName: Content-Type".to_owned();
        assert_eq!(
            said(body),
            (Some("InvalidHeaderValue".to_owned()), expected)
        );
    }

    #[test]
    fn a_storage_refusal_is_read_without_the_signature_that_it_repeats() {
        let body = "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>No &lt;way&gt;.\n\
            RequestId:1</Message><AuthenticationErrorDetail>signature abc</AuthenticationErrorDetail></Error>";
        assert_eq!(
            said(body),
            (
                Some("AuthenticationFailed".to_owned()),
                "No <way>.".to_owned()
            )
        );
    }

    #[test]
    fn a_web_page_is_called_one() {
        let body = "<!DOCTYPE html><html><head><TITLE>\n Sign in </TITLE></head>";
        let (code, message) = said(body);
        assert_eq!(code, None);
        assert_eq!(
            message,
            "answered with a web page (\"Sign in\"): is this a proxy, or another server?"
        );
    }

    #[test]
    fn anything_else_is_shown_short_and_in_one_line() {
        assert_eq!(said("").1, "i'm a teapot");
        assert_eq!(said("no\n\tway \u{7}").1, "no way");
        assert_eq!(
            said(&"x".repeat(5000)).1.chars().count(),
            SHOWN_MAX_CHARS + 1
        );
        assert_eq!(
            said("see http://h/?sig=abc").1,
            "see http://h/?sig=REDACTED"
        );
        assert_eq!(said("<Error><Code>Cut").0, None);
        assert_eq!(said("null").1, "null");
    }

    #[test]
    fn the_code_of_a_refusal_without_body_is_in_a_header() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-error-code", HeaderValue::from_static("BlobNotFound"));
        let refusal = read(404, &headers, b"");
        assert_eq!(refusal.code.as_deref(), Some("BlobNotFound"));
        assert_eq!(refusal.message, "not found");
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic_or_fills_the_screen(
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                "(<Error>|<Code>|</Code>|<Message>|</Message>|<html|<title>|</title>|&lt;|[{}\":,]|code|message|x|ß){0,30}"
                    .prop_map(String::into_bytes),
            ],
            html in any::<bool>(),
        ) {
            let mut headers = HeaderMap::new();
            if html {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            }
            let refusal = read(500, &headers, &body);
            prop_assert!(refusal.message.chars().count() <= SHOWN_MAX_CHARS + 1);
            prop_assert!(!refusal.message.contains(char::is_control));
            prop_assert!(!describe("JSON", &headers, &body).is_empty());
        }
    }

    #[test]
    fn a_spoiled_refusal_is_one_line_without_a_signature() {
        let seeds = [
            r#"{"odata.metadata":"x","code":"PoolExists","message":{"lang":"en","value":"there is one\nRequestId:1 https://x/y?sig=abc"},"values":[{"key":"a","value":"b"}]}"#,
            "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>no\nRequestId:1</Message><AuthenticationErrorDetail>sig=abc</AuthenticationErrorDetail></Error>",
            "<!DOCTYPE html><html><head><title>Sign in</title></head><body/></html>",
        ];
        let tokens = [
            "{",
            "[",
            "<",
            "</",
            "<Code>",
            "<![CDATA[",
            "&amp;",
            "&#x41;",
            "<title>",
            "\"code\":",
        ];
        crate::spoil::spoiled(&seeds, &tokens, |bytes| {
            let refusal = read(409, &HeaderMap::new(), bytes);
            assert!(!refusal.message.is_empty() && !refusal.message.contains('\n'));
            drop(describe("JSON", &HeaderMap::new(), bytes));
        });
    }
}
