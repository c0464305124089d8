//! Operations on nodes: list, get, scheduling on and off.
//!
//! Deallocate and start are in `power`; reboot, reimage, users and remote login are refused in `route`; files are in `files`.

use std::ops::Bound;
use std::sync::Arc;

use hyper::StatusCode;

use super::ending::Deallocation;
use super::error::BatchError;
use super::list::{Select, document};
use super::node::NODES;
use super::object::text;
use super::schema::{self, Object};
use super::service::{Batch, Order, empty_answer, json_answer, resource_answer, set};
use super::state::{Id, Place};
use crate::emulator::server::Answer;

impl Batch {
    pub(super) fn list_nodes(&self, order: &Order, pool: &str) -> Result<Answer, BatchError> {
        let page = self.page(&order.call, &NODES)?;
        let after = page.after.clone().unwrap_or_default();
        let mut state = self.lock();
        let pool = &*state.pool(pool)?;
        let nodes = pool
            .nodes
            .range::<String, _>((Bound::Excluded(after), Bound::Unbounded));
        let taken = page.take(nodes.map(|(key, node)| (key.as_str(), node)), |node, _| {
            node.show(&self.endpoint, pool)
        });
        Ok(json_answer(document(
            &order.call,
            &self.endpoint,
            NODES.name,
            taken,
        )))
    }

    pub(super) fn get_node(
        &self,
        order: &Order,
        pool: &str,
        node: &str,
    ) -> Result<Answer, BatchError> {
        let select = Select::read(&order.call, &NODES)?;
        let mut state = self.lock();
        let pool = &*state.pool(pool)?;
        let node = pool
            .nodes
            .get(node)
            .ok_or_else(|| BatchError::of("NodeNotFound"))?;
        let mut object = node.show(&self.endpoint, pool);
        select.apply(&mut object);
        Ok(resource_answer(&self.endpoint, "nodes", object, None))
    }

    pub(super) fn disable_scheduling(
        self: &Arc<Self>,
        order: &Order,
        pool: &str,
        node: &str,
    ) -> Result<Answer, BatchError> {
        let body = match order.body.as_slice() {
            [] => Object::new(),
            body => schema::read("DisableScheduling", body, order.dialect)?,
        };
        let option = text(&body, "nodeDisableSchedulingOption")
            .map_or(Deallocation::Requeue, Deallocation::of);
        self.set_scheduling(pool, node, false, option)
    }

    pub(super) fn enable_scheduling(
        self: &Arc<Self>,
        _order: &Order,
        pool: &str,
        node: &str,
    ) -> Result<Answer, BatchError> {
        self.set_scheduling(pool, node, true, Deallocation::TaskCompletion)
    }

    fn set_scheduling(
        self: &Arc<Self>,
        pool: &str,
        node_id: &str,
        is_enabled: bool,
        option: Deallocation,
    ) -> Result<Answer, BatchError> {
        let mut state = self.lock();
        let node = state.node(pool, node_id)?;
        if node.is_scheduling == is_enabled {
            return Err(BatchError::of("NodeAlreadyInTargetSchedulingState"));
        }
        node.is_scheduling = is_enabled;
        node.settle(self.clock.now());
        let place = Place {
            pool: Id::of(pool),
            node: node_id.to_owned(),
        };
        self.end_tasks_at(&mut state, &place, option);
        self.schedule(&mut state);
        let mut answer = empty_answer(StatusCode::OK);
        set(
            &mut answer,
            "dataserviceid",
            &format!("{}/nodes/{node_id}", self.pool_url(pool)),
        );
        Ok(answer)
    }
}
