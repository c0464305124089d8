//! `fanout fetch`: prints the answer of a finished run again, from the merged partial that the run kept here.
//!
//! Nothing is asked of any service.

use std::os::unix::ffi::OsStrExt;

use kernel::cli::AnswerArgs;
use kernel::render::Answer;
use kernel::top::TopBuilder;

use super::restore::restore;
use super::submit::{Prepared, from_record, read_answer};
use crate::cli::FetchArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::record::{Recorded, RunSpec, StateDirectory};

/// Prints the answer of the run of `args`, in any format, with as many rows as wanted.
///
/// # Errors
/// Exit 3 when there is no record of the run here, 1 when the run has no answer yet, 9 when a file cannot be read.
pub(crate) fn fetch(args: &FetchArgs, state: &StateDirectory) -> Result<Exit, Failure> {
    let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
    let path = state.record(&run);
    if !path.is_file() {
        return Err(Failure::message(
            Exit::NotFound,
            format_args!("no record of run {run} in `{}`", state.path().display()),
        )
        .hint("fanout ls lists the runs"));
    }
    let recorded = Recorded::read(&path).map_err(from_record)?;
    let Some(complete) = recorded.merged() else {
        return Err(
            Failure::message(Exit::Other, format_args!("run {run} has no answer yet"))
                .hint(format!("fanout resume {run} finishes it")),
        );
    };
    let restored = restore(&recorded.spec)?;
    let mut answer = restored.args.answer;
    answer.top = args.top.unwrap_or(answer.top);
    answer.format = args.format;
    let answers = answers_of(&recorded.spec, &answer, &restored.prepared, state)?;
    kernel::cli::print(
        &answer.view(restored.prepared.settings, &restored.prepared.filters),
        &answers,
    )?;
    Ok(if complete {
        Exit::Done
    } else {
        Exit::Incomplete
    })
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
