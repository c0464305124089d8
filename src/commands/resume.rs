//! `fanout resume`: takes up a run whose client is gone, and finishes it as `submit` would.
//!
//! What was done is not done again: staged shards stay, tasks that ended stay, failed ones are tried again.

use std::path::Path;

use kernel::cli::print;
use time::OffsetDateTime;

use super::answer::answers_of;
use super::clients::Clients;
use super::failure::from_service;
use super::interrupt::Interrupts;
use super::restore::{Restored, restore};
use super::submit::{Course, Ledger, Made, RECORD_BLOB, from_record, scratch};
use crate::cli::ResumeArgs;
use crate::clock;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::Narrator;
use crate::record::{Event, Journal, Recorded, StateDirectory, Step};
use crate::settings::{Environment, Services};

/// The largest record that is fetched from another machine's run: a million shards have a tenth of it.
const RECORD_BYTES_MAX: usize = 1 << 30;

/// Resumes the run of `args`.
///
/// # Errors
/// Exit 3 when there is no record here or in the account, 8 when the run's time is over; else as `submit`.
pub(crate) async fn resume(
    args: &ResumeArgs,
    environment: Environment<'_>,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
    let mut interrupts = Interrupts::listen()?;
    let services = find_record(args, environment, &run, state).await?;
    let path = state.record(&run);
    let recorded = Recorded::read(&path).map_err(from_record)?;
    if recorded.spec.run != run.as_str() {
        let message = format!(
            "the record in `{}` is of run {}",
            path.display(),
            recorded.spec.run
        );
        return Err(Failure::message(Exit::Other, message));
    }
    let journal = Journal::resume(&path, &recorded).map_err(from_record)?;
    refuse_what_is_over(&recorded)?;
    let Restored {
        args: mut submitted,
        prepared,
        deadline,
    } = restore(&recorded.spec)?;
    submitted.answer.format = args.format;
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
        if !recorded.is_answered() {
            let answers = answers_of(&recorded.spec, &submitted.answer, &prepared, state)?;
            print(
                &submitted.answer.view(prepared.settings, &prepared.filters),
                &answers,
            )?;
            ledger.note(&Event::Answered)?;
        }
        course.clean_up(&Made::everything(), &mut interrupts).await;
        return Ok(if complete {
            Exit::Done
        } else {
            Exit::Incomplete
        });
    }
    if recorded.is_begun(Step::CleanUp) {
        course.clean_up(&Made::everything(), &mut interrupts).await;
        let message = format!("run {run} had failed before; what it left is removed");
        return Err(Failure::message(Exit::Other, message));
    }
    let left = left_until(deadline, &clients).await?;
    let scratch = scratch()?;
    course
        .run(
            scratch.path(),
            clock::instant() + left,
            deadline,
            &mut interrupts,
        )
        .await
}

/// Where the run takes place. Its record is here when this returns: it was, or its copy in the account was fetched.
async fn find_record(
    args: &ResumeArgs,
    environment: Environment<'_>,
    run: &RunId,
    state: &StateDirectory,
) -> Result<Services, Failure> {
    let usage = |error| Failure::new(Exit::Usage, error);
    let path = state.record(run);
    if path.is_file() {
        let recorded = Recorded::read(&path).map_err(from_record)?;
        return args
            .services
            .resolve_for(&recorded.spec, environment)
            .map_err(usage);
    }
    let services = args.services.resolve(environment).map_err(usage)?;
    fetch_record(&Clients::new(&services)?, run, state).await?;
    Ok(services)
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

async fn left_until(
    deadline: OffsetDateTime,
    clients: &Clients,
) -> Result<std::time::Duration, Failure> {
    let now = clients
        .storage
        .get_server_time()
        .await
        .map_err(from_service)?;
    std::time::Duration::try_from(deadline - now).map_err(|_error| {
        Failure::message(
            Exit::TimedOut,
            format_args!("the run's time was over at {deadline}"),
        )
        .hint("fanout cancel removes what it left")
    })
}

/// Brings the copy of a record that another machine wrote.
async fn fetch_record(
    clients: &Clients,
    run: &RunId,
    state: &StateDirectory,
) -> Result<(), Failure> {
    let container = run.app_container();
    let found = clients
        .storage
        .get_blob(&container, RECORD_BLOB, RECORD_BYTES_MAX)
        .await
        .map_err(from_service)?;
    let Some(bytes) = found else {
        return Err(Failure::message(
            Exit::NotFound,
            format_args!("no record of run {run} here or in the account"),
        )
        .hint("fanout ls lists the runs"));
    };
    let path = state.record(run);
    Recorded::parse(&path, &bytes).map_err(from_record)?;
    let write = |path: &Path| {
        let directory = path.parent().unwrap_or(path);
        std::fs::create_dir_all(directory)?;
        std::fs::write(path, &bytes)
    };
    write(&path).map_err(|error| {
        Failure::new(Exit::LocalIo, error).context(format!("writing `{}`", path.display()))
    })
}
