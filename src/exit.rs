//! The exit codes of `fanout` and what each means: one table for the process, the help text and the README.
//!
//! Which failure gets which code is decided where the failure is understood, in `commands`.

use std::process::ExitCode;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for was done.
    Done,
    /// A failure that no other code names.
    Other,
    /// The command line, the environment or the configuration is wrong.
    Usage,
    /// An input, a run or a resource does not exist.
    NotFound,
    /// A key is wrong, or may not do what is asked.
    NotAuthorised,
    /// Some inputs or tasks failed.
    Incomplete,
    /// The pool or its start task failed.
    PoolFailed,
    /// A quota is reached or the region is out of capacity.
    QuotaReached,
    /// The run's time to live is over, or a service did not answer in time.
    TimedOut,
    /// A local file, socket or process failed.
    LocalIo,
    /// The user interrupted it.
    Interrupted,
}

impl Exit {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Other,
        Self::Usage,
        Self::NotFound,
        Self::NotAuthorised,
        Self::Incomplete,
        Self::PoolFailed,
        Self::QuotaReached,
        Self::TimedOut,
        Self::LocalIo,
        Self::Interrupted,
    ];

    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAuthorised => 4,
            Self::Incomplete => 5,
            Self::PoolFailed => 6,
            Self::QuotaReached => 7,
            Self::TimedOut => 8,
            Self::LocalIo => 9,
            Self::Interrupted => 130,
        }
    }

    /// What it means, as the help text says it.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Other => "other failure",
            Self::Usage => "usage",
            Self::NotFound => "not found",
            Self::NotAuthorised => "not authorised",
            Self::Incomplete => "some inputs or tasks failed (no answer without --allow-partial)",
            Self::PoolFailed => "pool or start task failed",
            Self::QuotaReached => "quota or capacity",
            Self::TimedOut => "time-out or time to live over",
            Self::LocalIo => "local input or output",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<kernel::exit::Exit> for Exit {
    /// The exit of the kernel's command line, under the same number.
    fn from(exit: kernel::exit::Exit) -> Self {
        use kernel::exit::Exit as Kernel;
        match exit {
            Kernel::Done => Self::Done,
            Kernel::Other => Self::Other,
            Kernel::Usage => Self::Usage,
            Kernel::NotFound => Self::NotFound,
            Kernel::InputsFailed => Self::Incomplete,
            Kernel::LocalFiles => Self::LocalIo,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table of exit codes for the end of the help text.
pub const HELP: &str = "\
Exit codes:
    0  done
    1  other failure
    2  usage
    3  not found
    4  not authorised
    5  some inputs or tasks failed (no answer without --allow-partial)
    6  pool or start task failed
    7  quota or capacity
    8  time-out or time to live over
    9  local input or output
  130  interrupted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_exits_with_the_same_numbers() {
        for exit in kernel::exit::Exit::ALL {
            assert_eq!(Exit::from(exit).code(), exit.number());
        }
    }

    #[test]
    fn the_help_text_lists_every_code_with_its_meaning() {
        let lines: Vec<_> = HELP.lines().skip(1).map(str::to_owned).collect();
        let expected: Vec<_> = Exit::ALL
            .iter()
            .map(|exit| format!("{:>5}  {}", exit.code(), exit.meaning()))
            .collect();
        assert_eq!(lines, expected);
    }
}
