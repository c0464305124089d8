//! Faults by name: one for each way in which the real services fail that a client must live with.
//!
//! A name stands for a fault that hits once; how often and what it hits can be said in JSON.

use serde::Serialize;

use super::effect::Victim;
use super::faults::Fault;

/// A fault with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name, by which `--fault` takes it.
    pub name: &'static str,
    /// What it happens to.
    pub hits: Victim,
    /// What happens.
    pub does: &'static str,
    /// The fault, as `POST /faults` takes it.
    pub fault: Fault,
}

/// Name, what happens, and the fault.
const NAMED: &[(&str, &str, &str)] = &[
    (
        "throttled",
        "a Batch request is answered 429 without Retry-After",
        r#"{"service": "batch", "count": 1, "effect": {"kind": "status", "status": 429, "code": "TooManyRequests"}}"#,
    ),
    (
        "throttled-retry-after",
        "a Batch request is answered 429 with Retry-After",
        r#"{"service": "batch", "count": 1, "effect": {"kind": "status", "status": 429, "code": "TooManyRequests", "retryAfter": 1}}"#,
    ),
    (
        "busy",
        "a Batch request is answered 503 without Retry-After",
        r#"{"service": "batch", "count": 1, "effect": {"kind": "status", "status": 503, "code": "ServerBusy"}}"#,
    ),
    (
        "busy-retry-after",
        "a Batch request is answered 503 with Retry-After",
        r#"{"service": "batch", "count": 1, "effect": {"kind": "status", "status": 503, "code": "ServerBusy", "retryAfter": 1}}"#,
    ),
    (
        "blob-busy",
        "a Blob request is answered 503 without Retry-After",
        r#"{"service": "blob", "count": 1, "effect": {"kind": "status", "status": 503, "code": "ServerBusy"}}"#,
    ),
    (
        "error-not-done",
        "a request is answered 500 and nothing was done",
        r#"{"count": 1, "effect": {"kind": "status", "status": 500, "code": "InternalError"}}"#,
    ),
    (
        "error-done",
        "a request is answered 500 although its work was done",
        r#"{"count": 1, "effect": {"kind": "status", "status": 500, "code": "InternalError", "done": true}}"#,
    ),
    (
        "cut-before",
        "the connection ends before anything is done",
        r#"{"count": 1, "effect": {"kind": "cut"}}"#,
    ),
    (
        "cut-after",
        "the connection ends after the work was done, without an answer",
        r#"{"count": 1, "effect": {"kind": "cut", "done": true}}"#,
    ),
    (
        "slow",
        "a request is looked at a second later",
        r#"{"count": 1, "effect": {"kind": "slow", "milliseconds": 1000}}"#,
    ),
    (
        "too-large",
        "a collection of tasks is answered 413",
        r#"{"service": "batch", "method": "POST", "path": "/addtaskcollection", "count": 1, "effect": {"kind": "status", "status": 413, "code": "RequestBodyTooLarge"}}"#,
    ),
    (
        "item-error",
        "one task of a collection is refused with ServerError",
        r#"{"count": 1, "effect": {"kind": "item", "code": "ServerBusy"}}"#,
    ),
    (
        "core-quota",
        "a resize ends without nodes for want of dedicated cores",
        r#"{"count": 1, "effect": {"kind": "resize", "code": "AccountCoreQuotaReached"}}"#,
    ),
    (
        "spot-quota",
        "a resize ends without nodes for want of spot cores",
        r#"{"count": 1, "effect": {"kind": "resize", "code": "AccountSpotCoreQuotaReached"}}"#,
    ),
    (
        "allocation-timeout",
        "a resize ends after one node because its time is over",
        r#"{"count": 1, "effect": {"kind": "resize", "code": "AllocationTimedout", "nodes": 1}}"#,
    ),
    (
        "start-task-first",
        "the start task fails on the first node that runs it",
        r#"{"count": 1, "effect": {"kind": "startTask", "exitCode": 1}}"#,
    ),
    (
        "start-task-second",
        "the start task fails on the second node that runs it",
        r#"{"skip": 1, "count": 1, "effect": {"kind": "startTask", "exitCode": 1}}"#,
    ),
    (
        "node-unusable",
        "a node becomes unusable while it boots",
        r#"{"count": 1, "effect": {"kind": "unusable"}}"#,
    ),
    (
        "node-lost",
        "a node is lost for good while a task runs on it",
        r#"{"count": 1, "effect": {"kind": "lost", "afterMilliseconds": 20}}"#,
    ),
    (
        "node-preempted",
        "a node is taken away while a task runs on it, and comes back empty",
        r#"{"count": 1, "effect": {"kind": "preempt", "afterMilliseconds": 20}}"#,
    ),
    (
        "resource-missing",
        "a resource file of a task is not there",
        r#"{"count": 1, "effect": {"kind": "resourceFile", "code": "BlobNotFound"}}"#,
    ),
    (
        "resource-denied",
        "the SAS of a task's resource file has expired",
        r#"{"count": 1, "effect": {"kind": "resourceFile", "code": "BlobAccessDenied"}}"#,
    ),
    (
        "output-denied",
        "the upload of a task's output files is refused",
        r#"{"count": 1, "effect": {"kind": "outputFile", "code": "FileUploadAccessDenied"}}"#,
    ),
    (
        "clock-skew",
        "a request meets a clock that is an hour ahead",
        r#"{"count": 1, "effect": {"kind": "clockSkew", "seconds": 3600}}"#,
    ),
    (
        "blob-cut",
        "the body of a blob ends after 1,000 bytes",
        r#"{"service": "blob", "method": "GET", "count": 1, "effect": {"kind": "cutBody", "bytes": 1000}}"#,
    ),
];

/// Every fault that has a name.
#[must_use]
pub fn catalogue() -> Vec<Named> {
    NAMED
        .iter()
        .filter_map(|(name, does, text)| {
            let fault: Fault = serde_json::from_str(text).ok()?;
            Some(Named {
                name,
                hits: fault.effect.victim(),
                does,
                fault,
            })
        })
        .collect()
}

/// The fault named `name`.
pub(super) fn named(name: &str) -> Option<Fault> {
    let (.., text) = NAMED.iter().find(|(known, ..)| *known == name)?;
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_fault_is_one_and_every_kind_has_a_name() {
        let all = catalogue();
        assert_eq!(all.len(), NAMED.len(), "one of them is no fault");
        let mut kinds = std::collections::BTreeSet::new();
        for named in &all {
            named.fault.check().expect(named.name);
            assert_eq!(Fault::read(named.name).expect("known"), named.fault);
            let json = serde_json::to_value(named).expect("JSON");
            kinds.insert(json["fault"]["effect"]["kind"].to_string());
        }
        assert_eq!(kinds.len(), 13, "{kinds:?}");
        assert!(Fault::read("unheard-of").is_err());
    }
}
