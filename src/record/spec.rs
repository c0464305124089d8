//! Everything that defines a run, as the first event of its record.
//!
//! Enough to finish the run on another machine with the credentials, as long as the inputs are staged.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::plan::{InputFile, Piece, Shard};

/// Bytes as text, or, when they are not UTF-8, as Base64: paths and words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByteText {
    /// Bytes that are UTF-8.
    Text(String),
    /// Others.
    Base64(String),
}

impl ByteText {
    /// The text of `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(
            |_| Self::Base64(STANDARD.encode(bytes)),
            |text| Self::Text(text.to_owned()),
        )
    }

    /// The text of `path`.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        Self::new(path.as_os_str().as_bytes())
    }

    /// The bytes; none for broken Base64.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Base64(text) => STANDARD.decode(text).unwrap_or_default(),
        }
    }

    /// The path of these bytes.
    #[must_use]
    pub fn to_path(&self) -> PathBuf {
        PathBuf::from(OsString::from_vec(self.to_bytes()))
    }
}

/// A service without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its endpoint.
    pub endpoint: String,
    /// The account.
    pub account: String,
}

/// An input file as it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// Where it is, as the user named it.
    pub path: ByteText,
    /// Where its bytes are read, from any directory.
    pub read_from: ByteText,
    /// Its size.
    pub bytes: u64,
    /// When it was last changed, in nanoseconds since 1970, where that is known.
    pub modified_ns: Option<u64>,
    /// Whether it came through a pipe and cannot be read again.
    pub spooled: bool,
}

/// What defines a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The run's id.
    pub run: String,
    /// When it was planned, RFC 3339.
    pub created: String,
    /// When its time is over, RFC 3339; also in the metadata of everything that it makes.
    pub deadline: String,
    /// Batch.
    pub batch: ServiceSpec,
    /// Blob Storage.
    pub storage: ServiceSpec,
    /// Where the program was.
    pub program: ByteText,
    /// Its size.
    pub program_bytes: u64,
    /// Its SHA-256.
    pub program_sha256: String,
    /// The word mode.
    pub words: String,
    /// Words are counted as written.
    pub keep_case: bool,
    /// Rows of the answer.
    pub top: u64,
    /// Least length of a word that is shown.
    pub min_length: u64,
    /// Words that are not shown.
    pub stop_words: Vec<ByteText>,
    /// One answer per file, then the whole.
    pub per_file: bool,
    /// An answer although inputs or tasks failed.
    pub allow_partial: bool,
    /// Inputs that were left out.
    pub left_out: u64,
    /// Where the tutorial's outputs go.
    pub tutorial_output: Option<ByteText>,
    /// What stays in the account.
    pub keep: Vec<String>,
    /// Nodes of the pool.
    pub nodes: u32,
    /// Their size.
    pub vm_size: String,
    /// How often a failed task is tried again.
    pub retries: u32,
    /// How long the run may take.
    pub ttl_s: u64,
    /// Whether the first failed task ends the run.
    pub fail_fast: bool,
    /// More nodes than this that cannot run a task end the run; only when none can, if absent.
    #[serde(default)]
    pub max_bad_nodes: Option<u32>,
    /// Bytes above which a file was cut.
    pub shard_bytes: u64,
    /// The input files.
    pub files: Vec<FileSpec>,
    /// The shards: pieces as file, first byte, first byte after it.
    pub shards: Vec<Vec<(usize, u64, u64)>>,
}

impl FileSpec {
    /// The file as a plan has it.
    #[must_use]
    pub fn to_input(&self) -> InputFile {
        InputFile {
            path: self.path.to_path(),
            bytes: self.bytes,
            modified: self
                .modified_ns
                .map(|ns| SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)),
        }
    }

    /// What is recorded of `file`.
    #[must_use]
    pub fn new(file: &InputFile, read_from: &Path, spooled: bool) -> Self {
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let modified_ns = file
            .modified
            .and_then(since)
            .and_then(|since| u64::try_from(since.as_nanos()).ok());
        Self {
            path: ByteText::of_path(&file.path),
            read_from: ByteText::of_path(read_from),
            bytes: file.bytes,
            modified_ns,
            spooled,
        }
    }
}

impl RunSpec {
    /// The shards as a plan has them; nothing when a piece names no file or is no range.
    #[must_use]
    pub fn to_shards(&self) -> Option<Vec<Shard>> {
        let piece = |&(file_index, start, end): &(usize, u64, u64)| {
            let fits = self
                .files
                .get(file_index)
                .is_some_and(|file| start <= end && end <= file.bytes);
            fits.then_some(Piece {
                file_index,
                start,
                end,
            })
        };
        let shard = |(number, pieces): (u64, &Vec<(usize, u64, u64)>)| {
            Some(Shard {
                number,
                pieces: pieces.iter().map(piece).collect::<Option<Vec<_>>>()?,
            })
        };
        (1..).zip(&self.shards).map(shard).collect()
    }

    /// The pieces of `shards` as they are recorded.
    #[must_use]
    pub fn pieces(shards: &[Shard]) -> Vec<Vec<(usize, u64, u64)>> {
        let piece = |piece: &Piece| (piece.file_index, piece.start, piece.end);
        shards
            .iter()
            .map(|shard| shard.pieces.iter().map(piece).collect())
            .collect()
    }
}
