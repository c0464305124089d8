//! Processes of tasks: starting one in its own group, waiting for it, ending it with all it started.
//!
//! It knows nothing of tasks. Groups are killed without asking first: what runs here is somebody's rehearsal.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

use super::agent::Usage;

/// How often a program that another thread has just written is tried again; see [`Processes::spawn`].
const BUSY_ATTEMPTS_MAX: u32 = 100;

/// The groups that run now.
#[derive(Debug, Clone, Default)]
pub(super) struct Processes(Arc<Mutex<Groups>>);

#[derive(Debug, Default)]
struct Groups {
    running: HashSet<i32>,
    /// Set by the first [`Processes::kill_all`]: what starts after it is killed at once.
    is_closed: bool,
}

/// What to start.
pub(super) struct Program<'a> {
    pub(super) words: &'a [String],
    pub(super) environment: &'a [(String, String)],
    pub(super) directory: &'a Path,
    pub(super) stdout: File,
    pub(super) stderr: File,
}

/// A started process with the group that it leads. Dropping it kills the group.
pub(super) struct Running {
    child: Child,
    group: i32,
    processes: Processes,
}

impl Processes {
    /// Starts `program` as the leader of a new group with nothing of this process's environment.
    ///
    /// # Errors
    /// What the system says; `NotFound` if there is no such program.
    pub(super) async fn spawn(&self, program: Program<'_>) -> std::io::Result<Running> {
        let (name, arguments) = program
            .words
            .split_first()
            .ok_or(std::io::ErrorKind::InvalidInput)?;
        let path = if name.contains('/') {
            program.directory.join(name)
        } else {
            name.into()
        };
        let mut command = Command::new(path);
        command
            .args(arguments)
            .env_clear()
            .envs(
                program
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(program.directory)
            .stdin(Stdio::null())
            .stdout(program.stdout)
            .stderr(program.stderr)
            .process_group(0)
            .kill_on_drop(true);
        let mut attempts = 0;
        let child = loop {
            match command.spawn() {
                // A process forked by another thread, not yet at its exec, may still hold the program open for writing.
                Err(error)
                    if error.kind() == std::io::ErrorKind::ExecutableFileBusy
                        && attempts < BUSY_ATTEMPTS_MAX =>
                {
                    attempts += 1;
                    crate::clock::sleep(Duration::from_millis(10)).await;
                }
                spawned => break spawned?,
            }
        };
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        let mut groups = self.lock();
        groups.running.insert(group);
        if groups.is_closed {
            kill_group(group);
        }
        drop(groups);
        Ok(Running {
            child,
            group,
            processes: self.clone(),
        })
    }

    /// Kills every group that runs, and from now on every one that is started.
    pub(super) fn kill_all(&self) {
        let mut groups = self.lock();
        groups.is_closed = true;
        for group in &groups.running {
            kill_group(*group);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Groups> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Waits for the process; its exit code, or 128 and the signal that ended it, and what it used.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn wait(&mut self) -> std::io::Result<(i32, Usage)> {
        use std::os::unix::process::ExitStatusExt as _;
        let usage = self.ended().await.unwrap_or_default();
        let status = self.child.wait().await?;
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Ok((code, usage))
    }

    /// Waits until the process has ended and is still listed, with what it used; at once if that cannot be waited for.
    #[expect(
        deprecated,
        reason = "its successor is unsafe; the handle is owned and stays open while it is registered"
    )]
    async fn ended(&self) -> Option<Usage> {
        let pid = Pid::from_raw(self.group)?;
        let handle = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        let handle = AsyncFd::with_interest(handle, Interest::READABLE).ok()?;
        drop(handle.readable().await.ok()?);
        read_usage(&std::fs::read_to_string(format!("/proc/{}/stat", self.group)).ok()?)
    }

    /// Kills the process and all others of its group.
    pub(super) fn kill(&self) {
        kill_group(self.group);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        self.processes.lock().running.remove(&self.group);
    }
}

/// What `/proc/PID/stat` tells of processor time.
fn read_usage(stat: &str) -> Option<Usage> {
    /// Fields between the program's name, which may hold anything, and the first of the four times.
    const FIELDS_BEFORE: usize = 11;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields
        .split_whitespace()
        .skip(FIELDS_BEFORE)
        .map_while(|field| field.parse::<u64>().ok());
    let [user, kernel, children_user, children_kernel] =
        [times.next()?, times.next()?, times.next()?, times.next()?];
    let time = |ticks: u64| {
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
    };
    Some(Usage {
        user: time(user + children_user),
        kernel: time(kernel + children_kernel),
    })
}

fn kill_group(group: i32) {
    // Group 0 would be this process's own, and 1 the whole machine's.
    if group > 1
        && let Some(group) = Pid::from_raw(group)
    {
        // Nobody left to kill is what we want.
        kill_process_group(group, Signal::KILL).unwrap_or_default();
    }
}

/// Kills every process whose environment says that it belongs to the node in `root`, or to one below it: also those
/// that left their group. Returns how many there were.
pub(in crate::emulator) fn kill_by_root(root: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return 0;
    };
    let mut killed = 0;
    for entry in entries.flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else {
            continue;
        };
        let belongs = environment
            .split(|byte| *byte == 0)
            .filter_map(|setting| setting.strip_prefix(b"AZ_BATCH_NODE_ROOT_DIR="))
            .any(|path| {
                use std::os::unix::ffi::OsStrExt as _;
                Path::new(std::ffi::OsStr::from_bytes(path)).starts_with(root)
            });
        if belongs && let Some(pid) = Pid::from_raw(id) {
            kill_process(pid, Signal::KILL).unwrap_or_default();
            killed += 1;
        }
    }
    killed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    async fn start(
        processes: &Processes,
        line: &[&str],
        environment: &[(String, String)],
        directory: &Path,
    ) -> std::io::Result<Running> {
        let file = |name: &str| File::create(directory.join(name)).expect("file");
        processes
            .spawn(Program {
                words: &words(line),
                environment,
                directory,
                stdout: file("stdout.txt"),
                stderr: file("stderr.txt"),
            })
            .await
    }

    #[tokio::test]
    async fn a_process_sees_only_the_environment_given() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let environment = [
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("A".to_owned(), "b c".to_owned()),
        ];
        let mut running = start(
            &Processes::default(),
            &["env"],
            &environment,
            directory.path(),
        )
        .await
        .expect("env");
        assert_eq!(running.wait().await.expect("exit").0, 0);
        let shown = std::fs::read_to_string(directory.path().join("stdout.txt")).expect("output");
        let mut lines: Vec<&str> = shown.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["A=b c", "PATH=/usr/bin:/bin"]);
    }

    #[tokio::test]
    async fn a_missing_program_is_told_apart() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let error = start(&Processes::default(), &["./none"], &[], directory.path())
            .await
            .err()
            .expect("missing");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_killed_group_ends_with_its_children() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let processes = Processes::default();
        let mut running = start(
            &processes,
            &["/bin/sh", "-c", "/bin/sleep 600 & /bin/sleep 600"],
            &[],
            directory.path(),
        )
        .await
        .expect("shell");
        processes.kill_all();
        assert_eq!(running.wait().await.expect("exit").0, 128 + 9);
    }

    #[tokio::test]
    async fn a_process_that_left_its_group_is_found_by_its_environment() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let root = directory.path().join("node");
        let environment = [(
            "AZ_BATCH_NODE_ROOT_DIR".to_owned(),
            root.display().to_string(),
        )];
        let mut running = start(
            &Processes::default(),
            &["/bin/sleep", "600"],
            &environment,
            directory.path(),
        )
        .await
        .expect("sleep");
        // Between fork and exec it still shows this process's environment.
        while kill_by_root(directory.path()) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(running.wait().await.expect("exit").0, 128 + 9);
        assert_eq!(kill_by_root(Path::new("/nonexistent")), 0);
    }
}
