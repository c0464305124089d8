//! The course of a run: prepare, the nine steps, and the clean-up that follows whatever happens.
//!
//! What each step does is in its own module.

use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;

use super::clean_up::{CleanUp, Made};
use super::ledger::{Ledger, from_record};
use super::prepare::{Cuts, Prepared, describe, prepare};
use super::session::Session;
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
        };
        let outcome = interrupts
            .stop(Box::pin(session.steps()))
            .await
            .unwrap_or_else(|signal| Err(interrupted(signal)));
        if outcome.is_err() {
            self.narrator
                .detail("the run failed; what it made is removed");
        }
        self.clean_up(&made, &outcome, interrupts).await;
        outcome
    }

    /// Steps 8 and 9. What cannot be removed is told with the command that finishes it, and changes nothing else.
    pub(crate) async fn clean_up(
        &self,
        made: &Made,
        outcome: &Result<Exit, Failure>,
        interrupts: &mut Interrupts,
    ) {
        let run = &self.prepared.plan.run;
        let clean_up = CleanUp {
            clients: self.clients,
            run,
            narrator: self.narrator,
            keep: &self.args.keep,
        };
        let removed = async {
            self.ledger.note(&Event::Begun {
                step: Step::CleanUp,
            })?;
            let clean = clean_up.remove(made).await;
            // What is kept on purpose is still there: the run is not over.
            if clean && self.args.keep.is_empty() {
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
            Some(Ok(true)) => return,
            Some(Err(failure)) => self.narrator.warn(failure.text()),
            Some(Ok(false)) | None => {}
        }
        let command = clean_command(run, self.services);
        self.narrator.warn(format_args!(
            "not all of the run is removed; this finishes it: {command}"
        ));
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
