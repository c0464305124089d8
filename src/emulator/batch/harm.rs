//! Faults inside the Batch service: nodes that are lost, resizes that fail, start tasks that fail, items that are refused.
//!
//! When they happen is up to `emulator::faults`; requests are harmed in `emulator::harm`.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{BatchError, MESSAGES};
use super::node::NodeState;
use super::schema::Object;
use super::service::{Batch, finish};
use super::state::{Id, Place};
use crate::emulator::call::Call;
use crate::emulator::effect::{Effect, OUTPUT_CODES, RESOURCE_CODES};
use crate::emulator::harm::Refuse;
use crate::emulator::node::{Failure, FileFaults, Outcome, Spec, kill_by_root};
use crate::emulator::root::remove_tree;
use crate::emulator::server::Answer;

/// What can be done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::emulator) enum NodeHarm {
    /// Taken away and brought back empty, with the same id: what happens to a spot node.
    Preempt,
    /// Broken for good: its tasks go elsewhere, the node stays as it is.
    Unusable,
    /// Not heard of any more, in the state `unknown`; else as the one before.
    Lost,
}

impl Batch {
    /// Harms a node of `pool`; its id, or `None` if there is none.
    pub(in crate::emulator) fn harm_node(
        self: &Arc<Self>,
        pool: &str,
        node: Option<&str>,
        harm: NodeHarm,
    ) -> Option<String> {
        let mut state = self.lock();
        let found = state.pools.get(&Id::of(pool))?;
        let id = match node {
            Some(node) => found.nodes.get(node)?.id.clone(),
            None => found
                .nodes
                .values()
                .max_by_key(|node| node.slots_used)?
                .id
                .clone(),
        };
        let place = Place {
            pool: Id::of(pool),
            node: id.clone(),
        };
        let (new, is_back) = match harm {
            NodeHarm::Preempt => (NodeState::Preempted, true),
            NodeHarm::Unusable => (NodeState::Unusable, false),
            NodeHarm::Lost => (NodeState::Unknown, false),
        };
        let node = state.node_at(&place)?;
        node.set_state(new, self.clock.now());
        node.stop.send_replace(true);
        self.recover_tasks(&mut state, &place);
        self.schedule(&mut state);
        let batch = Arc::clone(self);
        self.spawn(async move {
            batch
                .wait_until(|state| {
                    state
                        .node_at(&place)
                        .is_none_or(|node| node.runs.is_empty())
                })
                .await;
            if is_back {
                batch.bring_back(&place, new).await;
            }
        });
        Some(id)
    }

    /// Boots a node that was taken away or deallocated, unless it is no longer in the state `from`; its directory is empty.
    pub(super) async fn bring_back(self: &Arc<Self>, place: &Place, from: NodeState) {
        let Some(root) = self.lock().node_at(place).map(|node| node.root.clone()) else {
            return;
        };
        if self.behaviour.simulated.is_none() {
            let removed = tokio::task::spawn_blocking(move || {
                kill_by_root(&root);
                remove_tree(&root)
            });
            drop(removed.await);
        }
        let stop = {
            let mut state = self.lock();
            let Some(node) = state.node_at(place).filter(|node| node.state == from) else {
                return;
            };
            let new = if from == NodeState::Deallocated {
                NodeState::Starting
            } else {
                NodeState::Creating
            };
            node.set_state(new, self.clock.now());
            node.booted = None;
            node.start_task_info = None;
            node.preparations.clear();
            node.stop = tokio::sync::watch::channel(false).0;
            node.stop.subscribe()
        };
        self.boot(place, stop).await;
    }

    /// The error of a resize of `pool` that is to fail, and how many nodes come all the same.
    pub(super) fn resize_fault(&self, pool: &Id) -> Option<(Value, usize)> {
        let path = format!("/pools/{}", pool.as_str());
        match self
            .faults
            .on_event(&path, |effect| matches!(effect, Effect::Resize { .. }))
        {
            Some(Effect::Resize { code, nodes }) => Some((resize_error(&code), nodes)),
            _ => None,
        }
    }

    /// How the start task on the node at `place` ends if it is to fail.
    pub(super) fn start_task_fault(&self, place: &Place) -> Option<Outcome> {
        match self.faults.on_event(&node_path(place), |effect| {
            matches!(effect, Effect::StartTask { .. })
        }) {
            Some(Effect::StartTask { exit_code }) => Some(Outcome {
                exit_code: Some(exit_code),
                failure: Some(Failure::exit()),
                ..Outcome::default()
            }),
            _ => None,
        }
    }

    /// Whether the node at `place`, which boots, is to become unusable.
    pub(super) fn boot_fault(&self, place: &Place) -> bool {
        self.faults
            .on_event(&node_path(place), |effect| {
                matches!(effect, Effect::Unusable {})
            })
            .is_some()
    }

    /// The error of the task `id` of a collection that is to be refused.
    pub(super) fn item_fault(&self, job: &str, id: &str) -> Option<BatchError> {
        match self.faults.on_event(&task_path(job, id), |effect| {
            matches!(effect, Effect::Item { .. })
        }) {
            Some(Effect::Item { code }) => Some(named(&code, 500)),
            _ => None,
        }
    }

    /// Harms the node at `place` some time after the attempt `number` at a task began there, if that is to happen.
    pub(super) fn harm_by_fault(
        self: &Arc<Self>,
        job: &str,
        task: &str,
        number: u64,
        place: &Place,
    ) {
        let (harm, after) = match self.faults.on_event(&task_path(job, task), |effect| {
            matches!(effect, Effect::Lost { .. } | Effect::Preempt { .. })
        }) {
            Some(Effect::Lost { after_milliseconds }) => (NodeHarm::Lost, after_milliseconds),
            Some(Effect::Preempt { after_milliseconds }) => (NodeHarm::Preempt, after_milliseconds),
            _ => return,
        };
        let (batch, place) = (Arc::clone(self), place.clone());
        self.spawn(async move {
            batch.clock.sleep(Duration::from_millis(after)).await;
            let is_there = batch
                .lock()
                .node_at(&place)
                .is_some_and(|node| node.runs.contains_key(&number));
            if is_there {
                batch.harm_node(place.pool.as_str(), Some(&place.node), harm);
            }
        });
    }

    /// How the files of `spec`, which is a task's, fail if they are to.
    pub(super) fn file_faults(&self, job: &str, task: &str, spec: &Spec) -> FileFaults {
        let path = task_path(job, task);
        let known =
            |codes: &[&'static str], code: &str| codes.iter().copied().find(|known| *known == code);
        let fetch = || match self.faults.on_event(&path, |effect| {
            matches!(effect, Effect::ResourceFile { .. })
        }) {
            Some(Effect::ResourceFile { code }) => known(RESOURCE_CODES, &code),
            _ => None,
        };
        let upload = || match self
            .faults
            .on_event(&path, |effect| matches!(effect, Effect::OutputFile { .. }))
        {
            Some(Effect::OutputFile { code }) => known(OUTPUT_CODES, &code),
            _ => None,
        };
        FileFaults {
            fetch: (!spec.resources.is_empty()).then(fetch).flatten(),
            upload: (!spec.outputs.is_empty()).then(upload).flatten(),
        }
    }
}

fn node_path(place: &Place) -> String {
    format!("/pools/{}/nodes/{}", place.pool.as_str(), place.node)
}

fn task_path(job: &str, task: &str) -> String {
    format!("/jobs/{job}/tasks/{task}")
}

/// One of a pool's `resizeErrors`.
pub(super) fn resize_error(code: &str) -> Value {
    let message = match code {
        "AccountCoreQuotaReached" => "The account has reached its quota of dedicated cores.",
        "AccountLowPriorityCoreQuotaReached" | "AccountSpotCoreQuotaReached" => {
            "The account has reached its quota of spot cores."
        }
        "AllocationTimedout" => {
            "The desired number of nodes could not be allocated before the resize timeout."
        }
        "ResizeStopped" => "The resize was stopped by a request.",
        _ => "The resize could not be completed.",
    };
    json!({"code": code, "message": message, "values": []})
}

/// The error `code` with `status`; an unknown code is an internal error.
fn named(code: &str, status: u16) -> BatchError {
    let known = MESSAGES
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or("InternalError", |(known, ..)| known);
    let mut error = BatchError::of(known);
    error.status = status;
    error
}

impl Refuse for Batch {
    fn refuse(&self, call: &Call, status: u16, code: &str) -> Answer {
        self.log(&format!(
            "batch {} {} {status} {code} by fault",
            call.method, call.path
        ));
        let mut answer = named(code, status).answer(call, &self.endpoint);
        finish(&mut answer, call);
        answer
    }
}

/// Tells a failed boot.
pub(super) fn unusable(message: &str) -> Vec<Value> {
    let mut object = Object::new();
    object.insert("code".to_owned(), "NodeUnusable".into());
    object.insert("message".to_owned(), message.into());
    vec![Value::Object(object)]
}
