//! Steps 1 to 7 of a run, in order, on one account.
//!
//! Steps 8 and 9 are in `clean_up`, because they happen whatever became of the others.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use kernel::cli::print;
use time::OffsetDateTime;

use super::claim::{Claim, Lost};
use super::clean_up::Made;
use super::fetch::{Fetch, Fetched};
use super::ledger::Ledger;
use super::prepare::Prepared;
use super::stage::Stage;
use super::watch::{FailedTask, Pace, Watch};
use crate::azure::batch::ListQuery;
use crate::cli::SubmitArgs;
use crate::clock;
use crate::commands::clients::Clients;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::{Narrator, seconds};
use crate::record::{Event, Step};
use crate::settings::Services;

/// How the steps ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The answer is printed.
    Answered(Exit),
    /// The run goes on without a client.
    Detached,
}

/// Why the steps did not end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// One of them failed.
    Failed(Failure),
    /// The run is not this process's any more.
    Lost(Lost),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

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
    /// The claim on the run, once it is made.
    pub(super) claim: &'a OnceLock<Claim>,
    /// When a pool that was there was asked for its nodes again, by the clock of the service.
    pub(super) renewed: OnceLock<OffsetDateTime>,
}

impl Session<'_> {
    /// Steps 1 to 7; the answer is printed at their end. Each is harmless when an earlier process did it already.
    ///
    /// # Errors
    /// The first failure. What was made by then is in `made`.
    pub(super) async fn steps(&self) -> Result<Ended, Stopped> {
        let ledger = self.ledger;
        if ledger.was_done(Step::Containers) {
            self.claim_what_is_there().await?;
        }
        ledger.step(Step::Containers, self.containers()).await?;
        if self.claim.get().is_none() {
            self.claim_run().await?;
        }
        self.copy_record().await?;
        if !ledger.was_done(Step::Stage) {
            ledger.step(Step::Stage, self.stage()).await?;
            // From now on any machine can finish the run.
            self.copy_record().await?;
        }
        let failed = if self.is_finished().await? {
            Vec::new()
        } else {
            let over = clock::instant() >= self.deadline;
            let mut ended = BTreeSet::new();
            if !(over && ledger.was_done(Step::Tasks)) {
                ended = self.start_tasks().await?;
            }
            if self.args.detach {
                return Ok(Ended::Detached);
            }
            self.watch(&ended).await?
        };
        Ok(Ended::Answered(self.bring_home(failed).await?))
    }

    /// Step 7, with everything in the record by which the answer can be printed again.
    async fn bring_home(&self, failed: Vec<FailedTask>) -> Result<Exit, Failure> {
        let fetched = async {
            let fetched = self.fetch(failed).await?;
            let complete = fetched.exit == Exit::Done;
            self.ledger.note(&Event::Merged { complete })?;
            Ok::<Fetched, Failure>(fetched)
        };
        let fetched = fetched.await.map_err(|failure| {
            if failure.exit == Exit::LocalIo && self.ledger.state().is_some() {
                // Nothing is wrong with the results: they wait for a disk that has room.
                self.made.hold_results();
                return failure.hint("make room; nothing is lost");
            }
            failure
        })?;
        print(
            &self
                .args
                .answer
                .view(self.prepared.settings, &self.prepared.filters),
            &fetched.answers,
        )?;
        self.ledger.note(&Event::Answered)?;
        Ok(fetched.exit)
    }

    /// Claims a run that an earlier process began, before anything of it is touched.
    async fn claim_what_is_there(&self) -> Result<(), Stopped> {
        let run = &self.prepared.plan.run;
        let app = self
            .clients
            .storage
            .get_container_metadata(&run.app_container())
            .await
            .map_err(from_service)?;
        if app.is_none() {
            return Err(Stopped::Lost(Lost::Removed));
        }
        Ok(self.claim_run().await?)
    }

    async fn claim_run(&self) -> Result<(), Failure> {
        let run = &self.prepared.plan.run;
        // A run without a record ends with its process: nobody else can work on it.
        if let Some(state) = self.ledger.state() {
            let claim = Claim::take(&self.clients.storage, run, &state.clients(run)).await?;
            // It is set once: by the one call of `steps`.
            drop(self.claim.set(claim));
        }
        Ok(())
    }

    /// Whether an earlier process came so far that every task has ended well: then nothing is started again.
    async fn is_finished(&self) -> Result<bool, Failure> {
        if !self.ledger.was_done(Step::Tasks) {
            return Ok(false);
        }
        let plan = &self.prepared.plan;
        let query = ListQuery {
            filter: Some("state eq 'completed' and executionInfo/result eq 'success'".to_owned()),
            select: Some("id".to_owned()),
            ..ListQuery::default()
        };
        match self
            .clients
            .batch
            .list_tasks(plan.run.as_str(), &query)
            .await
        {
            Ok(tasks) => {
                let ids = tasks.iter().filter_map(|task| task.id.parse::<u64>().ok());
                let ended: BTreeSet<u64> = ids.collect();
                Ok(plan.tasks.iter().all(|task| ended.contains(&task.id)))
            }
            Err(error) if error.is_not_found() => {
                Ok(self.with_results().await?.len() == plan.tasks.len())
            }
            Err(error) => Err(from_service(error)),
        }
    }

    /// Steps 3 to 5, each only while there is time for it. Gives the tasks that ended under a job that is gone.
    async fn start_tasks(&self) -> Result<BTreeSet<u64>, Failure> {
        let ledger = self.ledger;
        self.in_time()?;
        let grants = self.grants();
        ledger.step(Step::Pool, self.pool(&grants)).await?;
        self.in_time()?;
        let was_there = ledger.step(Step::Job, self.job()).await?;
        let ended = if ledger.was_begun(Step::Tasks) && !was_there {
            self.with_results().await?
        } else {
            BTreeSet::new()
        };
        ledger
            .step(Step::Tasks, self.tasks(&grants, &ended))
            .await?;
        self.copy_record().await?;
        if was_there {
            self.reactivate().await?;
        }
        Ok(ended)
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

    async fn stage(&self) -> Result<(), Failure> {
        let stage = Stage {
            storage: &self.clients.storage,
            prepared: self.prepared,
            narrator: self.narrator,
            resumed: self.ledger.is_resumed(),
        };
        stage.everything().await
    }

    async fn watch(&self, ended: &BTreeSet<u64>) -> Result<Vec<FailedTask>, Failure> {
        let watch = Watch {
            batch: &self.clients.batch,
            plan: &self.prepared.plan,
            narrator: self.narrator,
            fail_fast: self.args.fail_fast,
            bad_nodes_max: self.args.max_bad_nodes,
            mends: true,
            pace: Pace::new(self.services.is_loopback()),
            deadline: self.deadline,
            ends: self.ends,
            fresh_since: self.renewed.get().copied(),
        };
        watch.until_ended(ended).await
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
