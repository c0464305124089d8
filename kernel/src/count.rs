//! Counting files: chunks handed out to workers, one table each, exact totals.
//!
//! What a word is, how bytes are reached and how counts are kept is decided elsewhere; so is what is done with failures.

use crate::counts::Counts;
use crate::error::{CountError, InputFailure};
use crate::input::{InputFile, InputKind, IoMode};
use crate::pass::Pass;
use crate::settings::CountSettings;
use crate::table::{Seed, Table};
use crate::words;

/// How to count.
#[derive(Clone, Copy, Debug)]
pub struct CountOptions {
    /// What is counted.
    pub settings: CountSettings,
    /// How many threads count; at least 1.
    pub threads: usize,
    /// How files are reached.
    pub io: IoMode,
    /// Whether every input is a later slice of a file: no byte order mark, no signature is looked for.
    pub slice: bool,
    /// The size of a chunk; `None` is the default. The answer does not depend on it.
    pub chunk_bytes: Option<u64>,
}

impl CountOptions {
    /// Counts by `settings` with one thread for each core that this process may use.
    #[must_use]
    pub fn new(settings: CountSettings) -> Self {
        Self {
            settings,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            io: IoMode::Auto,
            slice: false,
            chunk_bytes: None,
        }
    }
}

/// Counts the words of `text`, on this thread.
///
/// - `text`: any bytes; a byte order mark is text here, files lose theirs when they are opened.
/// - Result: every different word with its count; the counts add up to the words of `text`.
#[must_use]
pub fn count_bytes(text: &[u8], settings: CountSettings) -> Counts {
    let mut table = Table::new(Seed::random());
    count_text(text, settings, &mut table);
    Counts::new(settings, vec![table], text.len() as u64, 1)
}

/// Counts the words of `text`, which begins and ends at safe cuts, into `table`.
pub(crate) fn count_text(text: &[u8], settings: CountSettings, table: &mut Table) {
    words::for_each_counted(settings, text, &mut |word| table.add(word, 1));
}

/// Counts the words of `files`.
///
/// - Result: the counts of all files that could be read, and each file that could not with the reason. A file that failed
///   adds nothing to the counts.
/// - `progress` is called from any thread with the bytes that were counted since its last call.
/// - The same result for every number of threads, way of reading and size of chunks.
/// - Cost: O(bytes) time; memory by different words, for each thread; mapped files besides.
///
/// # Errors
/// [`CountError::Shrunk`] when a file became smaller meanwhile; [`CountError::Threads`]; [`CountError::Inputs`] when a
/// file failed after a part of it was counted and a stream is among the files, which cannot be read again.
pub fn count_files(
    files: &[InputFile],
    options: &CountOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Counts, Vec<InputFailure>), CountError> {
    let mut failures = Vec::new();
    let mut files: Vec<&InputFile> = files.iter().collect();
    loop {
        let inputs = files.len();
        let done = Pass::new(&files, options, progress).run()?;
        let failed: Vec<usize> = done.failed.iter().map(|(index, _)| *index).collect();
        failures.extend(done.failed.into_iter().map(|(_, failure)| failure));
        if !done.failed_was_counted {
            let inputs = if options.slice {
                0
            } else {
                inputs - failed.len()
            };
            let counts = Counts::merge(options.settings, done.tables, done.bytes, inputs as u64);
            return Ok((counts, failures));
        }
        // Tables hold no trace of which file a word came from: count again without the files that failed.
        if files.iter().any(|file| file.kind != InputKind::Regular) {
            return Err(CountError::Inputs { failures, inputs });
        }
        let mut index = 0;
        files.retain(|_| {
            index += 1;
            !failed.contains(&(index - 1))
        });
    }
}
