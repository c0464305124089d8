//! Tasks that wait for other tasks: each watches one dependency that is not satisfied, and is looked at again when that one is.
//!
//! So the end of a task costs what depends on it, not what waits. What a task depends on is in its body.

use std::collections::{BTreeMap, HashMap};

use super::job::Job;
use super::object::{child, children, int};
use super::run::satisfies;
use super::state::Id;
use super::task::{Task, Waits};

/// Something that is not satisfied.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Missing {
    /// The task with this id.
    Id(Id),
    /// Every task whose id is this number.
    Number(i64),
}

/// The blocked tasks of a job.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By the one thing that each watches; some may have gone or run meanwhile.
    watchers: HashMap<Missing, Vec<Id>>,
    /// Numbers of tasks that are satisfied, with how many there are of each: ids may differ by leading zeros alone.
    numbers: BTreeMap<i64, usize>,
}

impl Waiting {
    /// Forgets every blocked task.
    pub(super) fn clear(&mut self) {
        self.watchers.clear();
    }
}

/// The number that ranges of ids know `task` by.
fn number(task: &Task) -> Option<i64> {
    task.id.parse().ok()
}

/// Lets the task `key`, which is active, wait for its dependencies, or queues it.
pub(super) fn wait_or_queue(job: &mut Job, key: Id) {
    let has_dependencies = job.uses_dependencies()
        && job
            .tasks
            .get(&key)
            .is_some_and(|task| task.body.contains_key("dependsOn"));
    if has_dependencies && let Some(missing) = first_missing(job, &key, None) {
        watch(job, key, missing);
    } else {
        job.queue_last(key);
    }
}

fn watch(job: &mut Job, key: Id, missing: Missing) {
    if let Some(task) = job.tasks.get_mut(&key) {
        task.waits = Waits::ForTasks;
    }
    job.waiting.watchers.entry(missing).or_default().push(key);
}

/// Takes in that the task `key` is completed, and queues those that waited for nothing else; whether there were any.
pub(super) fn satisfy(job: &mut Job, key: &Id) -> bool {
    if !job.uses_dependencies() {
        return false;
    }
    let Some(task) = job.tasks.get(key).filter(|task| satisfies(task)) else {
        return false;
    };
    let number = number(task);
    if let Some(number) = number {
        *job.waiting.numbers.entry(number).or_default() += 1;
    }
    let mut is_any_queued = false;
    let events = [Some(Missing::Id(key.clone())), number.map(Missing::Number)];
    for event in events.into_iter().flatten() {
        for waiter in job.waiting.watchers.remove(&event).unwrap_or_default() {
            let is_waiting = job
                .tasks
                .get(&waiter)
                .is_some_and(|task| task.waits == Waits::ForTasks);
            if !is_waiting {
                continue;
            }
            // The rest first, as what came before it was seen; then all, as something may have been put back meanwhile.
            let missing = first_missing(job, &waiter, Some(&event))
                .or_else(|| first_missing(job, &waiter, None));
            match missing {
                Some(missing) => watch(job, waiter, missing),
                None => {
                    job.queue_last(waiter);
                    is_any_queued = true;
                }
            }
        }
    }
    is_any_queued
}

/// Takes in that the task `key` is about to go, or to be active again.
pub(super) fn unsatisfy(job: &mut Job, key: &Id) {
    let number = job
        .tasks
        .get(key)
        .filter(|task| job.uses_dependencies() && satisfies(task))
        .and_then(number);
    if let Some(number) = number
        && let Some(count) = job.waiting.numbers.get_mut(&number)
    {
        *count -= 1;
        if *count == 0 {
            job.waiting.numbers.remove(&number);
        }
    }
}

/// The first dependency of `key` that is not satisfied; of a range, from the number `from` on.
fn first_missing(job: &Job, key: &Id, from: Option<&Missing>) -> Option<Missing> {
    let dependencies = child(&job.tasks.get(key)?.body, "dependsOn")?;
    let ids = dependencies
        .get("taskIds")
        .and_then(|ids| ids.as_array())
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str())
        .map(Id::of);
    let is_missing = |id: &Id| job.tasks.get(id).is_none_or(|task| !satisfies(task));
    if let Some(id) = ids.into_iter().find(is_missing) {
        return Some(Missing::Id(id));
    }
    children(dependencies, "taskIdRanges").find_map(|range| {
        let (start, end) = (int(range, "start")?, int(range, "end")?);
        let first = match from {
            Some(Missing::Number(number)) if (start..=end).contains(number) => *number,
            _ => start,
        };
        let mut wanted = first;
        for (number, _) in job.waiting.numbers.range(first..=end) {
            if *number != wanted {
                break;
            }
            wanted += 1;
        }
        (wanted <= end).then_some(Missing::Number(wanted))
    })
}
