//! Step 7: the partials come back, are verified and added up, and the answer is printed.
//!
//! No answer from part of the data: a partial that is missing, foreign or short is an error. Reading and adding partials
//! is the kernel's; which ones belong to the run is the plan's.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use futures::stream::{self, StreamExt, TryStreamExt};
use kernel::partial::{PartialReader, Totals};
use kernel::render::Answer;
use kernel::top::TopBuilder;

use super::autopsy::tail;
use super::merge::Merge;
use super::prepare::Prepared;
use super::stage::from_transfer;
use super::tutorial;
use super::watch::{FailedTask, ended_tasks};
use crate::azure::storage::{DownloadOptions, Storage, TransferError};
use crate::cli::SubmitArgs;
use crate::commands::clients::Clients;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::{PartialCheck, Shard, TaskOutput, check_partial};
use crate::progress::{Narrator, Unit};
use crate::record::StateDirectory;

/// Partials under way at once.
const PARTIALS_PARALLEL: usize = 8;

/// Failed tasks whose output is shown.
const AUTOPSIES_MAX: usize = 3;

/// The end of a failed task's output that is read: the whole of what `topn` ever prints.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Brings the answer of a run home.
#[derive(Debug)]
pub(super) struct Fetch<'a> {
    /// The account.
    pub(super) storage: &'a Storage,
    /// What the user wants.
    pub(super) args: &'a SubmitArgs,
    /// What was planned.
    pub(super) prepared: &'a Prepared,
    /// Where progress is told.
    pub(super) narrator: &'a Narrator,
    /// Where partials are put; made here.
    pub(super) directory: PathBuf,
    /// Where merged partials are kept, for a run that has a record.
    pub(super) state: Option<&'a StateDirectory>,
}

/// What was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Per file where that is wanted, then the whole.
    pub(super) answers: Vec<Answer>,
    /// Whether anything is missing in them.
    pub(super) exit: Exit,
}

impl Fetch<'_> {
    /// Fetches and adds up, unless tasks failed and that is not allowed.
    ///
    /// # Errors
    /// Exit 5 for failed tasks or partials that are not those of the plan, 9 when a file cannot be written.
    pub(super) async fn answer(&self, failed: Vec<FailedTask>) -> Result<Fetched, Failure> {
        if !failed.is_empty() {
            let report = self.report(&failed).await;
            if !self.args.answer.allow_partial || failed.len() == self.prepared.plan.tasks.len() {
                return Err(Failure::message(Exit::Incomplete, report)
                    .hint("with --allow-partial there is an answer from the other tasks, if there are any"));
            }
            self.narrator.warn(report);
        }
        let lost: HashSet<u64> = failed.iter().map(|task| task.id).collect();
        let shards: Vec<&Shard> = self
            .prepared
            .plan
            .shards
            .iter()
            .filter(|shard| !lost.contains(&shard.number))
            .collect();
        self.narrator
            .step(7, "fetch", format_args!("{} partials", shards.len()));
        std::fs::create_dir_all(&self.directory).map_err(|error| {
            Failure::new(Exit::LocalIo, error).context("creating a directory for partials")
        })?;
        let bar = self.narrator.bar("fetch", shards.len() as u64, Unit::Tasks);
        stream::iter(&shards)
            .map(|shard| async {
                let fetched = self.partial(shard).await;
                bar.inc(1);
                fetched
            })
            .buffer_unordered(PARTIALS_PARALLEL)
            .try_collect::<()>()
            .await?;
        bar.finish_and_clear();
        if let Some(directory) = &self.args.tutorial_output {
            tutorial::fetch(self.storage, self.prepared, &shards, directory).await?;
        }
        let answers = self.add_up(&shards).await?;
        let complete = failed.is_empty() && self.prepared.left_out_count == 0;
        let exit = if complete {
            Exit::Done
        } else {
            Exit::Incomplete
        };
        Ok(Fetched { answers, exit })
    }

    /// Downloads the partial of `shard` and checks every byte and number of it.
    async fn partial(&self, shard: &Shard) -> Result<(), Failure> {
        let run = &self.prepared.plan.run;
        let number = shard.number;
        let name = TaskOutput::Partial.blob_path(number);
        let path = self.path_of(number);
        let options = DownloadOptions {
            parallel: 2,
            ..DownloadOptions::default()
        };
        let doing = move || format!("fetching the partial of task {number}");
        self.storage
            .download(&run.out_container(), &name, &path, options, &|_| ())
            .await
            .map_err(|error| match error {
                TransferError::Service(error) if error.is_not_found() => {
                    let message = format!("task {number} succeeded and left no partial");
                    Failure::new(Exit::Incomplete, anyhow::Error::new(error).context(message))
                }
                error => from_transfer(error).context(doing()),
            })?;
        let checked = tokio::task::spawn_blocking(move || read_partial(&path)).await;
        let check = checked
            .map_err(anyhow::Error::new)
            .and_then(|read| read)
            .map_err(|error| Failure::new(Exit::Incomplete, error).context(doing()))?;
        check_partial(run, shard, &check).map_err(|error| Failure::new(Exit::Incomplete, error))
    }

    fn path_of(&self, number: u64) -> PathBuf {
        self.directory.join(number.to_string())
    }

    /// Adds up, per file first where that is wanted.
    async fn add_up(&self, shards: &[&Shard]) -> Result<Vec<Answer>, Failure> {
        let merges = self.merges(shards);
        let work = move || {
            merges
                .into_iter()
                .map(Merge::answer)
                .collect::<Result<Vec<_>, _>>()
        };
        let answers = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Failure::new(Exit::Other, error).context("adding up"))??;
        if let Some(Answer { totals, .. }) = answers.last() {
            let Totals {
                words,
                distinct,
                inputs,
                ..
            } = totals;
            self.narrator.step(
                7,
                "merge",
                format_args!("{words} words, {distinct} different, in {inputs} files"),
            );
        }
        Ok(answers)
    }

    /// What is added up: each file that has all its shards, where that is wanted, then the whole.
    fn merges(&self, shards: &[&Shard]) -> Vec<Merge> {
        let mut merges = Vec::new();
        if self.args.answer.per_file {
            let fetched: HashSet<u64> = shards.iter().map(|shard| shard.number).collect();
            // Each shard has one file, and the shards of a file follow each other.
            let file_of = |shard: &Shard| shard.pieces.first().map(|piece| piece.file_index);
            for own in self
                .prepared
                .plan
                .shards
                .chunk_by(|a, b| file_of(a) == file_of(b))
            {
                let is_fetched = |shard: &&Shard| fetched.contains(&shard.number);
                let own_fetched: Vec<&Shard> = own.iter().filter(is_fetched).collect();
                let Some(index) = own
                    .first()
                    .and_then(file_of)
                    .filter(|_| own_fetched.len() == own.len())
                else {
                    // A file that lost a slice has no answer of its own.
                    continue;
                };
                let path = self.prepared.files[index]
                    .file
                    .path
                    .as_os_str()
                    .as_bytes()
                    .to_vec();
                merges.push(self.merge(&own_fetched, Some((index, path))));
            }
        }
        merges.push(self.merge(shards, None));
        merges
    }

    /// One answer of `shards`: of the file of that index and path, or of the whole.
    fn merge(&self, shards: &[&Shard], file: Option<(usize, Vec<u8>)>) -> Merge {
        let run = &self.prepared.plan.run;
        let (index, path) = file.map_or((None, None), |(index, path)| (Some(index), Some(path)));
        Merge {
            file: path,
            paths: shards
                .iter()
                .map(|shard| self.path_of(shard.number))
                .collect(),
            expected: shards
                .iter()
                .map(|shard| run.shard_id(shard.number))
                .collect(),
            top: TopBuilder::new(self.args.answer.top, self.prepared.filters.clone()),
            temp_dir: self.directory.clone(),
            settings: self.prepared.settings,
            keep: self
                .state
                .map(|state| (state.merged(run, index), run.to_string())),
        }
    }

    /// A container that is gone refuses what its policies would allow: then that is said.
    async fn missing_inputs(&self, cause: &str) -> String {
        let container = self.prepared.plan.run.in_container();
        let is_gone = cause.contains("AccessDenied")
            && self
                .storage
                .get_container_metadata(&container)
                .await
                .is_ok_and(|found| found.is_none());
        if is_gone {
            format!("; container {container} is not there any more")
        } else {
            String::new()
        }
    }

    /// What failed, with the end of what the first few printed.
    async fn report(&self, failed: &[FailedTask]) -> String {
        let plan = &self.prepared.plan;
        let mut text = format!("{} of {} tasks failed", failed.len(), plan.tasks.len());
        for task in failed.iter().take(AUTOPSIES_MAX) {
            text = format!("{text}\n  task {}: {}", task.id, task.cause);
            text.push_str(&self.missing_inputs(&task.cause).await);
            for stream in ["stdout.txt", "stderr.txt"] {
                let name = format!("{}/{stream}", TaskOutput::Streams.blob_path(task.id));
                let printed = self
                    .storage
                    .get_blob(&plan.run.out_container(), &name, OUTPUT_BYTES_MAX)
                    .await;
                if let Ok(Some(bytes)) = printed {
                    text.push_str(&tail(stream, &bytes).replace('\n', "\n  "));
                }
            }
        }
        if failed.len() > AUTOPSIES_MAX {
            text = format!("{text}\n  and {} more", failed.len() - AUTOPSIES_MAX);
        }
        text
    }
}

/// Prints the answer of a run that nobody merged yet, from its results in the account; the run stays as it is.
///
/// # Errors
/// Exit 1 while tasks have not ended, 5 when some failed or results are missing.
pub(crate) async fn fetch_unmerged(
    args: &SubmitArgs,
    prepared: &Prepared,
    clients: &Clients,
    narrator: &Narrator,
    scratch: &Path,
) -> Result<Exit, Failure> {
    let run = &prepared.plan.run;
    let failed = match ended_tasks(&clients.batch, &prepared.plan).await {
        // Without a job the results alone tell: each is whole or not there.
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(from_service(error)),
        Ok((ended, failed)) => {
            let all = prepared.plan.tasks.len();
            if ended < all {
                let message = format!("run {run} has no answer yet: {ended} of {all} tasks ended");
                return Err(Failure::message(Exit::Other, message).hint(format!(
                    "fanout watch {run} follows it, fanout resume {run} finishes it"
                )));
            }
            failed
        }
    };
    let fetch = Fetch {
        storage: &clients.storage,
        args,
        prepared,
        narrator,
        directory: scratch.join("partials"),
        state: None,
    };
    let fetched = fetch.answer(failed).await?;
    let view = args.answer.view(prepared.settings, &prepared.filters);
    kernel::cli::print(&view, &fetched.answers)?;
    Ok(fetched.exit)
}

/// Reads the partial at `path` to its end: every checksum and total of it is verified.
fn read_partial(path: &Path) -> anyhow::Result<PartialCheck> {
    let mut reader = PartialReader::new(File::open(path)?)?;
    while reader.advance()? {}
    let Totals { bytes, inputs, .. } = reader.totals().unwrap_or_default();
    Ok(PartialCheck {
        shard_id: reader.shard().to_owned(),
        bytes,
        inputs,
    })
}
