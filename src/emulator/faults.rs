//! Faults on demand: which request fails how, counted.
//!
//! It knows no operation and no effect. Requests are matched by service, method and part of the path; what happens inside,
//! as a start task that fails, by its kind and by part of the path of what it happens to.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::effect::{Effect, Victim};

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
    /// What the path, with its query, must hold as it is on the wire; anything if absent. What happens inside has the path
    /// of its pool, node or task: `/pools/POOL`, `/pools/POOL/nodes/NODE`, `/jobs/JOB/tasks/TASK`.
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

impl Fault {
    /// Reads a fault: a name of the catalogue, or JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, FaultError> {
        if !text.trim_start().starts_with('{') {
            return super::catalogue::named(text.trim())
                .ok_or_else(|| FaultError::Name(text.to_owned()));
        }
        let fault: Self = serde_json::from_str(text)?;
        fault.check()?;
        Ok(fault)
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// [`FaultError::Value`].
    pub fn check(&self) -> Result<(), FaultError> {
        self.effect.check().map_err(FaultError::Value)
    }
}

/// A fault that is none.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// Not a name of the catalogue.
    #[error("there is no fault named `{0}`; `fanout emulate --list-faults` shows them")]
    Name(String),
    /// Not the JSON of a fault.
    #[error("not a fault: {0}")]
    Json(#[from] serde_json::Error),
    /// A value that no such fault can have.
    #[error("not a fault: {0}")]
    Value(String),
}

/// What happens to one request.
#[derive(Debug, Default)]
pub(crate) struct Hit {
    /// How long it waits.
    pub(crate) slow_milliseconds: u64,
    /// How wrong the clock is for it.
    pub(crate) skew_seconds: i64,
    /// What else happens.
    pub(crate) effect: Option<Effect>,
}

/// The faults of a service.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Mutex<Vec<Fault>>,
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

    /// What happens to a request, which is counted.
    pub(crate) fn on_request(&self, service: Target, method: &str, path: &str) -> Hit {
        let mut hit = Hit::default();
        self.strike(
            |fault| {
                fault.effect.victim() == Victim::Request
                    && fault.service.is_none_or(|wanted| wanted == service)
                    && fault.method.as_ref().is_none_or(|wanted| wanted == method)
                    && fault.is_on(path)
            },
            &mut hit,
        );
        hit
    }

    /// The effect on something that happens inside to what `path` names, which `is_meant` recognises and which is counted.
    pub(crate) fn on_event(&self, path: &str, is_meant: fn(&Effect) -> bool) -> Option<Effect> {
        let mut hit = Hit::default();
        self.strike(
            |fault| is_meant(&fault.effect) && fault.is_on(path),
            &mut hit,
        );
        hit.effect
    }

    /// Lets the faults that match hit: the first one, and before it those that let others come on top.
    fn strike(&self, matches: impl Fn(&Fault) -> bool, hit: &mut Hit) {
        let mut list = self.lock();
        for fault in list.iter_mut().filter(|fault| matches(fault)) {
            if !fault.is_due() {
                continue;
            }
            match &fault.effect {
                Effect::Slow { milliseconds } => hit.slow_milliseconds += milliseconds,
                Effect::ClockSkew { seconds } => hit.skew_seconds += seconds,
                effect => hit.effect = Some(effect.clone()),
            }
            if !fault.effect.is_beside_others() {
                break;
            }
        }
        list.retain(|fault| fault.count != Some(0));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn is_on(&self, path: &str) -> bool {
        self.path
            .as_ref()
            .is_none_or(|wanted| path.contains(wanted.as_str()))
    }

    /// Whether it hits this time, which is counted.
    fn is_due(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let is_drawn = self
            .one_in
            .is_none_or(|share| rand::random::<u32>().is_multiple_of(share.get()));
        if !is_drawn || self.count == Some(0) {
            return false;
        }
        if let Some(count) = &mut self.count {
            *count -= 1;
        }
        true
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
        let hits = |method: &str, path: &str| {
            faults
                .on_request(Target::Batch, method, path)
                .effect
                .is_some()
        };
        assert!(!hits("GET", "/jobs"));
        assert!(!hits("POST", "/pools"));
        assert!(!hits("POST", "/jobs?api-version=1"));
        assert!(hits("POST", "/jobs"));
        assert!(
            faults
                .on_request(Target::Blob, "POST", "/jobs")
                .effect
                .is_none()
        );
        assert!(hits("POST", "/jobs"));
        assert!(!hits("POST", "/jobs"));
        assert_eq!(faults.list(), []);
    }

    #[test]
    fn a_share_of_the_events_is_drawn() {
        let faults = Faults::default();
        faults.add(fault(r#"{"oneIn": 4, "effect": {"kind": "cut"}}"#));
        let hits = (0..4000)
            .filter(|_| {
                faults
                    .on_request(Target::Batch, "GET", "/jobs")
                    .effect
                    .is_some()
            })
            .count();
        // Ten standard deviations on either side.
        assert!((727..=1273).contains(&hits), "{hits} of 4000");
    }

    #[test]
    fn events_inside_are_no_requests() {
        let faults = Faults::default();
        faults.add(fault(
            r#"{"path": "/nodes/n", "effect": {"kind": "startTask", "exitCode": 3}}"#,
        ));
        let request = faults.on_request(Target::Batch, "GET", "/pools/p/nodes/n");
        assert_eq!(request.effect, None);
        let hit = |path| faults.on_event(path, |effect| matches!(effect, Effect::StartTask { .. }));
        assert_eq!(hit("/pools/p/nodes/m"), None);
        assert_eq!(
            hit("/pools/p/nodes/n"),
            Some(Effect::StartTask { exit_code: 3 })
        );
        assert_eq!(faults.list().len(), 1);
    }

    #[test]
    fn a_slow_request_can_fail_too_and_waits_once() {
        let faults = Faults::default();
        for text in [
            r#"{"effect": {"kind": "slow", "milliseconds": 7}}"#,
            r#"{"count": 1, "effect": {"kind": "cut"}}"#,
            r#"{"effect": {"kind": "cut", "done": true}}"#,
        ] {
            faults.add(fault(text));
        }
        for done in [false, true] {
            let hit = faults.on_request(Target::Blob, "GET", "/");
            assert_eq!(hit.slow_milliseconds, 7);
            assert_eq!(hit.effect, Some(Effect::Cut { done }));
        }
    }

    #[test]
    fn a_misspelt_fault_is_refused() {
        for text in [
            r#"{"effect": {"kind": "explode"}}"#,
            r#"{"effect": {"kind": "cut", "don": true}}"#,
            r#"{"oneIn": 0, "effect": {"kind": "cut"}}"#,
            r#"{"times": 1, "effect": {"kind": "cut"}}"#,
            r#"{"effect": {"kind": "status", "status": 200, "code": "OK"}}"#,
            r#"{"effect": {"kind": "startTask", "exitCode": 0}}"#,
            r#"{"effect": {"kind": "resize", "code": "Quota"}}"#,
        ] {
            assert!(Fault::read(text).is_err(), "{text}");
        }
    }
}
