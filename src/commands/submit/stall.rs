//! Why nothing moves: which tasks wait, which run and where, and what the nodes do meanwhile.
//!
//! It reads and explains; the run goes on, unless nothing is left that could move.

use std::time::Duration;

use super::nodes::Nodes;
use super::watch::Watch;
use crate::azure::batch::{ListQuery, Task, TaskState};
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::seconds;

/// Tasks that are named.
const NAMED_MAX: usize = 5;

/// Warns that nothing has changed for `still` while `ended` tasks have ended, and says what is waited for. What cannot be
/// read is left out.
///
/// # Errors
/// Exit 1 when the job has fewer tasks than were planned: then nothing will ever change.
pub(super) async fn tell(
    watch: &Watch<'_>,
    still: Duration,
    ended: usize,
    nodes: &Nodes,
) -> Result<(), Failure> {
    let query = ListQuery {
        filter: Some("state ne 'completed'".to_owned()),
        select: Some("id,state,nodeInfo".to_owned()),
        ..ListQuery::default()
    };
    let run = watch.plan.run.as_str();
    let tasks = match watch.batch.list_tasks(run, &query).await {
        Ok(tasks) => tasks,
        Err(error) => {
            watch.narrator.detail(error);
            return Ok(());
        }
    };
    if tasks.is_empty() && ended < watch.plan.tasks.len() {
        let message = format!(
            "nothing changed for {}: {ended} of {} tasks have ended, and the job has no other",
            seconds(still),
            watch.plan.tasks.len()
        );
        return Err(Failure::message(Exit::Other, message));
    }
    watch.narrator.warn(format_args!(
        "nothing changed for {}: {}",
        seconds(still),
        explain(&tasks, nodes)
    ));
    Ok(())
}

/// What is waited for.
fn explain(tasks: &[Task], nodes: &Nodes) -> String {
    let running: Vec<&Task> = tasks
        .iter()
        .filter(|task| matches!(task.state, TaskState::Running | TaskState::Preparing))
        .collect();
    let waiting = tasks.len() - running.len();
    let node_of = |task: &Task| {
        task.node_info
            .as_ref()
            .and_then(|info| info.node_id.clone())
    };
    let named: Vec<String> = running
        .iter()
        .take(NAMED_MAX)
        .map(|task| match node_of(task) {
            Some(node) => format!("task {} on node {node}", task.id),
            None => format!("task {}", task.id),
        })
        .collect();
    let more = match running.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let reason = if !running.is_empty() {
        format!("{} tasks run: {}{more}", running.len(), named.join(", "))
    } else if nodes.states.is_empty() {
        "no task runs, because the pool has no node yet; Azure takes some minutes".to_owned()
    } else if nodes.states.contains_key("idle") {
        "no task runs although nodes are idle: is the job disabled?".to_owned()
    } else {
        "no task runs, because no node is ready".to_owned()
    };
    format!("{reason}; {waiting} tasks wait; nodes: {}", nodes.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::batch::NodeInfo;

    fn task(id: &str, state: TaskState, node: Option<&str>) -> Task {
        Task {
            id: id.to_owned(),
            state,
            node_info: node.map(|node| NodeInfo {
                node_id: Some(node.to_owned()),
                ..NodeInfo::default()
            }),
            ..Task::default()
        }
    }

    #[test]
    fn tasks_that_run_are_named_with_their_nodes() {
        let tasks = [
            task("3", TaskState::Running, Some("n-1")),
            task("4", TaskState::Active, None),
        ];
        let mut nodes = Nodes::default();
        nodes.states.insert("running".to_owned(), 1);
        assert_eq!(
            explain(&tasks, &nodes),
            "1 tasks run: task 3 on node n-1; 1 tasks wait; nodes: 1 running"
        );
    }

    #[test]
    fn what_keeps_waiting_tasks_is_named() {
        let tasks = [task("1", TaskState::Active, None)];
        let mut nodes = Nodes::default();
        assert!(explain(&tasks, &nodes).contains("no node yet"));
        nodes.states.insert("starttaskfailed".to_owned(), 1);
        assert!(explain(&tasks, &nodes).contains("no node is ready"));
        nodes.states.insert("idle".to_owned(), 1);
        assert!(explain(&tasks, &nodes).contains("disabled"));
    }
}
