//! Before anything is created: which files there are, whether they can be counted, how they are cut, which program runs.
//!
//! Nothing is sent anywhere. `plan` stops after this, `submit` goes on.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kernel::error::{InputError, InputFailure};
use kernel::input::{self, InputKind};
use kernel::settings::{CountSettings, Filters};

use super::cuts::find_cuts;
use super::tutorial;
use crate::cli::SubmitArgs;
use crate::clock;
use crate::commands::program::{Program, find_program};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::{
    InputFile, RunId, RunPlan, RunSettings, ShardPolicy, default_shard_bytes, nominal_cuts,
    plan_run, plan_shards,
};

/// Whether cuts are those of the plan or those of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// Multiples of the shard size.
    Nominal,
    /// Where the text may really be cut: reads the files.
    Real,
}

/// A run that is ready to start.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What the run will do.
    pub(crate) plan: RunPlan,
    /// The files, as the plan numbers them.
    pub(crate) files: Vec<Source>,
    /// What defines the counts.
    pub(crate) settings: CountSettings,
    /// What the top shows.
    pub(crate) filters: Filters,
    /// The program for the nodes.
    pub(crate) program: Program,
    /// Bytes above which a file is cut.
    pub(crate) shard_bytes: u64,
    /// Inputs that cannot be counted, when an answer without them is allowed.
    pub(crate) left_out: Vec<InputFailure>,
    /// How many they are; of a run that is taken up again only this is known.
    pub(crate) left_out_count: u64,
}

/// One file and where its bytes are.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file as the plan sees it.
    pub(crate) file: InputFile,
    /// Where its bytes are read: the file itself, or a copy of what came through a pipe.
    pub(crate) read_from: PathBuf,
    /// Whether that is a copy, which goes with this process.
    pub(crate) spooled: bool,
}

/// Finds, checks and cuts the inputs of `args`, and plans the run.
///
/// # Errors
/// Exit 2 without any file or with an impossible flag, 3 for a missing input, 5 for one that cannot be read or is no text
/// (unless `--allow-partial`), 9 for one that changes meanwhile.
pub(crate) fn prepare(
    args: &SubmitArgs,
    loopback: bool,
    cuts: Cuts,
    scratch: &Path,
) -> Result<Prepared, Failure> {
    let settings = args.answer.settings();
    let filters = args.answer.filters(settings)?;
    let program = find_program(args.topn.as_deref(), loopback)?;
    let (files, left_out) = find_sources(args, scratch)?;
    if let Some(directory) = &args.tutorial_output {
        tutorial::check_names(&files, directory)?;
    }
    let total_bytes = files.iter().map(|source| source.file.bytes).sum();
    let shard_bytes = args
        .shard_size
        .unwrap_or_else(|| default_shard_bytes(total_bytes));
    let policy = ShardPolicy {
        shard_bytes,
        one_file_a_shard: args.answer.per_file,
        uncut: args.tutorial_output.is_some(),
    };
    let mut cuts_of_files = Vec::with_capacity(files.len());
    for source in &files {
        let nominal = nominal_cuts(source.file.bytes, &policy);
        cuts_of_files.push(match cuts {
            Cuts::Real if !nominal.is_empty() => real_cuts(source, &nominal, settings)?,
            _ => nominal,
        });
    }
    let plan_files: Vec<_> = files.iter().map(|source| source.file.clone()).collect();
    let shards = plan_shards(&plan_files, &cuts_of_files, &policy)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let run = RunId::new(clock::now(), rand::random());
    let run_settings = RunSettings {
        words: settings.words.to_string(),
        keep_case: args.answer.keep_case,
        tutorial_rows: args.tutorial_output.is_some().then_some(args.answer.top),
        nodes: nodes_of(args),
        retries: args.retries,
        ttl: args.ttl,
        program_sha256: program.sha256.clone(),
    };
    let plan = plan_run(run, shards, &run_settings);
    Ok(Prepared {
        plan,
        files,
        settings,
        filters,
        program,
        shard_bytes,
        left_out_count: left_out.len() as u64,
        left_out,
    })
}

fn nodes_of(args: &SubmitArgs) -> Option<u32> {
    #[cfg(feature = "emulator")]
    if let Some(nodes) = args.local.filter(|nodes| *nodes > 0) {
        return Some(nodes);
    }
    args.nodes
}

/// Finds the files, copies what comes through pipes, and reads the first bytes of each.
fn find_sources(
    args: &SubmitArgs,
    scratch: &Path,
) -> Result<(Vec<Source>, Vec<InputFailure>), Failure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let found = input::find_inputs(&args.inputs, threads)?;
    let mut left_out = found.failures;
    let mut sources = Vec::with_capacity(found.files.len());
    for (index, file) in found.files.into_iter().enumerate() {
        let path = file.path.clone();
        let checked = match file.kind {
            InputKind::Regular => Ok(Source {
                read_from: std::path::absolute(&path).unwrap_or_else(|_| path.clone()),
                spooled: false,
                file: InputFile {
                    path: file.path,
                    bytes: file.bytes,
                    modified: file.modified,
                },
            }),
            InputKind::Stream | InputKind::Stdin => spool(
                file.path,
                file.kind,
                &scratch.join(format!("input-{index}")),
            ),
        }
        .map_err(InputError::Read)
        .and_then(|source| check_start(&source).map(|()| source));
        match checked {
            Ok(source) => sources.push(source),
            Err(source) => left_out.push(InputFailure { path, source }),
        }
    }
    if !left_out.is_empty() && !args.answer.allow_partial {
        let mut lines: Vec<String> = left_out.iter().map(describe).collect();
        let count = lines.len();
        lines.truncate(10);
        let more = if count > 10 {
            format!("\n  and {} more", count - 10)
        } else {
            String::new()
        };
        let message = format!(
            "{count} of the inputs cannot be counted:\n  {}{more}",
            lines.join("\n  ")
        );
        return Err(Failure::message(Exit::Incomplete, message)
            .hint("mend or leave them out, or use --allow-partial for an answer without them"));
    }
    if sources.is_empty() {
        return Err(Failure::message(
            Exit::Incomplete,
            "none of the inputs can be counted",
        ));
    }
    Ok((sources, left_out))
}

/// One line for a file that cannot be counted.
pub(crate) fn describe(failure: &InputFailure) -> String {
    let mut text = failure.to_string();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Copies the bytes of a pipe, a device or stdin to `to`, so that they have a size and can be read again.
fn spool(path: PathBuf, kind: InputKind, to: &Path) -> io::Result<Source> {
    let mut out = File::create_new(to)?;
    let bytes = match kind {
        InputKind::Stdin => io::copy(&mut io::stdin().lock(), &mut out)?,
        InputKind::Regular | InputKind::Stream => io::copy(&mut File::open(&path)?, &mut out)?,
    };
    let modified = out.metadata()?.modified().ok();
    Ok(Source {
        file: InputFile {
            path,
            bytes,
            modified,
        },
        read_from: to.to_owned(),
        spooled: true,
    })
}

fn check_start(source: &Source) -> Result<(), InputError> {
    let mut start = Vec::with_capacity(input::START_BYTES);
    File::open(&source.read_from)
        .and_then(|file| file.take(input::START_BYTES as u64).read_to_end(&mut start))
        .map_err(InputError::Read)?;
    input::check_start(&start).map(drop)
}

fn real_cuts(
    source: &Source,
    nominal: &[u64],
    settings: CountSettings,
) -> Result<Vec<u64>, Failure> {
    File::open(&source.read_from)
        .and_then(|file| find_cuts(&file, source.file.bytes, nominal, settings.words))
        .map_err(|error| {
            Failure::new(Exit::LocalIo, error).context(format!(
                "looking for places to cut `{}`",
                source.file.path.display()
            ))
        })
}

/// Checks that `source` still has the size and the time of change that it had when the run was planned.
///
/// # Errors
/// Exit 9 when it changed or is gone.
pub(crate) fn check_unchanged(source: &Source) -> Result<(), Failure> {
    let path = source.file.path.display();
    let now = std::fs::metadata(&source.read_from).map_err(|error| {
        Failure::new(Exit::LocalIo, error).context(format!("input `{path}` is gone"))
    })?;
    if now.len() != source.file.bytes {
        let message = format!(
            "input `{path}` changed during the run: {} bytes when it began, {} now",
            source.file.bytes,
            now.len()
        );
        return Err(Failure::message(Exit::LocalIo, message));
    }
    if now.modified().ok() != source.file.modified {
        return Err(Failure::message(
            Exit::LocalIo,
            format!("input `{path}` was written to during the run"),
        ));
    }
    Ok(())
}
