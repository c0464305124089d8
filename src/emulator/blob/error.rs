//! The error answers of the Blob service.
//!
//! It does not decide when an error happens. Codes, numbers and texts are those of the REST reference.

use hyper::{Response, StatusCode};

use crate::emulator::call::Call;
use crate::emulator::server::{Answer, empty, full};
use crate::emulator::stamp::iso;

/// A refused request: status, code and text, with an optional named detail.
#[derive(Debug)]
pub(super) struct BlobError {
    pub(super) status: u16,
    pub(super) code: &'static str,
    message: String,
    detail: Option<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

impl BlobError {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            detail: None,
            headers: Vec::new(),
        }
    }

    /// The error that `code` always stands for.
    pub(super) fn of(code: &'static str) -> Self {
        let (status, message) = standard(code);
        Self::new(status, code, message)
    }

    /// The error `code` with `status`; an unknown code is an internal error.
    pub(super) fn named(code: &str, status: u16) -> Self {
        let known = STANDARD
            .iter()
            .find(|(known, ..)| *known == code)
            .map_or("InternalError", |(known, ..)| known);
        Self {
            status,
            ..Self::of(known)
        }
    }

    /// 501: `what` is not offered here.
    pub(super) fn missing(what: impl std::fmt::Display) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!("The embedded Blob service does not offer {what}."),
        )
    }

    /// 403 `AuthenticationFailed` because of `detail`.
    pub(super) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::of("AuthenticationFailed").with("AuthenticationErrorDetail", detail)
    }

    /// 400: the query parameter `name` must not be `value`.
    pub(super) fn query(name: &str, value: &str) -> Self {
        Self::of("InvalidQueryParameterValue")
            .with("QueryParameterName", name)
            .with_message(format!(
                "The value `{value}` of the query parameter `{name}` is invalid."
            ))
    }

    /// 400: the header `name` must not be `value`.
    pub(super) fn header(name: &str, value: &str) -> Self {
        Self::of("InvalidHeaderValue")
            .with("HeaderName", name)
            .with_message(format!(
                "The value `{value}` of the header `{name}` is not in the correct format."
            ))
    }

    /// 500: the service's own disk failed.
    pub(super) fn disk(error: &std::io::Error) -> Self {
        Self::new(
            500,
            "InternalError",
            format!("The embedded Blob service could not use its disk: {error}"),
        )
    }

    /// The same error with a named element.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.detail = Some((name, value.into()));
        self
    }

    /// The same error with a header.
    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn with_message(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    /// The answer to `call`; without a body for HEAD and for 304.
    pub(super) fn answer(&self, call: &Call) -> Answer {
        use quick_xml::escape::escape;
        let mut body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}\nRequestId:{}\nTime:{}</Message>",
            self.code,
            escape(self.message.as_str()),
            call.request_id,
            iso(crate::clock::now()),
        );
        if let Some((name, value)) = &self.detail {
            body.push_str(&format_element(name, &escape(value.as_str())));
        }
        body.push_str("</Error>");
        let without_body = call.method == hyper::Method::HEAD || self.status == 304;
        let mut answer = Response::new(if without_body { empty() } else { full(body) });
        *answer.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = answer.headers_mut();
        if !without_body {
            headers.insert(
                hyper::header::CONTENT_TYPE,
                hyper::header::HeaderValue::from_static("application/xml"),
            );
        }
        headers.insert(
            "x-ms-error-code",
            hyper::header::HeaderValue::from_static(self.code),
        );
        for (name, value) in &self.headers {
            if let Ok(value) = value.parse() {
                headers.insert(*name, value);
            }
        }
        answer
    }
}

fn format_element(name: &str, value: &str) -> String {
    format!("<{name}>{value}</{name}>")
}

/// Codes with their status and text.
///
/// Source: "Common REST API error codes" and "Blob Storage error codes" of the storage REST reference.
const STANDARD: &[(&str, u16, &str)] = &[
    (
        "InternalError",
        500,
        "Server encountered an internal error. Please try again after some time.",
    ),
    ("ServerBusy", 503, "Server busy. Please try again later."),
    (
        "OperationTimedOut",
        500,
        "The operation could not be completed within the permitted time.",
    ),
    (
        "AuthenticationFailed",
        403,
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.",
    ),
    (
        "AuthorizationPermissionMismatch",
        403,
        "This request is not authorized to perform this operation using this permission.",
    ),
    (
        "AuthorizationProtocolMismatch",
        403,
        "This request is not authorized to perform this operation using this protocol.",
    ),
    (
        "AuthorizationResourceTypeMismatch",
        403,
        "This request is not authorized to perform this operation using this resource type.",
    ),
    (
        "AuthorizationServiceMismatch",
        403,
        "This request is not authorized to perform this operation using this service.",
    ),
    (
        "AuthorizationSourceIPMismatch",
        403,
        "This request is not authorized to perform this operation using this source IP.",
    ),
    (
        "UnauthorizedBlobOverwrite",
        403,
        "This request is not authorized to perform blob overwrites.",
    ),
    (
        "NoAuthenticationInformation",
        401,
        "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
    ),
    ("BlobNotFound", 404, "The specified blob does not exist."),
    (
        "ContainerNotFound",
        404,
        "The specified container does not exist.",
    ),
    (
        "ContainerAlreadyExists",
        409,
        "The specified container already exists.",
    ),
    (
        "BlobAlreadyExists",
        409,
        "The specified blob already exists.",
    ),
    (
        "PublicAccessNotPermitted",
        409,
        "Public access is not permitted on this storage account.",
    ),
    (
        "ConditionNotMet",
        412,
        "The condition specified using HTTP conditional header(s) is not met.",
    ),
    (
        "InvalidRange",
        416,
        "The range specified is invalid for the current size of the resource.",
    ),
    (
        "InvalidBlockList",
        400,
        "The specified block list is invalid.",
    ),
    (
        "InvalidBlobOrBlock",
        400,
        "The specified blob or block content is invalid.",
    ),
    (
        "BlockCountExceedsLimit",
        409,
        "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks.",
    ),
    (
        "BlockListTooLong",
        400,
        "The block list may not contain more than 50,000 blocks.",
    ),
    (
        "Md5Mismatch",
        400,
        "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
    ),
    (
        "Crc64Mismatch",
        400,
        "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.",
    ),
    (
        "InvalidMd5",
        400,
        "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded.",
    ),
    (
        "InvalidCrc64",
        400,
        "The CRC64 value specified in the request is invalid. The CRC64 value must be 64 bits and Base64-encoded.",
    ),
    (
        "InvalidResourceName",
        400,
        "The specified resource name contains invalid characters.",
    ),
    (
        "OutOfRangeInput",
        400,
        "One of the request inputs is out of range.",
    ),
    (
        "InvalidUri",
        400,
        "The requested URI does not represent any resource on the server.",
    ),
    (
        "InvalidXmlDocument",
        400,
        "XML specified is not syntactically valid.",
    ),
    (
        "InvalidHeaderValue",
        400,
        "The value for one of the HTTP headers is not in the correct format.",
    ),
    (
        "InvalidQueryParameterValue",
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    (
        "MissingRequiredHeader",
        400,
        "An HTTP header that's mandatory for this request is not specified.",
    ),
    (
        "MissingContentLengthHeader",
        411,
        "Content-Length HTTP header is not specified.",
    ),
    (
        "RequestBodyTooLarge",
        413,
        "The request body is too large and exceeds the maximum permissible limit.",
    ),
    (
        "UnsupportedHttpVerb",
        405,
        "The resource doesn't support specified Http Verb.",
    ),
    (
        "CannotVerifyCopySource",
        404,
        "The specified resource does not exist.",
    ),
];

fn standard(code: &str) -> (u16, &'static str) {
    STANDARD.iter().find(|(known, ..)| *known == code).map_or(
        (400, "One of the request inputs is not valid."),
        |(_, status, message)| (*status, *message),
    )
}
