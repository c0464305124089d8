//! The exact merge of any number of partials, with a bounded number of open files.
//!
//! It decides nothing about which shards a run has: the caller gives the list. Nothing is delivered as complete
//! that was not verified: after an error, what the sink received is worthless.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::format::{PartialError, Totals};
use super::read::PartialReader;
use super::write::PartialWriter;
use crate::settings::CountSettings;

/// Why partials could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("merge no partials: at least one is needed")]
    Empty,
    /// A partial could not be opened.
    #[error("open partial `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A partial could not be read.
    #[error("merge partial `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: PartialError,
    },
    /// Two partials have different settings.
    #[error("merge partial `{}`: it has {found}, the others have {wanted}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// Its settings.
        found: CountSettings,
        /// The settings of the first partial.
        wanted: CountSettings,
    },
    /// A shard came twice.
    #[error("merge partial `{}`: shard `{shard}` came before", path.display())]
    Doubled {
        /// The second file.
        path: PathBuf,
        /// The shard.
        shard: String,
    },
    /// A shard is not one that was asked for.
    #[error("merge partial `{}`: shard `{shard}` is none of the {expected} expected", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The shard.
        shard: String,
        /// How many shards were expected.
        expected: usize,
    },
    /// Shards have no partial.
    #[error("merge {found} partials of {expected} shards: shard `{first}` is missing")]
    Missing {
        /// The first shard without a partial.
        first: String,
        /// How many partials there are.
        found: usize,
        /// How many shards were expected.
        expected: usize,
    },
    /// A total passes 2^64 - 1.
    #[error("add up the partials: {what} pass 2^64 - 1")]
    Overflow {
        /// Which total.
        what: &'static str,
    },
    /// The merged words do not add up to what the partials say.
    #[error("add up the partials: {merged} words merged, {expected} in the partials")]
    Sum {
        /// The sum of merged counts.
        merged: u64,
        /// The sum of the totals of the partials.
        expected: u64,
    },
    /// The merged partial, or one between rounds, could not be written.
    #[error("write the merged partial")]
    Write {
        /// Why.
        #[source]
        source: PartialError,
    },
}

/// Takes each word of a merge with its count.
pub type MergeSink<'a> = dyn FnMut(&[u8], u64) -> Result<(), PartialError> + 'a;

/// How to merge.
#[derive(Clone, Copy, Debug)]
pub struct MergeOptions<'a> {
    /// The ids of all shards; `None` takes whatever shards the partials have, each once.
    pub expected: Option<&'a [String]>,
    /// How many partials are open at a time; more are merged in rounds through temporary files. At least 2.
    pub open_files_max: usize,
    /// Where temporary files go, when rounds are needed.
    pub temp_dir: &'a Path,
}

impl Default for MergeOptions<'_> {
    /// No list of shards, 256 open files (a quarter of the usual limit of 1024), temporary files in `/tmp`.
    fn default() -> Self {
        Self {
            expected: None,
            open_files_max: 256,
            temp_dir: Path::new("/tmp"),
        }
    }
}

/// Adds up `partials` and calls `sink` with each different word, in byte order, and its exact count.
///
/// - Result: the settings, equal in all partials, and the totals: sums, and the number of different words.
/// - Every partial is read to its end and verified; only then is the result `Ok`.
/// - Cost: one pass over the data for each round, O(log of open files) a word; memory: a block for each open file.
///
/// # Errors
/// [`MergeError`]: a partial missing, doubled, foreign, short or damaged, other settings, a total that overflows.
pub fn merge(
    partials: &[PathBuf],
    options: &MergeOptions<'_>,
    sink: &mut MergeSink<'_>,
) -> Result<(CountSettings, Totals), MergeError> {
    let settings = check_headers(partials, options)?;
    let open_files_max = options.open_files_max.max(2);
    let mut between: Vec<tempfile::TempPath> = Vec::new();
    let mut paths = partials.to_vec();
    while paths.len() > open_files_max {
        let mut next = Vec::new();
        for (index, group) in paths.chunks(open_files_max).enumerate() {
            next.push(merge_group(group, settings, index, options.temp_dir)?);
        }
        paths = next.iter().map(|path| path.to_path_buf()).collect();
        // Replacing them removes the files of the round before.
        between = next;
    }
    let totals = merge_open(&paths, sink)?;
    drop(between);
    Ok((settings, totals))
}

/// Adds up `partials` into one new partial of `shard`, written to `out`.
///
/// # Errors
/// As [`merge`].
pub fn merge_into<W: Write>(
    partials: &[PathBuf],
    options: &MergeOptions<'_>,
    shard: &str,
    out: W,
) -> Result<(W, Totals), MergeError> {
    let settings = check_headers(partials, options)?;
    let write = |source| MergeError::Write { source };
    let mut writer = PartialWriter::new(out, settings, shard).map_err(write)?;
    let (_, totals) = merge(partials, options, &mut |word, count| {
        writer.push(word, count)
    })?;
    let (out, _) = writer.finish(totals.bytes, totals.inputs).map_err(write)?;
    Ok((out, totals))
}

/// The settings of the partial at `path`.
///
/// # Errors
/// [`MergeError::Open`] and [`MergeError::Read`] when it cannot be read.
pub fn settings_of(path: &Path) -> Result<CountSettings, MergeError> {
    open(path).map(|reader| reader.settings())
}

fn open(path: &Path) -> Result<PartialReader<File>, MergeError> {
    let file = File::open(path).map_err(|source| MergeError::Open {
        path: path.to_owned(),
        source,
    })?;
    PartialReader::new(file).map_err(|source| MergeError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Reads every header before any word: equal settings, each shard once, all of the expected and no other.
fn check_headers(
    partials: &[PathBuf],
    options: &MergeOptions<'_>,
) -> Result<CountSettings, MergeError> {
    let mut settings = None;
    let mut shards = HashSet::new();
    let expected: Option<HashSet<&str>> = options
        .expected
        .map(|ids| ids.iter().map(String::as_str).collect());
    for path in partials {
        let reader = open(path)?;
        let found = reader.settings();
        let wanted = *settings.get_or_insert(found);
        if found != wanted {
            return Err(MergeError::Settings {
                path: path.clone(),
                found,
                wanted,
            });
        }
        let shard = reader.shard().to_owned();
        if let Some(expected) = &expected
            && !expected.contains(&*shard)
        {
            return Err(MergeError::Foreign {
                path: path.clone(),
                shard,
                expected: expected.len(),
            });
        }
        if !shards.insert(shard.clone()) {
            return Err(MergeError::Doubled {
                path: path.clone(),
                shard,
            });
        }
    }
    if let Some(ids) = options.expected
        && let Some(first) = ids.iter().find(|id| !shards.contains(*id))
    {
        return Err(MergeError::Missing {
            first: first.clone(),
            found: partials.len(),
            expected: ids.len(),
        });
    }
    settings.ok_or(MergeError::Empty)
}

fn merge_group(
    group: &[PathBuf],
    settings: CountSettings,
    index: usize,
    temp_dir: &Path,
) -> Result<tempfile::TempPath, MergeError> {
    let write = |source| MergeError::Write { source };
    let file = tempfile::Builder::new()
        .prefix("topn-merge-")
        .tempfile_in(temp_dir)
        .map_err(|error| write(error.into()))?;
    let (file, path) = file.into_parts();
    let mut writer =
        PartialWriter::new(BufWriter::new(file), settings, &index.to_string()).map_err(write)?;
    let totals = merge_open(group, &mut |word, count| writer.push(word, count))?;
    writer.finish(totals.bytes, totals.inputs).map_err(write)?;
    Ok(path)
}

/// Merges partials that are all open at a time.
fn merge_open(paths: &[PathBuf], sink: &mut MergeSink<'_>) -> Result<Totals, MergeError> {
    let mut heads = Heads::open(paths)?;
    let mut totals = Totals::default();
    let mut word = Vec::new();
    while let Some(first) = heads.first() {
        word.clear();
        word.extend_from_slice(heads.readers[first].word());
        let mut count = 0_u64;
        while let Some(index) = heads.first() {
            let reader = &heads.readers[index];
            if reader.word() != word {
                break;
            }
            count = count
                .checked_add(reader.count())
                .ok_or(MergeError::Overflow { what: "counts" })?;
            heads.advance_first()?;
        }
        sink(&word, count).map_err(|source| MergeError::Write { source })?;
        totals.words = add(totals.words, count, "words")?;
        totals.distinct += 1;
    }
    let mut words_expected = 0;
    for reader in &heads.readers {
        let one = reader.totals().unwrap_or_default();
        totals.bytes = add(totals.bytes, one.bytes, "bytes")?;
        totals.inputs = add(totals.inputs, one.inputs, "inputs")?;
        words_expected = add(words_expected, one.words, "words")?;
    }
    if totals.words != words_expected {
        return Err(MergeError::Sum {
            merged: totals.words,
            expected: words_expected,
        });
    }
    Ok(totals)
}

fn add(left: u64, right: u64, what: &'static str) -> Result<u64, MergeError> {
    left.checked_add(right).ok_or(MergeError::Overflow { what })
}

/// Open partials as a binary heap by their current word: `heap[0]` is the reader with the least.
struct Heads<'a> {
    paths: &'a [PathBuf],
    readers: Vec<PartialReader<File>>,
    heap: Vec<usize>,
}

impl<'a> Heads<'a> {
    fn open(paths: &'a [PathBuf]) -> Result<Self, MergeError> {
        let mut heads = Self {
            paths,
            readers: Vec::new(),
            heap: Vec::new(),
        };
        for (index, path) in paths.iter().enumerate() {
            heads.readers.push(open(path)?);
            if heads.advance(index)? {
                heads.heap.push(index);
            }
        }
        for position in (0..heads.heap.len() / 2).rev() {
            heads.sink_down(position);
        }
        Ok(heads)
    }

    fn first(&self) -> Option<usize> {
        self.heap.first().copied()
    }

    fn advance(&mut self, index: usize) -> Result<bool, MergeError> {
        self.readers[index]
            .advance()
            .map_err(|source| MergeError::Read {
                path: self.paths[index].clone(),
                source,
            })
    }

    /// Moves the least reader to its next word and restores the heap.
    fn advance_first(&mut self) -> Result<(), MergeError> {
        if !self.advance(self.heap[0])? {
            self.heap.swap_remove(0);
        }
        self.sink_down(0);
        Ok(())
    }

    fn sink_down(&mut self, mut position: usize) {
        loop {
            let mut least = position;
            for child in [2 * position + 1, 2 * position + 2] {
                if child < self.heap.len()
                    && self.readers[self.heap[child]].word() < self.readers[self.heap[least]].word()
                {
                    least = child;
                }
            }
            if least == position {
                return;
            }
            self.heap.swap(position, least);
            position = least;
        }
    }
}
