//! What a failed request tells: one error for every operation of every service.
//!
//! It does not decide what is repeated (`retry`) nor how a program exits (`commands`).

use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::Method;

use crate::secret::redact;

/// The result of an operation of a service.
pub type Result<T> = std::result::Result<T, ServiceError>;

/// Whether a create made the thing or found it made by the same run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It was made now.
    New,
    /// It was there, with the same metadata: made by an earlier try or an earlier client of the same run.
    Existed,
}

/// How far a failed request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request never left: the service did nothing.
    NotSent,
    /// The request left and no answer came back: the service may have done it.
    NotAnswered,
    /// The service answered with an error.
    Refused,
    /// The service answered, but not with what the operation defines: wrong JSON, a cut or endless body, a wrong
    /// length or checksum.
    Unreadable,
}

/// A request that failed for good, after all its repeats.
///
/// `Display` names operation, method, URL without its query, status, code, message, request id, tries and time, and
/// never shows a key or a signature; the cause, where there is one, is its `source`.
pub struct ServiceError(Box<Parts>);

/// The fields of a [`ServiceError`], for the code that builds one.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) kind: ErrorKind,
    pub(crate) operation: String,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

impl ServiceError {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Box::new(parts))
    }

    /// An error found on this side, outside a request: `message` about `operation` on `url`.
    pub(crate) fn local(kind: ErrorKind, operation: &str, url: &url::Url, message: String) -> Self {
        Self::new(Parts {
            kind,
            operation: operation.to_owned(),
            method: Method::GET,
            url: shown_url(url),
            status: None,
            code: None,
            message,
            request_id: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            source: None,
        })
    }

    /// A thing that is not there, found out on this side.
    pub(crate) fn missing(operation: &str, url: &url::Url, code: &str, message: &str) -> Self {
        let mut error = Self::local(ErrorKind::Refused, operation, url, message.to_owned());
        error.0.status = Some(404);
        error.0.code = Some(code.to_owned());
        error
    }

    /// The same error under another status and code.
    #[must_use]
    pub(crate) fn with_code(mut self, status: u16, code: &str) -> Self {
        self.0.status = Some(status);
        self.0.code = Some(code.to_owned());
        self
    }

    /// The same error with `source` as its cause.
    #[must_use]
    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// How far the request came.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was tried, as in "create pool `p`".
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// The URL without its query.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The HTTP status, if the service answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The service's error code, such as `PoolExists`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The service's message, or what is wrong with its answer; redacted.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The id that the service gave to the request, for a support case.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How often the request was tried.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The time from the first try to the failure, waits included.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Whether the service says that the thing is not there (404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.status == Some(404)
    }

    /// Whether the service refused with `code`, in any letter case.
    #[must_use]
    pub fn is_code(&self, code: &str) -> bool {
        self.code().is_some_and(|c| c.eq_ignore_ascii_case(code))
    }

    /// Whether the service answered 409 with `code`.
    #[must_use]
    pub fn is_conflict(&self, code: &str) -> bool {
        self.0.status == Some(409) && self.is_code(code)
    }

    /// Whether the outcome is not known: no answer, one that was cut or cannot be read, a failure of the service, or a
    /// conflict that does not say with what.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        let unread = matches!(self.0.kind, ErrorKind::NotAnswered | ErrorKind::Unreadable);
        let status = self.0.status.unwrap_or_default();
        unread || status >= 500 || (status == 409 && self.0.code.is_none())
    }

    /// Whether the credentials were refused or lack a right (401, 403, or a malformed signature).
    #[must_use]
    pub fn is_auth(&self) -> bool {
        matches!(self.0.status, Some(401 | 403)) || self.is_code("InvalidAuthenticationInfo")
    }

    /// Whether a quota of the account is used up.
    #[must_use]
    pub fn is_quota(&self) -> bool {
        self.code().is_some_and(|c| {
            let c = c.to_ascii_lowercase();
            c.contains("quotareached") || c.contains("quotaexceeded")
        })
    }

    /// Whether the body was larger than the service takes.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.status == Some(413)
    }
}

/// `url` without query, fragment and user info, for people to read.
pub(crate) fn shown_url(url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return url.scheme().to_owned();
    }
    url.to_string()
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = &self.0;
        write!(f, "{}: ", p.operation)?;
        if let Some(status) = p.status {
            write!(f, "{status} ")?;
        }
        if let Some(code) = &p.code {
            write!(f, "{code}: ")?;
        }
        write!(f, "{} (", redact(&p.message))?;
        // Without a try no method was used.
        if p.attempts > 0 {
            write!(f, "{} ", p.method)?;
        }
        f.write_str(&p.url)?;
        if p.attempts > 1 {
            write!(
                f,
                ", {} tries in {:.1} s",
                p.attempts,
                p.elapsed.as_secs_f64()
            )?;
        }
        if let Some(id) = &p.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceError({:?}, {self})", self.0.kind)
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|e| e as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, message: &str) -> ServiceError {
        ServiceError::new(Parts {
            kind: ErrorKind::Refused,
            operation: "create pool `p`".to_owned(),
            method: Method::POST,
            url: "https://a.b/pools".to_owned(),
            status: Some(status),
            code: Some(code.to_owned()),
            message: message.to_owned(),
            request_id: Some("r-1".to_owned()),
            attempts: 3,
            elapsed: Duration::from_millis(2130),
            source: None,
        })
    }

    #[test]
    fn an_error_names_everything_and_shows_no_signature() {
        let error = refused(409, "PoolExists", "there is one at https://x/y?sig=abc");
        assert_eq!(
            error.to_string(),
            "create pool `p`: 409 PoolExists: there is one at https://x/y?sig=REDACTED \
             (POST https://a.b/pools, 3 tries in 2.1 s, request r-1)"
        );
        assert!(!format!("{error:?}").contains("abc"));
    }

    #[test]
    fn codes_are_classified_in_any_letter_case() {
        assert!(refused(409, "poolexists", "").is_conflict("PoolExists"));
        assert!(!refused(400, "PoolExists", "").is_conflict("PoolExists"));
        assert!(refused(409, "ActiveJobAndScheduleQuotaReached", "").is_quota());
        assert!(refused(403, "AuthenticationFailed", "").is_auth());
        assert!(refused(400, "InvalidAuthenticationInfo", "").is_auth());
        assert!(refused(404, "PoolNotFound", "").is_not_found());
        assert!(refused(413, "RequestBodyTooLarge", "").is_too_large());
    }

    #[test]
    fn a_shown_url_has_no_query_and_no_user() {
        let url = url::Url::parse("http://u:p@h/c/b?sig=1#f").unwrap();
        assert_eq!(shown_url(&url), "http://h/c/b");
    }
}
