//! Where runs keep what must outlive a process: `STATE/RUN/` with the record and the merged partial.

use std::io;
use std::path::{Path, PathBuf};

use crate::plan::RunId;

/// The directory of all runs on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// The directory `path`, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of `run`.
    #[must_use]
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.path.join(run.as_str())
    }

    /// The record of `run`.
    #[must_use]
    pub fn record(&self, run: &RunId) -> PathBuf {
        self.run(run).join("record.ndjson")
    }

    /// The clients that this machine was for `run`, one a line.
    #[must_use]
    pub fn clients(&self, run: &RunId) -> PathBuf {
        self.run(run).join("clients")
    }

    /// The merged partial of `run`: of the whole, or of the file that the plan numbers `file_index`.
    #[must_use]
    pub fn merged(&self, run: &RunId, file_index: Option<usize>) -> PathBuf {
        let name = file_index.map_or_else(
            || "merged.partial".to_owned(),
            |index| format!("file-{index:06}.partial"),
        );
        self.run(run).join(name)
    }

    /// The runs that have a directory here, oldest first.
    ///
    /// # Errors
    /// What reading the directory returns, but not that it is missing.
    pub fn runs(&self) -> io::Result<Vec<RunId>> {
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut runs = Vec::new();
        for entry in entries {
            // What is no run id is not ours.
            runs.extend(
                entry?
                    .file_name()
                    .to_str()
                    .and_then(|name| RunId::parse(name).ok()),
            );
        }
        runs.sort();
        Ok(runs)
    }

    /// Removes everything of `run`; what is not there counts as removed.
    ///
    /// # Errors
    /// What the file system returns.
    pub fn remove(&self, run: &RunId) -> io::Result<()> {
        match std::fs::remove_dir_all(self.run(run)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
