//! Step 6: the nodes and tasks of a run, until every task has ended.
//!
//! It reads states and decides when waiting makes no sense any more; it starts and stops nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;

use super::autopsy;
use crate::azure::batch::{
    AllocationState, Batch, ErrorItem, ListQuery, Node, NodeState, Pool, ResultKind, Task,
    Timestamp, quoted,
};
use crate::azure::{ErrorKind, ServiceError};
use crate::clock;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunPlan;
use crate::progress::{Narrator, Unit, seconds};

/// Codes of resize errors that no waiting mends: a quota. Source: Batch REST, `ResizeError`.
const QUOTA_CODES: [&str; 5] = [
    "AccountCoreQuotaReached",
    "AccountLowPriorityCoreQuotaReached",
    "AccountSpotCoreQuotaReached",
    "AccountVMSeriesCoreQuotaReached",
    "UnsupportedVMSize",
];

/// Codes of resize errors that mean that the region has no such machine to give just now.
const CAPACITY_CODES: [&str; 3] = [
    "AllocationFailed",
    "AllocationTimedout",
    "OverconstrainedAllocationRequestError",
];

/// How late a change may show in a list: so much of what was seen is asked for again.
const LIST_LAG: time::Duration = time::Duration::minutes(2);

/// Why a look came to nothing.
#[derive(Debug)]
enum Trouble {
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

/// How long to wait between two looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// After something changed.
    pub(crate) first: Duration,
    /// While nothing changes; each wait is half as long again as the one before, up to this.
    pub(crate) longest: Duration,
}

impl Pace {
    /// For a service on this machine, or for one in Azure.
    pub(crate) fn new(loopback: bool) -> Self {
        let (first, longest) = if loopback {
            (50, 1_000)
        } else {
            (2_000, 15_000)
        };
        Self {
            first: Duration::from_millis(first),
            longest: Duration::from_millis(longest),
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
    /// How often to look.
    pub(crate) pace: Pace,
    /// When the run's time is over.
    pub(crate) deadline: tokio::time::Instant,
}

/// What is known of the tasks that ended.
#[derive(Debug, Default)]
struct Ended {
    /// By id: nothing for a success, the cause for a failure.
    tasks: BTreeMap<u64, Option<String>>,
    /// The latest change that was seen: the next look asks for what changed since.
    since: Option<Timestamp>,
}

impl Watch<'_> {
    /// Waits until every task has ended, or the first has failed with `fail_fast`.
    ///
    /// Result: the tasks that failed, by id.
    ///
    /// # Errors
    /// Exit 6 when no node can work because its start task failed or it is unusable, 7 when the account's quota or the
    /// region's capacity gives no node, 8 when the time is over, others when the service does not answer.
    pub(crate) async fn until_ended(&self) -> Result<Vec<FailedTask>, Failure> {
        let mut ended = Ended::default();
        let mut told = Told::default();
        let bar = self
            .narrator
            .bar("tasks", self.plan.tasks.len() as u64, Unit::Tasks);
        let mut wait = self.pace.first;
        loop {
            let before = (ended.tasks.len(), told.nodes.clone());
            let looked = self.look(&mut ended, &mut told).await;
            bar.set_position(ended.tasks.len() as u64);
            match looked {
                Ok(true) => {
                    bar.finish_and_clear();
                    let failed = failed_of(&ended);
                    // The job has the same time to live, and ends its tasks with it.
                    if !failed.is_empty() && clock::instant() >= self.deadline {
                        return Err(self.out_of_time(&ended));
                    }
                    return Ok(failed);
                }
                Ok(false) => {}
                // The run goes on without being looked at.
                Err(Trouble::Service(error)) if may_pass(&error) => {
                    self.narrator
                        .warn(format_args!("{error}; the run goes on, looking again"));
                }
                Err(Trouble::Service(error)) => return Err(from_service(error)),
                Err(Trouble::Verdict(failure)) => return Err(failure),
            }
            if clock::instant() >= self.deadline {
                return Err(self.out_of_time(&ended));
            }
            if before == (ended.tasks.len(), told.nodes.clone()) {
                wait = (wait * 3 / 2).min(self.pace.longest);
            } else {
                self.tell(&ended, &told);
                wait = self.pace.first;
            }
            let left = self.deadline.saturating_duration_since(clock::instant());
            clock::sleep(wait.min(left)).await;
        }
    }

    /// One look at everything; whether there is nothing left to wait for.
    async fn look(&self, ended: &mut Ended, told: &mut Told) -> Result<bool, Trouble> {
        self.look_at_tasks(ended).await?;
        let failed = ended.tasks.values().any(Option::is_some);
        if ended.tasks.len() == self.plan.tasks.len() || (self.fail_fast && failed) {
            return Ok(true);
        }
        self.look_at_nodes(told).await?;
        Ok(false)
    }

    /// Reads the tasks that ended since the last look.
    async fn look_at_tasks(&self, ended: &mut Ended) -> Result<(), Trouble> {
        let mut filter = "state eq 'completed'".to_owned();
        if let Some(since) = ended
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
            ended.since = ended.since.max(task.state_transition_time);
            let Ok(id) = task.id.parse::<u64>() else {
                continue;
            };
            if id >= 1 && id <= self.plan.tasks.len() as u64 {
                ended.tasks.insert(id, cause_of(&task));
            }
        }
        Ok(())
    }

    async fn look_at_nodes(&self, told: &mut Told) -> Result<(), Trouble> {
        let run = self.plan.run.as_str();
        let pool = self.batch.get_pool(run).await?;
        let query = ListQuery {
            select: Some("id,state,errors,startTaskInfo".to_owned()),
            ..ListQuery::default()
        };
        let nodes = self.batch.list_nodes(run, &query).await?;
        told.nodes = states_of(&nodes);
        let mut hopeless = Vec::new();
        for node in &nodes {
            if !matches!(node.state, NodeState::StartTaskFailed | NodeState::Unusable) {
                continue;
            }
            hopeless.push(node);
            if !told.bad_nodes.contains(&node.id) {
                told.bad_nodes.push(node.id.clone());
                let report = autopsy::node(self.batch, run, node).await;
                self.narrator.warn(&report);
                told.report.get_or_insert(report);
            }
        }
        // Nodes that were asked for may never come: what a steady pool has is all that it will have.
        let all_there = nodes.len() as u64 >= u64::from(self.plan.nodes)
            || pool.allocation_state == AllocationState::Steady;
        if !hopeless.is_empty() && hopeless.len() == nodes.len() && all_there {
            let report = told.report.clone().unwrap_or_default();
            let message = format!(
                "none of the {} nodes can run a task; the first: {report}",
                hopeless.len()
            );
            return Err(Failure::message(Exit::PoolFailed, message).into());
        }
        Ok(self.judge_resize(&pool, nodes.len())?)
    }

    /// Whether the pool will ever have a node.
    fn judge_resize(&self, pool: &Pool, nodes: usize) -> Result<(), Failure> {
        if nodes > 0 {
            // Fewer nodes than wished for still finish the run.
            return Ok(());
        }
        let known = |error: &&ErrorItem, codes: &[&str]| {
            codes
                .iter()
                .any(|code| error.code.eq_ignore_ascii_case(code))
        };
        let of = |codes: &[&str]| {
            pool.resize_errors
                .iter()
                .find(|error| known(error, codes))
                .cloned()
        };
        if let Some(error) = of(&QUOTA_CODES) {
            let message = format!(
                "the pool got no node: {}: {}",
                error.code,
                one_line(&error.message)
            );
            return Err(Failure::message(Exit::QuotaReached, message).hint(format!(
                "{} nodes were asked for: use fewer with --nodes, another --vm-size, or ask for a higher quota",
                self.plan.nodes
            )));
        }
        if let Some(error) = of(&CAPACITY_CODES) {
            let message = format!(
                "the pool got no node: {}: {}",
                error.code,
                one_line(&error.message)
            );
            return Err(Failure::message(Exit::QuotaReached, message).hint(
                "the region is out of this machine just now: use another --vm-size, or try later",
            ));
        }
        if let Some(error) = pool.resize_errors.first() {
            let message = format!(
                "the pool got no node: {}: {}",
                error.code,
                one_line(&error.message)
            );
            return Err(Failure::message(Exit::PoolFailed, message));
        }
        Ok(())
    }

    fn tell(&self, ended: &Ended, told: &Told) {
        let nodes: Vec<String> = told
            .nodes
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        let failed = failed_of(ended).len();
        let failed = if failed > 0 {
            format!(", {failed} of them failed")
        } else {
            String::new()
        };
        let nodes = if nodes.is_empty() {
            "none yet".to_owned()
        } else {
            nodes.join(", ")
        };
        let (done, all) = (ended.tasks.len(), self.plan.tasks.len());
        self.narrator.step(
            6,
            "watch",
            format!("nodes: {nodes}; tasks: {done} of {all} ended{failed}"),
        );
    }

    fn out_of_time(&self, ended: &Ended) -> Failure {
        let message = format!(
            "the run's time is over ({}): {} of {} tasks ended",
            seconds(self.plan.ttl),
            ended.tasks.len(),
            self.plan.tasks.len()
        );
        Failure::message(Exit::TimedOut, message)
            .hint("give it longer with --ttl, or more nodes with --nodes")
    }
}

/// What was told of the nodes.
#[derive(Debug, Default)]
struct Told {
    /// How many nodes are in each state.
    nodes: BTreeMap<String, usize>,
    /// Nodes that were reported as lost to the run.
    bad_nodes: Vec<String>,
    /// The first report of one.
    report: Option<String>,
}

fn states_of(nodes: &[Node]) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for node in nodes {
        *states.entry(node.state.to_string()).or_default() += 1;
    }
    states
}

fn failed_of(ended: &Ended) -> Vec<FailedTask> {
    let failed = |(id, cause): (&u64, &Option<String>)| {
        cause.clone().map(|cause| FailedTask { id: *id, cause })
    };
    ended.tasks.iter().filter_map(failed).collect()
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
