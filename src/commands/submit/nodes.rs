//! What the pool and its nodes mean for a run: which are lost to it, whether more will come, when to give up.
//!
//! Why a node failed is told by `autopsy`. The pool's errors are classified here, as data.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::autopsy;
use super::scale::{INTERVAL, SETTLING, formula};
use super::watch::{Trouble, Watch, one_line};
use crate::azure::batch::{
    AllocationState, AutoScale, ErrorItem, ListQuery, Node, NodeState, Pool, Timestamp,
};
use crate::clock;
use crate::error::Failure;
use crate::exit::Exit;

/// What an error of a resize means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The account may not have so many: no waiting mends it.
    Quota,
    /// What was asked for cannot be made at all.
    Impossible,
    /// The region has none to give just now.
    Capacity,
    /// It tells nothing of the nodes that are wanted.
    Noise,
}

/// Codes of resize errors; one that is not here is impossible. Source: Batch REST, `ResizeError`, and its examples.
const RESIZE_ERRORS: [(&str, Kind); 12] = [
    ("AccountCoreQuotaReached", Kind::Quota),
    ("AccountLowPriorityCoreQuotaReached", Kind::Quota),
    ("AccountSpotCoreQuotaReached", Kind::Quota),
    ("AccountVMSeriesCoreQuotaReached", Kind::Quota),
    ("SubscriptionCoreQuotaReached", Kind::Quota),
    ("UnsupportedVMSize", Kind::Impossible),
    ("InvalidSubnet", Kind::Impossible),
    ("AllocationFailed", Kind::Capacity),
    ("AllocationTimedout", Kind::Capacity),
    ("OverconstrainedAllocationRequestError", Kind::Capacity),
    ("ResizeStopped", Kind::Noise),
    ("RemoveNodesFailed", Kind::Noise),
];

/// How often machines are asked for that the region did not have.
const CAPACITY_TRIES: usize = 3;

/// What is known of the nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// How many are in each state.
    pub(super) states: BTreeMap<String, usize>,
    /// Nodes that were taken away or began anew: each and when.
    pub(super) taken: BTreeSet<(String, Option<Timestamp>)>,
    /// When the start task of each began.
    begun: BTreeMap<String, Timestamp>,
    /// Nodes that were reported as lost to the run, and when that was seen first.
    bad: BTreeMap<String, tokio::time::Instant>,
    /// Nodes that the service has no contact to, and since when.
    lost: BTreeMap<String, tokio::time::Instant>,
    /// The first report of one.
    report: Option<String>,
    /// Nodes that others were asked for.
    replaced: BTreeSet<String>,
    /// Since when the pool had been as it was when others were asked for.
    before_replaced: Option<Timestamp>,
    /// Times at which the region had no machine.
    capacity: BTreeSet<Option<Timestamp>>,
    /// When machines were asked for again.
    asked: Option<tokio::time::Instant>,
    /// What was told once.
    told: BTreeSet<String>,
}

impl Nodes {
    /// Looks at the pool and its nodes.
    ///
    /// # Errors
    /// Exit 6 or 7 when there is no node and none will come, or too many are lost.
    pub(super) async fn look(&mut self, watch: &Watch<'_>) -> Result<(), Trouble> {
        let run = watch.plan.run.as_str();
        let pool = watch.batch.get_pool(run).await?;
        let query = ListQuery {
            select: Some("id,state,stateTransitionTime,errors,startTaskInfo".to_owned()),
            ..ListQuery::default()
        };
        let nodes = watch.batch.list_nodes(run, &query).await?;
        self.states.clear();
        for node in &nodes {
            *self.states.entry(node.state.to_string()).or_default() += 1;
            self.notice_restart(node);
            if node.state == NodeState::Lost {
                self.lost
                    .entry(node.id.clone())
                    .or_insert_with(clock::instant);
            } else {
                self.lost.remove(&node.id);
            }
        }
        self.judge_formula(watch, &pool);
        self.judge_bad(watch, &pool, &nodes).await?;
        self.judge_resize(watch, &pool, &nodes).await
    }

    /// Counts a node whose start task runs once more, though it did not fail: it was taken away and came back empty.
    fn notice_restart(&mut self, node: &Node) {
        let info = node
            .start_task_info
            .as_ref()
            .filter(|info| info.retry_count == 0);
        let Some(begun) = info.and_then(|info| info.start_time) else {
            return;
        };
        let before = self.begun.insert(node.id.clone(), begun);
        if before.is_some_and(|before| before != begun) {
            self.taken.insert((node.id.clone(), Some(begun)));
        }
    }

    /// The states with their counts, for people.
    pub(super) fn text(&self) -> String {
        let states: Vec<String> = self
            .states
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        if states.is_empty() {
            "none yet".to_owned()
        } else {
            states.join(", ")
        }
    }

    /// A formula that cannot be evaluated gives no nodes and takes none away.
    fn judge_formula(&mut self, watch: &Watch<'_>, pool: &Pool) {
        let error = pool
            .auto_scale_run
            .as_ref()
            .and_then(|run| run.error.as_ref());
        if let Some(error) = error.filter(|error| !error.code.is_empty()) {
            let text = format!(
                "the pool's formula: {}: {}",
                error.code,
                one_line(&error.message)
            );
            self.tell_once(watch, text);
        }
    }

    /// Nodes that cannot run a task: each is told once, with why.
    async fn judge_bad(
        &mut self,
        watch: &Watch<'_>,
        pool: &Pool,
        nodes: &[Node],
    ) -> Result<(), Trouble> {
        let is_bad = |node: &&Node| match node.state {
            NodeState::StartTaskFailed | NodeState::Unusable => true,
            NodeState::Lost => self
                .lost
                .get(&node.id)
                .is_some_and(|since| since.elapsed() >= watch.pace.lost),
            _ => false,
        };
        let bad: Vec<&Node> = nodes.iter().filter(is_bad).collect();
        for node in &bad {
            if self.bad.contains_key(&node.id) {
                continue;
            }
            self.bad.insert(node.id.clone(), clock::instant());
            let report = autopsy::node(watch.batch, watch.plan.run.as_str(), node).await;
            watch.narrator.warn(&report);
            self.report.get_or_insert(report);
        }
        let report = self.report.clone().unwrap_or_default();
        if let Some(max) = watch.bad_nodes_max
            && bad.len() > max as usize
        {
            let message = format!(
                "{} nodes cannot run a task, --max-bad-nodes allows {max}; the first: {report}",
                bad.len()
            );
            return Err(Failure::message(Exit::PoolFailed, message).into());
        }
        if self.replace(watch, pool, &bad).await? {
            return Ok(());
        }
        // Nodes that were asked for may never come: what a steady pool has is all that it will have.
        let is_answered = self.replaced.is_empty()
            || pool.allocation_state_transition_time != self.before_replaced;
        let all_there = nodes.len() >= self.wanted(watch)
            || (pool.allocation_state == AllocationState::Steady && is_answered);
        if !bad.is_empty() && bad.len() == nodes.len() && all_there {
            let message = format!(
                "none of the {} nodes can run a task; the first: {report}",
                bad.len()
            );
            return Err(Failure::message(Exit::PoolFailed, message).into());
        }
        Ok(())
    }

    /// Nodes that the pool has been asked for.
    fn wanted(&self, watch: &Watch<'_>) -> usize {
        watch.plan.nodes as usize + self.replaced.len()
    }

    /// Asks for others in place of nodes that stay unusable, at most as many as the run has; whether that is under way.
    ///
    /// They are not removed: that would take the pool's size away from its formula, and so its deadline.
    async fn replace(
        &mut self,
        watch: &Watch<'_>,
        pool: &Pool,
        bad: &[&Node],
    ) -> Result<bool, Trouble> {
        let may_come_back =
            |node: &&&Node| node.state == NodeState::Unusable && !self.replaced.contains(&node.id);
        let unusable: Vec<String> = bad
            .iter()
            .filter(may_come_back)
            .map(|node| node.id.clone())
            .collect();
        let room = (watch.plan.nodes as usize).saturating_sub(self.replaced.len());
        if !watch.mends || unusable.is_empty() || room == 0 {
            return Ok(false);
        }
        let is_due = |id: &&String| {
            self.bad
                .get(*id)
                .is_some_and(|since| since.elapsed() >= watch.pace.unusable)
        };
        let due: Vec<String> = unusable.iter().filter(is_due).take(room).cloned().collect();
        if due.is_empty() || !self.ask(watch, due.len()).await? {
            return Ok(true);
        }
        watch.narrator.warn(format_args!(
            "{} unusable nodes are replaced: {}",
            due.len(),
            due.join(", ")
        ));
        self.replaced.extend(due);
        self.before_replaced = pool.allocation_state_transition_time;
        Ok(true)
    }

    /// Has the pool's formula evaluated anew, for `more` nodes than before; nothing happens when it was set within the last
    /// half minute.
    async fn ask(&self, watch: &Watch<'_>, more: usize) -> Result<bool, Trouble> {
        let left = watch.deadline.saturating_duration_since(clock::instant());
        let now = watch.ends - left;
        let nodes = u32::try_from(self.wanted(watch) + more).unwrap_or(u32::MAX);
        let scale = AutoScale {
            auto_scale_formula: Some(formula(nodes, now + SETTLING, watch.ends)),
            auto_scale_evaluation_interval: Some(INTERVAL.into()),
        };
        let run = watch.plan.run.as_str();
        match watch.batch.enable_auto_scale(run, &scale).await {
            Err(error) if error.is_code("TooManyEnableAutoScaleRequests") => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }

    /// Whether the pool will ever have a node.
    async fn judge_resize(
        &mut self,
        watch: &Watch<'_>,
        pool: &Pool,
        nodes: &[Node],
    ) -> Result<(), Trouble> {
        let Some((kind, error)) = resize_error(pool, watch.fresh_since) else {
            return Ok(());
        };
        let text = format!("{}: {}", error.code, one_line(&error.message));
        if !nodes.is_empty() {
            // Fewer nodes than wished for still finish the run.
            if nodes.len() < self.wanted(watch) {
                let (got, wanted) = (nodes.len(), self.wanted(watch));
                self.tell_once(
                    watch,
                    format!(
                        "the pool got {got} of {wanted} nodes: {text}; the run goes on with them"
                    ),
                );
            }
            return Ok(());
        }
        let message = format!("the pool got no node: {text}");
        let wanted = self.wanted(watch);
        match kind {
            Kind::Noise => Ok(()),
            Kind::Quota => Err(Failure::message(Exit::QuotaReached, message)
                .hint(format!(
                    "{wanted} nodes were asked for{}: use fewer with --nodes, another --vm-size, or ask for a higher quota \
                     (Azure portal: the Batch account's Quotas)",
                    numbers(error)
                ))
                .into()),
            Kind::Impossible => Err(Failure::message(Exit::PoolFailed, message).into()),
            Kind::Capacity => {
                self.capacity.insert(pool.allocation_state_transition_time);
                if self.capacity.len() >= CAPACITY_TRIES || !watch.mends {
                    return Err(Failure::message(Exit::QuotaReached, message)
                        .hint("the region is out of this machine just now: use another --vm-size, or try later")
                        .into());
                }
                self.ask_again(watch, &message).await
            }
        }
    }

    /// Asks for the machines again that the region did not have, after a while.
    async fn ask_again(&mut self, watch: &Watch<'_>, message: &str) -> Result<(), Trouble> {
        self.tell_once(
            watch,
            format!("{message}; asking again, at most {CAPACITY_TRIES} times in all"),
        );
        let asked = self.asked.get_or_insert_with(clock::instant);
        if asked.elapsed() < watch.pace.again {
            return Ok(());
        }
        self.asked = Some(clock::instant());
        self.ask(watch, 0).await?;
        Ok(())
    }

    fn tell_once(&mut self, watch: &Watch<'_>, text: String) {
        if self.told.insert(text.clone()) {
            watch.narrator.warn(text);
        }
    }
}

/// The error of the last resize that says most; nothing while another is under way, and when it is older than `since`.
fn resize_error(pool: &Pool, since: Option<OffsetDateTime>) -> Option<(Kind, &ErrorItem)> {
    let is_stale = || {
        let at = pool.allocation_state_transition_time.map(|time| time.0);
        at.zip(since).is_some_and(|(at, since)| at < since)
    };
    if pool.allocation_state != AllocationState::Steady || is_stale() {
        return None;
    }
    let kind = |error: &ErrorItem| {
        RESIZE_ERRORS
            .iter()
            .find(|(code, _)| error.code.eq_ignore_ascii_case(code))
            .map_or(Kind::Impossible, |(_, kind)| *kind)
    };
    let worst = |kind: Kind| match kind {
        Kind::Quota => 0,
        Kind::Impossible => 1,
        Kind::Capacity => 2,
        Kind::Noise => 3,
    };
    pool.resize_errors
        .iter()
        .map(|error| (kind(error), error))
        .min_by_key(|(kind, _)| worst(*kind))
}

/// What the service says of limits and use, in parentheses.
fn numbers(error: &ErrorItem) -> String {
    let said: Vec<String> = error
        .values
        .iter()
        .map(|value| format!("{} {}", value.name, one_line(&value.value)))
        .collect();
    if said.is_empty() {
        String::new()
    } else {
        format!(" ({})", said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn pool(state: AllocationState, codes: &[&str]) -> Pool {
        let error = |code: &&str| ErrorItem {
            code: (*code).to_owned(),
            ..ErrorItem::default()
        };
        Pool {
            allocation_state: state,
            allocation_state_transition_time: Some(Timestamp(AT)),
            resize_errors: codes.iter().map(error).collect(),
            ..Pool::default()
        }
    }

    fn kind(pool: &Pool, since: Option<OffsetDateTime>) -> Option<Kind> {
        resize_error(pool, since).map(|(kind, _)| kind)
    }

    #[test]
    fn the_worst_error_counts_in_any_letter_case_and_an_unknown_one_is_final() {
        let steady = |codes: &[&str]| kind(&pool(AllocationState::Steady, codes), None);
        assert_eq!(steady(&[]), None);
        assert_eq!(
            steady(&["AllocationFailed", "accountcorequotareached"]),
            Some(Kind::Quota)
        );
        assert_eq!(steady(&["ResizeStopped"]), Some(Kind::Noise));
        assert_eq!(steady(&["NewInNextVersion"]), Some(Kind::Impossible));
    }

    #[test]
    fn an_error_that_is_stale_or_of_a_resize_before_the_one_under_way_is_ignored() {
        let codes = ["AccountCoreQuotaReached"];
        assert_eq!(kind(&pool(AllocationState::Resizing, &codes), None), None);
        let steady = pool(AllocationState::Steady, &codes);
        assert_eq!(kind(&steady, Some(AT + time::Duration::SECOND)), None);
        assert_eq!(kind(&steady, Some(AT)), Some(Kind::Quota));
    }
}
