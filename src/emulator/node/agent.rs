//! One attempt at a task on a node: resource files, process, output files, and what failed.
//!
//! Retries, slots and states are up to `batch`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::fetch::{Resource, download_failed, fetch};
use super::process::{Processes, Program};
use super::upload::{Output, upload, upload_failed};
use super::words::split_words;
use crate::emulator::clock::Clock;

/// How long a node waits for a connection to storage, and for each part of an answer.
const HTTP_TIMEOUT: Duration = Duration::from_secs(60);
/// Exit code of a process that was killed because its time was over: 128 and SIGKILL.
const EXIT_CODE_KILLED: i32 = 137;

/// What runs tasks: an HTTP client and the processes that it started.
#[derive(Debug)]
pub(in crate::emulator) struct Agent {
    pub(super) client: reqwest::Client,
    processes: Processes,
    clock: Arc<Clock>,
}

/// Everything that an attempt needs to know.
#[derive(Debug)]
pub(in crate::emulator) struct Spec {
    pub(in crate::emulator) command_line: String,
    pub(in crate::emulator) resources: Vec<Resource>,
    pub(in crate::emulator) outputs: Vec<Output>,
    /// All variables of the process, later ones over earlier ones.
    pub(in crate::emulator) environment: Vec<(String, String)>,
    /// The node's directory; nothing is written outside.
    pub(in crate::emulator) root: PathBuf,
    /// The task's directory: `stdout.txt`, `stderr.txt`, `wd/`.
    pub(in crate::emulator) directory: PathBuf,
    pub(in crate::emulator) wall_clock_max: Option<Duration>,
    /// Whether a non-zero exit code will be tried again, so that outputs wait.
    pub(in crate::emulator) is_retried: bool,
    /// How its files fail by a fault.
    pub(in crate::emulator) faults: FileFaults,
    /// What it does instead of running a process.
    pub(in crate::emulator) simulation: Option<Simulation>,
}

/// A process that does not run.
#[derive(Debug, Clone, Copy)]
pub(in crate::emulator) struct Simulation {
    /// How long it takes.
    pub(in crate::emulator) duration: Duration,
    pub(in crate::emulator) exit_code: i32,
}

/// Codes with which the files of a task fail on demand.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::emulator) struct FileFaults {
    pub(in crate::emulator) fetch: Option<&'static str>,
    pub(in crate::emulator) upload: Option<&'static str>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Default)]
pub(in crate::emulator) struct Outcome {
    /// Exit code of the process, if it ever ran.
    pub(in crate::emulator) exit_code: Option<i32>,
    /// What went wrong; `None` for success.
    pub(in crate::emulator) failure: Option<Failure>,
    /// What the process used.
    pub(in crate::emulator) usage: Usage,
}

/// Processor time of a process and of its children that it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::emulator) struct Usage {
    pub(in crate::emulator) user: Duration,
    pub(in crate::emulator) kernel: Duration,
}

/// Why an attempt failed, as `failureInfo` tells it.
#[derive(Debug, Clone)]
pub(in crate::emulator) struct Failure {
    pub(in crate::emulator) stage: Stage,
    pub(in crate::emulator) category: &'static str,
    pub(in crate::emulator) code: &'static str,
    pub(in crate::emulator) message: String,
    pub(in crate::emulator) details: Vec<(&'static str, String)>,
}

/// When an attempt failed: exit conditions and retries depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emulator) enum Stage {
    /// Before the process ran.
    Before,
    /// By a non-zero exit code.
    Exit,
    /// Ended from outside, by a limit or a request.
    Ended,
    /// While output files were uploaded.
    Upload,
}

impl Failure {
    pub(super) fn new(stage: Stage, code: &'static str, message: &str) -> Self {
        Self {
            stage,
            category: "UserError",
            code,
            message: message.to_owned(),
            details: Vec::new(),
        }
    }

    pub(super) fn server(mut self) -> Self {
        self.category = "ServerError";
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// The failure of a process by its exit code.
    pub(in crate::emulator) fn exit() -> Self {
        Self::new(
            Stage::Exit,
            "FailureExitCode",
            "The task exited with an exit code representing a failure",
        )
        .with(
            "Message",
            "The task process exited with an unexpected exit code",
        )
        .with("AdditionalErrorCode", "FailureExitCode")
    }

    /// The failure of a task that was ended by a request.
    pub(in crate::emulator) fn ended() -> Self {
        Self::new(Stage::Ended, "TaskEnded", "Task was ended by user request")
    }
}

/// Tells an attempt to end. A dropped sender does not.
pub(in crate::emulator) type Cancel = watch::Receiver<bool>;

impl Agent {
    /// An agent without processes.
    ///
    /// # Errors
    /// If the HTTP client cannot be made.
    pub(in crate::emulator) fn new(clock: &Arc<Clock>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(HTTP_TIMEOUT)
            .read_timeout(HTTP_TIMEOUT)
            // Nothing of the caller's environment reaches a node.
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            processes: Processes::default(),
            clock: Arc::clone(clock),
        })
    }

    /// Runs one attempt; `None` if `cancel` ended it, after its processes are gone.
    pub(in crate::emulator) async fn run(
        &self,
        spec: &Spec,
        mut cancel: Cancel,
    ) -> Option<Outcome> {
        tokio::select! {
            biased;
            () = cancelled(&mut cancel) => None,
            outcome = self.attempt(spec) => Some(outcome),
        }
    }

    /// Kills every process that this agent started.
    pub(in crate::emulator) fn kill_all(&self) {
        self.processes.kill_all();
    }

    async fn attempt(&self, spec: &Spec) -> Outcome {
        match spec.simulation {
            Some(simulation) => self.simulate(spec, simulation).await,
            // Boxed, so that a simulated task is not as large as a real one.
            None => Box::pin(self.work(spec)).await,
        }
    }

    /// What would be told of a process that takes so long and ends so; files neither come nor go.
    async fn simulate(&self, spec: &Spec, simulation: Simulation) -> Outcome {
        if let Some(code) = spec.faults.fetch {
            return Outcome {
                failure: Some(download_failed(code)),
                ..Outcome::default()
            };
        }
        let limit = spec
            .wall_clock_max
            .filter(|limit| *limit < simulation.duration);
        self.clock.sleep(limit.unwrap_or(simulation.duration)).await;
        if limit.is_some() {
            return Outcome {
                exit_code: Some(EXIT_CODE_KILLED),
                failure: Some(out_of_time()),
                ..Outcome::default()
            };
        }
        let failure = (simulation.exit_code != 0).then(Failure::exit);
        Outcome {
            exit_code: Some(simulation.exit_code),
            failure: failure.or_else(|| spec.faults.upload.map(upload_failed)),
            ..Outcome::default()
        }
    }

    async fn work(&self, spec: &Spec) -> Outcome {
        let (exit_code, usage) = match self.run_process(spec).await {
            Ok(ended) => ended,
            Err(outcome) => return outcome,
        };
        let mut failure = (exit_code != 0).then(Failure::exit);
        if exit_code == 0 || !spec.is_retried {
            let uploaded = match spec.faults.upload {
                Some(code) => Err(upload_failed(code)),
                None => upload(&self.client, spec, exit_code == 0).await,
            };
            failure = failure.or(uploaded.err());
        }
        Outcome {
            exit_code: Some(exit_code),
            failure,
            usage,
        }
    }

    /// What `future` gives, or `None` at `limit`.
    async fn within<T>(
        &self,
        limit: Option<OffsetDateTime>,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        match limit {
            Some(limit) => tokio::select! {
                biased;
                given = future => Some(given),
                () = self.clock.sleep_until(limit) => None,
            },
            None => Some(future.await),
        }
    }

    async fn fetch_all(&self, spec: &Spec, limit: Option<OffsetDateTime>) -> Result<(), Failure> {
        if let Some(code) = spec.faults.fetch {
            return Err(download_failed(code));
        }
        for resource in &spec.resources {
            self.within(limit, fetch(&self.client, resource, spec))
                .await
                .unwrap_or_else(|| Err(out_of_time()))?;
        }
        Ok(())
    }

    /// From making directories to the exit code, with what the process used.
    async fn run_process(&self, spec: &Spec) -> Result<(i32, Usage), Outcome> {
        let before = |failure: Failure| Outcome {
            failure: Some(failure),
            ..Outcome::default()
        };
        let (stdout, stderr) = prepare(&spec.directory).map_err(|error| {
            before(
                Failure::new(
                    Stage::Before,
                    "ResourceDirectoryCreateFailed",
                    "The directory of the task could not be created",
                )
                .with("Message", error.to_string()),
            )
        })?;
        let limit = spec.wall_clock_max.map(|limit| {
            let limit = limit.try_into().unwrap_or(time::Duration::MAX);
            self.clock.now().saturating_add(limit)
        });
        self.fetch_all(spec, limit).await.map_err(before)?;
        let words = split_words(&spec.command_line).ok_or_else(|| {
            before(
                Failure::new(
                    Stage::Before,
                    "CommandLaunchFailed",
                    "Failed to launch the specified command line",
                )
                .with(
                    "Message",
                    "The command line is empty or a quotation in it does not end",
                ),
            )
        })?;
        let program = Program {
            words: &words,
            environment: &spec.environment,
            directory: &spec.directory.join("wd"),
            stdout,
            stderr,
        };
        let launch = |error: std::io::Error| {
            let (code, message) = match error.kind() {
                std::io::ErrorKind::NotFound => (
                    "CommandProgramNotFound",
                    "The specified command program is not found",
                ),
                _ => (
                    "CommandLaunchFailed",
                    "Failed to launch the specified command line",
                ),
            };
            before(Failure::new(Stage::Before, code, message).with("Message", error.to_string()))
        };
        let mut running = self.processes.spawn(program).await.map_err(launch)?;
        match self.within(limit, running.wait()).await {
            Some(ended) => ended.map_err(launch),
            None => {
                running.kill();
                let ended = running.wait().await;
                Err(Outcome {
                    exit_code: Some(EXIT_CODE_KILLED),
                    failure: Some(out_of_time()),
                    usage: ended.map(|(_, usage)| usage).unwrap_or_default(),
                })
            }
        }
    }
}

fn out_of_time() -> Failure {
    Failure::new(
        Stage::Ended,
        "TaskEnded",
        "Task reached its maximum wall clock time and was ended",
    )
    .server()
}

/// Returns when `cancel` turns true; never if its sender is gone.
async fn cancelled(cancel: &mut Cancel) {
    if cancel.wait_for(|is_cancelled| *is_cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Makes the task's directory and opens its two output files, empty.
fn prepare(directory: &Path) -> std::io::Result<(File, File)> {
    std::fs::create_dir_all(directory.join("wd"))?;
    Ok((
        File::create(directory.join("stdout.txt"))?,
        File::create(directory.join("stderr.txt"))?,
    ))
}
