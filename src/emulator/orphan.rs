//! What a killed service left: found at the next start by its record, its processes ended, its directory removed.
//!
//! It touches nothing unless the record names this very directory and its service is gone: no process has the recorded
//! id and start time. Anything doubtful is named and left alone.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::node::kill_by_root;
use super::root::{PREFIX, remove_tree};

/// Name of the record in a service's directory.
const RECORD: &str = "service.json";

/// Who made a directory.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    pid: u32,
    /// Start time of the process in ticks since the machine started.
    started: u64,
    /// The space of process ids that `pid` is of: in another one, as in a container, it says nothing.
    space: PathBuf,
    /// The directory, without links.
    root: PathBuf,
}

/// Writes the record of this process into `root`.
///
/// # Errors
/// What the system says.
pub(crate) fn write_record(root: &Path) -> std::io::Result<()> {
    let pid = std::process::id();
    let record = Record {
        pid,
        started: start_time(pid).unwrap_or_default(),
        space: process_space(),
        root: root.to_owned(),
    };
    std::fs::write(root.join(RECORD), serde_json::to_vec(&record)?)
}

/// Removes what killed services left in `parent`; a line about each, also about what is left alone.
pub(crate) fn remove_orphans(parent: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    names
        .filter_map(|entry| remove_orphan(&entry.path()))
        .collect()
}

/// Removes `path` if its service is gone; what was done, or `None` for a service that runs.
fn remove_orphan(path: &Path) -> Option<String> {
    let about = path.symlink_metadata().ok()?;
    if !about.is_dir() || about.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    let shown = path.display();
    let record = std::fs::read(path.join(RECORD))
        .ok()
        .and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    let Some(record) = record else {
        return Some(format!(
            "left alone `{shown}`: it has no readable record of its service"
        ));
    };
    if path.canonicalize().ok().as_ref() != Some(&record.root) {
        return Some(format!(
            "left alone `{shown}`: its record is of `{}`",
            record.root.display()
        ));
    }
    if record.space != process_space() {
        return Some(format!(
            "left alone `{shown}`: its service may run in another container"
        ));
    }
    if start_time(record.pid) == Some(record.started) {
        return None;
    }
    let killed = kill_by_root(&record.root);
    Some(match remove_tree(&record.root) {
        Ok(()) => format!(
            "removed `{shown}` of a service that was killed, and ended {killed} processes of it"
        ),
        Err(error) => format!(
            "ended {killed} processes of a service that was killed; `{shown}` stays: {error}"
        ),
    })
}

/// The space of process ids that this process lives in.
fn process_space() -> PathBuf {
    std::fs::read_link("/proc/self/ns/pid").unwrap_or_default()
}

/// When the process `pid` started, in ticks since the machine did; `None` if there is none.
fn start_time(pid: u32) -> Option<u64> {
    /// Fields between the program's name, which may hold anything, and the start time.
    const FIELDS_BEFORE: usize = 19;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(FIELDS_BEFORE)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(parent: &Path, name: &str, pid: u32, started: u64) -> PathBuf {
        let root = parent.join(format!("{PREFIX}{name}"));
        std::fs::create_dir(&root).expect("directory");
        let record = Record {
            pid,
            started,
            space: process_space(),
            root: root.canonicalize().expect("path"),
        };
        std::fs::write(
            root.join(RECORD),
            serde_json::to_vec(&record).expect("JSON"),
        )
        .expect("record");
        root
    }

    #[test]
    fn only_what_a_dead_service_left_is_removed() {
        let parent = tempfile::tempdir().expect("temporary directory");
        let own = std::process::id();
        let started = start_time(own).expect("this process runs");
        let living = make(parent.path(), "living", own, started);
        let dead = make(parent.path(), "dead", own, started + 1);
        let moved = parent.path().join(format!("{PREFIX}moved"));
        std::fs::rename(make(parent.path(), "moving", own, started + 1), &moved).expect("moved");
        let nameless = parent.path().join(format!("{PREFIX}nameless"));
        std::fs::create_dir(&nameless).expect("directory");
        let mut said = remove_orphans(parent.path());
        said.sort();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(
            said[0].starts_with("left alone") && said[1].starts_with("left alone"),
            "{said:?}"
        );
        assert!(said[2].starts_with("removed"), "{said:?}");
        assert!(living.exists() && moved.exists() && nameless.exists() && !dead.exists());
    }
}
