//! The error answers of the Batch service.
//!
//! It does not decide when an error happens. Codes, numbers and texts are those of the REST reference.

use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::emulator::call::Call;
use crate::emulator::server::{Answer, empty, full};
use crate::emulator::stamp::iso;

/// The media type of every document that Batch sends.
pub(super) const MEDIA_TYPE: &str = "application/json;odata=minimalmetadata";

/// A refused request: status, code, text, and named values.
#[derive(Debug, Clone)]
pub(super) struct BatchError {
    pub(super) status: u16,
    pub(super) code: &'static str,
    message: String,
    values: Vec<(&'static str, String)>,
}

impl BatchError {
    /// The error that `code` always stands for.
    pub(super) fn of(code: &'static str) -> Self {
        let (status, message) = MESSAGES.iter().find(|(known, ..)| *known == code).map_or(
            (400, "One of the request inputs is not valid."),
            |(_, status, message)| (*status, *message),
        );
        Self {
            status,
            code,
            message: message.to_owned(),
            values: Vec::new(),
        }
    }

    /// 501: `what` is not offered here.
    pub(super) fn missing(what: impl std::fmt::Display) -> Self {
        let mut error = Self::of("NotImplemented");
        error.message = format!("The embedded Batch service does not offer {what}.");
        error
    }

    /// The same error with a named value.
    pub(super) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.values.push((key, value.into()));
        self
    }

    /// 400 `InvalidPropertyValue`: `property` must not be `value`, because of `reason`.
    pub(super) fn property(
        property: &str,
        value: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::of("InvalidPropertyValue")
            .with("PropertyName", property)
            .with("PropertyValue", value)
            .with("Reason", reason)
    }

    /// 400 `InvalidQueryParameterValue`: the parameter `name` must not be `value`, because of `reason`.
    pub(super) fn query(name: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::of("InvalidQueryParameterValue")
            .with("QueryParameterName", name)
            .with("QueryParameterValue", value)
            .with("Reason", reason)
    }

    /// 400 `InvalidRequestBody` because of `reason`.
    pub(super) fn body(reason: impl Into<String>) -> Self {
        Self::of("InvalidRequestBody").with("Reason", reason)
    }

    /// 403 `AuthenticationFailed` because of `detail`.
    pub(super) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::of("AuthenticationFailed").with("AuthenticationErrorDetail", detail)
    }

    /// Code, text and values as they stand in an answer or in a line of a collection's result.
    pub(super) fn json(&self, request_id: &str) -> Value {
        let time = iso(crate::clock::now());
        let mut error = json!({
            "code": self.code,
            "message": {"lang": "en-US", "value": format!("{}\nRequestId:{request_id}\nTime:{time}", self.message)},
        });
        if !self.values.is_empty() {
            error["values"] = self
                .values
                .iter()
                .map(|(key, value)| json!({"key": key, "value": value}))
                .collect();
        }
        error
    }

    /// The answer to `call`; without a body for HEAD and for 304.
    pub(super) fn answer(&self, call: &Call, endpoint: &str) -> Answer {
        let without_body = call.method == hyper::Method::HEAD || self.status == 304;
        let mut answer = if without_body {
            Response::new(empty())
        } else {
            let mut body = self.json(&call.request_id);
            body["odata.metadata"] = format!(
                "{endpoint}/$metadata#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element"
            )
            .into();
            Response::new(full(body.to_string()))
        };
        *answer.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if !without_body {
            answer
                .headers_mut()
                .insert("content-type", HeaderValue::from_static(MEDIA_TYPE));
        }
        answer
    }
}

/// Codes with their status and text.
///
/// Source: "Batch status and error codes" of the Batch REST reference.
pub(super) const MESSAGES: &[(&str, u16, &str)] = &[
    (
        "ActiveJobAndScheduleQuotaReached",
        409,
        "The active jobs quota for the specified account has been reached.",
    ),
    (
        "AuthenticationFailed",
        403,
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.",
    ),
    (
        "AutoScalingFormulaSyntaxError",
        400,
        "The specified autoscaling formula has a syntax error.",
    ),
    (
        "AutoScaleFormulaTooLong",
        400,
        "The specified autoscaling formula is too long.",
    ),
    (
        "ConditionNotMet",
        412,
        "The condition specified using HTTP conditional header(s) is not met.",
    ),
    (
        "EmptyMetadataKey",
        400,
        "A metadata key was specified that is empty.",
    ),
    (
        "AccountIsDisabled",
        403,
        "The specified account is disabled.",
    ),
    (
        "ActiveJobAndScheduleQuotaReached",
        409,
        "The account has reached its quota of active jobs and job schedules.",
    ),
    (
        "InsufficientAccountPermissions",
        403,
        "The account being accessed does not have sufficient permissions to execute this operation.",
    ),
    (
        "InvalidInput",
        400,
        "One of the request inputs is not valid.",
    ),
    (
        "NodeBeingCreated",
        409,
        "The specified node is being created.",
    ),
    (
        "OperationTimedOut",
        500,
        "The operation could not be completed within the permitted time.",
    ),
    (
        "PoolQuotaReached",
        409,
        "The account has reached its quota of pools.",
    ),
    (
        "UnsupportedQueryParameter",
        400,
        "A query parameter that's not supported was specified in the request URI.",
    ),
    ("FileNotFound", 404, "The specified file does not exist."),
    (
        "InternalError",
        500,
        "Server encountered an internal error. Please try again after some time.",
    ),
    (
        "InvalidAutoScalingSettings",
        400,
        "The specified autoscaling settings are not valid.",
    ),
    (
        "InvalidHeaderValue",
        400,
        "The value provided for one of the HTTP headers was not in the correct format.",
    ),
    (
        "InvalidPropertyValue",
        400,
        "The value provided for one of the properties in the request body is invalid.",
    ),
    (
        "InvalidQueryParameterValue",
        400,
        "The value specified for one of the query parameters in the request URI is invalid.",
    ),
    (
        "InvalidRange",
        416,
        "The range specified is invalid for the current size of the resource.",
    ),
    (
        "InvalidRequestBody",
        400,
        "The specified Request Body is not syntactically valid.",
    ),
    (
        "InvalidUri",
        400,
        "The requested URI does not represent any resource on the server.",
    ),
    (
        "JobBeingDeleted",
        409,
        "The specified job has been marked for deletion and is being garbage collected.",
    ),
    (
        "JobBeingTerminated",
        409,
        "The specified job is being terminated.",
    ),
    (
        "JobCompleted",
        409,
        "The specified job is already in a completed state.",
    ),
    ("JobDisabled", 409, "The specified job is disabled."),
    ("JobExists", 409, "The specified job already exists."),
    ("JobNotActive", 409, "The specified job is not active."),
    ("JobNotFound", 404, "The specified job does not exist."),
    (
        "JobPreparationTaskNotSpecified",
        409,
        "The specified job does not have a Job Preparation task.",
    ),
    (
        "MissingContentLengthHeader",
        411,
        "The Content-Length HTTP header was not specified.",
    ),
    (
        "MissingRequiredHeader",
        400,
        "An HTTP header that's mandatory for this request is not specified.",
    ),
    (
        "MissingRequiredProperty",
        400,
        "A property that's mandatory for this request is not specified.",
    ),
    (
        "MissingRequiredQueryParameter",
        400,
        "A query parameter that's mandatory for this request is not specified.",
    ),
    (
        "MultipleConditionHeadersNotSupported",
        400,
        "Multiple condition headers are not supported.",
    ),
    (
        "NodeAgentSKUNotFound",
        404,
        "The specified node agent SKU does not exist.",
    ),
    (
        "NodeAlreadyInTargetSchedulingState",
        409,
        "The specified node is already in the target scheduling state.",
    ),
    ("NodeNotFound", 404, "The specified node does not exist."),
    (
        "NodeStateUnusable",
        409,
        "The specified node is in an unusable state.",
    ),
    (
        "NotImplemented",
        501,
        "The requested functionality is not implemented.",
    ),
    (
        "OperationInvalidForCurrentState",
        409,
        "The specified operation is not valid for the current state of the resource.",
    ),
    (
        "OutOfRangeProperty",
        400,
        "One of the properties specified in the request body is out of range.",
    ),
    (
        "OutOfRangeQueryParameter",
        400,
        "A query parameter specified in the request URI is outside the permissible range.",
    ),
    (
        "PoolBeingDeleted",
        409,
        "The specified pool has been marked for deletion and is being reclaimed.",
    ),
    (
        "PoolQuotaReached",
        409,
        "The pool quota for the specified account has been reached.",
    ),
    (
        "PoolBeingResized",
        409,
        "The specified pool is being resized.",
    ),
    ("PoolExists", 409, "The specified pool already exists."),
    ("PoolNotFound", 404, "The specified pool does not exist."),
    (
        "RequestBodyTooLarge",
        413,
        "The size of the request body exceeds the maximum permitted.",
    ),
    (
        "ResourceNotFound",
        404,
        "The specified resource does not exist.",
    ),
    (
        "ServerBusy",
        503,
        "The server is currently unable to receive requests. Please retry your request.",
    ),
    (
        "UnsupportedRequestVersion",
        400,
        "The specified API version is not supported.",
    ),
    (
        "TaskCompleted",
        409,
        "The specified task is already in a completed state.",
    ),
    (
        "TaskDependenciesNotSpecifiedOnJob",
        400,
        "The specified task has dependencies but the job does not use task dependencies.",
    ),
    (
        "TaskDependencyListTooLong",
        400,
        "The list of task ids that the specified task depends on is too long.",
    ),
    ("TaskExists", 409, "The specified task already exists."),
    (
        "TaskFilesCleanedup",
        409,
        "The files of the specified task were cleaned up on the node.",
    ),
    (
        "TaskFilesUnavailable",
        409,
        "The files of the specified task are unavailable.",
    ),
    (
        "TaskIdSameAsJobPreparationTask",
        409,
        "The specified task id is the same as the id of the Job Preparation task.",
    ),
    (
        "TaskIdSameAsJobReleaseTask",
        409,
        "The specified task id is the same as the id of the Job Release task.",
    ),
    (
        "TaskNotCompleted",
        409,
        "The specified task is not in a completed state.",
    ),
    ("TaskNotFound", 404, "The specified task does not exist."),
    (
        "TaskSucceeded",
        409,
        "The specified task has succeeded and cannot be reactivated.",
    ),
    (
        "TooManyEnableAutoScaleRequests",
        503,
        "Autoscaling was enabled for the specified pool too recently.",
    ),
    (
        "TooManyRequests",
        429,
        "Request failed as server encountered too many requests. Please try again.",
    ),
    (
        "UnsupportedHttpVerb",
        405,
        "The resource doesn't support specified Http Verb.",
    ),
];
