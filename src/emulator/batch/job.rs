//! A job: its settings, its tasks, and how it is shown.
//!
//! Its states change in `jobs` and `ending`; its tasks are handed out in `schedule`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use time::OffsetDateTime;

use super::duration::limit;
use super::error::BatchError;
use super::list::{Kind, PAGE_MAX};
use super::object::{Put as _, child, flag, int, is, text};
use super::query::{Cell, Fields};
use super::schema::Object;
use super::state::Id;
use super::task::{Task, TaskState, Waits};
use super::waiting::Waiting;
use crate::emulator::stamp::Stamp;

/// A job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    /// Tells it from an earlier or later job of the same id.
    pub(super) number: u64,
    /// What the client said, with defaults.
    pub(super) body: Object,
    pub(super) stamp: Stamp,
    pub(super) created: OffsetDateTime,
    pub(super) state: JobState,
    pub(super) state_since: OffsetDateTime,
    pub(super) previous: Option<(JobState, OffsetDateTime)>,
    pub(super) ended: Option<OffsetDateTime>,
    pub(super) terminate_reason: Option<String>,
    pub(super) tasks: BTreeMap<Id, Task>,
    /// Active tasks that wait for a node, in the order in which they are tried.
    pub(super) queue: VecDeque<Id>,
    /// Active tasks that wait for other tasks.
    pub(super) waiting: Waiting,
    /// Attempts that have not ended, those of tasks that were ended meanwhile included.
    pub(super) runs: usize,
    /// Tasks that are not completed.
    pub(super) unfinished: usize,
    /// Counts as they were, the newest last, if counts lag.
    pub(super) past_counts: VecDeque<(OffsetDateTime, Object)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobState {
    Active,
    Disabling,
    Disabled,
    Terminating,
    Completed,
    Deleting,
}

impl JobState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabling => "disabling",
            Self::Disabled => "disabled",
            Self::Terminating => "terminating",
            Self::Completed => "completed",
            Self::Deleting => "deleting",
        }
    }
}

impl Job {
    /// Sets the state.
    pub(super) fn set_state(&mut self, state: JobState, now: OffsetDateTime) {
        if self.state != state {
            self.previous = Some((self.state, self.state_since));
            self.state = state;
            self.state_since = now;
        }
    }

    /// The pool whose nodes run the tasks, as the client wrote it.
    pub(super) fn pool(&self) -> &str {
        child(&self.body, "poolInfo")
            .and_then(|info| text(info, "poolId"))
            .unwrap_or_default()
    }

    pub(super) fn priority(&self) -> i64 {
        int(&self.body, "priority").unwrap_or(0)
    }

    /// Most tasks that run at a time; `None` for no limit.
    pub(super) fn parallel_max(&self) -> Option<usize> {
        int(&self.body, "maxParallelTasks").and_then(|count| usize::try_from(count).ok())
    }

    /// How long the job may live.
    pub(super) fn wall_clock_max(&self) -> Option<Duration> {
        limit(
            child(&self.body, "constraints")
                .and_then(|constraints| text(constraints, "maxWallClockTime")),
        )
    }

    pub(super) fn uses_dependencies(&self) -> bool {
        flag(&self.body, "usesTaskDependencies") == Some(true)
    }

    /// Whether it ends by itself once all tasks are completed.
    pub(super) fn ends_with_tasks(&self) -> bool {
        is(&self.body, "onAllTasksComplete", "terminatejob")
    }

    /// Whether exit conditions may end or disable it.
    pub(super) fn acts_on_failure(&self) -> bool {
        is(&self.body, "onTaskFailure", "performexitoptionsjobaction")
    }

    /// Lets the active task `key` wait for a node, behind all others.
    pub(super) fn queue_last(&mut self, key: Id) {
        if let Some(task) = self.tasks.get_mut(&key) {
            task.waits = Waits::InQueue;
            self.queue.push_back(key);
        }
    }

    /// Lets the active task `key` wait for a node, before all others.
    pub(super) fn queue_first(&mut self, key: Id) {
        if let Some(task) = self.tasks.get_mut(&key) {
            task.waits = Waits::InQueue;
            self.queue.push_front(key);
        }
    }

    /// Takes every waiting task out of the queues; they stay active.
    pub(super) fn clear_queues(&mut self) {
        self.queue.clear();
        self.waiting.clear();
        for task in self.tasks.values_mut() {
            task.waits = Waits::No;
        }
    }

    /// Whether no task is waiting or running.
    pub(super) fn is_drained(&self) -> bool {
        self.unfinished == 0
    }

    /// The job must take writes.
    ///
    /// # Errors
    /// `JobBeingDeleted`.
    pub(super) fn require_kept(&self) -> Result<(), BatchError> {
        match self.state {
            JobState::Deleting => Err(BatchError::of("JobBeingDeleted")),
            _ => Ok(()),
        }
    }

    /// The job must not have ended.
    ///
    /// # Errors
    /// `JobBeingDeleted`, `JobBeingTerminated` or `JobCompleted`.
    pub(super) fn require_open(&self) -> Result<(), BatchError> {
        match self.state {
            JobState::Deleting => Err(BatchError::of("JobBeingDeleted")),
            JobState::Terminating => Err(BatchError::of("JobBeingTerminated")),
            JobState::Completed => Err(BatchError::of("JobCompleted")),
            JobState::Active | JobState::Disabling | JobState::Disabled => Ok(()),
        }
    }

    /// The job as GET shows it.
    pub(super) fn show(&self, endpoint: &str) -> Object {
        let mut object = self.body.clone();
        let mut execution = Object::new();
        execution
            .put_time("startTime", Some(self.created))
            .put_time("endTime", self.ended)
            .put("poolId", self.pool())
            .put_some("terminateReason", self.terminate_reason.clone());
        object
            .put("url", format!("{endpoint}/jobs/{}", self.id))
            .put("eTag", self.stamp.etag())
            .put_time("lastModified", Some(self.stamp.modified))
            .put_time("creationTime", Some(self.created))
            .put("state", self.state.name())
            .put_time("stateTransitionTime", Some(self.state_since))
            .put("executionInfo", execution);
        if let Some((state, since)) = self.previous {
            object
                .put("previousState", state.name())
                .put_time("previousStateTransitionTime", Some(since));
        }
        object
    }

    /// `taskcounts` as they were at `time`, or a little earlier: none before the first.
    pub(super) fn show_counts_at(&self, time: OffsetDateTime) -> Object {
        let past = self.past_counts.iter().rev();
        let mut past = past.filter(|(taken, _)| *taken <= time);
        past.next().map_or_else(
            || show_counts(&[0; 5], &[0; 5]),
            |(_, counts)| counts.clone(),
        )
    }

    /// `taskcounts`.
    pub(super) fn show_counts(&self) -> Object {
        let mut tasks = [0_usize; 5];
        let mut slots = [0_usize; 5];
        for task in self.tasks.values() {
            let is_in = [
                task.state == TaskState::Active,
                matches!(task.state, TaskState::Preparing | TaskState::Running),
                task.state == TaskState::Completed,
                task.is_success(),
                task.is_failure(),
            ];
            for (index, _) in is_in.iter().enumerate().filter(|(_, is_in)| **is_in) {
                tasks[index] += 1;
                slots[index] += task.slots();
            }
        }
        show_counts(&tasks, &slots)
    }
}

fn show_counts(tasks: &[usize; 5], slots: &[usize; 5]) -> Object {
    let show = |counts: &[usize; 5]| {
        let mut object = Object::new();
        for (name, count) in ["active", "running", "completed", "succeeded", "failed"]
            .iter()
            .zip(counts)
        {
            object.put(name, *count);
        }
        object
    };
    let mut object = Object::new();
    object
        .put("taskCounts", show(tasks))
        .put("taskSlotCounts", show(slots));
    object
}

/// Lists of jobs.
pub(super) const JOBS: Kind = Kind {
    name: "jobs",
    page_max: PAGE_MAX,
    filterable: FILTERABLE,
    members: "id displayName usesTaskDependencies url eTag lastModified creationTime state stateTransitionTime \
        previousState previousStateTransitionTime priority allowTaskPreemption maxParallelTasks \
        constraints jobManagerTask jobPreparationTask jobReleaseTask commonEnvironmentSettings poolInfo \
        onAllTasksComplete onTaskFailure networkConfiguration metadata executionInfo stats",
    has_stats: true,
};

/// What jobs can be filtered by.
const FILTERABLE: &[&str] = &[
    "id",
    "state",
    "stateTransitionTime",
    "creationTime",
    "lastModified",
    "executionInfo/startTime",
    "executionInfo/endTime",
    "executionInfo/poolId",
];

impl Fields for &Job {
    fn field(&self, path: &str) -> Cell<'_> {
        match path {
            "id" => Cell::text(&self.id),
            "state" => Cell::text(self.state.name()),
            "stateTransitionTime" => Cell::Time(self.state_since),
            "creationTime" | "executionInfo/startTime" => Cell::Time(self.created),
            "lastModified" => Cell::Time(self.stamp.modified),
            "executionInfo/endTime" => Cell::time(self.ended),
            "executionInfo/poolId" => Cell::text(self.pool()),
            _ => Cell::Absent,
        }
    }
}
