//! What can fail in a count, as errors that name the input and the numbers.
//!
//! Errors of the partial format stand in `partial`; this file maps both to exit codes.

use std::io;
use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::partial::MergeError;

/// Why one input could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Opening or reading failed.
    #[error("read it")]
    Read(#[source] io::Error),
    /// The bytes are not UTF-8 but another encoding, by their byte order mark.
    #[error(
        "read it as text: it is {0} by its byte order mark; convert it first: iconv -f {0} -t UTF-8"
    )]
    Encoding(&'static str),
    /// The bytes are compressed, by their signature.
    #[error(
        "read it as text: it is {format} data by its signature; decompress it first: {command}"
    )]
    Compressed {
        /// The name of the compression.
        format: &'static str,
        /// A command that writes the text.
        command: &'static str,
    },
}

/// One input that could not be counted, and why.
#[derive(Debug, thiserror::Error)]
#[error("count `{}`", path.display())]
pub struct InputFailure {
    /// The file or directory.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: InputError,
}

impl InputFailure {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            source: InputError::Read(source),
        }
    }
}

/// Why there is no count.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// A named path is missing; nothing was read.
    #[error("find `{}`: no such file or directory", .0.display())]
    NotFound(PathBuf),
    /// The named inputs hold no file.
    #[error("find any input file in {0}")]
    NoInputs(String),
    /// Standard input was named more than once.
    #[error("read stdin twice: `-` may be named once")]
    StdinTwice,
    /// Some inputs could not be counted.
    #[error("count {} of {inputs} inputs", failures.len())]
    Inputs {
        /// Each input that failed.
        failures: Vec<InputFailure>,
        /// How many inputs there were.
        inputs: usize,
    },
    /// A file became smaller while it was being counted.
    #[error("count `{}`: it had {bytes_opened} bytes when it was opened and {bytes_now} after", path.display())]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// Its size when it was opened.
        bytes_opened: u64,
        /// Its size after, 0 when it could not be known.
        bytes_now: u64,
    },
    /// A thread pool could not be made.
    #[error("start {threads} threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// Reading, merging or writing partials failed.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A result could not be written, or a file of the command line not be read.
    #[error("{action} `{}`", path.display())]
    File {
        /// What was done: `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The answer could not be written to standard output.
    #[error("write the answer")]
    Answer(#[source] io::Error),
    /// The settings of the command line are not those of the partials.
    #[error("merge partials of {found} as {wanted}")]
    Settings {
        /// The settings of the partials.
        found: crate::settings::CountSettings,
        /// The settings of the command line.
        wanted: crate::settings::CountSettings,
    },
}

impl CountError {
    /// The exit code of this failure.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotFound(_) => Exit::NotFound,
            Self::NoInputs(_) | Self::StdinTwice | Self::Settings { .. } => Exit::Usage,
            Self::Inputs { .. } => Exit::InputsFailed,
            Self::Shrunk { .. } | Self::File { .. } | Self::Answer(_) => Exit::LocalFiles,
            Self::Threads { .. } => Exit::Other,
            Self::Merge(error) => match error {
                MergeError::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                    Exit::NotFound
                }
                MergeError::Write { .. } => Exit::LocalFiles,
                _ => Exit::InputsFailed,
            },
        }
    }
}
