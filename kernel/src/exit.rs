//! The documented exit codes of `topn`.
//!
//! What fails and how is in `error.rs`; this file only numbers it. `fanout` has further codes of its own.

use std::fmt::Write as _;

/// How a program ends, by number and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The answer was printed or written.
    Done,
    /// Any failure that has no code of its own.
    Other,
    /// The command line is wrong, or names no input file.
    Usage,
    /// A named path is missing.
    NotFound,
    /// Some input could not be read or decoded.
    InputsFailed,
    /// A file shrank while it was counted, or a result could not be written.
    LocalFiles,
}

impl Exit {
    /// Every code, rising.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Other,
        Self::Usage,
        Self::NotFound,
        Self::InputsFailed,
        Self::LocalFiles,
    ];

    /// The number that the process exits with.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::InputsFailed => 5,
            Self::LocalFiles => 9,
        }
    }

    /// The meaning in a few words, as the help text has it.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Other => "any other failure",
            Self::Usage => "wrong usage, or no input files",
            Self::NotFound => "a named path is missing",
            Self::InputsFailed => "some inputs failed (no answer without --allow-partial)",
            Self::LocalFiles => "a file shrank while counted, or a result could not be written",
        }
    }

    /// The section of the help text that lists every code.
    #[must_use]
    pub fn help() -> String {
        let mut text = "Exit codes:\n".to_owned();
        for exit in Self::ALL {
            let written = writeln!(text, "{:>4}  {}", exit.number(), exit.meaning());
            debug_assert!(written.is_ok(), "a String takes any text");
        }
        text
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
