//! Nodes that are deallocated and started again.
//!
//! Reboot and reimage are refused in `route`; nodes that are taken away by faults are in `harm`.

use std::sync::Arc;

use hyper::StatusCode;

use super::ending::Deallocation;
use super::error::BatchError;
use super::node::NodeState;
use super::object::text;
use super::schema::{self, Dialect, Object};
use super::service::{Batch, Order, empty_answer, set};
use super::state::{Id, Place};
use crate::emulator::node::kill_by_root;
use crate::emulator::server::Answer;

impl Batch {
    pub(super) fn deallocate_node(
        self: &Arc<Self>,
        order: &Order,
        pool: &str,
        node_id: &str,
    ) -> Result<Answer, BatchError> {
        require_known(order)?;
        let body = match order.body.as_slice() {
            [] => Object::new(),
            body => schema::read("Deallocate", body, order.dialect)?,
        };
        let option =
            text(&body, "nodeDeallocateOption").map_or(Deallocation::Requeue, Deallocation::of);
        let mut state = self.lock();
        let node = state.node(pool, node_id)?;
        if !matches!(
            node.state,
            NodeState::Idle | NodeState::Running | NodeState::Offline | NodeState::StartTaskFailed
        ) {
            return Err(BatchError::of("OperationInvalidForCurrentState"));
        }
        node.set_state(NodeState::Deallocating, self.clock.now());
        if option != Deallocation::TaskCompletion {
            node.stop.send_replace(true);
        }
        let place = Place {
            pool: Id::of(pool),
            node: node_id.to_owned(),
        };
        self.end_tasks_at(&mut state, &place, option);
        self.schedule(&mut state);
        let batch = Arc::clone(self);
        self.spawn(async move { batch.finish_deallocation(&place).await });
        Ok(self.node_written(pool, node_id))
    }

    async fn finish_deallocation(&self, place: &Place) {
        self.wait_until(|state| state.node_at(place).is_none_or(|node| node.runs.is_empty()))
            .await;
        let mut state = self.lock();
        let node = state.node_at(place);
        if let Some(node) = node.filter(|node| node.state == NodeState::Deallocating) {
            node.stop.send_replace(true);
            node.booted = None;
            if self.behaviour.simulated.is_none() {
                kill_by_root(&node.root);
            }
            node.set_state(NodeState::Deallocated, self.clock.now());
        }
    }

    pub(super) fn start_node(
        self: &Arc<Self>,
        order: &Order,
        pool: &str,
        node_id: &str,
    ) -> Result<Answer, BatchError> {
        require_known(order)?;
        let mut state = self.lock();
        if state.node(pool, node_id)?.state != NodeState::Deallocated {
            return Err(BatchError::of("OperationInvalidForCurrentState"));
        }
        let (batch, place) = (
            Arc::clone(self),
            Place {
                pool: Id::of(pool),
                node: node_id.to_owned(),
            },
        );
        self.spawn(async move { batch.bring_back(&place, NodeState::Deallocated).await });
        Ok(self.node_written(pool, node_id))
    }

    fn node_written(&self, pool: &str, node: &str) -> Answer {
        let mut answer = empty_answer(StatusCode::ACCEPTED);
        let url = format!("{}/nodes/{node}", self.pool_url(pool));
        set(&mut answer, "dataserviceid", &url);
        answer
    }
}

/// The older version of the API has none of these operations.
fn require_known(order: &Order) -> Result<(), BatchError> {
    match order.dialect {
        Dialect::Y2025 => Ok(()),
        Dialect::Y2024 => Err(BatchError::of("InvalidUri")),
    }
}
