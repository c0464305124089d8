//! A directory for files of one command on this machine, and the removal of those that killed processes left.
//!
//! Each holds a lock for as long as its process lives: whoever can take the lock of one may remove it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::error::Failure;
use crate::exit::Exit;

/// How these directories begin. Other programs name nothing so.
const PREFIX: &str = "fanout-run-";

/// The file in each that is locked.
const LOCK: &str = "lock";

/// Tries to make one: another process may remove it before it is locked, but hardly twice.
const TRIES: u32 = 8;

/// A directory that goes when this is dropped, or, after a kill, when the next command starts.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: TempDir,
    /// Held while the process lives.
    _lock: File,
}

impl Scratch {
    /// A new one in the system's directory for temporary files, from which those of killed processes are removed.
    ///
    /// # Errors
    /// Exit 9 when it cannot be made.
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::new_in(&std::env::temp_dir()).map_err(|error| {
            Failure::new(Exit::LocalIo, error).context("creating a temporary directory")
        })
    }

    fn new_in(parent: &Path) -> io::Result<Self> {
        remove_orphans(parent);
        let mut gone = io::Error::from(io::ErrorKind::NotFound);
        for _ in 0..TRIES {
            match Self::try_new_in(parent) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && parent.is_dir() => {
                    gone = error;
                }
                made => return made,
            }
        }
        Err(gone)
    }

    fn try_new_in(parent: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create_new(directory.path().join(LOCK))?;
        let taken = lock.try_lock();
        // Whoever took it for an orphan's has the lock, or has removed the file.
        if matches!(taken, Err(std::fs::TryLockError::WouldBlock)) || lock.metadata()?.nlink() == 0
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Without locks, as on some file systems, nobody can take it and it is never removed.
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes what killed commands left in the system's directory for temporary files. What cannot be removed stays.
pub(crate) fn remove_scratch_of_the_killed() {
    remove_orphans(&std::env::temp_dir());
}

fn remove_orphans(parent: &Path) {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for entry in ours {
        // The next command tries again; this one has other work.
        drop(remove_orphan(&entry.path()));
    }
}

fn remove_orphan(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return Ok(());
    }
    let lock = match OpenOptions::new().append(true).open(path.join(LOCK)) {
        // Killed before it had a lock, or just being made: then it has to be made again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return std::fs::remove_dir(path),
        lock => lock?,
    };
    if lock.try_lock().is_ok() {
        std::fs::remove_dir_all(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        std::fs::read_dir(parent)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn what_is_held_stays_and_what_nobody_holds_goes() {
        let parent = tempfile::tempdir().unwrap();
        let held = Scratch::new_in(parent.path()).unwrap();
        std::fs::write(held.path().join("spool"), "x").unwrap();
        // As a kill leaves them: with and without a lock, and what is not ours.
        let orphan = parent.path().join("fanout-run-orphan");
        std::fs::create_dir(&orphan).unwrap();
        std::fs::write(orphan.join(LOCK), "").unwrap();
        std::fs::write(orphan.join("spool"), "x").unwrap();
        std::fs::create_dir(parent.path().join("fanout-run-early")).unwrap();
        std::fs::create_dir(parent.path().join("fanout-emulator-1")).unwrap();
        std::os::unix::fs::symlink(held.path(), parent.path().join("fanout-run-link")).unwrap();
        let next = Scratch::new_in(parent.path()).unwrap();
        assert!(held.path().join("spool").exists());
        drop((held, next));
        let mut left = names(parent.path());
        left.sort();
        assert_eq!(left, ["fanout-emulator-1", "fanout-run-link"]);
    }

    #[test]
    fn many_at_once_do_not_take_each_other_away() {
        let parent = tempfile::tempdir().unwrap();
        let make = || {
            for _ in 0..50 {
                let scratch = Scratch::new_in(parent.path()).unwrap();
                std::fs::write(scratch.path().join("a"), "a").unwrap();
                assert!(scratch.path().join(LOCK).exists());
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(make);
            }
        });
        assert_eq!(names(parent.path()), [""; 0]);
    }
}
