//! Runs the program in a directory of its own and looks at what it leaves.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

/// A directory with inputs, and one for temporary files that must be empty after each run.
#[derive(Debug)]
pub(crate) struct Place {
    root: TempDir,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Its answer.
    pub(crate) stdout: Vec<u8>,
    /// What it told.
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("in")).unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        Self { root }
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// Writes an input file and returns its path relative to the place.
    pub(crate) fn input(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = Path::new("in").join(name);
        let whole = self.path().join(&path);
        std::fs::create_dir_all(whole.parent().unwrap()).unwrap();
        std::fs::write(whole, content).unwrap();
        path
    }

    /// Writes a shell script that stands in for `topn`.
    pub(crate) fn script(&self, body: &str) -> String {
        let path = self.path().join("topn.sh");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A stand-in for `topn` that counts as it does, each task once the file `go` of this place is there.
    pub(crate) fn patient_topn(&self) -> String {
        self.script(&format!(
            "if [ \"$1\" != --version ]; then touch {0}/started; while [ ! -e {0}/go ]; do sleep 0.05; done; fi\n\
             exec bash -c 'exec -a topn {1} \"$@\"' topn \"$@\"",
            self.path().display(),
            env!("CARGO_BIN_EXE_fanout")
        ))
    }

    /// Lets the tasks of [`patient_topn`](Self::patient_topn) go on.
    pub(crate) fn go(&self) {
        std::fs::write(self.path().join("go"), "").unwrap();
    }

    /// Waits until one of its tasks runs.
    pub(crate) fn wait_until_started(&self) {
        wait_for("a task", || self.path().join("started").exists());
    }

    /// A command of the program, in this place, with an environment of its own.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanout"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .envs(kept())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path())
            .env("TMPDIR", self.path().join("tmp"))
            .envs(fanout::settings::exchanges().map(|log| ("FANOUT_EXCHANGES", log)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end; whatever it did, nothing may be left of it.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.finish(&mut self.command(args))
    }

    /// The same with `input` on stdin.
    pub(crate) fn run_with_stdin<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        self.judge(child.wait_with_output().unwrap())
    }

    pub(crate) fn finish(&self, command: &mut Command) -> Ran {
        self.judge(command.output().unwrap())
    }

    /// Waits for `child`, which was started from a command of this place.
    pub(crate) fn wait(&self, child: Child) -> Ran {
        self.judge(child.wait_with_output().unwrap())
    }

    /// The same, whose memory must never be more than `kib`.
    pub(crate) fn wait_in_memory(&self, child: Child, kib: u64) -> Ran {
        let path = format!("/proc/{}/status", child.id());
        let over = AtomicBool::new(false);
        let (ran, most) = std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut most = 0;
                while !over.load(Ordering::Relaxed) {
                    let status = std::fs::read_to_string(&path).unwrap_or_default();
                    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                    let peak =
                        peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
                    most = peak.unwrap_or(0).max(most);
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                most
            });
            let ran = self.wait(child);
            over.store(true, Ordering::Relaxed);
            (ran, watch.join().unwrap())
        });
        assert!(
            most <= kib,
            "{most} KiB in memory, at most {kib}; it told:\n{}",
            ran.stderr
        );
        ran
    }

    fn judge(&self, output: Output) -> Ran {
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert_eq!(
            self.left_over(),
            [""; 0],
            "files or processes stayed; it told:\n{}",
            ran.stderr
        );
        assert_no_secret(&ran);
        ran
    }

    /// Temporary files and processes that belong to this place.
    pub(crate) fn left_over(&self) -> Vec<String> {
        let tmp = self.path().join("tmp");
        let files = std::fs::read_dir(&tmp)
            .unwrap()
            .map(|entry| entry.unwrap().path().display().to_string());
        files.chain(processes_below(&tmp)).collect()
    }
}

/// What makes a program keep a copy of all that it puts out, for the judge of secrets.
fn kept() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let name = name.as_encoded_bytes();
        name == b"LD_PRELOAD" || name.starts_with(b"EFFECTS_")
    })
}

/// Sends a signal to a process that a test started.
pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Waits until `is_so`, for a minute at most.
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = fanout::clock::instant();
    while !is_so() {
        assert!(begun.elapsed().as_secs() < 60, "waited for {what} in vain");
        std::thread::yield_now();
    }
}

impl Drop for Place {
    /// A test that failed may have left its client, or what a node started: they must not outlive it.
    fn drop(&mut self) {
        for process in processes_below(self.path()) {
            let pid = process
                .split(['/', ' '])
                .find_map(|part| part.parse::<u32>().ok());
            if let Some(pid) = pid {
                drop(
                    Command::new("kill")
                        .args(["-s", "KILL", &pid.to_string()])
                        .status(),
                );
            }
        }
    }
}

/// Processes whose working directory lies below `directory`: what a node started and nobody ended.
fn processes_below(directory: &Path) -> Vec<String> {
    let cwd = |entry: std::fs::DirEntry| {
        let cwd = std::fs::read_link(entry.path().join("cwd")).ok()?;
        cwd.starts_with(directory)
            .then(|| format!("process {} in {}", entry.path().display(), cwd.display()))
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .filter_map(cwd)
        .collect()
}

/// No signature is in anything that was printed.
fn assert_no_secret(ran: &Ran) {
    for text in [&String::from_utf8_lossy(&ran.stdout), ran.stderr.as_str()] as [&str; 2] {
        for (at, _) in text.match_indices("sig=") {
            let value = &text[at + 4..];
            assert!(
                value.starts_with("REDACTED"),
                "a signature was printed:\n{text}"
            );
        }
    }
}

/// The text of `size` bytes or a little more: lines of words in several scripts, the same for the same seed.
pub(crate) fn text(seed: u64, size: usize) -> String {
    const WORDS: [&str; 16] = [
        "the",
        "The",
        "of",
        "and",
        "naïve",
        "Straße",
        "слово",
        "Мир",
        "言葉",
        "can't",
        "3.14",
        "a_b",
        "ΑΣ",
        "x,y",
        "“quoted”",
        "end.",
    ];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = String::with_capacity(size + 16);
    while out.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.push_str(WORDS[usize::try_from(state % 16).unwrap()]);
        out.push(if state.is_multiple_of(11) { '\n' } else { ' ' });
    }
    out
}
