//! `fanout clean` and `fanout cancel`: remove what one run left in the account, and here.
//!
//! Every name is derived from the run's id; nothing else is touched.

use super::clients::Clients;
use super::failure::from_service;
use super::gc;
use super::interrupt::Interrupts;
use super::submit::{CleanUp, FoundClaim, Made, from_record, interrupted};
use crate::cli::CleanArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::Narrator;
use crate::record::{Event, Journal, RecordError, Recorded, StateDirectory, Step};
use crate::settings::Environment;

/// Removes job, pool and containers of the run of `args`, then its record; what is not there counts as removed.
///
/// # Errors
/// Exit 2 when it is no run id, 3 when nothing is known of it, 1 when something could not be removed (each was told) or
/// another process works on the run, here or elsewhere.
pub(crate) async fn clean(
    args: &CleanArgs,
    environment: Environment<'_>,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = read_id(&args.run)?;
    let (clients, recorded) = find(args, &run, environment, state).await?;
    // Whoever works on the run would lose its record under its hands. A broken record is no reason to keep the rest.
    let lock = recorded
        .map(|recorded| Journal::resume(&state.record(&run), &recorded))
        .transpose();
    let lock = lock.map_err(from_record)?;
    if let Some(claim) = claim_of_another(&run, &clients, state).await? {
        return Err(claim.failure(&run));
    }
    remove(&run, &clients, narrator).await?;
    state.remove(&run).map_err(|error| {
        Failure::new(Exit::LocalIo, error)
            .context(format!("removing `{}`", state.run(&run).display()))
    })?;
    drop(lock);
    Ok(Exit::Done)
}

/// Ends the run of `args` and removes what it left in the account; its record stays and says so. A process that works on
/// the run finds its job gone and ends.
///
/// # Errors
/// As [`clean`].
pub(crate) async fn cancel(
    args: &CleanArgs,
    environment: Environment<'_>,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = read_id(&args.run)?;
    let (clients, recorded) = find(args, &run, environment, state).await?;
    let journal = match recorded.map(|recorded| Journal::resume(&state.record(&run), &recorded)) {
        Some(Err(RecordError::Busy { .. })) => return end_job(&run, &clients, narrator).await,
        journal => journal.transpose().map_err(from_record)?,
    };
    if claim_of_another(&run, &clients, state).await?.is_some() {
        return end_job(&run, &clients, narrator).await;
    }
    remove(&run, &clients, narrator).await?;
    let done = Event::Done {
        step: Step::CleanUp,
    };
    journal
        .map_or(Ok(()), |journal| journal.append(&done))
        .map_err(from_record)?;
    Ok(Exit::Done)
}

/// The claim on `run` of a client on another machine that is there.
async fn claim_of_another(
    run: &RunId,
    clients: &Clients,
    state: &StateDirectory,
) -> Result<Option<FoundClaim>, Failure> {
    let found = FoundClaim::read(&clients.storage, run).await?;
    Ok(found.filter(|found| found.is_anothers(&state.clients(run))))
}

/// Ends a run that another process works on: it finds the job gone, and cleans up.
async fn end_job(run: &RunId, clients: &Clients, narrator: &Narrator) -> Result<Exit, Failure> {
    clients
        .batch
        .delete_job(run.as_str())
        .await
        .map_err(from_service)?;
    narrator.warn(format_args!(
        "the job of run {run} is deleted; the process that works on the run cleans up"
    ));
    Ok(Exit::Done)
}

/// The account of `run`, as its record says where there is one, and that record.
async fn find(
    args: &CleanArgs,
    run: &RunId,
    environment: Environment<'_>,
    state: &StateDirectory,
) -> Result<(Clients, Option<Recorded>), Failure> {
    let usage = |error| Failure::new(Exit::Usage, error);
    let path = state.record(run);
    if path.is_file() {
        let recorded = Recorded::read(&path).map_err(from_record)?;
        let services = args
            .services
            .resolve_for(&recorded.spec, environment)
            .map_err(usage)?;
        return Ok((Clients::new(&services)?, Some(recorded)));
    }
    let clients = Clients::new(&args.services.resolve(environment).map_err(usage)?)?;
    if gc::find(&clients)
        .await?
        .iter()
        .all(|item| item.run != *run)
        // A client that was killed before it had a record leaves the directory for one.
        && !state.run(run).is_dir()
    {
        let message = format!("run {run} is neither recorded here nor in the account");
        return Err(Failure::message(Exit::NotFound, message).hint("fanout ls lists the runs"));
    }
    Ok((clients, None))
}

fn read_id(id: &str) -> Result<RunId, Failure> {
    RunId::parse(id).map_err(|error| Failure::new(Exit::Usage, error))
}

/// Removes what `run` left in the account.
async fn remove(run: &RunId, clients: &Clients, narrator: &Narrator) -> Result<(), Failure> {
    let mut interrupts = Interrupts::listen()?;
    let clean_up = CleanUp {
        clients,
        run,
        narrator,
        keep: &[],
    };
    match interrupts.stop(clean_up.remove(&Made::everything())).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::message(
            Exit::Other,
            format_args!("not all of run {run} could be removed"),
        )
        .hint("the same command again goes on where this one ended")),
        Err(signal) => Err(interrupted(signal)),
    }
}
