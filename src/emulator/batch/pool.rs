//! A pool: what was asked for, what is there, and how it is shown.
//!
//! Changing it is up to `pools`; its nodes come and go in `boot` and `ending`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::autoscale::Autoscale;
use super::list::{Kind, PAGE_MAX};
use super::node::{Node, NodeState};
use super::object::{Put as _, flag, int, is};
use super::query::{Cell, Fields};
use super::schema::{Dialect, Object};
use crate::emulator::stamp::Stamp;

/// A pool.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) id: String,
    /// Tells it from an earlier or later pool of the same id.
    pub(super) number: u64,
    /// What the client said, with defaults, without the two targets.
    pub(super) body: Object,
    pub(super) stamp: Stamp,
    pub(super) created: OffsetDateTime,
    pub(super) is_deleting: bool,
    pub(super) state_since: OffsetDateTime,
    pub(super) allocation: Allocation,
    pub(super) allocation_since: OffsetDateTime,
    pub(super) target_dedicated: usize,
    pub(super) target_spot: usize,
    pub(super) nodes: BTreeMap<String, Node>,
    /// How long dedicated nodes lived that are gone.
    pub(super) dedicated_gone: Duration,
    pub(super) resize_errors: Vec<Value>,
    pub(super) autoscale: Autoscale,
}

/// Whether nodes are coming or going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allocation {
    Steady,
    Resizing,
    Stopping,
}

impl Allocation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Resizing => "resizing",
            Self::Stopping => "stopping",
        }
    }
}

impl Pool {
    /// How many tasks of one slot a node runs at a time.
    pub(super) fn slots(&self) -> usize {
        int(&self.body, "taskSlotsPerNode")
            .and_then(|slots| usize::try_from(slots).ok())
            .unwrap_or(1)
    }

    /// Whether tasks go to the fullest node rather than the emptiest.
    pub(super) fn is_packing(&self) -> bool {
        self.body
            .get("taskSchedulingPolicy")
            .and_then(Value::as_object)
            .is_some_and(|policy| is(policy, "nodeFillType", "pack"))
    }

    pub(super) fn is_autoscaled(&self) -> bool {
        flag(&self.body, "enableAutoScale") == Some(true)
    }

    /// Nodes that are there or coming, of the kind asked for.
    pub(super) fn node_count(&self, is_dedicated: bool) -> usize {
        self.nodes
            .values()
            .filter(|node| {
                node.is_dedicated == is_dedicated && node.state != NodeState::LeavingPool
            })
            .count()
    }

    /// Sets the allocation state.
    pub(super) fn set_allocation(&mut self, allocation: Allocation, now: OffsetDateTime) {
        if self.allocation != allocation {
            self.allocation = allocation;
            self.allocation_since = now;
        }
    }

    /// The pool as GET shows it.
    pub(super) fn show(&self, endpoint: &str) -> Object {
        let mut object = self.body.clone();
        object
            .put("url", format!("{endpoint}/pools/{}", self.id))
            .put("eTag", self.stamp.etag())
            .put_time("lastModified", Some(self.stamp.modified))
            .put_time("creationTime", Some(self.created))
            .put(
                "state",
                if self.is_deleting {
                    "deleting"
                } else {
                    "active"
                },
            )
            .put_time("stateTransitionTime", Some(self.state_since))
            .put("allocationState", self.allocation.name())
            .put_time("allocationStateTransitionTime", Some(self.allocation_since))
            .put("currentDedicatedNodes", self.node_count(true))
            .put("currentLowPriorityNodes", self.node_count(false))
            .put("targetDedicatedNodes", self.target_dedicated)
            .put("targetLowPriorityNodes", self.target_spot);
        object.put_some("autoScaleRun", self.autoscale.run.clone());
        if !self.resize_errors.is_empty() {
            object.put("resizeErrors", self.resize_errors.clone());
        }
        object
    }

    /// The line of the pool in `nodecounts`.
    pub(super) fn show_counts(&self, dialect: Dialect) -> Object {
        let mut object = Object::new();
        object
            .put("poolId", self.id.clone())
            .put("dedicated", self.count_states(true, dialect))
            .put("lowPriority", self.count_states(false, dialect));
        object
    }

    fn count_states(&self, is_dedicated: bool, dialect: Dialect) -> Object {
        let mut counts = Object::new();
        let nodes = || {
            self.nodes
                .values()
                .filter(|node| node.is_dedicated == is_dedicated)
        };
        for (name, state) in NodeState::COUNTED {
            if dialect == Dialect::Y2024 && name.starts_with("deallocat") {
                continue;
            }
            let count = nodes().filter(|node| Some(node.state) == *state).count();
            counts.put(name, count);
        }
        counts.put("total", nodes().count());
        counts
    }
}

/// Lists of pools.
pub(super) const POOLS: Kind = Kind {
    name: "pools",
    page_max: PAGE_MAX,
    filterable: FILTERABLE,
    members: "id displayName url eTag lastModified creationTime state stateTransitionTime allocationState \
        allocationStateTransitionTime vmSize virtualMachineConfiguration resizeTimeout resizeErrors \
        currentDedicatedNodes currentLowPriorityNodes targetDedicatedNodes targetLowPriorityNodes \
        enableAutoScale autoScaleFormula autoScaleEvaluationInterval autoScaleRun \
        enableInterNodeCommunication networkConfiguration startTask applicationPackageReferences \
        taskSlotsPerNode taskSchedulingPolicy userAccounts metadata stats mountConfiguration identity \
        upgradePolicy",
    has_stats: true,
};

/// What pools can be filtered by.
const FILTERABLE: &[&str] = &[
    "id",
    "state",
    "stateTransitionTime",
    "creationTime",
    "lastModified",
    "allocationState",
    "allocationStateTransitionTime",
    "enableAutoScale",
    "vmSize",
];

impl Fields for &Pool {
    fn field(&self, path: &str) -> Cell<'_> {
        match path {
            "id" | "poolId" => Cell::text(&self.id),
            "state" => Cell::text(if self.is_deleting {
                "deleting"
            } else {
                "active"
            }),
            "stateTransitionTime" => Cell::Time(self.state_since),
            "creationTime" => Cell::Time(self.created),
            "lastModified" => Cell::Time(self.stamp.modified),
            "allocationState" => Cell::text(self.allocation.name()),
            "allocationStateTransitionTime" => Cell::Time(self.allocation_since),
            "vmSize" => super::object::text(&self.body, "vmSize").map_or(Cell::Absent, Cell::text),
            "enableAutoScale" => Cell::text(if self.is_autoscaled() {
                "true"
            } else {
                "false"
            }),
            _ => Cell::Absent,
        }
    }
}
