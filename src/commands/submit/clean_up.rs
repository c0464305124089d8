//! Steps 8 and 9: the job, the pool and the containers of a run are removed, the containers last.
//!
//! The tutorial removes containers first, and nodes that boot late fail. Names come from the run's id alone. A failure
//! here never changes the run's result.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::azure::batch::ListQuery;
use crate::azure::{ErrorKind, ServiceError};
use crate::cli::Keep;
use crate::clock;
use crate::commands::clients::Clients;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::plan::RunId;
use crate::progress::Narrator;

/// How long the nodes of a deleted pool may take to go: many times what Azure needs.
const POOL_GONE_MAX: Duration = Duration::from_secs(20 * 60);

/// Batch works on a request for 30 s at most: after 40 s nothing lands any more.
const LANDS_TRIES: u32 = 8;

/// Between two of them.
const LANDS_WAIT: Duration = Duration::from_secs(5);

/// What a run may have made in the account. Set before the request: its outcome may never be known.
#[derive(Debug, Default)]
pub(crate) struct Made {
    containers: AtomicBool,
    pool: AtomicBool,
    job: AtomicBool,
    /// A create whose outcome is unknown: it may still land after a delete.
    unknown: AtomicBool,
    /// Results in the containers that could not be brought home yet.
    held: AtomicBool,
}

impl Made {
    /// Everything: for a run of which nothing is known but its id.
    pub(crate) fn everything() -> Self {
        Self {
            containers: true.into(),
            pool: true.into(),
            job: true.into(),
            unknown: false.into(),
            held: false.into(),
        }
    }

    /// The containers stay for now: they hold results that this machine could not take.
    pub(super) fn hold_results(&self) {
        self.held.store(true, Ordering::Relaxed);
    }

    /// Whether they do.
    pub(super) fn holds_results(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Notes that a container may exist, unless `create` was plainly refused.
    pub(super) async fn containers<T>(
        &self,
        create: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<(), Failure> {
        self.note(&self.containers, create).await
    }

    /// Notes that the pool may exist, unless `create` was plainly refused.
    pub(super) async fn pool<T>(
        &self,
        create: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<(), Failure> {
        self.note(&self.pool, create).await
    }

    /// Notes that the job may exist, unless `create` was plainly refused.
    pub(super) async fn job<T>(
        &self,
        create: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<(), Failure> {
        self.note(&self.job, create).await
    }

    async fn note<T>(
        &self,
        made: &AtomicBool,
        create: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<(), Failure> {
        let before = made.swap(true, Ordering::Relaxed);
        // Stays so if this is dropped where it waits.
        self.unknown.store(true, Ordering::Relaxed);
        let done = create.await;
        let unknown = matches!(&done, Err(error) if error.kind() == ErrorKind::NotAnswered);
        self.unknown.store(unknown, Ordering::Relaxed);
        let Err(error) = done else { return Ok(()) };
        // The error is of the last try; an earlier one may have been done.
        let never = error.attempts() <= 1
            && match error.kind() {
                ErrorKind::NotSent => true,
                ErrorKind::Refused => error.status().is_some_and(|status| status < 500),
                ErrorKind::NotAnswered | ErrorKind::Unreadable => false,
            };
        if never {
            made.store(before, Ordering::Relaxed);
        }
        Err(from_service(error))
    }
}

/// Removes what a run left.
#[derive(Debug)]
pub(crate) struct CleanUp<'a> {
    /// The account.
    pub(crate) clients: &'a Clients,
    /// The run.
    pub(crate) run: &'a RunId,
    /// Where progress is told.
    pub(crate) narrator: &'a Narrator,
    /// What stays.
    pub(crate) keep: &'a [Keep],
}

impl CleanUp<'_> {
    /// Removes job, pool and containers, as far as they were made and are not kept, and waits until the nodes are gone.
    ///
    /// Result: whether all of it is gone. Every failure is told. Containers stay while the job or the pool could not be
    /// removed: nodes may still need them, and the run can be resumed. Those that are kept are closed to nodes.
    pub(crate) async fn remove(&self, made: &Made) -> bool {
        let wanted =
            |made: &AtomicBool, keep| made.load(Ordering::Relaxed) && !self.keep.contains(&keep);
        let run = self.run.as_str();
        let (job, pool) = (wanted(&made.job, Keep::Job), wanted(&made.pool, Keep::Pool));
        let mut clean = true;
        if job || pool {
            let what = match (job, pool) {
                (true, true) => "job and pool",
                (true, false) => "job",
                _ => "pool",
            };
            self.narrator
                .step(8, "clean up", format_args!("{what} {run}"));
        }
        if job {
            clean &= self.tell(self.clients.batch.delete_job(run).await);
        }
        if pool {
            clean &= self.tell(self.clients.batch.delete_pool(run).await);
        }
        if made.unknown.load(Ordering::Relaxed) {
            clean &= self.delete_what_lands(job, pool).await;
        }
        if pool && clean {
            clean &= self.wait_for_nodes().await;
        }
        if !clean {
            return false;
        }
        if made.holds_results() {
            return true;
        }
        if made.containers.load(Ordering::Relaxed) && !wanted(&made.containers, Keep::Blobs) {
            // A pool that is kept still has use for them.
            if !self.keep.contains(&Keep::Pool) {
                clean &= self.close_containers().await;
            }
        } else if wanted(&made.containers, Keep::Blobs) {
            self.narrator.step(
                9,
                "clean up",
                format_args!("containers {run}-app, {run}-in, {run}-out"),
            );
            for container in self.run.containers() {
                clean &= self.tell(self.clients.storage.delete_container(&container).await);
            }
        }
        clean
    }

    /// Revokes what nodes may do with the containers.
    async fn close_containers(&self) -> bool {
        let mut clean = true;
        for container in self.run.containers() {
            match self
                .clients
                .storage
                .set_access_policies(&container, &[])
                .await
            {
                Err(error) if error.is_not_found() => {}
                closed => clean &= self.tell(closed),
            }
        }
        clean
    }

    /// Deletes again for as long as the service may still be working on a create that nobody waits for.
    async fn delete_what_lands(&self, job: bool, pool: bool) -> bool {
        let run = self.run.as_str();
        self.narrator
            .detail("a request was under way: deleting until it must have ended");
        let mut clean = true;
        for _ in 0..LANDS_TRIES {
            clock::sleep(LANDS_WAIT).await;
            if job {
                clean &= self.tell(self.clients.batch.delete_job(run).await);
            }
            if pool {
                clean &= self.tell(self.clients.batch.delete_pool(run).await);
            }
        }
        clean
    }

    fn tell(&self, removed: Result<(), ServiceError>) -> bool {
        if let Err(error) = &removed {
            self.narrator.warn(format_args!("clean-up: {error}"));
        }
        removed.is_ok()
    }

    /// Waits until the pool is gone or has no node.
    async fn wait_for_nodes(&self) -> bool {
        let run = self.run.as_str();
        let started = clock::instant();
        let mut wait = Duration::from_millis(50);
        loop {
            let query = ListQuery {
                select: Some("id,state".to_owned()),
                ..ListQuery::default()
            };
            match self.clients.batch.list_nodes(run, &query).await {
                Ok(nodes) if nodes.is_empty() => return true,
                Ok(nodes) => self
                    .narrator
                    .detail(format_args!("{} nodes are still leaving", nodes.len())),
                Err(error) if error.is_not_found() => return true,
                Err(error) => return self.tell(Err(error)),
            }
            if started.elapsed() > POOL_GONE_MAX {
                self.narrator
                    .warn(format_args!("clean-up: pool {run} still has nodes"));
                return false;
            }
            clock::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }
}
