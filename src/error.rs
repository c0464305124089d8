//! A failure of a command: what the user reads, the hint that helps, and the exit code.
//!
//! Libraries below (`kernel`, `plan`, `azure`) have errors of their own; `commands` turns them into this.

use std::fmt::Display;

use kernel::error::CountError;

use crate::exit::Exit;
use crate::secret::redact;

/// Why a command failed.
///
/// Printed once, by `main`: `error: …` with its chain of causes, then `hint: …`.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What failed, with its causes.
    pub error: anyhow::Error,
    /// What the user can do, when there is something.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with exit code `exit`.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            error: error.into(),
            hint: None,
        }
    }

    /// A failure described by a text alone.
    pub fn message(exit: Exit, message: impl Display) -> Self {
        Self {
            exit,
            error: anyhow::anyhow!("{message}"),
            hint: None,
        }
    }

    /// The same with what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, saying what was being done.
    #[must_use]
    pub fn context(mut self, doing: impl Display + Send + Sync + 'static) -> Self {
        self.error = self.error.context(doing);
        self
    }

    /// The lines to print: the chain of causes on one line, then the hint. Signatures are redacted.
    #[must_use]
    pub fn text(&self) -> String {
        let error = format!("{:#}", self.error);
        let error = redact(&error);
        match &self.hint {
            Some(hint) => format!("error: {error}\nhint: {}", redact(hint)),
            None => format!("error: {error}"),
        }
    }
}

impl From<CountError> for Failure {
    /// A failure of the kernel, with the exit code that `topn` has for it.
    fn from(error: CountError) -> Self {
        let exit = error.exit().into();
        let error = anyhow::Error::new(error);
        Self::message(exit, format!("failed to {error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_chain_and_hint_without_signatures() {
        let failure = Failure::message(Exit::Other, "GET http://h/?sig=abc")
            .context("staging `a.txt`")
            .hint("try again");
        assert_eq!(
            failure.text(),
            "error: staging `a.txt`: GET http://h/?sig=REDACTED\nhint: try again"
        );
    }
}
