//! The course of a run: prepare, the nine steps, and the clean-up that follows whatever happens.
//!
//! What each step does is in its own module.

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use futures::FutureExt;
use time::OffsetDateTime;

use super::claim::{Claim, Found as FoundClaim, Lost};
use super::clean_up::{CleanUp, Made};
use super::ledger::{Ledger, from_record};
use super::prepare::{Cuts, Prepared, describe, prepare};
use super::session::{Ended, Session, Stopped};
use crate::cli::SubmitArgs;
use crate::clock;
use crate::commands::clients::Clients;
use crate::commands::failure::from_service;
use crate::commands::interrupt::{CTRL_C, Interrupted, Interrupts};
use crate::commands::restore::spec_of;
use crate::commands::scratch::Scratch;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::{Narrator, seconds, size};
use crate::record::{Event, Journal, RunSpec, StateDirectory, Step};
use crate::settings::Services;

/// How soon a claim that was made is looked after.
const CLAIM_LOOK: Duration = Duration::from_secs(1);

/// Runs `submit` on `services`, with a record in `state`, or without one on an embedded service when there are none.
///
/// # Errors
/// The first failure; whatever was made in the account is removed before it is returned.
pub(crate) async fn submit(
    args: &SubmitArgs,
    services: Option<(&Services, &StateDirectory)>,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    match services {
        Some((services, state)) => {
            run(args, services, Some(state), narrator, &mut interrupts).await
        }
        #[cfg(feature = "emulator")]
        None => super::local::submit(args, narrator, &mut interrupts).await,
        #[cfg(not(feature = "emulator"))]
        None => Err(Failure::message(
            Exit::Usage,
            "this program was built without the embedded service",
        )),
    }
}

/// Runs from the plan to the clean-up.
pub(super) async fn run(
    args: &SubmitArgs,
    services: &Services,
    state: Option<&StateDirectory>,
    narrator: &Narrator,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let deadline = clock::instant() + args.ttl;
    let clients = Clients::new(services)?.told_to(narrator)?;
    let scratch = Scratch::new()?;
    let prepared = prepared(args, services, scratch.path(), interrupts).await?;
    prepared.program.check()?;
    tell_plan(&prepared, narrator);
    let created = clients
        .storage
        .get_server_time()
        .await
        .map_err(from_service)?;
    let ends = created + args.ttl;
    let ledger = match state {
        None => Ledger::none(),
        Some(state) => begin_record(
            state,
            spec_of(args, &prepared, services, created, ends),
            &prepared.plan.run,
        )?,
    };
    let course = Course {
        args,
        services,
        clients: &clients,
        narrator,
        prepared: &prepared,
        ledger: &ledger,
    };
    course.run(scratch.path(), deadline, ends, interrupts).await
}

fn begin_record(state: &StateDirectory, spec: RunSpec, run: &RunId) -> Result<Ledger, Failure> {
    let directory = state.run(run);
    std::fs::create_dir_all(&directory).map_err(|error| {
        Failure::new(Exit::LocalIo, error).context(format!("creating `{}`", directory.display()))
    })?;
    let journal = Journal::create(&state.record(run), spec).map_err(from_record)?;
    Ok(Ledger::new(state.clone(), journal, None))
}

/// What a run needs from its first step to its last, whether it is new or taken up again.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    /// What the user wants.
    pub(crate) args: &'a SubmitArgs,
    /// Where the run takes place.
    pub(crate) services: &'a Services,
    /// The account.
    pub(crate) clients: &'a Clients,
    /// Where progress is told.
    pub(crate) narrator: &'a Narrator,
    /// What is done.
    pub(crate) prepared: &'a Prepared,
    /// The record.
    pub(crate) ledger: &'a Ledger,
}

impl Course<'_> {
    /// Every step, then the clean-up.
    pub(crate) async fn run(
        &self,
        scratch: &Path,
        deadline: tokio::time::Instant,
        ends: OffsetDateTime,
        interrupts: &mut Interrupts,
    ) -> Result<Exit, Failure> {
        // Of a run that is taken up again everything may be there.
        let made = if self.ledger.is_resumed() {
            Made::everything()
        } else {
            Made::default()
        };
        let claim = OnceLock::new();
        let session = Session {
            args: self.args,
            services: self.services,
            clients: self.clients,
            narrator: self.narrator,
            prepared: self.prepared,
            scratch,
            made: &made,
            deadline,
            ends,
            ledger: self.ledger,
            claim: &claim,
            renewed: OnceLock::new(),
        };
        let steps = interrupts
            .stop(Box::pin(self.while_claimed(&claim, session.steps())))
            .await
            .unwrap_or_else(|signal| Err(interrupted(signal).into()));
        let run = &self.prepared.plan.run;
        let outcome = match steps {
            Ok(Ended::Answered(exit)) => Ok(exit),
            Ok(Ended::Detached) => return self.detach(claim.get()).await,
            Err(Stopped::Lost(Lost::Taken)) => return Err(Lost::Taken.failure(run)),
            Err(Stopped::Lost(Lost::Removed)) => Err(Lost::Removed.failure(run)),
            // Whether another client works on the run is not known: nothing of it is touched.
            Err(Stopped::Failed(failure))
                if self.ledger.was_done(Step::Containers) && claim.get().is_none() =>
            {
                return Err(failure);
            }
            Err(Stopped::Failed(failure)) => Err(failure),
        };
        if outcome.is_err() && !made.holds_results() {
            self.narrator
                .detail("the run failed; what it made is removed");
        }
        self.clean_up(&made, claim.get(), &outcome, interrupts)
            .await;
        outcome
    }

    /// Lets `steps` go on until they end, or the claim on the run is lost. A panic in them is a failure: what the run made
    /// is removed all the same.
    async fn while_claimed(
        &self,
        claim: &OnceLock<Claim>,
        steps: impl Future<Output = Result<Ended, Stopped>>,
    ) -> Result<Ended, Stopped> {
        let steps = AssertUnwindSafe(steps).catch_unwind();
        let lost = async {
            loop {
                clock::sleep(CLAIM_LOOK).await;
                if let Some(claim) = claim.get() {
                    break claim.keep(self.narrator).await;
                }
            }
        };
        tokio::select! {
            biased;
            done = steps => done.unwrap_or_else(|_panic| {
                // What it was is on stderr already.
                Err(Failure::message(Exit::Other, "a fault of this program ended the run").into())
            }),
            lost = lost => Err(Stopped::Lost(lost)),
        }
    }

    /// Leaves the run to itself: its id is the answer.
    async fn detach(&self, claim: Option<&Claim>) -> Result<Exit, Failure> {
        if let Some(claim) = claim {
            claim.release(self.narrator).await;
        }
        let run = &self.prepared.plan.run;
        self.narrator.step(
            6,
            "detached",
            format_args!(
                "{run} goes on without this client: fanout watch {run} follows it, fanout resume {run} brings its answer; \
                 its nodes go when its tasks have ended"
            ),
        );
        match writeln!(std::io::stdout(), "{run}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Exit::LocalIo, error).context("printing the run's id"))
            }
            _ => Ok(Exit::Done),
        }
    }

    /// Steps 8 and 9. What cannot be removed is told with the command that finishes it, and changes nothing else.
    pub(crate) async fn clean_up(
        &self,
        made: &Made,
        claim: Option<&Claim>,
        outcome: &Result<Exit, Failure>,
        interrupts: &mut Interrupts,
    ) {
        let run = &self.prepared.plan.run;
        if !self.may_remove(claim).await {
            self.narrator.warn(format_args!(
                "another client works on run {run}: nothing of it is removed"
            ));
            return;
        }
        let clean_up = CleanUp {
            clients: self.clients,
            run,
            narrator: self.narrator,
            keep: &self.args.keep,
        };
        let removed = async {
            if !made.holds_results() {
                self.ledger.note(&Event::Begun {
                    step: Step::CleanUp,
                })?;
            }
            let clean = clean_up.remove(made).await;
            let stays = made.holds_results() || !self.args.keep.is_empty();
            if let Some(claim) = claim.filter(|_| stays || !clean) {
                claim.release(self.narrator).await;
            }
            // What is kept on purpose is still there: the run is not over.
            if clean && !stays {
                self.ledger.note(&Event::Done {
                    step: Step::CleanUp,
                })?;
            }
            Ok::<bool, Failure>(clean)
        };
        let run_was_interrupted =
            matches!(outcome, Err(failure) if failure.exit == Exit::Interrupted);
        match self
            .unless_left(Box::pin(removed), run_was_interrupted, interrupts)
            .await
        {
            Some(Ok(true)) if made.holds_results() => {
                self.narrator.warn(format_args!(
                    "the results wait in the account: fanout resume {run} goes on with them"
                ));
                return;
            }
            Some(Ok(true)) => return,
            Some(Err(failure)) => self.narrator.warn(failure.text()),
            Some(Ok(false)) | None => {}
        }
        let command = clean_command(run, self.services);
        self.narrator.warn(format_args!(
            "not all of the run is removed; this finishes it: {command}"
        ));
    }

    /// Whether this process is the one that may remove the run.
    async fn may_remove(&self, claim: Option<&Claim>) -> bool {
        let run = &self.prepared.plan.run;
        match (claim, self.ledger.state()) {
            // What cannot be reached cannot be removed either.
            (Some(claim), _) => !matches!(claim.renew().await, Ok(Some(Lost::Taken))),
            (None, Some(state)) if self.ledger.is_resumed() => {
                let found = FoundClaim::read(&self.clients.storage, run).await;
                !found.is_ok_and(|found| {
                    found.is_some_and(|found| found.is_anothers(&state.clients(run)))
                })
            }
            (None, _) => true,
        }
    }

    /// Lets the clean-up go on until it ends or the user insists on leaving: Ctrl-C twice, the one that ended the run
    /// included. Other signals, and several within a second, do not end it.
    async fn unless_left<T>(
        &self,
        mut removed: impl Future<Output = T> + Unpin,
        run_was_interrupted: bool,
        interrupts: &mut Interrupts,
    ) -> Option<T> {
        let mut leave_at_next = run_was_interrupted;
        let mut last = clock::instant();
        loop {
            tokio::select! {
                biased;
                Interrupted(signal) = interrupts.next() => {
                    let at_once = last.elapsed() < Duration::from_secs(1);
                    last = clock::instant();
                    if signal != CTRL_C || at_once {
                        continue;
                    }
                    if leave_at_next {
                        return None;
                    }
                    leave_at_next = true;
                    self.narrator.warn("removing what the run made; Ctrl-C again leaves it there");
                }
                done = &mut removed => return Some(done),
            }
        }
    }
}

/// Prepares on a thread of its own: stdin may never end, and then only a signal ends the wait.
async fn prepared(
    args: &SubmitArgs,
    services: &Services,
    scratch: &Path,
    interrupts: &mut Interrupts,
) -> Result<Prepared, Failure> {
    let (args, loopback, scratch) = (args.clone(), services.is_loopback(), scratch.to_owned());
    let work = tokio::task::spawn_blocking(move || prepare(&args, loopback, Cuts::Real, &scratch));
    match interrupts.stop(work).await {
        Ok(prepared) => {
            prepared.map_err(|error| Failure::new(Exit::Other, error).context("preparing"))?
        }
        Err(signal) => Err(interrupted(signal)),
    }
}

pub(crate) fn interrupted(Interrupted(signal): Interrupted) -> Failure {
    Failure::message(Exit::Interrupted, format_args!("interrupted by {signal}"))
}

/// The command line that removes what is left of `run`.
fn clean_command(run: &RunId, services: &Services) -> String {
    let Services { batch, storage } = services;
    format!(
        "fanout clean {run} --batch-endpoint {} --batch-account {} --storage-endpoint {} --storage-account {}",
        batch.endpoint,
        batch.key.account(),
        storage.endpoint,
        storage.key.account()
    )
}

fn tell_plan(prepared: &Prepared, narrator: &Narrator) {
    let plan = &prepared.plan;
    let bytes = prepared.files.iter().map(|source| source.file.bytes).sum();
    narrator.step(
        0,
        "plan",
        format_args!(
            "run {}: {} files, {}, as {} shards on {} nodes, within {}",
            plan.run,
            prepared.files.len(),
            size(bytes),
            plan.shards.len(),
            plan.nodes,
            seconds(plan.ttl)
        ),
    );
    for failure in &prepared.left_out {
        narrator.warn(format_args!("left out: {}", describe(failure)));
    }
}
