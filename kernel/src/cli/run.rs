//! Carrying out a command line: count or merge, then print or write.
//!
//! Options are named in `args`.

use std::error::Error;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::args::CountArgs;
use super::output::{print, write_file, write_tutorial};
use crate::count::{CountOptions, count_files};
use crate::counts::Counts;
use crate::error::{CountError, InputFailure};
use crate::exit::Exit;
use crate::input::{Found, InputFile, find_inputs};
use crate::partial::{MergeOptions, PartialError, Totals, merge, merge_into};
use crate::progress::Progress;
use crate::render::Answer;
use crate::settings::{BatchIds, CountSettings, Filters};
use crate::top::{Row, TopBuilder};

/// Carries out `args`: the answer goes to standard output, everything else to standard error.
#[must_use]
pub fn run(args: &CountArgs) -> Exit {
    let result = if args.merge.is_empty() {
        run_count(args)
    } else {
        run_merge(args).map(|()| Vec::new())
    };
    match result {
        Ok(failures) if failures.is_empty() => Exit::Done,
        Ok(failures) => {
            report_failures(&failures);
            let missing = match failures.len() {
                1 => "1 input".to_owned(),
                inputs => format!("{inputs} inputs"),
            };
            report(&format!(
                "the answer lacks {missing} that could not be counted"
            ));
            Exit::InputsFailed
        }
        Err(error) => {
            if let CountError::Inputs { failures, .. } = &error {
                report_failures(failures);
            }
            report(&format!("error: failed to {}", chain(&error)));
            if matches!(error, CountError::Inputs { .. }) && !args.answer.allow_partial {
                report("hint: --allow-partial prints an answer without them");
            }
            error.exit()
        }
    }
}

fn report_failures(failures: &[InputFailure]) {
    for failure in failures {
        report(&format!("error: failed to {}", chain(failure)));
    }
}

/// Writes a line to standard error; when nobody can read it, the exit code must do.
fn report(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn run_count(args: &CountArgs) -> Result<Vec<InputFailure>, CountError> {
    let settings = args.answer.settings();
    let filters = args.answer.filters(settings)?;
    let stdin = [PathBuf::from("-")];
    let named = if args.paths.is_empty() {
        &stdin[..]
    } else {
        &args.paths
    };
    let mut options = CountOptions::new(settings);
    options.io = args.io;
    options.slice = args.slice;
    if let Some(threads) = args.threads {
        options.threads = usize::from(threads);
    }
    let Found {
        files,
        mut failures,
    } = find_inputs(named, options.threads)?;
    let inputs = files.len() + failures.len();
    let total_bytes = files.iter().map(|file| file.bytes).sum();
    let progress = Progress::new(args.progress, total_bytes);
    let counted = count(args, &files, &options, &filters, &progress);
    progress.finish();
    let (counts, mut answers, failed) = counted?;
    failures.extend(failed);
    if !failures.is_empty() && !args.answer.allow_partial {
        return Err(CountError::Inputs { failures, inputs });
    }
    if let Some(path) = &args.partial {
        let shard = shard_id(args, path);
        write_file(path, |out| {
            counts
                .write_partial(&shard, out)
                .map(drop)
                .map_err(io_error)
        })?;
    }
    let format = args.answer.view(settings, &filters).format;
    // How many words are different takes longer to tell than which are the most frequent.
    let totals = if format.has_totals() {
        counts.totals()
    } else {
        Totals::default()
    };
    let rows = counts.top(args.answer.top, &filters);
    answers.push(Answer {
        file: None,
        rows,
        totals,
    });
    finish(args, settings, &filters, &answers)?;
    Ok(failures)
}

type Counted = (Counts, Vec<Answer>, Vec<InputFailure>);

/// Counts all files at once, or one by one with an answer for each.
fn count(
    args: &CountArgs,
    files: &[InputFile],
    options: &CountOptions,
    filters: &Filters,
    progress: &Progress,
) -> Result<Counted, CountError> {
    let advance = |bytes| progress.add(bytes);
    if !args.answer.per_file {
        let (counts, failures) = count_files(files, options, &advance)?;
        return Ok((counts, Vec::new(), failures));
    }
    let mut whole = Counts::empty(options.settings);
    let mut answers = Vec::with_capacity(files.len() + 1);
    let mut failures = Vec::new();
    for file in files {
        let (counts, failed) = match count_files(std::slice::from_ref(file), options, &advance) {
            // Its words are in no other counts: the other files have their answers all the same.
            Err(CountError::Inputs { failures, .. }) => (Counts::empty(options.settings), failures),
            counted => counted?,
        };
        if failed.is_empty() {
            answers.push(Answer {
                file: Some(file.path.as_os_str().as_bytes().to_vec()),
                rows: counts.top(args.answer.top, filters),
                totals: counts.totals(),
            });
            whole.absorb(&counts);
        }
        failures.extend(failed);
    }
    Ok((whole, answers, failures))
}

fn run_merge(args: &CountArgs) -> Result<(), CountError> {
    let temp_dir = std::env::temp_dir();
    let options = MergeOptions {
        temp_dir: &temp_dir,
        ..MergeOptions::default()
    };
    let found = crate::partial::settings_of(&args.merge[0])?;
    let wanted = CountSettings {
        words: args.answer.words.unwrap_or(found.words),
        keep_case: found.keep_case,
    };
    if wanted != found || (args.answer.keep_case && !found.keep_case) {
        let wanted = CountSettings::new(wanted.words, args.answer.keep_case);
        return Err(CountError::Settings { found, wanted });
    }
    let filters = args.answer.filters(found)?;
    let mut top = TopBuilder::new(args.answer.top, filters.clone());
    let (_, totals) = merge(&args.merge, &options, &mut |word, count| {
        top.push(word, count);
        Ok(())
    })?;
    if let Some(path) = &args.partial {
        let shard = shard_id(args, path);
        // A second way through the partials costs less than holding all words.
        let mut failed = None;
        write_file(path, |out| {
            merge_into(&args.merge, &options, &shard, out)
                .map(drop)
                .map_err(|error| {
                    failed = Some(error);
                    io::Error::other("merge")
                })
        })
        .map_err(|error| failed.map_or(error, CountError::Merge))?;
    }
    let answer = Answer {
        file: None,
        rows: top.finish(),
        totals,
    };
    finish(args, found, &filters, &[answer])
}

/// Prints the answers, unless a partial was asked for, and writes the tutorial's text.
fn finish(
    args: &CountArgs,
    settings: CountSettings,
    filters: &Filters,
    answers: &[Answer],
) -> Result<(), CountError> {
    if let Some(path) = &args.tutorial_output {
        let rows: &[Row] = answers.last().map_or(&[], |whole| &whole.rows);
        let ids = BatchIds::from_environment();
        write_file(path, |out| write_tutorial(out, rows, &ids))?;
    }
    if args.partial.is_some() {
        return Ok(());
    }
    print(&args.answer.view(settings, filters), answers)
}

fn shard_id(args: &CountArgs, partial: &Path) -> String {
    args.shard.clone().unwrap_or_else(|| {
        let name = partial.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    })
}

fn io_error(error: PartialError) -> io::Error {
    match error {
        PartialError::Io(error) => error,
        other => io::Error::other(other),
    }
}
