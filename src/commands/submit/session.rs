//! Steps 1 to 7 of a run, in order, on one account.
//!
//! Steps 8 and 9 are in `clean_up`, because they happen whatever became of the others.

use std::path::Path;

use kernel::cli::print;
use time::{Duration, OffsetDateTime};

use super::bodies::{Grants, job_body, marks, pool_body, task_bodies};
use super::clean_up::Made;
use super::fetch::{Fetch, Fetched};
use super::image::pick_image;
use super::ledger::Ledger;
use super::prepare::Prepared;
use super::stage::{PROGRAM_BLOB, Stage};
use super::watch::{FailedTask, Pace, Watch};
use crate::azure::batch::ListQuery;
use crate::azure::sas::{Rights, Target, Terms};
use crate::cli::SubmitArgs;
use crate::clock;
use crate::commands::clients::Clients;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::{Narrator, Unit, seconds};
use crate::record::{Event, Step};
use crate::settings::Services;

/// How much earlier than now a signature is valid, for clocks that are behind: the skew that the services allow.
const CLOCK_SKEW: Duration = Duration::minutes(15);

/// How much longer than the run a signature is valid: a node that boots late still gets its files.
const GRANT_MARGIN: Duration = Duration::hours(1);

/// One run on its way.
#[derive(Debug)]
pub(super) struct Session<'a> {
    /// What the user wants.
    pub(super) args: &'a SubmitArgs,
    /// Where the run takes place.
    pub(super) services: &'a Services,
    /// The account.
    pub(super) clients: &'a Clients,
    /// Where progress is told.
    pub(super) narrator: &'a Narrator,
    /// What is done.
    pub(super) prepared: &'a Prepared,
    /// A directory for files of the run.
    pub(super) scratch: &'a Path,
    /// What was made in the account.
    pub(super) made: &'a Made,
    /// When the run's time is over, by this machine's steady clock.
    pub(super) deadline: tokio::time::Instant,
    /// The same for the services.
    pub(super) ends: OffsetDateTime,
    /// The record.
    pub(super) ledger: &'a Ledger,
}

impl Session<'_> {
    /// Steps 1 to 7; the answer is printed at their end. Each is harmless when an earlier process did it already.
    ///
    /// # Errors
    /// The first failure. What was made by then is in `made`.
    pub(super) async fn steps(&self) -> Result<Exit, Failure> {
        let ledger = self.ledger;
        ledger.step(Step::Containers, self.containers()).await?;
        self.copy_record().await?;
        if !ledger.was_done(Step::Stage) {
            ledger.step(Step::Stage, self.stage()).await?;
            // From now on any machine can finish the run.
            self.copy_record().await?;
        }
        let over = clock::instant() >= self.deadline;
        if !(over && ledger.was_done(Step::Tasks)) {
            self.start_tasks().await?;
        }
        let failed = self.watch().await?;
        let fetched = self.fetch(failed).await?;
        ledger.note(&Event::Merged {
            complete: fetched.exit == Exit::Done,
        })?;
        print(
            &self
                .args
                .answer
                .view(self.prepared.settings, &self.prepared.filters),
            &fetched.answers,
        )?;
        ledger.note(&Event::Answered)?;
        Ok(fetched.exit)
    }

    /// Steps 3 to 5, each only while there is time for it.
    async fn start_tasks(&self) -> Result<(), Failure> {
        let ledger = self.ledger;
        self.in_time()?;
        let grants = self.grants().await?;
        ledger.step(Step::Pool, self.pool(&grants)).await?;
        self.in_time()?;
        ledger.step(Step::Job, self.job()).await?;
        ledger.step(Step::Tasks, self.tasks(&grants)).await?;
        self.copy_record().await?;
        if ledger.is_resumed() {
            self.reactivate().await?;
        }
        Ok(())
    }

    fn in_time(&self) -> Result<(), Failure> {
        if clock::instant() < self.deadline {
            return Ok(());
        }
        let message = format!(
            "the run's time is over ({}) before its tasks were added",
            seconds(self.args.ttl)
        );
        Err(Failure::message(Exit::TimedOut, message).hint("give it longer with --ttl"))
    }

    async fn copy_record(&self) -> Result<(), Failure> {
        self.ledger
            .copy(&self.clients.storage, &self.prepared.plan.run)
            .await
    }

    /// Gives tasks that failed under an earlier process another try.
    async fn reactivate(&self) -> Result<(), Failure> {
        let job = self.prepared.plan.run.as_str();
        let query = ListQuery {
            filter: Some("state eq 'completed' and executionInfo/result eq 'failure'".to_owned()),
            select: Some("id".to_owned()),
            ..ListQuery::default()
        };
        for task in self
            .clients
            .batch
            .list_tasks(job, &query)
            .await
            .map_err(from_service)?
        {
            self.narrator
                .detail(format_args!("task {} is tried again", task.id));
            self.clients
                .batch
                .reactivate_task(job, &task.id)
                .await
                .map_err(from_service)?;
        }
        Ok(())
    }

    async fn containers(&self) -> Result<(), Failure> {
        let run = &self.prepared.plan.run;
        self.narrator.step(
            1,
            "containers",
            format_args!("{run}-app, {run}-in, {run}-out"),
        );
        let metadata = marks(run, self.ends)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        for container in run.containers() {
            self.made
                .containers(self.clients.storage.create_container(&container, &metadata))
                .await?;
        }
        Ok(())
    }

    async fn stage(&self) -> Result<(), Failure> {
        let stage = Stage {
            storage: &self.clients.storage,
            prepared: self.prepared,
            narrator: self.narrator,
            resumed: self.ledger.is_resumed(),
        };
        stage.everything().await
    }

    /// What nodes may do, signed: least privilege, from a little before now until a little after the end of the run.
    async fn grants(&self) -> Result<Grants, Failure> {
        let run = &self.prepared.plan.run;
        let storage = &self.clients.storage;
        let now = storage.get_server_time().await.map_err(from_service)?;
        let terms = |rights| Terms::Fixed {
            rights,
            start: now - CLOCK_SKEW,
            expiry: self.ends + GRANT_MARGIN,
        };
        Ok(Grants {
            program: storage.sas(
                Target::Blob(&run.app_container(), PROGRAM_BLOB),
                &terms(Rights::Read),
            ),
            inputs: storage.sas(
                Target::Container(&run.in_container()),
                &terms(Rights::ReadList),
            ),
            outputs: storage.sas(
                Target::Container(&run.out_container()),
                &terms(Rights::CreateWrite),
            ),
        })
    }

    async fn pool(&self, grants: &Grants) -> Result<(), Failure> {
        let plan = &self.prepared.plan;
        let images = self
            .clients
            .batch
            .list_supported_images()
            .await
            .map_err(from_service)?;
        let image = pick_image(&images, self.ends).ok_or_else(|| {
            let message = format!(
                "none of the {} images of the service is a verified Ubuntu that is supported",
                images.len()
            );
            Failure::message(Exit::PoolFailed, message)
        })?;
        self.narrator.step(
            3,
            "pool",
            format_args!(
                "{}: {} × {}, {}",
                plan.run, plan.nodes, self.args.vm_size, image.node_agent_sku_id
            ),
        );
        let body = pool_body(plan, &self.args.vm_size, image, self.ends, grants);
        self.made.pool(self.clients.batch.create_pool(&body)).await
    }

    async fn job(&self) -> Result<(), Failure> {
        let plan = &self.prepared.plan;
        self.narrator.step(4, "job", &plan.run);
        self.made
            .job(self.clients.batch.create_job(&job_body(plan, self.ends)))
            .await
    }

    async fn tasks(&self, grants: &Grants) -> Result<(), Failure> {
        let plan = &self.prepared.plan;
        self.narrator.step(
            5,
            "tasks",
            format_args!("{}, one a shard", plan.tasks.len()),
        );
        let bar = self
            .narrator
            .bar("tasks", plan.tasks.len() as u64, Unit::Tasks);
        let bodies = task_bodies(plan, grants);
        let added = self
            .clients
            .batch
            .add_tasks(plan.run.as_str(), &bodies, |more| bar.inc(more as u64))
            .await;
        bar.finish_and_clear();
        added.map(drop).map_err(from_service)
    }

    async fn watch(&self) -> Result<Vec<FailedTask>, Failure> {
        let watch = Watch {
            batch: &self.clients.batch,
            plan: &self.prepared.plan,
            narrator: self.narrator,
            fail_fast: self.args.fail_fast,
            pace: Pace::new(self.services.is_loopback()),
            deadline: self.deadline,
        };
        watch.until_ended().await
    }

    async fn fetch(&self, failed: Vec<FailedTask>) -> Result<Fetched, Failure> {
        let fetch = Fetch {
            storage: &self.clients.storage,
            args: self.args,
            prepared: self.prepared,
            narrator: self.narrator,
            directory: self.scratch.join("partials"),
            state: self.ledger.state(),
        };
        fetch.answer(failed).await
    }
}
