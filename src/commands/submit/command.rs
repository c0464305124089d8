//! The course of a run: prepare, the nine steps, and the clean-up that follows whatever happens.
//!
//! What each step does is in its own module.

use super::clean_up::{CleanUp, Made};
use super::prepare::{Cuts, Prepared, describe, prepare};
use super::session::{Session, deadline};
use crate::cli::SubmitArgs;
use crate::commands::clients::Clients;
use crate::commands::interrupt::{Interrupted, Interrupts};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::{Narrator, seconds, size};
use crate::settings::Services;

/// Runs `submit` on `services`, or on an embedded service when there are none.
///
/// # Errors
/// The first failure; whatever was made in the account is removed before it is returned.
pub(crate) async fn submit(
    args: &SubmitArgs,
    services: Option<&Services>,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    match services {
        Some(services) => run(args, services, narrator, &mut interrupts).await,
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
    narrator: &Narrator,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let deadline = deadline(args);
    let clients = Clients::new(services)?;
    let scratch = scratch()?;
    let prepared = prepared(args, services, scratch.path(), interrupts).await?;
    prepared.program.check()?;
    tell_plan(&prepared, narrator);
    let made = Made::default();
    let session = Session {
        args,
        services,
        clients: &clients,
        narrator,
        prepared: &prepared,
        scratch: scratch.path(),
        made: &made,
        deadline,
    };
    let outcome = interrupts
        .stop(session.steps())
        .await
        .unwrap_or_else(|signal| Err(interrupted(signal)));
    if outcome.is_err() {
        narrator.detail("the run failed; what it made is removed");
    }
    let clean_up = CleanUp {
        clients: &clients,
        run: &prepared.plan.run,
        narrator,
        keep: &args.keep,
    };
    let cleaned = interrupts.stop(clean_up.remove(&made)).await;
    if cleaned != Ok(true) {
        let command = clean_command(&prepared.plan.run, services);
        narrator.warn(format_args!(
            "not all of the run is removed; this finishes it: {command}"
        ));
    }
    outcome
}

/// A directory for the files of a run on this machine; it goes when it is dropped.
pub(crate) fn scratch() -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("fanout-")
        .tempdir()
        .map_err(|error| {
            Failure::new(Exit::LocalIo, error).context("creating a temporary directory")
        })
}

/// Prepares on a thread of its own: stdin may never end, and then only a signal ends the wait.
async fn prepared(
    args: &SubmitArgs,
    services: &Services,
    scratch: &std::path::Path,
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

fn interrupted(Interrupted(signal): Interrupted) -> Failure {
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
