//! `fanout resume`: takes up a run whose client is gone, and finishes it as `submit` would.
//!
//! What was done is not done again: staged shards stay, tasks that ended stay, failed ones are tried again.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use kernel::cli::print;
use time::OffsetDateTime;

use super::answer::answers_of;
use super::clients::Clients;
use super::failure::from_service;
use super::interrupt::Interrupts;
use super::restore::{Restored, restore};
use super::scratch::{Scratch, remove_scratch_of_the_killed};
use super::submit::{Course, Ledger, Made, Prepared, RECORD_BLOB, check_unchanged, from_record};
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
/// Exit 3 when there is no record here or in the account, 9 when inputs that are not staged yet are gone; else as `submit`.
pub(crate) async fn resume(
    args: &ResumeArgs,
    environment: Environment<'_>,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
    let mut interrupts = Interrupts::listen()?;
    remove_scratch_of_the_killed();
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
        print_merged(&course, &recorded, state)?;
        course
            .clean_up(&Made::everything(), &Ok(Exit::Done), &mut interrupts)
            .await;
        return Ok(if complete {
            Exit::Done
        } else {
            Exit::Incomplete
        });
    }
    if recorded.is_begun(Step::CleanUp) && recorded.spec.keep.is_empty() {
        course
            .clean_up(&Made::everything(), &Ok(Exit::Done), &mut interrupts)
            .await;
        let message = format!("run {run} had failed before; what it left is removed");
        return Err(Failure::message(Exit::Other, message));
    }
    if !recorded.is_done(Step::Stage) {
        check_inputs(&recorded, &prepared)?;
    }
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
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write(&path).map_err(|error| {
        Failure::new(Exit::LocalIo, error).context(format!("writing `{}`", path.display()))
    })
}
