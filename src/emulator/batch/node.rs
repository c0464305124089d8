//! A node: its state, its slots, what it ran, and how it is shown.
//!
//! Its directory and processes are up to `emulator::node`; here it is only known where they are.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::list::{Kind, PAGE_MAX};
use super::object::{Put as _, text};
use super::pool::Pool;
use super::query::{Cell, Fields};
use super::schema::Object;
use super::state::Id;
use crate::emulator::stamp::iso;

/// How many tasks a node remembers.
const RECENT_MAX: usize = 10;

/// A node of a pool.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) is_dedicated: bool,
    pub(super) state: NodeState,
    pub(super) state_since: OffsetDateTime,
    pub(super) is_scheduling: bool,
    pub(super) allocated: OffsetDateTime,
    pub(super) booted: Option<OffsetDateTime>,
    /// Address in the pool; it leads nowhere.
    pub(super) address: String,
    /// The node's directory.
    pub(super) root: PathBuf,
    pub(super) slots_used: usize,
    /// Runs that have not ended, those of tasks that were ended meanwhile included, by their numbers.
    pub(super) runs: BTreeMap<u64, Occupant>,
    pub(super) tasks_run: u64,
    pub(super) tasks_succeeded: u64,
    /// The last tasks: lines of `recentTasks`.
    pub(super) recent: VecDeque<Value>,
    pub(super) start_task_info: Option<Object>,
    pub(super) errors: Vec<Value>,
    /// Turns true when the node goes; ends its start task.
    pub(super) stop: watch::Sender<bool>,
    /// Job preparation by job.
    pub(super) preparations: BTreeMap<Id, Preparation>,
}

/// A run that has slots of a node.
#[derive(Debug, Clone)]
pub(super) struct Occupant {
    pub(super) slots: usize,
    pub(super) job: Id,
    pub(super) task: Id,
}

/// How far a node is with the preparation for a job.
#[derive(Debug, Clone)]
pub(super) struct Preparation {
    /// The job's number.
    pub(super) job: u64,
    pub(super) state: PreparationState,
    /// `jobPreparationTaskExecutionInfo`.
    pub(super) info: Object,
    /// `jobReleaseTaskExecutionInfo`.
    pub(super) release: Option<Object>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PreparationState {
    Running,
    Ready,
    Failed,
}

/// The states of a node that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeState {
    Creating,
    Starting,
    WaitingForStartTask,
    StartTaskFailed,
    Idle,
    Running,
    Offline,
    Unusable,
    /// Not heard of any more.
    Unknown,
    Preempted,
    Deallocating,
    Deallocated,
    LeavingPool,
}

impl NodeState {
    /// Members of a node count with the state that they count; `None` for states that do not occur here.
    pub(super) const COUNTED: &'static [(&'static str, Option<Self>)] = &[
        ("creating", Some(Self::Creating)),
        ("idle", Some(Self::Idle)),
        ("offline", Some(Self::Offline)),
        ("preempted", Some(Self::Preempted)),
        ("rebooting", None),
        ("reimaging", None),
        ("running", Some(Self::Running)),
        ("starting", Some(Self::Starting)),
        ("startTaskFailed", Some(Self::StartTaskFailed)),
        ("leavingPool", Some(Self::LeavingPool)),
        ("unknown", Some(Self::Unknown)),
        ("unusable", Some(Self::Unusable)),
        ("waitingForStartTask", Some(Self::WaitingForStartTask)),
        ("deallocated", Some(Self::Deallocated)),
        ("deallocating", Some(Self::Deallocating)),
        ("upgradingOS", None),
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Starting => "starting",
            Self::WaitingForStartTask => "waitingforstarttask",
            Self::StartTaskFailed => "starttaskfailed",
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Offline => "offline",
            Self::Unusable => "unusable",
            Self::Unknown => "unknown",
            Self::Preempted => "preempted",
            Self::Deallocating => "deallocating",
            Self::Deallocated => "deallocated",
            Self::LeavingPool => "leavingpool",
        }
    }
}

impl Node {
    /// A node that is being created.
    pub(super) fn new(number: u64, is_dedicated: bool, root: PathBuf, now: OffsetDateTime) -> Self {
        let random: [u64; 4] = rand::random();
        let hex: String = random.iter().map(|part| format!("{part:016x}")).collect();
        let [.., high, low] = number.to_be_bytes();
        Self {
            id: format!("tvmps_{hex}_{}", if is_dedicated { 'd' } else { 'p' }),
            is_dedicated,
            state: NodeState::Creating,
            state_since: now,
            is_scheduling: true,
            allocated: now,
            booted: None,
            address: format!("10.0.{high}.{low}"),
            root,
            slots_used: 0,
            runs: BTreeMap::new(),
            tasks_run: 0,
            tasks_succeeded: 0,
            recent: VecDeque::new(),
            start_task_info: None,
            errors: Vec::new(),
            stop: watch::channel(false).0,
            preparations: BTreeMap::new(),
        }
    }

    /// Sets the state.
    pub(super) fn set_state(&mut self, state: NodeState, now: OffsetDateTime) {
        if self.state != state {
            self.state = state;
            self.state_since = now;
        }
    }

    /// Sets the state that a working node has by its runs and its scheduling; others stay.
    pub(super) fn settle(&mut self, now: OffsetDateTime) {
        if matches!(
            self.state,
            NodeState::Idle | NodeState::Running | NodeState::Offline
        ) {
            let state = match (self.runs.is_empty(), self.is_scheduling) {
                (false, _) => NodeState::Running,
                (true, true) => NodeState::Idle,
                (true, false) => NodeState::Offline,
            };
            self.set_state(state, now);
        }
    }

    /// Whether a task of `slots` slots can start here now.
    pub(super) fn has_room(&self, slots: usize, slots_max: usize) -> bool {
        matches!(self.state, NodeState::Idle | NodeState::Running)
            && self.is_scheduling
            && self.slots_used + slots <= slots_max
    }

    /// Remembers a task that ran here.
    pub(super) fn remember(&mut self, line: Value) {
        self.recent.push_front(line);
        self.recent.truncate(RECENT_MAX);
    }

    /// URL of the node.
    pub(super) fn url(&self, endpoint: &str, pool: &str) -> String {
        format!("{endpoint}/pools/{pool}/nodes/{}", self.id)
    }

    /// The node as GET shows it; `pool` is its own.
    pub(super) fn show(&self, endpoint: &str, pool: &Pool) -> Object {
        let mut object = Object::new();
        let image = pool
            .body
            .get("virtualMachineConfiguration")
            .and_then(|machine| machine.get("imageReference"))
            .cloned()
            .unwrap_or_default();
        let mut exact_image = image;
        exact_image["exactVersion"] = "latest".into();
        object
            .put("id", self.id.clone())
            .put("url", self.url(endpoint, &pool.id))
            .put("state", self.state.name())
            .put(
                "schedulingState",
                if self.is_scheduling {
                    "enabled"
                } else {
                    "disabled"
                },
            )
            .put_time("stateTransitionTime", Some(self.state_since))
            .put_time("lastBootTime", self.booted)
            .put_time("allocationTime", Some(self.allocated))
            .put("ipAddress", self.address.clone())
            .put("affinityId", format!("TVM:{}", self.id))
            .put_some("vmSize", text(&pool.body, "vmSize"))
            .put("totalTasksRun", self.tasks_run)
            .put("runningTasksCount", self.runs.len())
            .put("runningTaskSlotsCount", self.slots_used)
            .put("totalTasksSucceeded", self.tasks_succeeded)
            .put("isDedicated", self.is_dedicated)
            .put("virtualMachineInfo", json!({"imageReference": exact_image}))
            .put_some("startTask", pool.body.get("startTask").cloned())
            .put_some("startTaskInfo", self.start_task_info.clone());
        if !self.recent.is_empty() {
            object.put("recentTasks", Value::from_iter(self.recent.iter().cloned()));
        }
        if !self.errors.is_empty() {
            object.put("errors", self.errors.clone());
        }
        if let Some(booted) = self.booted {
            object.put(
                "nodeAgentInfo",
                json!({"version": "1.0.0", "lastUpdateTime": iso(booted)}),
            );
        }
        object
    }
}

/// Lists of nodes.
pub(super) const NODES: Kind = Kind {
    name: "nodes",
    page_max: PAGE_MAX,
    filterable: FILTERABLE,
    members: "id url state schedulingState stateTransitionTime lastBootTime allocationTime ipAddress \
        ipv6Address affinityId vmSize totalTasksRun runningTasksCount runningTaskSlotsCount \
        totalTasksSucceeded recentTasks startTask startTaskInfo errors isDedicated endpointConfiguration \
        nodeAgentInfo virtualMachineInfo",
    has_stats: false,
};

/// What nodes can be filtered by.
const FILTERABLE: &[&str] = &[
    "state",
    "stateTransitionTime",
    "lastBootTime",
    "allocationTime",
    "startTaskInfo/state",
    "startTaskInfo/result",
    "startTaskInfo/exitCode",
    "startTaskInfo/startTime",
    "startTaskInfo/endTime",
];

impl Fields for &Node {
    fn field(&self, path: &str) -> Cell<'_> {
        let info = self.start_task_info.as_ref();
        let info_text = |name| info.and_then(|info| text(info, name));
        let info_time =
            |name| Cell::time(info_text(name).and_then(crate::emulator::stamp::parse_iso));
        match path {
            "state" => Cell::text(self.state.name()),
            "stateTransitionTime" => Cell::Time(self.state_since),
            "lastBootTime" => Cell::time(self.booted),
            "allocationTime" => Cell::Time(self.allocated),
            "startTaskInfo/state" => info_text("state").map_or(Cell::Absent, Cell::text),
            "startTaskInfo/result" => info_text("result").map_or(Cell::Absent, Cell::text),
            "startTaskInfo/exitCode" => info
                .and_then(|info| super::object::int(info, "exitCode"))
                .map_or(Cell::Absent, Cell::Number),
            "startTaskInfo/startTime" => info_time("startTime"),
            "startTaskInfo/endTime" => info_time("endTime"),
            _ => Cell::Absent,
        }
    }
}
