//! `fanout resume`: takes up a run whose client is gone, and finishes it as `submit` would.
//!
//! What was done is not done again: staged shards stay, tasks that ended stay, failed ones are tried again.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use kernel::cli::print;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::answer::answers_of;
use super::clients::Clients;
use super::copy::{Known, find, read_copy};
use super::failure::from_service;
use super::interrupt::Interrupts;
use super::restore::{Restored, restore};
use super::scratch::Scratch;
use super::submit::{Course, Ledger, Made, Prepared, check_unchanged, from_record};
use crate::cli::ResumeArgs;
use crate::clock;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::Narrator;
use crate::record::{Event, Journal, Recorded, StateDirectory, Step};
use crate::settings::Environment;

/// Resumes the run of `args`.
///
/// # Errors
/// Exit 3 when there is no record here or in the account, 9 when inputs that are not staged yet are gone, 1 when another
/// client works on the run; else as `submit`.
pub(crate) async fn resume(
    args: &ResumeArgs,
    environment: Environment<'_>,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
    let mut interrupts = Interrupts::listen()?;
    let Known {
        services,
        recorded,
        copy,
    } = find(&args.services, environment, &run, state).await?;
    let path = state.record(&run);
    if let Some(copy) = copy {
        keep_copy(&path, &copy)?;
    }
    let journal = Journal::resume(&path, &recorded).map_err(from_record)?;
    refuse_what_is_over(&recorded)?;
    let Restored {
        args: mut submitted,
        prepared,
        deadline,
    } = restore(&recorded)?;
    submitted.answer.format = args.format;
    submitted.answer.allow_partial |= args.allow_partial;
    let clients = Clients::new(&services)?.told_to(narrator)?;
    let ledger = Ledger::new(state.clone(), journal, Some(recorded.clone()));
    let course = Course {
        args: &submitted,
        services: &services,
        clients: &clients,
        narrator,
        prepared: &prepared,
        ledger: &ledger,
    };
    if let Some(complete) = recorded.merged() {
        print_merged(&course, &recorded, state)?;
        clean_up(&course, &mut interrupts).await;
        return Ok(if complete {
            Exit::Done
        } else {
            Exit::Incomplete
        });
    }
    if recorded.is_begun(Step::CleanUp) && recorded.spec.keep.is_empty() {
        clean_up(&course, &mut interrupts).await;
        let message = format!("run {run} had failed before; what it left is removed");
        return Err(Failure::message(Exit::Other, message));
    }
    if !recorded.is_done(Step::Stage) {
        check_inputs(&recorded, &prepared)?;
    }
    let deadline = deadline_of(args, deadline, &clients, &ledger).await?;
    let left = left_until(deadline, &clients).await?;
    let scratch = Scratch::new()?;
    course
        .run(
            scratch.path(),
            clock::instant() + left,
            deadline,
            &mut interrupts,
        )
        .await
}

async fn clean_up(course: &Course<'_>, interrupts: &mut Interrupts) {
    course
        .clean_up(&Made::everything(), None, &Ok(Exit::Done), interrupts)
        .await;
}

/// When the run's time is over: as asked for now, or else as this or another machine gave it.
async fn deadline_of(
    args: &ResumeArgs,
    recorded: OffsetDateTime,
    clients: &Clients,
    ledger: &Ledger,
) -> Result<OffsetDateTime, Failure> {
    let deadline = if let Some(ttl) = args.ttl {
        let now = clients.storage.get_server_time().await;
        now.map_err(from_service)? + ttl
    } else {
        let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
        let copy = read_copy(clients, &run).await?;
        let copied =
            copy.and_then(|(copy, _)| OffsetDateTime::parse(copy.deadline(), &Rfc3339).ok());
        copied.unwrap_or(recorded).max(recorded)
    };
    if deadline != recorded {
        let deadline = deadline.format(&Rfc3339).unwrap_or_default();
        ledger.note(&Event::Extended { deadline })?;
    }
    Ok(deadline)
}

/// Prints the answer that an earlier process merged.
fn print_merged(
    course: &Course<'_>,
    recorded: &Recorded,
    state: &StateDirectory,
) -> Result<(), Failure> {
    let (answer, prepared) = (&course.args.answer, course.prepared);
    let answers = answers_of(&recorded.spec, answer, prepared, state)?;
    print(&answer.view(prepared.settings, &prepared.filters), &answers)?;
    if !recorded.is_answered() {
        course.ledger.note(&Event::Answered)?;
    }
    Ok(())
}

/// Nothing is left to do for a run that was cleaned up, unless its answer is still unprinted.
fn refuse_what_is_over(recorded: &Recorded) -> Result<(), Failure> {
    let unprinted = recorded.merged().is_some() && !recorded.is_answered();
    if !recorded.is_done(Step::CleanUp) || unprinted {
        return Ok(());
    }
    let how = if recorded.is_answered() {
        "answered"
    } else {
        "removed unanswered"
    };
    Err(Failure::message(
        Exit::Usage,
        format_args!("run {} is over: {how}", recorded.spec.run),
    )
    .hint("fanout fetch prints the answer of an answered run again"))
}

/// What is not staged yet has to be here, as it was. Nothing is touched when it is not.
fn check_inputs(recorded: &Recorded, prepared: &Prepared) -> Result<(), Failure> {
    if recorded.spec.files.iter().any(|file| file.spooled) {
        let message =
            "an input came through a pipe and was not staged in full; it cannot be read again";
        return Err(Failure::message(Exit::LocalIo, message).hint(format!(
            "fanout cancel {} removes what the run made",
            recorded.spec.run
        )));
    }
    prepared.files.iter().try_for_each(check_unchanged)
}

/// The time that is left; none when it is over: then what has ended is still fetched.
async fn left_until(deadline: OffsetDateTime, clients: &Clients) -> Result<Duration, Failure> {
    let now = clients
        .storage
        .get_server_time()
        .await
        .map_err(from_service)?;
    Ok(Duration::try_from(deadline - now).unwrap_or(Duration::ZERO))
}

/// Keeps the copy of a record that another machine wrote as this machine's.
fn keep_copy(path: &Path, copy: &[u8]) -> Result<(), Failure> {
    let write = || {
        let directory = path.parent().unwrap_or(path);
        std::fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(copy)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| {
        Failure::new(Exit::LocalIo, error).context(format!("writing `{}`", path.display()))
    })
}
