//! Faults on demand: which request fails how, counted.
//!
//! It knows no operation. Requests are matched by service, method and part of the path; what happens inside, as a start
//! task that fails, is matched by its kind alone.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// One fault: what it hits, how often, and what then happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The service whose requests it hits; both if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Target>,
    /// The method that it hits, in capitals; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What the path, with its query, must hold as it is on the wire; anything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many matching events pass unharmed before.
    #[serde(default)]
    pub skip: u32,
    /// One in so many of the matching events is hit, drawn at random; each of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_in: Option<NonZeroU32>,
    /// How many are hit; for ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// What happens.
    pub effect: Effect,
}

/// One of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Pools, jobs, tasks.
    Batch,
    /// Containers and blobs.
    Blob,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Effect {
    /// The request is answered by an error.
    Status {
        /// Status, 400 to 599.
        status: u16,
        /// Code of the error.
        code: String,
        /// Value of `Retry-After` in seconds; no such header if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// Whether the work is done all the same.
        #[serde(default)]
        done: bool,
    },
    /// The connection ends without an answer.
    Cut {
        /// Whether the work is done all the same.
        #[serde(default)]
        done: bool,
    },
    /// The connection ends after so many bytes of the answer's body.
    CutBody {
        /// Bytes that still come.
        bytes: u64,
    },
    /// The request waits before it is looked at.
    Slow {
        /// How long, in milliseconds.
        milliseconds: u64,
    },
    /// A task of a collection is refused with `ServerError`.
    Item {
        /// Code of the error.
        code: String,
    },
    /// A resize ends without its nodes.
    Resize {
        /// Code of the resize error, as `AccountCoreQuotaReached`.
        code: String,
    },
    /// A node's start task exits with this code instead of running.
    StartTask {
        /// The exit code, not 0.
        exit_code: i32,
    },
    /// A node becomes unusable while it boots.
    Unusable {},
}

/// The faults of a service, and how wrong its clock is.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Mutex<Vec<Fault>>,
    skew_seconds: AtomicI64,
}

impl Faults {
    /// Adds `fault` behind the others; the first that matches counts.
    pub(crate) fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// Removes every fault.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// The faults with what is left of their counts.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// The effect on a request, which is counted.
    pub(crate) fn on_request(&self, service: Target, method: &str, path: &str) -> Option<Effect> {
        self.take(|fault| {
            let is_of_request = matches!(
                fault.effect,
                Effect::Status { .. }
                    | Effect::Cut { .. }
                    | Effect::CutBody { .. }
                    | Effect::Slow { .. }
            );
            is_of_request
                && fault.service.is_none_or(|wanted| wanted == service)
                && fault.method.as_ref().is_none_or(|wanted| wanted == method)
                && fault
                    .path
                    .as_ref()
                    .is_none_or(|wanted| path.contains(wanted.as_str()))
        })
    }

    /// The effect on something that happens inside, which `is_meant` recognises and which is counted.
    pub(crate) fn on_event(&self, is_meant: fn(&Effect) -> bool) -> Option<Effect> {
        self.take(|fault| is_meant(&fault.effect))
    }

    fn take(&self, matches: impl Fn(&Fault) -> bool) -> Option<Effect> {
        let mut list = self.lock();
        let mut hit = None;
        for fault in list.iter_mut().filter(|fault| matches(fault)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault
                .one_in
                .is_some_and(|share| !rand::random::<u32>().is_multiple_of(share.get()))
            {
                continue;
            }
            if let Some(count) = &mut fault.count {
                if *count == 0 {
                    continue;
                }
                *count -= 1;
            }
            hit = Some(fault.effect.clone());
            break;
        }
        list.retain(|fault| fault.count != Some(0));
        hit
    }

    /// Sets how far ahead of the real time the service's clock is, in seconds.
    pub(crate) fn set_skew(&self, seconds: i64) {
        self.skew_seconds.store(seconds, Ordering::Relaxed);
    }

    /// The time on the service's clock.
    pub(crate) fn now(&self) -> OffsetDateTime {
        crate::clock::now() + self.skew()
    }

    /// How far ahead of the real time the service's clock is.
    pub(crate) fn skew(&self) -> time::Duration {
        time::Duration::seconds(self.skew_seconds.load(Ordering::Relaxed))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn faults_hit_as_often_as_they_say() {
        let faults = Faults::default();
        faults.add(fault(r#"{"service": "batch", "method": "POST", "path": "/jobs", "skip": 1, "count": 2, "effect": {"kind": "cut"}}"#));
        let hits =
            |method: &str, path: &str| faults.on_request(Target::Batch, method, path).is_some();
        assert!(!hits("GET", "/jobs"));
        assert!(!hits("POST", "/pools"));
        assert!(!hits("POST", "/jobs?api-version=1"));
        assert!(hits("POST", "/jobs"));
        assert!(faults.on_request(Target::Blob, "POST", "/jobs").is_none());
        assert!(hits("POST", "/jobs"));
        assert!(!hits("POST", "/jobs"));
        assert_eq!(faults.list(), []);
    }

    #[test]
    fn a_share_of_the_events_is_drawn() {
        let faults = Faults::default();
        faults.add(fault(r#"{"oneIn": 4, "effect": {"kind": "cut"}}"#));
        let hits = (0..4000)
            .filter(|_| faults.on_request(Target::Batch, "GET", "/jobs").is_some())
            .count();
        // Ten standard deviations on either side.
        assert!((727..=1273).contains(&hits), "{hits} of 4000");
    }

    #[test]
    fn events_inside_are_no_requests() {
        let faults = Faults::default();
        faults.add(fault(r#"{"effect": {"kind": "startTask", "exitCode": 3}}"#));
        assert!(faults.on_request(Target::Batch, "GET", "/").is_none());
        let hit = faults.on_event(|effect| matches!(effect, Effect::StartTask { .. }));
        assert_eq!(hit, Some(Effect::StartTask { exit_code: 3 }));
        assert_eq!(faults.list().len(), 1);
    }

    #[test]
    fn a_misspelt_fault_is_refused() {
        for text in [
            r#"{"effect": {"kind": "explode"}}"#,
            r#"{"effect": {"kind": "cut", "don": true}}"#,
            r#"{"oneIn": 0, "effect": {"kind": "cut"}}"#,
            r#"{"times": 1, "effect": {"kind": "cut"}}"#,
        ] {
            assert!(serde_json::from_str::<Fault>(text).is_err(), "{text}");
        }
    }
}
