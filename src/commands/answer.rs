//! `fanout fetch`: prints the answer of a run, from the merged partial that the run kept here, or from the results that wait
//! in the account.
//!
//! It reads; the run stays as it is.

use std::os::unix::ffi::OsStrExt;

use kernel::cli::AnswerArgs;
use kernel::render::Answer;
use kernel::top::TopBuilder;

use super::clients::Clients;
use super::copy::{Known, find, read_here};
use super::restore::{Restored, restore};
use super::scratch::Scratch;
use super::submit::{Prepared, fetch_unmerged, read_answer};
use crate::cli::FetchArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::Narrator;
use crate::record::{RunSpec, StateDirectory};
use crate::settings::{Environment, SettingsError};

/// Prints the answer of the run of `args`, in any format, with as many rows as wanted.
///
/// # Errors
/// Exit 3 when there is no record of the run here or in the account, 1 when the run has no answer yet, 5 when tasks failed,
/// 9 when a file cannot be read.
pub(crate) async fn fetch(
    args: &FetchArgs,
    environment: Environment<'_>,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
    let here = read_here(&run, state)?;
    if let Some((recorded, complete)) = here
        .as_ref()
        .and_then(|here| here.merged().map(|complete| (here, complete)))
    {
        let restored = restore(recorded)?;
        let answer = wanted(args, restored.args.answer);
        let answers = answers_of(&recorded.spec, &answer, &restored.prepared, state)?;
        let view = answer.view(restored.prepared.settings, &restored.prepared.filters);
        kernel::cli::print(&view, &answers)?;
        return Ok(if complete {
            Exit::Done
        } else {
            Exit::Incomplete
        });
    }
    let missing = here.is_none()
        && args
            .services
            .resolve(environment)
            .is_err_and(|error| matches!(error, SettingsError::Missing { .. }));
    if missing {
        let message = format!(
            "no record of run {run} in `{}`, and no account to look into",
            state.path().display()
        );
        return Err(Failure::message(Exit::NotFound, message).hint("fanout ls lists the runs"));
    }
    let Known {
        services, recorded, ..
    } = find(&args.services, environment, &run, state).await?;
    let Restored {
        args: mut submitted,
        prepared,
        ..
    } = restore(&recorded)?;
    submitted.answer = wanted(args, submitted.answer);
    // Its files are of the machine that asked for them.
    submitted.tutorial_output = None;
    let scratch = Scratch::new()?;
    let clients = Clients::new(&services)?.told_to(narrator)?;
    fetch_unmerged(&submitted, &prepared, &clients, narrator, scratch.path()).await
}

fn wanted(args: &FetchArgs, mut answer: AnswerArgs) -> AnswerArgs {
    answer.top = args.top.unwrap_or(answer.top);
    answer.format = args.format;
    answer.allow_partial |= args.allow_partial;
    answer
}

/// The answers of the run `spec`: per file where it was asked for, then the whole.
///
/// # Errors
/// Exit 9 when a merged partial cannot be read.
pub(crate) fn answers_of(
    spec: &RunSpec,
    answer: &AnswerArgs,
    prepared: &Prepared,
    state: &StateDirectory,
) -> Result<Vec<Answer>, Failure> {
    let run = &prepared.plan.run;
    let top = || TopBuilder::new(answer.top, prepared.filters.clone());
    let mut answers = Vec::new();
    if spec.per_file {
        for (index, source) in prepared.files.iter().enumerate() {
            let path = state.merged(run, Some(index));
            // A file that lost a slice has no answer of its own.
            if path.is_file() {
                let name = source.file.path.as_os_str().as_bytes().to_vec();
                answers.push(read_answer(&path, Some(name), top())?);
            }
        }
    }
    answers.push(read_answer(&state.merged(run, None), None, top())?);
    Ok(answers)
}
