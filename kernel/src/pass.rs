//! One way through all files: units of work handed out by a counter, a table for each worker.
//!
//! What happens with files that failed, and how tables become an answer, is decided by its callers.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;

use crate::count::{CountOptions, count_text};
use crate::error::{CountError, InputError, InputFailure};
use crate::input::{InputFile, InputKind, Opened, Reach, Small, lock_stream, read_small};
use crate::table::{Seed, Table};

/// 1 MiB: what one worker counts at a time; large enough that handing out costs nothing, small enough that the last
/// chunks of a count end together.
const CHUNK_BYTES: u64 = 1 << 20;

/// 16 units, 16 MiB: what is let go of a mapped file at a time. Each time all processors have to be told.
const LET_GO_UNITS: usize = 16;

/// 16: more than a byte order mark, which is in the first chunk, and than the longest character or separator.
const CHUNK_BYTES_MIN: u64 = 16;

/// One way through all files.
pub(crate) struct Pass<'a> {
    files: &'a [&'a InputFile],
    options: &'a CountOptions,
    progress: &'a (dyn Fn(u64) + Sync),
    chunk_bytes: u64,
    /// The number of the first unit of each file, and at the end the number of all units.
    units: Vec<usize>,
    next_unit: AtomicUsize,
    states: Vec<FileState>,
    failed_was_counted: AtomicBool,
    used_up: AtomicBool,
    bytes: AtomicU64,
}

/// What the workers know of one file.
struct FileState {
    units_left: AtomicUsize,
    access: Mutex<Access>,
}

enum Access {
    Closed,
    Open(Arc<Opened>),
    Failed(InputError),
    Shrunk { bytes_opened: u64, bytes_now: u64 },
}

/// What came of a pass.
pub(crate) struct Done {
    /// The tables of the workers; words may be in several.
    pub(crate) tables: Vec<Table>,
    /// The threads of the workers, if there was more than one.
    pub(crate) pool: Option<ThreadPool>,
    /// All bytes of the files that did not fail.
    pub(crate) bytes: u64,
    /// The files that failed, by index.
    pub(crate) failed: Vec<(usize, InputFailure)>,
    /// Whether the tables hold words of a file that failed.
    pub(crate) failed_was_counted: bool,
    /// Whether a pipe or a device that did not fail gave its bytes, which it cannot give again.
    pub(crate) used_up: bool,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        files: &'a [&'a InputFile],
        options: &'a CountOptions,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Self {
        let chunk_bytes = options.chunk_bytes.unwrap_or(CHUNK_BYTES);
        let chunk_bytes = chunk_bytes.max(CHUNK_BYTES_MIN);
        let mut units = Vec::with_capacity(files.len() + 1);
        let mut states = Vec::with_capacity(files.len());
        let mut first = 0;
        for file in files {
            let count = match file.kind {
                InputKind::Regular => {
                    usize::try_from(file.bytes.div_ceil(chunk_bytes)).unwrap_or(usize::MAX)
                }
                // Every worker may take parts of a stream, until it ends.
                InputKind::Stream | InputKind::Stdin => options.threads.max(1),
            };
            units.push(first);
            states.push(FileState {
                units_left: AtomicUsize::new(count.max(1)),
                access: Mutex::new(Access::Closed),
            });
            first += count.max(1);
        }
        units.push(first);
        Self {
            files,
            options,
            progress,
            chunk_bytes,
            units,
            next_unit: AtomicUsize::new(0),
            states,
            failed_was_counted: AtomicBool::new(false),
            used_up: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
        }
    }

    /// Counts everything; on this thread alone when there is only one unit, or one thread.
    pub(crate) fn run(self) -> Result<Done, CountError> {
        let units = self.units.last().copied().unwrap_or(0);
        let threads = self.options.threads.clamp(1, units.max(1));
        let seed = Seed::random();
        let (tables, pool) = if threads == 1 {
            (vec![self.work(&seed)], None)
        } else {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|index| format!("count-{index}"))
                .build()
                .map_err(|source| CountError::Threads { threads, source })?;
            (pool.broadcast(|_| self.work(&seed)), Some(pool))
        };
        self.finish(tables, pool)
    }

    fn finish(self, tables: Vec<Table>, pool: Option<ThreadPool>) -> Result<Done, CountError> {
        let mut failed = Vec::new();
        for (index, (state, file)) in self.states.into_iter().zip(self.files).enumerate() {
            let path = file.path.clone();
            match state
                .access
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
            {
                Access::Closed | Access::Open(_) => {}
                Access::Failed(source) => failed.push((index, InputFailure { path, source })),
                Access::Shrunk {
                    bytes_opened,
                    bytes_now,
                } => {
                    return Err(CountError::Shrunk {
                        path,
                        bytes_opened,
                        bytes_now,
                    });
                }
            }
        }
        Ok(Done {
            tables,
            pool,
            bytes: self.bytes.into_inner(),
            failed,
            failed_was_counted: self.failed_was_counted.into_inner(),
            used_up: self.used_up.into_inner(),
        })
    }

    /// What one worker does: takes units until none is left.
    fn work(&self, seed: &Seed) -> Table {
        let mut table = Table::new(seed.clone());
        let mut buffer = Vec::new();
        let mut index = 0;
        loop {
            let unit = self.next_unit.fetch_add(1, Ordering::Relaxed);
            // Units are taken in rising order, so the file of this one is not before that of the last.
            while index < self.files.len() && self.units[index + 1] <= unit {
                index += 1;
            }
            if index == self.files.len() {
                return table;
            }
            let mut open = None;
            if self.units[index + 1] - self.units[index] == 1 {
                match self.count_small(index, &mut table, &mut buffer) {
                    Ok(()) => continue,
                    Err(opened) => open = opened,
                }
            }
            if let Some(opened) = self.open(index, open) {
                let chunk = unit - self.units[index];
                let counted = catch_unwind(AssertUnwindSafe(|| {
                    self.count_unit(index, &opened, chunk, &mut table, &mut buffer)
                }));
                match counted {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => self.fail(index, &opened, error),
                    // Mapped bytes that change between two looks may break any assumption; the count is lost anyway.
                    Err(_) if opened.has_shrunk() || opened.was_hit() => {
                        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                        self.fail(index, &opened, InputError::Read(error));
                    }
                    Err(panic) => resume_unwind(panic),
                }
            }
            if self.states[index].units_left.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.close(index);
            }
        }
    }

    /// Counts a small file, as no other worker does.
    ///
    /// It is opened, read once and closed: with more calls of the system small files would take twice as long.
    ///
    /// # Errors
    /// It is none, or not as it was found: the file, if it was opened.
    fn count_small(
        &self,
        index: usize,
        table: &mut Table,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Option<File>> {
        let (file, options) = (self.files[index], self.options);
        match read_small(file, options.io, options.slice, buffer) {
            Ok(Small::Text(text)) => {
                count_text(text, options.settings, table);
                self.bytes.fetch_add(file.bytes, Ordering::Relaxed);
                (self.progress)(file.bytes);
            }
            Ok(Small::Other(opened)) => return Err(opened),
            Err(error) => *self.access(index) = Access::Failed(error),
        }
        Ok(())
    }

    fn access(&self, index: usize) -> MutexGuard<'_, Access> {
        self.states[index]
            .access
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The open file, opened now if no worker did before, and it is not `open` already; `None` when it failed.
    fn open(&self, index: usize, open: Option<File>) -> Option<Arc<Opened>> {
        let mut access = self.access(index);
        if matches!(*access, Access::Closed) {
            *access =
                match Opened::open(self.files[index], open, self.options.io, self.options.slice) {
                    Ok(opened) => Access::Open(Arc::new(opened)),
                    Err(error) => Access::Failed(error),
                };
        }
        match &*access {
            Access::Open(opened) => Some(Arc::clone(opened)),
            _ => None,
        }
    }

    fn count_unit(
        &self,
        index: usize,
        opened: &Opened,
        chunk: usize,
        table: &mut Table,
        buffer: &mut Vec<u8>,
    ) -> Result<(), InputError> {
        let settings = self.options.settings;
        if let Reach::Stream(stream) = &opened.reach {
            let bytes = usize::try_from(self.chunk_bytes).unwrap_or(usize::MAX);
            loop {
                // The lock is held while reading, not while counting.
                let more = lock_stream(stream).next_part(settings.words, bytes, buffer)?;
                if !more {
                    return Ok(());
                }
                count_text(buffer, settings, table);
                (self.progress)(buffer.len() as u64);
            }
        }
        let start = chunk as u64 * self.chunk_bytes;
        let last = self.units[index] + chunk + 1 == self.units[index + 1];
        // The last chunk takes what the file grew between finding and opening.
        let end = if last {
            opened.bytes
        } else {
            (start + self.chunk_bytes).min(opened.bytes)
        };
        if start < end {
            let text = opened
                .chunk(settings.words, start..end, buffer)
                .map_err(InputError::Read)?;
            count_text(text, settings, table);
            self.let_go(opened, chunk);
            (self.progress)(end - start);
        }
        Ok(())
    }

    /// Lets pages of a mapped file go that were counted a while ago: unmapping is work, which workers share like this.
    ///
    /// A worker that is still there reads its pages again.
    fn let_go(&self, opened: &Opened, chunk: usize) {
        if let Some(units) = to_let_go(chunk, self.options.threads) {
            let bytes = |units: usize| units as u64 * self.chunk_bytes;
            opened.let_go(bytes(units.start)..bytes(units.end));
        }
    }

    fn fail(&self, index: usize, opened: &Opened, error: InputError) {
        let shorter = match &error {
            InputError::Read(error) => error.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        };
        // A file that never had the bytes it claims has not shrunk.
        let lost = if shorter { lost(opened) } else { None };
        *self.access(index) = lost.unwrap_or(Access::Failed(error));
        let counted = match &opened.reach {
            Reach::Stream(stream) => lock_stream(stream).delivered(),
            // The only chunk of a file fails before it is counted.
            _ => self.units[index + 1] - self.units[index] > 1,
        };
        self.failed_was_counted.fetch_or(counted, Ordering::Relaxed);
    }

    /// After the last unit of a file: takes its bytes into the sum, unless it has become smaller.
    fn close(&self, index: usize) {
        let mut access = self.access(index);
        let Access::Open(opened) = &*access else {
            return;
        };
        if let Some(lost) = lost(opened) {
            self.failed_was_counted.store(true, Ordering::Relaxed);
            *access = lost;
            return;
        }
        let bytes = match &opened.reach {
            Reach::Stream(stream) => {
                let stream = lock_stream(stream);
                self.used_up
                    .fetch_or(!stream.can_be_repeated(), Ordering::Relaxed);
                stream.bytes()
            }
            _ => opened.bytes,
        };
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        *access = Access::Closed;
    }
}

/// The units that may go when `chunk` was counted by one of `threads`: those of one file join each other from the first on.
fn to_let_go(chunk: usize, threads: usize) -> Option<Range<usize>> {
    if !chunk.is_multiple_of(LET_GO_UNITS) {
        return None;
    }
    let behind = threads.div_ceil(LET_GO_UNITS).checked_add(1)?;
    let end = chunk.checked_sub(behind.checked_mul(LET_GO_UNITS)?)?;
    Some(end.checked_sub(LET_GO_UNITS)?..end)
}

/// What became of a file whose bytes were not all there while it was open.
fn lost(opened: &Opened) -> Option<Access> {
    if opened.has_shrunk() {
        return Some(Access::Shrunk {
            bytes_opened: opened.bytes,
            bytes_now: opened.bytes_now().unwrap_or(0),
        });
    }
    opened.was_hit().then(|| {
        let what = "a mapped page could not be read, or the file shrank meanwhile";
        Access::Failed(InputError::Read(io::Error::other(what)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_are_let_go_join_each_other_and_stay_behind_all_workers() {
        for threads in [1, 2, 16, 17, 100] {
            let mut gone = 0;
            for chunk in 0..1000 {
                if let Some(units) = to_let_go(chunk, threads) {
                    assert_eq!(units.start, gone);
                    assert!(units.end + threads <= chunk);
                    gone = units.end;
                }
            }
            assert!(gone + 3 * LET_GO_UNITS + threads >= 1000);
        }
        assert_eq!(to_let_go(1 << 20, usize::MAX), None);
    }
}
