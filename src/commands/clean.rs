//! `fanout clean` and `fanout cancel`: remove what one run left in the account, and here.
//!
//! Every name is derived from the run's id; nothing else is touched.

use super::clients::Clients;
use super::interrupt::Interrupts;
use super::submit::{CleanUp, Made, from_record, interrupted};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::Narrator;
use crate::record::{Event, Journal, Recorded, StateDirectory, Step};
use crate::settings::Services;

/// Removes job, pool and containers of the run `id`, then its record; what is not there counts as removed.
///
/// # Errors
/// Exit 2 when `id` is no run id, 1 when something could not be removed (each was told).
pub(crate) async fn clean(
    id: &str,
    services: &Services,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = read_id(id)?;
    remove(&run, services, narrator).await?;
    state.remove(&run).map_err(|error| {
        Failure::new(Exit::LocalIo, error)
            .context(format!("removing `{}`", state.run(&run).display()))
    })?;
    Ok(Exit::Done)
}

/// Ends the run `id` and removes what it left in the account; its record stays and says so.
///
/// # Errors
/// As [`clean`]; exit 1 while another process works on the run.
pub(crate) async fn cancel(
    id: &str,
    services: &Services,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = read_id(id)?;
    let path = state.record(&run);
    let journal = if path.is_file() {
        let recorded = Recorded::read(&path).map_err(from_record)?;
        Some(Journal::resume(&path, &recorded).map_err(from_record)?)
    } else {
        None
    };
    remove(&run, services, narrator).await?;
    let done = Event::Done {
        step: Step::CleanUp,
    };
    journal
        .map_or(Ok(()), |journal| journal.append(&done))
        .map_err(from_record)?;
    Ok(Exit::Done)
}

fn read_id(id: &str) -> Result<RunId, Failure> {
    RunId::parse(id).map_err(|error| Failure::new(Exit::Usage, error))
}

/// Removes what `run` left in the account.
async fn remove(run: &RunId, services: &Services, narrator: &Narrator) -> Result<(), Failure> {
    let clients = Clients::new(services)?;
    let mut interrupts = Interrupts::listen()?;
    let clean_up = CleanUp {
        clients: &clients,
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
