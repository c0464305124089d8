//! A task: what it is to do, how far it is, and how it is shown.
//!
//! Its states change in `schedule`, `run` and `ending`.

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::list::{Kind, PAGE_MAX};
use super::object::{Put as _, child, int, text};
use super::query::{Cell, Fields};
use super::schema::Object;
use super::state::Place;
use super::stats::between;
use crate::emulator::node::{Failure, Outcome, Usage};
use crate::emulator::stamp::{Stamp, iso};

/// A task of a job.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: String,
    /// What the client said, with defaults.
    pub(super) body: Object,
    pub(super) stamp: Stamp,
    pub(super) created: OffsetDateTime,
    pub(super) state: TaskState,
    pub(super) state_since: OffsetDateTime,
    pub(super) previous: Option<(TaskState, OffsetDateTime)>,
    pub(super) execution: Execution,
    /// Where it runs or ran last, and there its directory.
    pub(super) place: Option<Place>,
    /// What runs now.
    pub(super) run: Option<Run>,
    /// Whether its files were removed after their retention time.
    pub(super) is_cleaned: bool,
    /// Where it waits while it is active.
    pub(super) waits: Waits,
    /// When it began for the first time.
    pub(super) first_started: Option<OffsetDateTime>,
    /// What the attempts that have ended used.
    pub(super) spent: Spent,
}

/// What attempts at tasks used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) usage: Usage,
    pub(super) wall: Duration,
}

impl Spent {
    /// Adds another.
    pub(super) fn add(&mut self, other: &Self) {
        self.usage.user += other.usage.user;
        self.usage.kernel += other.usage.kernel;
        self.wall += other.wall;
    }
}

/// Where an active task waits; entries of queues that say otherwise are left-overs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// Nowhere: it runs, is completed, or its job takes no tasks any more.
    No,
    /// For a node.
    InQueue,
    /// For other tasks.
    ForTasks,
}

/// The attempt that a task is in.
#[derive(Debug)]
pub(super) struct Run {
    /// Tells it from earlier attempts, whose late end changes nothing.
    pub(super) number: u64,
    pub(super) cancel: watch::Sender<bool>,
}

/// What `executionInfo` tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Execution {
    pub(super) started: Option<OffsetDateTime>,
    pub(super) ended: Option<OffsetDateTime>,
    pub(super) exit_code: Option<i32>,
    pub(super) failure: Option<Failure>,
    pub(super) retry_count: u32,
    pub(super) retried: Option<OffsetDateTime>,
    pub(super) requeue_count: u32,
    pub(super) requeued: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskState {
    Active,
    Preparing,
    Running,
    Completed,
}

impl TaskState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Preparing => "preparing",
            Self::Running => "running",
            Self::Completed => "completed",
        }
    }
}

impl Task {
    /// Sets the state.
    pub(super) fn set_state(&mut self, state: TaskState, now: OffsetDateTime) {
        if self.state != state {
            self.previous = Some((self.state, self.state_since));
            self.state = state;
            self.state_since = now;
        }
    }

    /// Slots that it takes.
    pub(super) fn slots(&self) -> usize {
        int(&self.body, "requiredSlots")
            .and_then(|slots| usize::try_from(slots).ok())
            .unwrap_or(1)
    }

    /// How often a non-zero exit code is tried again; `None` for ever.
    pub(super) fn retries_max(&self) -> Option<u32> {
        let count = child(&self.body, "constraints")
            .and_then(|constraints| int(constraints, "maxTaskRetryCount"));
        match count {
            None => Some(0),
            Some(count) => u32::try_from(count).ok(),
        }
    }

    /// Completed without a failure.
    pub(super) fn is_success(&self) -> bool {
        self.state == TaskState::Completed && self.execution.failure.is_none()
    }

    /// Completed with a failure.
    pub(super) fn is_failure(&self) -> bool {
        self.state == TaskState::Completed && self.execution.failure.is_some()
    }

    /// What it used up to `now`.
    pub(super) fn spent_until(&self, now: OffsetDateTime) -> Spent {
        let mut spent = self.spent;
        if let (Some(_), Some(started)) = (&self.run, self.execution.started) {
            spent.wall += between(started, now);
        }
        spent
    }

    /// How long it waited to begin, up to `now`.
    pub(super) fn waited(&self, now: OffsetDateTime) -> Duration {
        between(self.created, self.first_started.unwrap_or(now))
    }

    /// Takes in what the attempt used that ends at `now`.
    pub(super) fn spend(&mut self, usage: Usage, now: OffsetDateTime) {
        let started = self.execution.started.unwrap_or(now);
        self.spent.add(&Spent {
            usage,
            wall: between(started, now),
        });
    }

    /// Ends the task with `outcome`.
    pub(super) fn complete(&mut self, outcome: Outcome, now: OffsetDateTime) {
        if self.run.take().is_some() {
            self.spend(outcome.usage, now);
        }
        self.waits = Waits::No;
        self.execution.exit_code = outcome.exit_code;
        self.execution.failure = outcome.failure;
        self.execution.ended = Some(now);
        if self.execution.started.is_none() {
            self.execution.started = Some(now);
        }
        self.set_state(TaskState::Completed, now);
    }

    /// Puts the task back to where it waits for a node.
    pub(super) fn requeue(&mut self, now: OffsetDateTime) {
        self.run = None;
        self.execution = Execution {
            retry_count: self.execution.retry_count,
            retried: self.execution.retried,
            requeue_count: self.execution.requeue_count,
            requeued: self.execution.requeued,
            ..Execution::default()
        };
        self.place = None;
        self.set_state(TaskState::Active, now);
    }

    /// `executionInfo`.
    pub(super) fn show_execution(&self) -> Object {
        let execution = &self.execution;
        let mut object = Object::new();
        object
            .put_time("startTime", execution.started)
            .put_time("endTime", execution.ended)
            .put_some("exitCode", execution.exit_code)
            .put_some("failureInfo", execution.failure.as_ref().map(show_failure));
        if self.state == TaskState::Completed {
            object.put(
                "result",
                if execution.failure.is_some() {
                    "failure"
                } else {
                    "success"
                },
            );
        }
        object
            .put("retryCount", execution.retry_count)
            .put_time("lastRetryTime", execution.retried)
            .put("requeueCount", execution.requeue_count)
            .put_time("lastRequeueTime", execution.requeued);
        object
    }

    /// The task as GET shows it; `place` is the pool's id as it is written, with its node.
    pub(super) fn show(&self, endpoint: &str, job: &str, pool: Option<&str>) -> Object {
        let mut object = self.body.clone();
        object
            .put("url", format!("{endpoint}/jobs/{job}/tasks/{}", self.id))
            .put("eTag", self.stamp.etag())
            .put_time("lastModified", Some(self.stamp.modified))
            .put_time("creationTime", Some(self.created))
            .put("state", self.state.name())
            .put_time("stateTransitionTime", Some(self.state_since))
            .put("executionInfo", self.show_execution());
        if let Some((state, since)) = self.previous {
            object
                .put("previousState", state.name())
                .put("previousStateTransitionTime", iso(since));
        }
        if let Some(place) = &self.place {
            let pool = pool.unwrap_or(place.pool.as_str());
            let node_url = format!("{endpoint}/pools/{pool}/nodes/{}", place.node);
            let directory = self.directory(job);
            object.put(
                "nodeInfo",
                json!({
                    "affinityId": format!("TVM:{}", place.node),
                    "nodeUrl": node_url,
                    "poolId": pool,
                    "nodeId": place.node,
                    "taskRootDirectory": directory,
                    "taskRootDirectoryUrl": format!("{node_url}/files/{directory}"),
                }),
            );
        }
        object
    }

    /// The task's directory below the node's.
    pub(super) fn directory(&self, job: &str) -> String {
        format!("workitems/{job}/job-1/{}", self.id)
    }
}

/// `failureInfo`.
pub(super) fn show_failure(failure: &Failure) -> Object {
    let mut object = Object::new();
    object
        .put("category", failure.category)
        .put("code", failure.code)
        .put("message", failure.message.clone());
    if !failure.details.is_empty() {
        object.put(
            "details",
            failure
                .details
                .iter()
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect::<Vec<_>>(),
        );
    }
    object
}

/// Lists of tasks.
pub(super) const TASKS: Kind = Kind {
    name: "tasks",
    page_max: PAGE_MAX,
    filterable: FILTERABLE,
    members: "id displayName url eTag lastModified creationTime exitConditions state stateTransitionTime \
        previousState previousStateTransitionTime commandLine containerSettings resourceFiles \
        outputFiles environmentSettings affinityInfo constraints requiredSlots userIdentity \
        executionInfo nodeInfo multiInstanceSettings stats dependsOn applicationPackageReferences",
    has_stats: true,
};

/// What tasks can be filtered by.
const FILTERABLE: &[&str] = &[
    "id",
    "state",
    "stateTransitionTime",
    "creationTime",
    "lastModified",
    "displayName",
    "executionInfo/exitCode",
    "executionInfo/result",
    "executionInfo/startTime",
    "executionInfo/endTime",
    "executionInfo/retryCount",
    "executionInfo/requeueCount",
    "nodeInfo/nodeId",
    "nodeInfo/poolId",
];

impl Fields for &Task {
    fn field(&self, path: &str) -> Cell<'_> {
        match path {
            "id" => Cell::text(&self.id),
            "state" => Cell::text(self.state.name()),
            "stateTransitionTime" => Cell::Time(self.state_since),
            "creationTime" => Cell::Time(self.created),
            "lastModified" => Cell::Time(self.stamp.modified),
            "displayName" => text(&self.body, "displayName").map_or(Cell::Absent, Cell::text),
            "executionInfo/exitCode" => self
                .execution
                .exit_code
                .map_or(Cell::Absent, |code| Cell::Number(code.into())),
            "executionInfo/result" if self.is_success() => Cell::text("success"),
            "executionInfo/result" if self.is_failure() => Cell::text("failure"),
            "executionInfo/startTime" => Cell::time(self.execution.started),
            "executionInfo/endTime" => Cell::time(self.execution.ended),
            "executionInfo/retryCount" => Cell::Number(self.execution.retry_count.into()),
            "executionInfo/requeueCount" => Cell::Number(self.execution.requeue_count.into()),
            "nodeInfo/nodeId" => self
                .place
                .as_ref()
                .map_or(Cell::Absent, |place| Cell::text(&place.node)),
            "nodeInfo/poolId" => self
                .place
                .as_ref()
                .map_or(Cell::Absent, |place| Cell::text(place.pool.as_str())),
            _ => Cell::Absent,
        }
    }
}
