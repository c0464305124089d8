//! The command line of `fanout`: commands and flags, read by clap.
//!
//! It runs nothing. A flag that does not work does not exist.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kernel::cli::{AnswerArgs, CountArgs};
use kernel::render::Format;

#[cfg(feature = "emulator")]
use crate::commands::EmulateArgs;
use crate::exit;
use crate::progress::ProgressMode;
use crate::quantity::{read_duration, read_size};
use crate::settings::ServiceArgs;

/// Exact top-N word counts of text, on one machine or on a thousand Azure Batch nodes, leaving nothing behind.
#[derive(Debug, Parser)]
#[command(name = "fanout", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of `fanout`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count words here: the kernel, the same as `topn`
    Count(Box<CountArgs>),
    /// Print everything that `submit` would do; touches nothing
    Plan(Box<SubmitArgs>),
    /// Count words on a Batch pool: stage, run, fetch, merge, print, clean up
    Submit(Box<SubmitArgs>),
    /// Take up a run whose client is gone, and finish it
    Resume(ResumeArgs),
    /// Show how far one run is
    Status(StatusArgs),
    /// Print what a task of a run printed, or the start tasks of its nodes
    Logs(LogsArgs),
    /// List the runs: those with a record here and those in the account
    Ls(LsArgs),
    /// Follow a run until its tasks have ended; changes nothing
    Watch(WatchArgs),
    /// Print the answer of a run whose tasks have ended, as often as wanted; changes nothing
    Fetch(FetchArgs),
    /// Stop a run and remove what it left in the account; its record stays
    Cancel(CleanArgs),
    /// Remove what one run left: its job, pool and containers, and its record
    Clean(CleanArgs),
    /// Find what runs left in the account, and remove it with --yes
    Gc(GcArgs),
    /// An embedded Azure Batch and Blob service on this machine, for `fanout` or any other client
    #[cfg(feature = "emulator")]
    Emulate(EmulateArgs),
}

/// Flags of `plan` and `submit`.
#[derive(Debug, Clone, Args)]
pub struct SubmitArgs {
    /// Files, directories, or `-` for stdin
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,
    /// What is counted and what is shown.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// Run on an embedded Batch and Blob service on this machine, with NODES nodes: no account, no network
    #[cfg(feature = "emulator")]
    #[arg(long, value_name = "NODES", num_args = 0..=1, require_equals = true, default_missing_value = "0",
        conflicts_with_all = ["batch_endpoint", "batch_account", "storage_endpoint", "storage_account", "detach"])]
    pub local: Option<u32>,
    /// Where the run takes place.
    #[command(flatten)]
    pub services: ServiceArgs,
    /// Nodes of the pool [default: as many as there are shards, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub nodes: Option<u32>,
    /// Size of a node
    #[arg(long, value_name = "SIZE", default_value = "standard_d2s_v5")]
    pub vm_size: String,
    /// Bytes of text a task counts [default: a sixteenth of the input, between 1 MiB and 256 MiB]
    #[arg(long, value_name = "SIZE", value_parser = read_size)]
    pub shard_size: Option<u64>,
    /// The `topn` that nodes run [default: `topn` beside this program; on loopback this program itself]
    #[arg(long, value_name = "FILE")]
    pub topn: Option<PathBuf>,
    /// How long the run may take, from its plan to its answer
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = read_duration)]
    pub ttl: Duration,
    /// How often a failed task is tried again
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(..=100))]
    pub retries: u32,
    /// Stop at the first failed task
    #[arg(long)]
    pub fail_fast: bool,
    /// Stop when more than N nodes cannot run a task [default: when none can]
    #[arg(long, value_name = "N")]
    pub max_bad_nodes: Option<u32>,
    /// Wait so long for the account's quota of active jobs to have room [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = read_duration)]
    pub wait_quota: Option<Duration>,
    /// End when the tasks are added, and print the run's id: `watch` follows the run, `resume` brings its answer
    #[arg(long)]
    pub detach: bool,
    /// What to leave in the account after the run: any of pool, job, blobs
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub keep: Vec<Keep>,
    /// Write the tutorial's text for each file, made by its task, to `DIR/STEM_OUTPUT.EXT`
    #[arg(long, value_name = "DIR")]
    pub tutorial_output: Option<PathBuf>,
    /// How and how much is told.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// How and how much is told on stderr.
#[derive(Debug, Clone, Default, Args)]
pub struct TalkArgs {
    /// Only errors
    #[arg(short = 'q', long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// More detail
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// How progress is shown on stderr
    #[arg(long, value_name = "MODE", default_value = "auto", value_enum)]
    pub progress: ProgressMode,
}

/// What a run may leave in the account when asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Keep {
    /// The pool: its nodes go some minutes after the last task, and at the deadline.
    Pool,
    /// The job and its tasks.
    Job,
    /// The three containers.
    Blobs,
}

/// Flags of `resume`.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// The run's id, as `submit` told it
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Give the run so long from now, also when its time is over [default: what is left of its time]
    #[arg(long, value_name = "DURATION", value_parser = read_duration)]
    pub ttl: Option<Duration>,
    /// Print an answer although some tasks failed (exit 5 all the same)
    #[arg(long)]
    pub allow_partial: bool,
    /// Format of the answer [default: table on a terminal, tsv off it]
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// Where the run takes place [default: where its record says].
    #[command(flatten)]
    pub services: ServiceArgs,
    /// How and how much is told.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// Flags of `status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// The run's id, as `submit` told it
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Format of the status
    #[arg(
        short = 'o',
        long,
        value_name = "FORMAT",
        default_value = "table",
        value_enum
    )]
    pub format: ListFormat,
    /// Where the run takes place [default: where its record says].
    #[command(flatten)]
    pub services: ServiceArgs,
}

/// Flags of `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// The run's id, as `submit` told it
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The task; without one the start tasks of the nodes
    #[arg(value_name = "TASK", value_parser = clap::value_parser!(u64).range(1..))]
    pub task: Option<u64>,
    /// Where the run takes place.
    #[command(flatten)]
    pub services: ServiceArgs,
}

/// Flags of `ls`.
#[derive(Debug, Clone, Args)]
pub struct LsArgs {
    /// Format of the list
    #[arg(
        short = 'o',
        long,
        value_name = "FORMAT",
        default_value = "table",
        value_enum
    )]
    pub format: ListFormat,
    /// The account to look into; without one only the records here are listed.
    #[command(flatten)]
    pub services: ServiceArgs,
}

/// Flags of `gc`.
#[derive(Debug, Clone, Args)]
pub struct GcArgs {
    /// Only this run, also when it may still be alive
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Remove what is past its deadline, or the run that is named
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Format of the list
    #[arg(
        short = 'o',
        long,
        value_name = "FORMAT",
        default_value = "table",
        value_enum
    )]
    pub format: ListFormat,
    /// The account to look into.
    #[command(flatten)]
    pub services: ServiceArgs,
    /// How and how much is told.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// Forms of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// One object.
    Json,
}

/// Flags of `fetch`.
#[derive(Debug, Clone, Args)]
pub struct FetchArgs {
    /// The run's id, as `submit` told it
    #[arg(value_name = "RUN")]
    pub run: String,
    /// How many words; 0 for all [default: as the run was asked]
    #[arg(short = 'n', long, value_name = "N")]
    pub top: Option<u64>,
    /// Print an answer although some tasks failed (exit 5 all the same)
    #[arg(long)]
    pub allow_partial: bool,
    /// Format of the answer [default: table on a terminal, tsv off it]
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// Where the run takes place [default: where its record says]; needed only while the answer is not on this machine.
    #[command(flatten)]
    pub services: ServiceArgs,
    /// How and how much is told.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// Flags of `watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// The run's id, as `submit` told it
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Where the run takes place [default: where its record says].
    #[command(flatten)]
    pub services: ServiceArgs,
    /// How and how much is told.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// Flags of `clean` and `cancel`.
#[derive(Debug, Clone, Args)]
pub struct CleanArgs {
    /// The run's id, as `submit` told it
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Where the run took place.
    #[command(flatten)]
    pub services: ServiceArgs,
    /// How and how much is told.
    #[command(flatten)]
    pub talk: TalkArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[cfg(feature = "emulator")]
    #[test]
    fn local_takes_its_number_of_nodes_only_with_an_equals_sign() {
        let local = |line| match parse(line).unwrap().command {
            Command::Submit(args) => (args.local, args.inputs.len()),
            _ => unreachable!("a submit was parsed"),
        };
        assert_eq!(local("fanout submit --local data"), (Some(0), 1));
        assert_eq!(local("fanout submit --local=3 data"), (Some(3), 1));
        assert_eq!(local("fanout submit data"), (None, 1));
        parse("fanout submit --local --batch-endpoint http://127.0.0.1:1 data").unwrap_err();
    }

    #[test]
    fn wrong_values_are_refused_with_what_is_accepted() {
        for (line, says) in [
            ("fanout submit", "INPUT"),
            ("fanout submit --shard-size 0 a", "256MiB"),
            ("fanout submit --ttl never a", "30m"),
            ("fanout submit --nodes 0 a", "1..=10000"),
            ("fanout submit --words letters a", "alpha"),
            ("fanout submit --keep money a", "pool"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
