//! What the nodes are told: the command lines of the start task and of every map task, and the files they make.
//!
//! Everything in a command line comes from here: ids, numbers and names of modes. A user's path, a secret or a stop word
//! never does.

use std::time::Duration;

use super::names::RunId;
use super::shards::Shard;

/// The program's file name on a node.
pub(crate) const PROGRAM_NAME: &str = "topn";

/// The partial's file name in a task's working directory.
const PARTIAL_NAME: &str = "partial";

/// The file name of the tutorial's output in a task's working directory.
const TUTORIAL_NAME: &str = "tutorial.txt";

/// What of the user's wishes shapes a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// The name of the word mode, as `--words` takes it.
    pub words: String,
    /// Words are counted as written.
    pub keep_case: bool,
    /// Rows of a tutorial output; none is made when absent.
    pub tutorial_rows: Option<u64>,
    /// Nodes wished for; the plan takes no more than there are shards.
    pub nodes: Option<u32>,
    /// How often a failed task is tried again.
    pub retries: u32,
    /// How long the run may take.
    pub ttl: Duration,
    /// SHA-256 of the program, in lower-case hexadecimal digits.
    pub program_sha256: String,
}

/// Nodes of a run unless the user says otherwise: quotas of new accounts are small.
const NODES_DEFAULT: u32 = 4;

/// A file that a task makes and that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskOutput {
    /// All counts of the shard, when the task succeeds.
    Partial,
    /// The text of the tutorial's sample, when the task succeeds.
    Tutorial,
    /// What the task printed, however it ends.
    Streams,
}

impl TaskOutput {
    /// The pattern of its files on the node, relative to the task's working directory.
    #[must_use]
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Partial => PARTIAL_NAME,
            Self::Tutorial => TUTORIAL_NAME,
            Self::Streams => "../std*.txt",
        }
    }

    /// Where it goes in the container `RUN-out`: the blob for one file, a directory for a pattern.
    #[must_use]
    pub fn blob_path(self, task_id: u64) -> String {
        match self {
            Self::Partial => format!("{task_id}/{PARTIAL_NAME}"),
            Self::Tutorial => format!("{task_id}/{TUTORIAL_NAME}"),
            Self::Streams => format!("{task_id}"),
        }
    }

    /// Whether it is kept only when the task succeeds.
    #[must_use]
    pub fn needs_success(self) -> bool {
        self != Self::Streams
    }
}

/// One map task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPlan {
    /// 1 to M; also the shard's number.
    pub id: u64,
    /// What is run, through `/bin/sh`.
    pub command_line: String,
    /// Prefix of its blobs in `RUN-in`.
    pub blob_prefix: String,
    /// What is kept of it.
    pub outputs: Vec<TaskOutput>,
}

/// A run: everything that does not depend on the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPlan {
    /// The run's id; pool and job have the same name.
    pub run: RunId,
    /// Nodes of the pool: at least 1.
    pub nodes: u32,
    /// The shards, numbered from 1.
    pub shards: Vec<Shard>,
    /// The start task's command line.
    pub start_command_line: String,
    /// One task a shard, in the same order.
    pub tasks: Vec<TaskPlan>,
    /// How often a failed task is tried again.
    pub retries: u32,
    /// How long the run may take.
    pub ttl: Duration,
}

/// Plans the run `run` over `shards`.
///
/// Cost: O(shards) time and memory.
#[must_use]
pub fn plan_run(run: RunId, shards: Vec<Shard>, settings: &RunSettings) -> RunPlan {
    let tasks = shards
        .iter()
        .map(|shard| plan_task(&run, shard, settings))
        .collect();
    let wanted = settings.nodes.unwrap_or(NODES_DEFAULT).max(1);
    let nodes = u32::try_from(shards.len()).map_or(wanted, |count| wanted.min(count.max(1)));
    RunPlan {
        nodes,
        start_command_line: start_command_line(&run, &settings.program_sha256),
        tasks,
        shards,
        retries: settings.retries,
        ttl: settings.ttl,
        run,
    }
}

/// Where the program lies on a node, for a shell there.
fn program_path(run: &RunId) -> String {
    format!("\"$AZ_BATCH_NODE_SHARED_DIR/{run}/{PROGRAM_NAME}\"")
}

/// Checks the program's hash, installs it in the shared directory, and runs it once.
///
/// It is renamed into place, so that a start task that is repeated never leaves half a program.
fn start_command_line(run: &RunId, program_sha256: &str) -> String {
    format!(
        "/bin/sh -c 'set -e; d=\"$AZ_BATCH_NODE_SHARED_DIR/{run}\"; \
         echo \"{program_sha256}  {PROGRAM_NAME}\" | sha256sum -c -; mkdir -p \"$d\"; \
         cp {PROGRAM_NAME} \"$d/{PROGRAM_NAME}.new\"; chmod 0755 \"$d/{PROGRAM_NAME}.new\"; \
         mv \"$d/{PROGRAM_NAME}.new\" \"$d/{PROGRAM_NAME}\"; \"$d/{PROGRAM_NAME}\" --version'"
    )
}

fn plan_task(run: &RunId, shard: &Shard, settings: &RunSettings) -> TaskPlan {
    let id = shard.number;
    let blob_prefix = format!("{id}/");
    let keep_case = if settings.keep_case {
        " --keep-case"
    } else {
        ""
    };
    let slice = if shard.is_later_slice() {
        " --slice"
    } else {
        ""
    };
    let tutorial = settings.tutorial_rows.map_or_else(String::new, |rows| {
        format!(" --top {rows} --tutorial-output {TUTORIAL_NAME}")
    });
    let mut outputs = vec![TaskOutput::Partial, TaskOutput::Streams];
    if settings.tutorial_rows.is_some() {
        outputs.push(TaskOutput::Tutorial);
    }
    let command_line = format!(
        "/bin/sh -c 'exec {} --words {}{keep_case} --progress none --partial {PARTIAL_NAME} --shard {}{slice}{tutorial} in/{id}'",
        program_path(run),
        settings.words,
        run.shard_id(id)
    );
    TaskPlan {
        id,
        command_line,
        blob_prefix,
        outputs,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::plan::{InputFile, ShardPolicy, nominal_cuts, plan_shards};

    fn plan(sizes: &[u64], settings: &RunSettings) -> RunPlan {
        let policy = ShardPolicy {
            shard_bytes: 100,
            one_file_a_shard: false,
            uncut: false,
        };
        let files: Vec<_> = sizes
            .iter()
            .map(|bytes| InputFile {
                path: "it's $(rm)".into(),
                bytes: *bytes,
                modified: None,
            })
            .collect();
        let cuts: Vec<_> = sizes
            .iter()
            .map(|bytes| nominal_cuts(*bytes, &policy))
            .collect();
        let shards = plan_shards(&files, &cuts, &policy).unwrap();
        plan_run(
            RunId::new(datetime!(2026-11-22 09:15:30 UTC), 0),
            shards,
            settings,
        )
    }

    fn settings() -> RunSettings {
        RunSettings {
            words: "unicode".to_owned(),
            keep_case: false,
            tutorial_rows: None,
            nodes: None,
            retries: 2,
            ttl: Duration::from_secs(7200),
            program_sha256: "ab".repeat(32),
        }
    }

    #[test]
    fn a_task_counts_its_shard_and_keeps_its_partial_and_streams() {
        let plan = plan(&[150], &settings());
        assert_eq!(
            plan.tasks[1].command_line,
            "/bin/sh -c 'exec \"$AZ_BATCH_NODE_SHARED_DIR/fo-20261122t091530z-aaaaaa/topn\" --words unicode \
             --progress none --partial partial --shard fo-20261122t091530z-aaaaaa.2 --slice in/2'"
        );
        assert_eq!(plan.tasks[1].blob_prefix, "2/");
        assert_eq!(
            plan.tasks[1].outputs,
            [TaskOutput::Partial, TaskOutput::Streams]
        );
        assert!(!plan.tasks[0].command_line.contains("--slice"));
    }

    #[test]
    fn a_tutorial_output_is_made_by_the_task() {
        let plan = plan(
            &[10],
            &RunSettings {
                tutorial_rows: Some(3),
                keep_case: true,
                ..settings()
            },
        );
        let line = &plan.tasks[0].command_line;
        assert!(
            line.ends_with(" --top 3 --tutorial-output tutorial.txt in/1'"),
            "{line}"
        );
        assert!(line.contains(" --words unicode --keep-case "), "{line}");
        assert!(plan.tasks[0].outputs.contains(&TaskOutput::Tutorial));
    }

    #[test]
    fn there_are_never_more_nodes_than_shards_and_at_least_one() {
        assert_eq!(plan(&[1000], &settings()).nodes, 4);
        assert_eq!(plan(&[150], &settings()).nodes, 2);
        assert_eq!(plan(&[0], &settings()).nodes, 1);
        assert_eq!(
            plan(
                &[1000],
                &RunSettings {
                    nodes: Some(7),
                    ..settings()
                }
            )
            .nodes,
            7
        );
        assert_eq!(
            plan(
                &[1000],
                &RunSettings {
                    nodes: Some(0),
                    ..settings()
                }
            )
            .nodes,
            1
        );
    }

    #[test]
    fn no_byte_of_a_path_reaches_a_command_line() {
        let plan = plan(&[150, 20], &settings());
        for line in plan
            .tasks
            .iter()
            .map(|task| &task.command_line)
            .chain([&plan.start_command_line])
        {
            assert!(!line.contains("rm") || line.contains("chmod"), "{line}");
            assert!(!line.contains("it's"), "{line}");
            assert_eq!(line.matches('\'').count(), 2, "{line}");
        }
    }
}
