//! Running `topn` in a directory of its own.
//!
//! No test is here.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a run of `topn` left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A directory with files, in which `topn` runs.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            let path = place.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }

    pub(crate) fn fifo(&self, name: &str) {
        let made = Command::new("mkfifo").arg(self.path(name)).status();
        assert!(made.unwrap().success());
    }

    /// `topn` with `args`, which have no blanks inside, ready to run.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topn"));
        command
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for variable in ["NODE", "TASK", "JOB", "POOL"] {
            command.env_remove(format!("AZ_BATCH_{variable}_ID"));
        }
        command
    }

    pub(crate) fn run(&self, args: &str) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// Runs with `text` on standard input.
    pub(crate) fn pipe(&self, args: &str, text: &[u8]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || drop(stdin.write_all(text)));
            Ran::of(&child.wait_with_output().unwrap())
        })
    }

    /// The answer of a run that must succeed without a word on standard error.
    pub(crate) fn answer(&self, args: &str) -> String {
        let ran = self.run(args);
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "topn {args}");
        ran.stdout
    }
}

pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
