//! Step 6: the nodes and tasks of a run, until every task has ended.
//!
//! It reads states and decides when waiting makes no sense any more. What the pool's states mean is in `nodes`, why nothing
//! moves in `stall`; of what it sees it mends only tasks that failed through no fault of their own, and
//! nodes that are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::nodes::Nodes;
use super::stall;
use crate::azure::batch::{
    Batch, ErrorCategory, JobState, ListQuery, ResultKind, Task, Timestamp, quoted,
};
use crate::azure::{ErrorKind, ServiceError};
use crate::clock;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunPlan;
use crate::progress::{Narrator, Unit, seconds};

/// How late a change may show in a list: so much of what was seen is asked for again.
const LIST_LAG: time::Duration = time::Duration::minutes(2);

/// How often a task is run again that failed through no fault of its own.
const MENDS_PER_TASK: u32 = 5;

/// What a run ends with whose job or pool is gone.
const CANCELLED: &str = "the run's job or pool was deleted while it ran: it was cancelled";

/// Why a look came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The service did not tell.
    Service(ServiceError),
    /// What was seen ends the run.
    Verdict(Failure),
}

impl From<ServiceError> for Trouble {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Verdict(failure)
    }
}

/// Whether a service that answered so may answer better later: a network that is away, a laptop that slept.
fn may_pass(error: &ServiceError) -> bool {
    matches!(error.kind(), ErrorKind::NotSent | ErrorKind::NotAnswered)
        || error
            .status()
            .is_some_and(|status| status == 408 || status == 429 || status >= 500)
}

/// How long to wait between two looks, and for what should come by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// After something changed.
    pub(crate) first: Duration,
    /// While nothing changes; each wait is half as long again as the one before, up to this.
    pub(crate) longest: Duration,
    /// Without any change: then it is said what is waited for.
    pub(crate) stall: Duration,
    /// How long an unusable node may take to come back before another is asked for.
    pub(crate) unusable: Duration,
    /// How long the service may be without contact to a node before that counts as unusable.
    pub(crate) lost: Duration,
    /// Between two requests for machines that the region did not have.
    pub(crate) again: Duration,
}

impl Pace {
    /// For a service on this machine, or for one in Azure.
    pub(crate) fn new(loopback: bool) -> Self {
        let ms = Duration::from_millis;
        if loopback {
            return Self {
                first: ms(50),
                longest: ms(1_000),
                stall: ms(15_000),
                unusable: ms(0),
                lost: ms(3_000),
                again: ms(200),
            };
        }
        Self {
            first: ms(2_000),
            longest: ms(15_000),
            stall: ms(600_000),
            unusable: ms(600_000),
            lost: ms(300_000),
            again: ms(60_000),
        }
    }
}

/// A task that ended without success.
#[derive(Debug, Clone)]
pub(crate) struct FailedTask {
    /// Its id in the plan.
    pub(crate) id: u64,
    /// What went wrong, in one line.
    pub(crate) cause: String,
}

/// Watches one run.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    /// The account.
    pub(crate) batch: &'a Batch,
    /// What was planned.
    pub(crate) plan: &'a RunPlan,
    /// Where progress is told.
    pub(crate) narrator: &'a Narrator,
    /// Whether the first failed task ends the watch.
    pub(crate) fail_fast: bool,
    /// More nodes than this that cannot work end the watch; without it, only when none can.
    pub(crate) bad_nodes_max: Option<u32>,
    /// Whether what can be mended is mended; else it only looks.
    pub(crate) mends: bool,
    /// How often to look.
    pub(crate) pace: Pace,
    /// When the run's time is over.
    pub(crate) deadline: tokio::time::Instant,
    /// The same for the services.
    pub(crate) ends: OffsetDateTime,
    /// Errors of the pool from before this are an earlier process's.
    pub(crate) fresh_since: Option<OffsetDateTime>,
}

/// What is known of the tasks.
#[derive(Debug, Default)]
struct Tasks {
    /// Those that ended, by id: nothing for a success, the cause for a failure.
    ended: BTreeMap<u64, Option<String>>,
    /// How often those were tried again after a failure of their own.
    retries: BTreeMap<u64, u32>,
    /// How often a task was run again that failed through no fault of its own.
    mends: BTreeMap<u64, u32>,
    /// The latest change that was seen: the next look asks for what changed since.
    since: Option<Timestamp>,
}

impl Watch<'_> {
    /// Waits until every task has ended, or the first has failed with `fail_fast`. Those in `ended` have ended well before.
    ///
    /// Result: the tasks that failed, by id.
    ///
    /// # Errors
    /// Exit 6 when no node can work because its start task failed or it is unusable, 7 when the account's quota or the
    /// region's capacity gives no node, 8 when the time is over, others when the service does not answer.
    pub(crate) async fn until_ended(
        &self,
        ended: &BTreeSet<u64>,
    ) -> Result<Vec<FailedTask>, Failure> {
        let mut tasks = Tasks {
            ended: ended.iter().map(|id| (*id, None)).collect(),
            ..Tasks::default()
        };
        let mut nodes = Nodes::default();
        let bar = self
            .narrator
            .bar("tasks", self.plan.tasks.len() as u64, Unit::Tasks);
        let mut wait = self.pace.first;
        let mut moved = clock::instant();
        loop {
            let before = seen(&tasks, &nodes);
            let looked = self.look(&mut tasks, &mut nodes).await;
            bar.set_position(tasks.ended.len() as u64);
            match looked {
                Ok(true) => {
                    bar.finish_and_clear();
                    let failed = tasks.failed();
                    // The job has the same time to live, and ends its tasks with it.
                    if !failed.is_empty() && clock::instant() >= self.deadline {
                        return Err(self.out_of_time(&tasks));
                    }
                    if self.mends && !failed.is_empty() {
                        self.refuse_what_is_cancelled().await?;
                    }
                    return Ok(failed);
                }
                Ok(false) => {}
                // The run goes on without being looked at.
                Err(Trouble::Service(error)) if may_pass(&error) => {
                    self.narrator
                        .warn(format_args!("{error}; the run goes on, looking again"));
                }
                Err(Trouble::Service(error)) if self.mends && error.is_not_found() => {
                    let message =
                        "the run's job or pool was deleted while it ran: it was cancelled";
                    return Err(Failure::new(Exit::Other, error).context(message));
                }
                Err(Trouble::Service(error)) => return Err(from_service(error)),
                Err(Trouble::Verdict(failure)) => return Err(failure),
            }
            if clock::instant() >= self.deadline {
                return Err(self.out_of_time(&tasks));
            }
            if before == seen(&tasks, &nodes) {
                wait = (wait * 3 / 2).min(self.pace.longest);
            } else {
                self.tell(&tasks, &nodes);
                wait = self.pace.first;
                moved = clock::instant();
            }
            if moved.elapsed() >= self.pace.stall {
                stall::tell(self, moved.elapsed(), tasks.ended.len(), &nodes).await?;
                moved = clock::instant();
            }
            let left = self.deadline.saturating_duration_since(clock::instant());
            clock::sleep(wait.min(left)).await;
        }
    }

    /// The tasks of a job that is deleted fail with it.
    async fn refuse_what_is_cancelled(&self) -> Result<(), Failure> {
        match self.batch.get_job(self.plan.run.as_str()).await {
            Ok(job) if job.state == JobState::Deleting => {
                Err(Failure::message(Exit::Other, CANCELLED))
            }
            Err(error) if error.is_not_found() => {
                Err(Failure::new(Exit::Other, error).context(CANCELLED))
            }
            _ => Ok(()),
        }
    }

    /// One look at everything; whether there is nothing left to wait for.
    async fn look(&self, tasks: &mut Tasks, nodes: &mut Nodes) -> Result<bool, Trouble> {
        self.look_at_tasks(tasks).await?;
        let failed = tasks.ended.values().any(Option::is_some);
        if tasks.ended.len() == self.plan.tasks.len() || (self.fail_fast && failed) {
            return Ok(true);
        }
        nodes.look(self).await?;
        Ok(false)
    }

    /// Reads the tasks that ended since the last look.
    async fn look_at_tasks(&self, tasks: &mut Tasks) -> Result<(), Trouble> {
        let mut filter = "state eq 'completed'".to_owned();
        if let Some(since) = tasks
            .since
            .and_then(|since| (since.0 - LIST_LAG).format(&Rfc3339).ok())
        {
            // Not `gt`: two tasks may change in the same moment, one of them seen.
            filter = format!(
                "{filter} and stateTransitionTime ge DateTime{}",
                quoted(&since)
            );
        }
        let query = ListQuery {
            filter: Some(filter),
            select: Some("id,state,stateTransitionTime,executionInfo".to_owned()),
            page_max: None,
        };
        let job = self.plan.run.as_str();
        for task in self.batch.list_tasks(job, &query).await? {
            tasks.since = tasks.since.max(task.state_transition_time);
            let Ok(id) = task.id.parse::<u64>() else {
                continue;
            };
            if id < 1 || id > self.plan.tasks.len() as u64 {
                continue;
            }
            if self.mends && self.run_again(id, &task, tasks).await? {
                tasks.ended.remove(&id);
                continue;
            }
            let retries = task
                .execution_info
                .as_ref()
                .map_or(0, |run| run.retry_count);
            tasks.retries.insert(id, retries);
            tasks.ended.insert(id, cause_of(&task));
        }
        Ok(())
    }

    /// Runs a task again that failed through no fault of its own; whether it does.
    async fn run_again(&self, id: u64, task: &Task, tasks: &mut Tasks) -> Result<bool, Trouble> {
        let tries = tasks.mends.get(&id).copied().unwrap_or(0);
        let Some(code) = passing_code(task).filter(|_| tries < MENDS_PER_TASK) else {
            return Ok(false);
        };
        self.batch
            .reactivate_task(self.plan.run.as_str(), &task.id)
            .await?;
        tasks.mends.insert(id, tries + 1);
        self.narrator.warn(format_args!(
            "task {id}: {code}; it is run again ({} of {MENDS_PER_TASK})",
            tries + 1
        ));
        Ok(true)
    }

    fn tell(&self, tasks: &Tasks, nodes: &Nodes) {
        let (done, all) = (tasks.ended.len(), self.plan.tasks.len());
        let mut text = format!("nodes: {}; tasks: {done} of {all} ended", nodes.text());
        let of = |count: usize, what: &str| match count {
            0 => String::new(),
            count => format!(", {count} {what}"),
        };
        text += &of(tasks.failed().len(), "of them failed");
        let retries: u32 = tasks.retries.values().sum();
        text += &of(retries as usize, "retries after failures");
        text += &of(
            tasks.mends.values().sum::<u32>() as usize,
            "run again after failures of the service",
        );
        text += &of(nodes.taken.len(), "nodes taken away, their tasks put back");
        self.narrator.step(6, "watch", text);
    }

    fn out_of_time(&self, tasks: &Tasks) -> Failure {
        let message = format!(
            "the run's time is over ({}): {} of {} tasks ended",
            seconds(self.plan.ttl),
            tasks.ended.len(),
            self.plan.tasks.len()
        );
        Failure::message(Exit::TimedOut, message)
            .hint("give it longer with --ttl, or more nodes with --nodes")
    }
}

/// What is told when it changes.
fn seen(tasks: &Tasks, nodes: &Nodes) -> (usize, BTreeMap<String, usize>, usize) {
    (tasks.ended.len(), nodes.states.clone(), nodes.taken.len())
}

/// How many tasks of `plan` have ended, and those that failed.
///
/// # Errors
/// What the service refuses: not found when the job is gone.
pub(super) async fn ended_tasks(
    batch: &Batch,
    plan: &RunPlan,
) -> Result<(usize, Vec<FailedTask>), ServiceError> {
    let query = ListQuery {
        filter: Some("state eq 'completed'".to_owned()),
        select: Some("id,state,executionInfo".to_owned()),
        ..ListQuery::default()
    };
    let mut tasks = Tasks::default();
    for task in batch.list_tasks(plan.run.as_str(), &query).await? {
        let id = task.id.parse().unwrap_or(0);
        if id >= 1 && id <= plan.tasks.len() as u64 {
            tasks.ended.insert(id, cause_of(&task));
        }
    }
    Ok((tasks.ended.len(), tasks.failed()))
}

impl Tasks {
    fn failed(&self) -> Vec<FailedTask> {
        let failed = |(id, cause): (&u64, &Option<String>)| {
            cause.clone().map(|cause| FailedTask { id: *id, cause })
        };
        self.ended.iter().filter_map(failed).collect()
    }
}

/// The code of a failure that is the service's and may pass: files that could not be fetched or uploaded. Those of rights
/// and names stay, and what the program says by its exit code is its own.
///
/// Source: Batch REST, `TaskFailureInfo`.
fn passing_code(task: &Task) -> Option<&str> {
    let run = task.execution_info.as_ref()?;
    let failure = run.failure_info.as_ref()?;
    let is_programs = run.exit_code.is_some_and(|code| code != 0);
    let code = failure.code.as_str();
    let passes = code.ends_with("MiscError")
        || (failure.category == ErrorCategory::ServerError
            && !["AccessDenied", "NotFound"]
                .iter()
                .any(|stays| code.contains(stays)));
    (passes && !is_programs).then_some(code)
}

/// Nothing for a task that succeeded, else what the service says.
fn cause_of(task: &Task) -> Option<String> {
    let Some(run) = &task.execution_info else {
        return Some("the service says nothing of how it ended".to_owned());
    };
    if let Some(failure) = &run.failure_info {
        let exit = run
            .exit_code
            .map_or_else(String::new, |code| format!(" (exit code {code})"));
        return Some(format!(
            "{}: {}{exit}",
            failure.code,
            one_line(&failure.message)
        ));
    }
    match (&run.result, run.exit_code) {
        (Some(ResultKind::Success) | None, Some(0)) => None,
        (_, Some(code)) => Some(format!("exit code {code}")),
        (_, None) => Some("it ended without an exit code".to_owned()),
    }
}

/// The first line of a message of the service, which carries ids and times on further ones.
pub(super) fn one_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::batch::{FailureInfo, TaskExecution};

    fn ended(
        exit_code: Option<i32>,
        result: Option<ResultKind>,
        failure: Option<FailureInfo>,
    ) -> Task {
        let execution_info = Some(TaskExecution {
            exit_code,
            result,
            failure_info: failure,
            ..TaskExecution::default()
        });
        Task {
            execution_info,
            ..Task::default()
        }
    }

    #[test]
    fn failures_of_the_service_pass_and_those_of_the_program_and_of_rights_do_not() {
        let of = |category, code: &str, exit_code| {
            let failure = FailureInfo {
                category,
                code: code.to_owned(),
                ..FailureInfo::default()
            };
            let task = ended(exit_code, Some(ResultKind::Failure), Some(failure));
            passing_code(&task).is_some()
        };
        use ErrorCategory::{ServerError, UserError};
        assert!(of(UserError, "BlobDownloadMiscError", None));
        assert!(of(UserError, "FileUploadMiscError", Some(0)));
        assert!(of(ServerError, "NodePreempted", None));
        assert!(!of(UserError, "FailureExitCode", Some(5)));
        assert!(!of(UserError, "FileUploadMiscError", Some(5)));
        assert!(!of(UserError, "BlobAccessDenied", None));
        assert!(!of(ServerError, "ResourceContainerNotFound", None));
    }

    #[test]
    fn only_exit_code_0_without_a_failure_is_a_success() {
        let failure = FailureInfo {
            code: "FileUploadMiscError".to_owned(),
            message: "upload\nRequestId:1".to_owned(),
            ..FailureInfo::default()
        };
        assert_eq!(
            cause_of(&ended(Some(0), Some(ResultKind::Success), None)),
            None
        );
        assert_eq!(
            cause_of(&ended(Some(0), Some(ResultKind::Failure), Some(failure))).as_deref(),
            Some("FileUploadMiscError: upload (exit code 0)")
        );
        assert_eq!(
            cause_of(&ended(Some(0), Some(ResultKind::Failure), None)).as_deref(),
            Some("exit code 0")
        );
        assert_eq!(
            cause_of(&ended(Some(5), None, None)).as_deref(),
            Some("exit code 5")
        );
        assert!(cause_of(&ended(None, Some(ResultKind::Success), None)).is_some());
        assert!(cause_of(&Task::default()).is_some());
    }
}
