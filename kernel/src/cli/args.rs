//! The options of a count, for clap.
//!
//! What they do is in `run`.

use std::io;
use std::path::PathBuf;

use super::output::{columns, default_format};
use crate::error::CountError;
use crate::input::IoMode;
use crate::progress::ProgressMode;
use crate::render::{Format, View};
use crate::settings::{CountSettings, Filters, StopWords, WordMode};

/// The options that define an answer; `fanout submit` has them too.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AnswerArgs {
    /// How many words, the most frequent first; 0 is all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub top: u64,
    /// What a word is [default: unicode]
    #[arg(long, value_name = "MODE", value_enum)]
    pub words: Option<WordMode>,
    /// Keep words as written instead of lower-casing them
    #[arg(long)]
    pub keep_case: bool,
    /// Show only words of at least N characters
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_length: u64,
    /// Show no word of this file, one word a line
    #[arg(long, value_name = "FILE")]
    pub stop_words: Option<PathBuf>,
    /// One answer for each file found, then the whole
    #[arg(long)]
    pub per_file: bool,
    /// The form of the answer [default: table on a terminal, else tsv]
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// Print an answer although some input could not be read (exit code 5 all the same)
    #[arg(long)]
    pub allow_partial: bool,
}

/// The options of a count on this machine.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CountArgs {
    /// What defines the answer.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// How many threads count [default: the cores that this process may use]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// How files are reached
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub io: IoMode,
    /// Write all counts to FILE, the partial of one shard, instead of printing an answer
    #[arg(long, value_name = "FILE", conflicts_with = "per_file")]
    pub partial: Option<PathBuf>,
    /// The id of the shard in the partial [default: the name of FILE]
    #[arg(
        long,
        value_name = "ID",
        requires = "partial",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub shard: Option<String>,
    /// The input is a later slice of a file: look for no byte order mark or signature
    #[arg(long)]
    pub slice: bool,
    /// Add up partials instead of counting text
    #[arg(
        long,
        value_name = "PARTIAL",
        num_args = 1..,
        conflicts_with_all = ["paths", "slice", "per_file", "allow_partial"]
    )]
    pub merge: Vec<PathBuf>,
    /// Write the text of the Batch tutorial's task to FILE too
    #[arg(long, value_name = "FILE")]
    pub tutorial_output: Option<PathBuf>,
    /// How progress is shown on standard error
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub progress: ProgressMode,
    /// Files and directories; none, or `-`, is standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

impl AnswerArgs {
    /// What defines the counts.
    #[must_use]
    pub fn settings(&self) -> CountSettings {
        CountSettings::new(self.words.unwrap_or_default(), self.keep_case)
    }

    /// How the answer is shown on this process's standard output.
    #[must_use]
    pub fn view(&self, settings: CountSettings, filters: &Filters) -> View {
        View {
            format: self.format.unwrap_or_else(default_format),
            per_file: self.per_file,
            columns: columns(),
            settings,
            top: self.top,
            min_length: filters.min_length,
            stop_words: filters.stop_words.len(),
        }
    }

    /// What the top leaves out; reads the file of stop words.
    ///
    /// # Errors
    /// [`CountError::NotFound`] or [`CountError::File`] when that file cannot be read.
    pub fn filters(&self, settings: CountSettings) -> Result<Filters, CountError> {
        let stop_words = match &self.stop_words {
            None => StopWords::default(),
            Some(path) => {
                let text = std::fs::read(path).map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound => CountError::NotFound(path.clone()),
                    _ => CountError::File {
                        action: "read",
                        path: path.clone(),
                        source,
                    },
                })?;
                StopWords::parse(&text, settings)
            }
        };
        Ok(Filters {
            min_length: self.min_length,
            stop_words,
        })
    }
}
