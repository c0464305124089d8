//! Where the service says what it does: standard error, or nowhere.
//!
//! It knows no levels and no files; no secret reaches it, because callers redact what they pass.

use crate::secret::redact;

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Log {
    /// Nowhere.
    #[default]
    Off,
    /// One line each to standard error.
    Stderr,
}

impl Log {
    /// Writes `line` with the time before it and every `sig=` redacted.
    pub(crate) fn line(self, line: &str) {
        if self == Self::Stderr {
            let time = super::stamp::iso(crate::clock::now());
            #[expect(
                clippy::print_stderr,
                reason = "the one door of the service to standard error"
            )]
            {
                eprintln!("{time} {}", redact(line));
            }
        }
    }
}
