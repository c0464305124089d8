//! Operations on pools: add, list, get, patch, delete, resize, remove nodes.
//!
//! What follows from them happens in `boot` and `ending`.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;

use super::autoscale::{Autoscale, check_autoscale};
use super::condition::check;
use super::duration::parse_duration;
use super::ending::Deallocation;
use super::error::BatchError;
use super::images::check_image;
use super::list::{Kind, Select, document};
use super::object::{Put as _, child, children, flag, int, text};
use super::pool::{Allocation, POOLS, Pool};
use super::schema::{self, Object};
use super::service::{
    Batch, Order, empty_answer, json_answer, resource_answer, set_stamp, written,
};
use super::spec::{check_range, check_setting, check_work};
use super::state::{Id, check_id};
use crate::emulator::server::Answer;
use crate::emulator::stamp::Stamp;

/// Lists of node counts.
const NODE_COUNTS: Kind = Kind {
    name: "poolnodecounts",
    page_max: 10,
    filterable: &["poolId"],
    members: "",
    has_stats: false,
};
/// Most nodes of a pool here: each is a directory, and more say nothing new on one machine.
const NODES_MAX: i64 = 2000;
/// Shortest resize timeout, in seconds.
const RESIZE_TIMEOUT_SECONDS_MIN: u64 = 5 * 60;

impl Batch {
    pub(super) fn add_pool(self: &Arc<Self>, order: &Order) -> Result<Answer, BatchError> {
        let mut body = schema::read("PoolCreate", &order.body, order.dialect)?;
        check_pool(&body)?;
        let is_autoscaled = flag(&body, "enableAutoScale") == Some(true);
        let targets = if is_autoscaled {
            check_scaled(&body)?;
            body.put_default("autoScaleEvaluationInterval", "PT15M");
            (None, None)
        } else {
            check_fixed(&body)?;
            read_targets(&body)?
        };
        let id = text(&body, "id").unwrap_or_default().to_owned();
        body.remove("targetDedicatedNodes");
        body.remove("targetLowPriorityNodes");
        body.put_default("taskSlotsPerNode", 1)
            .put_default("taskSchedulingPolicy", json!({"nodeFillType": "Spread"}))
            .put_default("resizeTimeout", "PT15M")
            .put_default("enableAutoScale", false)
            .put_default("enableInterNodeCommunication", false);
        fill_start_task(&mut body);
        let now = self.clock.now();
        let mut state = self.lock();
        let key = Id::of(&id);
        if let Some(pool) = state.pools.get(&key) {
            return Err(BatchError::of(if pool.is_deleting {
                "PoolBeingDeleted"
            } else {
                "PoolExists"
            }));
        }
        if self
            .behaviour
            .pools_max
            .is_some_and(|most| state.pools.len() >= most)
        {
            return Err(BatchError::of("PoolQuotaReached"));
        }
        let pool = Pool {
            number: state.number(),
            body,
            stamp: Stamp::new(now),
            created: now,
            is_deleting: false,
            state_since: now,
            allocation: Allocation::Steady,
            allocation_since: now,
            target_dedicated: targets.0.unwrap_or(0),
            target_spot: targets.1.unwrap_or(0),
            nodes: std::collections::BTreeMap::new(),
            dedicated_gone: Duration::ZERO,
            resize_errors: Vec::new(),
            autoscale: Autoscale::default(),
            id,
        };
        let answer = written(StatusCode::CREATED, &pool.stamp, &self.pool_url(&pool.id));
        state.pools.insert(key.clone(), pool);
        if is_autoscaled {
            self.begin_autoscale(&mut state, &key);
        } else {
            self.begin_resize(&mut state, &key, Deallocation::Requeue);
        }
        Ok(answer)
    }

    pub(super) fn list_pools(&self, order: &Order) -> Result<Answer, BatchError> {
        let page = self.page(&order.call, &POOLS)?;
        let after = Id::of(page.after.as_deref().unwrap_or_default());
        let state = self.lock();
        let pools = state
            .pools
            .range((Bound::Excluded(after), Bound::Unbounded));
        let taken = page.take(
            pools.map(|(key, pool)| (key.as_str(), pool)),
            |pool, with_stats| self.show_pool(pool, with_stats),
        );
        Ok(json_answer(document(
            &order.call,
            &self.endpoint,
            POOLS.name,
            taken,
        )))
    }

    pub(super) fn list_node_counts(&self, order: &Order) -> Result<Answer, BatchError> {
        let page = self.page(&order.call, &NODE_COUNTS)?;
        let after = Id::of(page.after.as_deref().unwrap_or_default());
        let state = self.lock();
        let pools = state
            .pools
            .range((Bound::Excluded(after), Bound::Unbounded));
        let taken = page.take(pools.map(|(key, pool)| (key.as_str(), pool)), |pool, _| {
            pool.show_counts(order.dialect)
        });
        Ok(json_answer(document(
            &order.call,
            &self.endpoint,
            NODE_COUNTS.name,
            taken,
        )))
    }

    pub(super) fn get_pool(&self, order: &Order, id: &str) -> Result<Answer, BatchError> {
        let select = Select::read(&order.call, &POOLS)?;
        let mut state = self.lock();
        let pool = state.pool(id)?;
        check(&order.call, &pool.stamp)?;
        if order.call.method == hyper::Method::HEAD {
            let mut answer = empty_answer(StatusCode::OK);
            set_stamp(&mut answer, &pool.stamp);
            return Ok(answer);
        }
        let mut object = self.show_pool(pool, select.with_stats);
        select.apply(&mut object);
        Ok(resource_answer(
            &self.endpoint,
            "pools",
            object,
            Some(&pool.stamp),
        ))
    }

    pub(super) fn patch_pool(&self, order: &Order, id: &str) -> Result<Answer, BatchError> {
        let mut patch = schema::read("PoolPatch", &order.body, order.dialect)?;
        check_pool(&patch)?;
        fill_start_task(&mut patch);
        let mut state = self.lock();
        let pool = state.pool(id)?;
        require_kept(pool)?;
        check(&order.call, &pool.stamp)?;
        let of_empty = ["taskSlotsPerNode", "taskSchedulingPolicy"];
        if !pool.nodes.is_empty() && of_empty.iter().any(|name| patch.contains_key(*name)) {
            return Err(BatchError::of("OperationInvalidForCurrentState").with(
                "Reason",
                "These properties can be changed only while the pool has no nodes.",
            ));
        }
        pool.body.extend(patch);
        pool.stamp.touch(self.clock.now());
        Ok(written(
            StatusCode::OK,
            &pool.stamp,
            &self.pool_url(&pool.id),
        ))
    }

    pub(super) fn replace_pool_properties(
        &self,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let mut replacement = schema::read("PoolReplace", &order.body, order.dialect)?;
        check_pool(&replacement)?;
        fill_start_task(&mut replacement);
        let mut state = self.lock();
        let pool = state.pool(id)?;
        require_kept(pool)?;
        for name in ["startTask", "metadata"] {
            match replacement.remove(name) {
                Some(value) => pool.body.insert(name.to_owned(), value),
                None => pool.body.remove(name),
            };
        }
        pool.stamp.touch(self.clock.now());
        Ok(written(
            StatusCode::NO_CONTENT,
            &pool.stamp,
            &self.pool_url(&pool.id),
        ))
    }

    pub(super) fn delete_pool(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let mut state = self.lock();
        let pool = state.pool(id)?;
        check(&order.call, &pool.stamp)?;
        require_kept(pool)?;
        self.begin_pool_deletion(&mut state, &Id::of(id));
        Ok(empty_answer(StatusCode::ACCEPTED))
    }

    pub(super) fn resize_pool(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let body = schema::read("PoolResize", &order.body, order.dialect)?;
        check_resize_timeout(&body)?;
        let (dedicated, spot) = read_targets(&body)?;
        let mut state = self.lock();
        let pool = state.pool(id)?;
        check(&order.call, &pool.stamp)?;
        require_steady(pool)?;
        if pool.is_autoscaled() {
            return Err(BatchError::of("OperationInvalidForCurrentState")
                .with("Reason", "The pool is autoscaled."));
        }
        pool.target_dedicated = dedicated.unwrap_or(pool.target_dedicated);
        pool.target_spot = spot.unwrap_or(pool.target_spot);
        if let Some(timeout) = text(&body, "resizeTimeout") {
            pool.body.put("resizeTimeout", timeout);
        }
        pool.stamp.touch(self.clock.now());
        let answer = written(StatusCode::ACCEPTED, &pool.stamp, &self.pool_url(&pool.id));
        self.begin_resize(&mut state, &Id::of(id), Deallocation::read(&body));
        Ok(answer)
    }

    pub(super) fn stop_resize(&self, order: &Order, id: &str) -> Result<Answer, BatchError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let pool = state.pool(id)?;
        check(&order.call, &pool.stamp)?;
        require_kept(pool)?;
        if pool.allocation == Allocation::Resizing {
            // Whoever resizes sees it and stops waiting.
            pool.set_allocation(Allocation::Stopping, now);
            pool.stamp.touch(now);
        }
        self.changed.notify_waiters();
        Ok(written(
            StatusCode::ACCEPTED,
            &pool.stamp,
            &self.pool_url(&pool.id),
        ))
    }

    pub(super) fn remove_pool_nodes(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let body = schema::read("NodeRemove", &order.body, order.dialect)?;
        check_resize_timeout(&body)?;
        let nodes: Vec<String> = body
            .get("nodeList")
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten()
            .filter_map(|node| node.as_str().map(str::to_owned))
            .collect();
        if !(1..=100).contains(&nodes.len()) {
            return Err(BatchError::property(
                "nodeList",
                nodes.len().to_string(),
                "It must name 1 to 100 nodes.",
            ));
        }
        let now = self.clock.now();
        let mut state = self.lock();
        let pool = state.pool(id)?;
        check(&order.call, &pool.stamp)?;
        require_steady(pool)?;
        if let Some(node) = nodes.iter().find(|node| !pool.nodes.contains_key(*node)) {
            return Err(BatchError::of("NodeNotFound").with("NodeId", node.clone()));
        }
        for node in &nodes {
            let is_dedicated = pool.nodes.get(node).is_some_and(|node| node.is_dedicated);
            let target = if is_dedicated {
                &mut pool.target_dedicated
            } else {
                &mut pool.target_spot
            };
            *target = target.saturating_sub(1);
        }
        pool.stamp.touch(now);
        let answer = written(StatusCode::ACCEPTED, &pool.stamp, &self.pool_url(&pool.id));
        self.begin_removal(&mut state, &Id::of(id), nodes, Deallocation::read(&body));
        Ok(answer)
    }

    /// URL of a pool.
    pub(super) fn pool_url(&self, id: &str) -> String {
        format!("{}/pools/{id}", self.endpoint)
    }
}

/// Checks the properties of a pool that scales by a formula.
fn check_scaled(body: &Object) -> Result<(), BatchError> {
    if !body.contains_key("autoScaleFormula") {
        return Err(
            BatchError::of("MissingRequiredProperty").with("PropertyName", "autoScaleFormula")
        );
    }
    for name in ["targetDedicatedNodes", "targetLowPriorityNodes"] {
        if body.contains_key(name) {
            return Err(BatchError::property(
                name,
                "",
                "The pool scales by a formula.",
            ));
        }
    }
    check_autoscale(body)
}

/// Checks the properties of a pool that does not.
fn check_fixed(body: &Object) -> Result<(), BatchError> {
    for name in ["autoScaleFormula", "autoScaleEvaluationInterval"] {
        if let Some(value) = text(body, name) {
            return Err(BatchError::property(
                name,
                value,
                "The pool does not scale by a formula.",
            ));
        }
    }
    Ok(())
}

/// Checks what the shape of a pool, or of a part of one, does not say.
fn check_pool(body: &Object) -> Result<(), BatchError> {
    if let Some(id) = text(body, "id") {
        check_id(id)?;
    }
    if text(body, "displayName").is_some_and(|name| name.chars().count() > 1024) {
        return Err(BatchError::property(
            "displayName",
            "",
            "It is longer than 1024 characters.",
        ));
    }
    check_resize_timeout(body)?;
    if let Some(machine) = child(body, "virtualMachineConfiguration") {
        check_image(machine)?;
    }
    if let Some(size) = text(body, "vmSize")
        && !size.to_lowercase().starts_with("standard_")
    {
        return Err(BatchError::property(
            "vmSize",
            size,
            "It is not the name of a size.",
        ));
    }
    let slots_max = text(body, "vmSize")
        .and_then(cores)
        .map_or(256, |cores| (4 * cores).min(256));
    check_range(
        "taskSlotsPerNode",
        int(body, "taskSlotsPerNode"),
        1,
        slots_max,
    )?;
    if let Some(task) = child(body, "startTask") {
        check_work(task)?;
        for setting in children(task, "environmentSettings") {
            check_setting(setting)?;
        }
    }
    check_metadata(body)
}

/// Cores of a machine by the first number in the name of its size, as 2 of `standard_d2s_v5`.
pub(super) fn cores(size: &str) -> Option<i64> {
    let name = size.split('_').nth(1)?;
    let digits: String = name
        .chars()
        .skip_while(|character| !character.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok().filter(|cores| *cores > 0)
}

/// Checks `metadata`.
///
/// # Errors
/// `EmptyMetadataKey`.
pub(super) fn check_metadata(body: &Object) -> Result<(), BatchError> {
    let is_empty = |item: &Object| text(item, "name").unwrap_or_default().is_empty();
    if children(body, "metadata").any(is_empty) {
        return Err(BatchError::of("EmptyMetadataKey"));
    }
    Ok(())
}

fn check_resize_timeout(body: &Object) -> Result<(), BatchError> {
    match text(body, "resizeTimeout") {
        Some(text)
            if parse_duration(text)
                .is_none_or(|timeout| timeout.as_secs() < RESIZE_TIMEOUT_SECONDS_MIN) =>
        {
            Err(BatchError::property(
                "resizeTimeout",
                text,
                "It must be at least 5 minutes.",
            ))
        }
        _ => Ok(()),
    }
}

/// The two targets of a body that must name one: dedicated and spot.
fn read_targets(body: &Object) -> Result<(Option<usize>, Option<usize>), BatchError> {
    let target = |name: &str| {
        check_range(name, int(body, name), 0, NODES_MAX)?;
        Ok::<_, BatchError>(int(body, name).and_then(|count| usize::try_from(count).ok()))
    };
    let targets = (
        target("targetDedicatedNodes")?,
        target("targetLowPriorityNodes")?,
    );
    if targets == (None, None) {
        return Err(
            BatchError::of("MissingRequiredProperty").with("PropertyName", "targetDedicatedNodes")
        );
    }
    Ok(targets)
}

fn fill_start_task(body: &mut Object) {
    if let Some(task) = body
        .get_mut("startTask")
        .and_then(|task| task.as_object_mut())
    {
        task.put_default("maxTaskRetryCount", 0)
            .put_default("waitForSuccess", true)
            .put_default(
                "userIdentity",
                json!({"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}),
            );
    }
}

fn require_kept(pool: &Pool) -> Result<(), BatchError> {
    if pool.is_deleting {
        Err(BatchError::of("PoolBeingDeleted"))
    } else {
        Ok(())
    }
}

fn require_steady(pool: &Pool) -> Result<(), BatchError> {
    require_kept(pool)?;
    if pool.allocation == Allocation::Steady {
        Ok(())
    } else {
        Err(BatchError::of("PoolBeingResized"))
    }
}
