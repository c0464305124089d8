//! Statistics of `$expand=stats`: what tasks, jobs and pools have used.
//!
//! Times of processes are measured; input and output are not and show as 0. Resources of nodes are not shown: they are all one
//! machine.

use std::time::Duration;

use time::OffsetDateTime;

use super::duration::show_duration;
use super::job::Job;
use super::object::{Put as _, text};
use super::pool::Pool;
use super::pools::cores;
use super::schema::{Dialect, Object};
use super::service::Batch;
use super::task::{Spent, Task};
use crate::emulator::stamp::iso;

impl Batch {
    /// The task as GET shows it, with its statistics if a dialect for them is given.
    pub(super) fn show_task(&self, job: &Job, task: &Task, stats: Option<Dialect>) -> Object {
        let mut object = task.show(&self.endpoint, &job.id, Some(job.pool()));
        if let Some(dialect) = stats {
            let now = self.clock.now();
            let url = self.task_url(&job.id, &task.id);
            let mut stats = begin(&url, task.created, now);
            show_spent(&mut stats, &task.spent_until(now), dialect);
            stats.put("waitTime", show_duration(task.waited(now)));
            object.put("stats", stats);
        }
        object
    }

    /// The job as GET shows it, with its statistics if a dialect for them is given.
    pub(super) fn show_job(&self, job: &Job, stats: Option<Dialect>) -> Object {
        let mut object = job.show(&self.endpoint);
        if let Some(dialect) = stats {
            let now = self.clock.now();
            let mut stats = begin(&self.job_url(&job.id), job.created, now);
            let (mut spent, mut waited, mut counts) =
                (Spent::default(), Duration::ZERO, [0_u64; 3]);
            for task in job.tasks.values() {
                spent.add(&task.spent_until(now));
                waited += task.waited(now);
                counts[0] += u64::from(task.is_success());
                counts[1] += u64::from(task.is_failure());
                counts[2] += u64::from(task.execution.retry_count);
            }
            show_spent(&mut stats, &spent, dialect);
            for (name, count) in ["numSucceededTasks", "numFailedTasks", "numTaskRetries"]
                .iter()
                .zip(counts)
            {
                put_long(&mut stats, name, count, dialect);
            }
            stats.put("waitTime", show_duration(waited));
            object.put("stats", stats);
        }
        object
    }

    /// The pool as GET shows it, with its statistics if they are wanted.
    pub(super) fn show_pool(&self, pool: &Pool, with_stats: bool) -> Object {
        let mut object = pool.show(&self.endpoint);
        if with_stats {
            let now = self.clock.now();
            let nodes = pool.nodes.values().filter(|node| node.is_dedicated);
            let alive = nodes.map(|node| between(node.allocated, now));
            let alive = alive.sum::<Duration>() + pool.dedicated_gone;
            let cores = text(&pool.body, "vmSize").and_then(cores).unwrap_or(1);
            let mut usage = Object::new();
            usage
                .put("startTime", iso(pool.created))
                .put("lastUpdateTime", iso(now))
                .put(
                    "dedicatedCoreTime",
                    show_duration(alive * u32::try_from(cores).unwrap_or(1)),
                );
            let mut stats = begin(&self.pool_url(&pool.id), pool.created, now);
            stats.put("usageStats", usage);
            object.put("stats", stats);
        }
        object
    }
}

fn begin(url: &str, created: OffsetDateTime, now: OffsetDateTime) -> Object {
    let mut stats = Object::new();
    stats
        .put("url", url)
        .put("startTime", iso(created))
        .put("lastUpdateTime", iso(now));
    stats
}

fn show_spent(stats: &mut Object, spent: &Spent, dialect: Dialect) {
    stats
        .put("userCPUTime", show_duration(spent.usage.user))
        .put("kernelCPUTime", show_duration(spent.usage.kernel))
        .put("wallClockTime", show_duration(spent.wall));
    for name in ["readIOps", "writeIOps"] {
        put_long(stats, name, 0, dialect);
    }
    for name in ["readIOGiB", "writeIOGiB"] {
        stats.put(name, 0.0);
    }
}

/// A 64-bit integer: a text since 2025.
fn put_long(object: &mut Object, name: &str, value: u64, dialect: Dialect) {
    match dialect {
        Dialect::Y2024 => object.put(name, value),
        Dialect::Y2025 => object.put(name, value.to_string()),
    };
}

/// How long it is from one time to a later one.
pub(super) fn between(from: OffsetDateTime, to: OffsetDateTime) -> Duration {
    Duration::try_from(to - from).unwrap_or_default()
}
