//! The record's file: one JSON object a line, each on disk before what it announces happens.
//!
//! The format is public and versioned: a reader takes every event of its own and older versions, skips a last line that
//! was cut by a crash, and refuses a newer version.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::spec::RunSpec;

/// The version that this build writes; it reads this and all before.
pub const VERSION: u32 = 1;

/// A step that is recorded before and after it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Step 1.
    Containers,
    /// Step 2.
    Stage,
    /// Step 3.
    Pool,
    /// Step 4.
    Job,
    /// Step 5.
    Tasks,
    /// Steps 8 and 9.
    CleanUp,
}

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first: what the run is.
    Plan {
        /// Everything that defines it.
        spec: Box<RunSpec>,
    },
    /// A step is about to be done; whether it was is not known until it is done.
    Begun {
        /// The step.
        step: Step,
    },
    /// A step is done.
    Done {
        /// The step.
        step: Step,
    },
    /// The run has another deadline from now on.
    Extended {
        /// When its time is over, RFC 3339.
        deadline: String,
    },
    /// The merged partial is on disk.
    Merged {
        /// Whether nothing is missing in it.
        complete: bool,
    },
    /// The answer was printed in full.
    Answered,
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    event: &'a Event,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Why a record cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refuses.
    #[error("{action} `{}`", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The record.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line is no event.
    #[error("read record `{}`: line {line} is not an event of a record", path.display())]
    Line {
        /// The record.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// It is of a later build.
    #[error("read record `{}`: version {found}, this build reads 1 to {VERSION}", path.display())]
    Version {
        /// The record.
        path: PathBuf,
        /// The version in it.
        found: u32,
    },
    /// Another process works on the run.
    #[error("open record `{}`: another process is working on this run", path.display())]
    Busy {
        /// The record.
        path: PathBuf,
    },
    /// Its first event is no plan.
    #[error("read record `{}`: it does not begin with a plan", path.display())]
    NoPlan {
        /// The record.
        path: PathBuf,
    },
}

/// A record that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Begins the record of `spec` at `path`, which must not exist.
    ///
    /// # Errors
    /// [`RecordError::File`].
    pub fn create(path: &Path, spec: RunSpec) -> Result<Self, RecordError> {
        let fail = |source| RecordError::File {
            action: "create record",
            path: path.to_owned(),
            source,
        };
        let parent = path.parent().unwrap_or(Path::new("."));
        // It appears with its plan or not at all.
        let first = tempfile::Builder::new()
            .append(true)
            .tempfile_in(parent)
            .map_err(fail)?;
        write_line(
            first.as_file(),
            &Event::Plan {
                spec: Box::new(spec),
            },
        )
        .map_err(fail)?;
        let file = first
            .persist_noclobber(path)
            .map_err(|error| fail(error.error))?;
        let journal = Self {
            path: path.to_owned(),
            file,
        };
        journal.lock()?;
        // The names too have to survive: the record's, and its directory's.
        for directory in [Some(parent), parent.parent()].into_iter().flatten() {
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(fail)?;
        }
        Ok(journal)
    }

    /// Goes on with the record at `path`, whose whole lines are `recorded`.
    ///
    /// # Errors
    /// [`RecordError::File`], or [`RecordError::Busy`] while another process has it.
    pub fn resume(path: &Path, recorded: &Recorded) -> Result<Self, RecordError> {
        let fail = |source| RecordError::File {
            action: "open record",
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new().append(true).open(path).map_err(fail)?;
        let journal = Self {
            path: path.to_owned(),
            file,
        };
        journal.lock()?;
        // What a crash cut off must not run into the next line.
        journal.file.set_len(recorded.bytes).map_err(fail)?;
        Ok(journal)
    }

    /// Keeps other processes from the record until this one ends, however it ends.
    fn lock(&self) -> Result<(), RecordError> {
        self.file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RecordError::Busy {
                path: self.path.clone(),
            },
            TryLockError::Error(source) => RecordError::File {
                action: "lock record",
                path: self.path.clone(),
                source,
            },
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds `event`; when this returns it is on disk.
    ///
    /// # Errors
    /// [`RecordError::File`].
    pub fn append(&self, event: &Event) -> Result<(), RecordError> {
        let fail = |source| RecordError::File {
            action: "write record",
            path: self.path.clone(),
            source,
        };
        let bytes_before = self.file.metadata().map_err(fail)?.len();
        let appended = write_line(&self.file, event);
        if appended.is_err() {
            // Half a line would run into the next.
            self.file.set_len(bytes_before).map_err(fail)?;
        }
        appended.map_err(fail)
    }
}

/// Writes `event` as one line that is on disk when this returns.
fn write_line(mut file: &File, event: &Event) -> io::Result<()> {
    let line = serde_json::to_string(&Line {
        version: VERSION,
        event,
    })?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// What the run is.
    pub spec: RunSpec,
    /// What happened after, in order.
    pub events: Vec<Event>,
    /// Length of its whole lines.
    pub bytes: u64,
}

impl Recorded {
    /// Reads a record; `path` is for messages.
    ///
    /// - A last line without a line feed was cut by a crash and is left out.
    ///
    /// # Errors
    /// Every [`RecordError`] but [`RecordError::File`].
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, RecordError> {
        let whole = text
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |last| last + 1);
        let mut events = Vec::new();
        for (number, line) in (1..).zip(text[..whole].split(|&byte| byte == b'\n')) {
            if line.is_empty() {
                continue;
            }
            let fail = |source| RecordError::Line {
                path: path.to_owned(),
                line: number,
                source,
            };
            let Version { version } = serde_json::from_slice(line).map_err(fail)?;
            if version > VERSION {
                return Err(RecordError::Version {
                    path: path.to_owned(),
                    found: version,
                });
            }
            events.push(serde_json::from_slice(line).map_err(fail)?);
        }
        let mut events = events.into_iter();
        let Some(Event::Plan { spec }) = events.next() else {
            return Err(RecordError::NoPlan {
                path: path.to_owned(),
            });
        };
        Ok(Self {
            spec: *spec,
            events: events.collect(),
            bytes: whole as u64,
        })
    }

    /// Reads the record at `path`.
    ///
    /// # Errors
    /// Every [`RecordError`].
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let fail = |source| RecordError::File {
            action: "read record",
            path: path.to_owned(),
            source,
        };
        Self::parse(path, &std::fs::read(path).map_err(fail)?)
    }

    /// Whether `step` is done.
    #[must_use]
    pub fn is_done(&self, step: Step) -> bool {
        self.events.contains(&Event::Done { step })
    }

    /// Whether `step` was begun.
    #[must_use]
    pub fn is_begun(&self, step: Step) -> bool {
        self.events.contains(&Event::Begun { step })
    }

    /// When the run's time is over, RFC 3339: as it was planned, or as it was last extended.
    #[must_use]
    pub fn deadline(&self) -> &str {
        let extended = self.events.iter().rev().find_map(|event| match event {
            Event::Extended { deadline } => Some(deadline.as_str()),
            _ => None,
        });
        extended.unwrap_or(&self.spec.deadline)
    }

    /// Once the merged partial is on disk: whether nothing is missing in it.
    #[must_use]
    pub fn merged(&self) -> Option<bool> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Merged { complete } => Some(*complete),
            _ => None,
        })
    }

    /// Whether the answer was printed.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.events.contains(&Event::Answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ByteText, FileSpec, ServiceSpec};

    fn spec() -> RunSpec {
        let service = ServiceSpec {
            endpoint: "https://b.example".to_owned(),
            account: "b".to_owned(),
        };
        RunSpec {
            run: "fo-20261122t091530z-aaaaaa".to_owned(),
            created: "2026-11-22T09:15:30Z".to_owned(),
            deadline: "2026-11-22T11:15:30Z".to_owned(),
            batch: service.clone(),
            storage: service,
            program: ByteText::new(b"/bin/topn"),
            program_bytes: 7,
            program_sha256: "ab".repeat(32),
            words: "unicode".to_owned(),
            keep_case: false,
            top: 10,
            min_length: 0,
            stop_words: vec![ByteText::new(b"\xFF")],
            per_file: false,
            allow_partial: false,
            left_out: 0,
            tutorial_output: None,
            keep: Vec::new(),
            nodes: 1,
            vm_size: "standard_d2s_v5".to_owned(),
            retries: 2,
            ttl_s: 7200,
            fail_fast: false,
            max_bad_nodes: None,
            shard_bytes: 100,
            files: vec![FileSpec {
                path: ByteText::new(b"a\xFFb"),
                read_from: ByteText::new(b"/a\xFFb"),
                bytes: 150,
                modified_ns: Some(1),
                spooled: false,
            }],
            shards: vec![vec![(0, 0, 100)], vec![(0, 100, 150)]],
        }
    }

    fn written() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.ndjson");
        let journal = Journal::create(&path, spec()).unwrap();
        for event in [
            Event::Begun { step: Step::Pool },
            Event::Done { step: Step::Pool },
            Event::Answered,
        ] {
            journal.append(&event).unwrap();
        }
        (directory, path)
    }

    #[test]
    fn what_was_written_is_read_back() {
        let (_directory, path) = written();
        let recorded = Recorded::read(&path).unwrap();
        assert_eq!(recorded.spec, spec());
        assert!(
            recorded.is_done(Step::Pool) && recorded.is_answered() && !recorded.is_begun(Step::Job)
        );
        assert_eq!(recorded.spec.files[0].path.to_bytes(), b"a\xFFb");
        assert_eq!(recorded.spec.to_shards().unwrap().len(), 2);
    }

    #[test]
    fn a_record_is_begun_once() {
        let (_directory, path) = written();
        assert!(matches!(
            Journal::create(&path, spec()),
            Err(RecordError::File { .. })
        ));
    }

    #[test]
    fn a_record_cut_anywhere_is_a_shorter_record_and_can_be_gone_on_with() {
        let (_directory, path) = written();
        let text = std::fs::read(&path).unwrap();
        let first_line = text.iter().position(|&byte| byte == b'\n').unwrap();
        for cut in 0..text.len() {
            let parsed = Recorded::parse(&path, &text[..cut]);
            if cut <= first_line {
                assert!(
                    matches!(parsed, Err(RecordError::NoPlan { .. })),
                    "cut at {cut}"
                );
                continue;
            }
            let recorded = parsed.unwrap();
            std::fs::write(&path, &text[..cut]).unwrap();
            Journal::resume(&path, &recorded)
                .unwrap()
                .append(&Event::Begun {
                    step: Step::CleanUp,
                })
                .unwrap();
            let again = Recorded::read(&path).unwrap();
            assert_eq!(again.events.len(), recorded.events.len() + 1);
            assert!(again.is_begun(Step::CleanUp));
        }
    }

    #[test]
    fn another_version_rubbish_and_a_shard_outside_its_file_are_refused() {
        let path = Path::new("r");
        let newer = Recorded::parse(path, b"{\"version\":2,\"event\":\"plan\"}\n").unwrap_err();
        assert_eq!(
            newer.to_string(),
            "read record `r`: version 2, this build reads 1 to 1"
        );
        for text in [
            &b"rubbish\n"[..],
            b"{\"version\":1}\n",
            b"{\"version\":1,\"event\":\"party\"}\n",
            b"\xFF\n",
        ] {
            assert!(matches!(
                Recorded::parse(path, text),
                Err(RecordError::Line { line: 1, .. })
            ));
        }
        let outside = RunSpec {
            shards: vec![vec![(0, 100, 151)]],
            ..spec()
        };
        assert_eq!(outside.to_shards(), None);
        let nowhere = RunSpec {
            shards: vec![vec![(1, 0, 0)]],
            ..spec()
        };
        assert_eq!(nowhere.to_shards(), None);
    }

    #[test]
    fn a_spoiled_record_is_read_or_refused() {
        let (_directory, path) = written();
        let text = std::fs::read_to_string(&path).unwrap();
        let tokens = ["{", "[", "\"", "\n", "null", ",\"version\":1", "}\n{"];
        let mut read = 0;
        crate::spoil::spoiled(&[&text], &tokens, |bytes| {
            if let Ok(recorded) = Recorded::parse(&path, bytes) {
                read += 1;
                assert!(recorded.bytes <= bytes.len() as u64);
                // Whatever it says, what is made of it lies inside its files.
                drop(recorded.spec.to_shards());
            }
        });
        assert!(read > 100, "hardly anything was read: {read}");
    }
}
