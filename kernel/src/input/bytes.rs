//! The bytes of one open input: mapped, read at positions, or read in order.
//!
//! It finds safe cuts through `chunk`, and knows nothing of words, tables and threads.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use super::find::{InputFile, InputKind};
use super::map::Mapping;
use super::start::{START_BYTES, check_start};
use crate::chunk::{first_safe_cut, last_safe_cut};
use crate::error::InputError;
use crate::settings::WordMode;

/// How regular files are reached; pipes, devices and empty files are always read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum IoMode {
    /// map every regular file
    Mmap,
    /// read every file
    Read,
    /// map regular files, read small ones and the rest
    #[default]
    Auto,
}

/// 256 KiB: below it the faults and the unmapping cost more than a copy.
const MAP_BYTES_MIN: u64 = 256 * 1024;

/// 64 KiB: how much past its nominal end a chunk is read at first, to find its cut.
const TAIL_BYTES: usize = 64 * 1024;

/// 4 KiB and 64 KiB: files of `/sys` claim to have a page, of whatever size, and have less.
const PAGE_BYTES: u64 = 4096;
const CLAIMED_BYTES_MAX: u64 = 64 * 1024;

/// Whether `file` has less than the `bytes` bytes that it claims.
fn is_shorter(file: &File, bytes: u64) -> bool {
    matches!(file.read_at(&mut [0], bytes - 1), Ok(0))
}

/// How the bytes of an open input are reached.
#[derive(Debug)]
pub(crate) enum Reach {
    /// All at once.
    Mapped(File, Mapping),
    /// In any order.
    Positioned(File),
    /// In order only.
    Stream(Mutex<Stream>),
}

/// An open input.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) reach: Reach,
    /// The size when it was opened; 0 for streams.
    pub(crate) bytes: u64,
    /// How many first bytes are no text.
    skip: usize,
}

/// Bytes in order, handed out in parts that end at safe cuts.
#[derive(Debug)]
pub(crate) struct Stream {
    file: Source,
    carry: Vec<u8>,
    /// All bytes that were read.
    bytes: u64,
    ended: bool,
    start_wanted: bool,
    /// Whether a part was handed out.
    delivered: bool,
}

#[derive(Debug)]
enum Source {
    File(File),
    Stdin(io::Stdin),
}

impl Opened {
    /// Opens `file`, unless it is `open` already, and judges its first bytes, unless it is a later slice of a file.
    ///
    /// # Errors
    /// [`InputError`]: it cannot be opened, or is not text in UTF-8 or a superset of ASCII.
    pub(crate) fn open(
        file: &InputFile,
        open: Option<File>,
        io: IoMode,
        slice: bool,
    ) -> Result<Self, InputError> {
        if file.kind == InputKind::Stdin {
            return Ok(Self::stream(Source::Stdin(io::stdin()), slice));
        }
        let opened = match open {
            Some(opened) => opened,
            None => File::open(&file.path).map_err(InputError::Read)?,
        };
        let metadata = opened.metadata().map_err(InputError::Read)?;
        if metadata.is_dir() {
            let error = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(InputError::Read(error));
        }
        if file.kind == InputKind::Stream || metadata.len() == 0 {
            return Ok(Self::stream(Source::File(opened), slice));
        }
        let bytes = metadata.len();
        if bytes.is_multiple_of(PAGE_BYTES)
            && bytes <= CLAIMED_BYTES_MAX
            && is_shorter(&opened, bytes)
        {
            return Ok(Self::stream(Source::File(opened), slice));
        }
        let map = match io {
            IoMode::Mmap => true,
            IoMode::Read => false,
            IoMode::Auto => bytes >= MAP_BYTES_MIN,
        };
        let mapping = if map {
            usize::try_from(bytes)
                .ok()
                .and_then(|bytes| Mapping::new(&opened, bytes).ok())
        } else {
            None
        };
        let mut opened = Self {
            reach: match mapping {
                Some(mapping) => Reach::Mapped(opened, mapping),
                None => Reach::Positioned(opened),
            },
            bytes,
            skip: 0,
        };
        if !slice {
            let mut first = [0; START_BYTES];
            let first = opened.first_bytes(&mut first).map_err(InputError::Read)?;
            opened.skip = check_start(first)?;
        }
        Ok(opened)
    }

    fn stream(file: Source, slice: bool) -> Self {
        Self {
            reach: Reach::Stream(Mutex::new(Stream {
                file,
                carry: Vec::new(),
                bytes: 0,
                ended: false,
                start_wanted: !slice,
                delivered: false,
            })),
            bytes: 0,
            skip: 0,
        }
    }

    fn first_bytes<'a>(&self, first: &'a mut [u8; START_BYTES]) -> io::Result<&'a [u8]> {
        let mut filled = 0;
        match &self.reach {
            Reach::Mapped(_, mapping) => {
                filled = mapping.len().min(START_BYTES);
                first[..filled].copy_from_slice(&mapping[..filled]);
            }
            Reach::Positioned(file) => {
                while filled < START_BYTES {
                    match file.read_at(&mut first[filled..], filled as u64) {
                        Ok(0) => break,
                        Ok(read) => filled += read,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Reach::Stream(_) => {}
        }
        Ok(&first[..filled])
    }

    /// The size of the file now, 0 when it cannot be known; `None` for streams.
    pub(crate) fn bytes_now(&self) -> Option<u64> {
        match &self.reach {
            Reach::Stream(_) => None,
            Reach::Positioned(file) | Reach::Mapped(file, _) => {
                Some(file.metadata().map_or(0, |now| now.len()))
            }
        }
    }

    /// Whether a mapped page could not be read.
    pub(crate) fn was_hit(&self) -> bool {
        matches!(&self.reach, Reach::Mapped(_, mapping) if mapping.was_hit())
    }

    /// Whether the file is smaller than when it was opened.
    pub(crate) fn has_shrunk(&self) -> bool {
        self.bytes_now().is_some_and(|now| now < self.bytes)
    }

    /// Lets pages of `range` go, if they are mapped: they were counted.
    pub(crate) fn let_go(&self, range: Range<u64>) {
        if let Reach::Mapped(_, mapping) = &self.reach {
            mapping.let_go(to_index(range.start)..to_index(range.end));
        }
    }

    /// The text of the chunk with the nominal bytes `nominal`, cut so that every byte belongs to one chunk.
    ///
    /// - A chunk begins at the first safe cut at or past its nominal start and ends at the first at or past its nominal end;
    ///   without a safe cut of its own it is empty, and the chunk before goes on.
    /// - `buffer`: holds the bytes when they must be read.
    ///
    /// # Errors
    /// What reading says; [`io::ErrorKind::UnexpectedEof`] when the file has become shorter.
    pub(crate) fn chunk<'a>(
        &'a self,
        mode: WordMode,
        nominal: Range<u64>,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        match &self.reach {
            Reach::Mapped(_, mapping) => {
                let start = to_index(nominal.start);
                let end = to_index(nominal.end.min(self.bytes));
                let Some(start) = self.chunk_start(mode, mapping, 0, start, end) else {
                    return Ok(&[]);
                };
                let end = first_safe_cut(mode, mapping, end, mapping.len());
                Ok(&mapping[start..end.unwrap_or(mapping.len())])
            }
            Reach::Positioned(file) => self.read_chunk(file, mode, nominal, buffer),
            Reach::Stream(_) => Ok(&[]),
        }
    }

    /// The index in `text` of the start of the chunk; `text` begins at byte `offset` of the file.
    fn chunk_start(
        &self,
        mode: WordMode,
        text: &[u8],
        offset: u64,
        start: usize,
        end: usize,
    ) -> Option<usize> {
        if offset == 0 && start == 0 {
            Some(self.skip.min(text.len()))
        } else if start < end {
            first_safe_cut(mode, text, start, end - 1)
        } else {
            None
        }
    }

    fn read_chunk<'a>(
        &self,
        file: &File,
        mode: WordMode,
        nominal: Range<u64>,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        let nominal_end = nominal.end.min(self.bytes);
        // One byte before the nominal start, to judge a cut there.
        let offset = nominal.start.saturating_sub(1);
        let start = to_index(nominal.start - offset);
        let end = to_index(nominal_end.saturating_sub(offset));
        let left = to_index(self.bytes.saturating_sub(offset));
        let mut wanted = left.min(end + TAIL_BYTES);
        buffer.clear();
        fill(file, buffer, offset, wanted)?;
        let Some(start) = self.chunk_start(mode, buffer, offset, start, end) else {
            return Ok(&[]);
        };
        let mut searched = end;
        loop {
            if let Some(end) = first_safe_cut(mode, buffer, searched, buffer.len()) {
                return Ok(&buffer[start..end]);
            }
            if wanted == left {
                return Ok(&buffer[start..]);
            }
            // A character that the end of the buffer cut is judged again with the rest of it.
            searched = searched.max(buffer.len().saturating_sub(4));
            wanted = left.min(wanted.saturating_mul(2));
            fill(file, buffer, offset, wanted)?;
        }
    }
}

/// What [`read_small`] finds.
#[derive(Debug)]
pub(crate) enum Small<'a> {
    /// The text of a small file.
    Text(&'a [u8]),
    /// Anything else, for [`Opened`]; the file if it was opened. What comes through a pipe comes once.
    Other(Option<File>),
}

/// Reads a small regular file at once, if it still has as many bytes as when it was found.
///
/// - `buffer`: any bytes; it holds the text.
/// - `slice`: whether this is a later slice of a file.
///
/// # Errors
/// [`InputError`]: it is not text in UTF-8 or a superset of ASCII.
pub(crate) fn read_small<'a>(
    file: &InputFile,
    io: IoMode,
    slice: bool,
    buffer: &'a mut Vec<u8>,
) -> Result<Small<'a>, InputError> {
    if file.kind != InputKind::Regular || file.bytes >= MAP_BYTES_MIN || io == IoMode::Mmap {
        return Ok(Small::Other(None));
    }
    let Ok(opened) = File::open(&file.path) else {
        return Ok(Small::Other(None));
    };
    let bytes = to_index(file.bytes);
    // One more: what ends before it ends where it was found to.
    let wanted = bytes + 1;
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    if opened.read_at(&mut buffer[..wanted], 0).ok() != Some(bytes) {
        return Ok(Small::Other(Some(opened)));
    }
    let text = &buffer[..bytes];
    let skip = if slice {
        0
    } else {
        check_start(&text[..bytes.min(START_BYTES)])?
    };
    Ok(Small::Text(&text[skip..]))
}

/// Extends `buffer`, which holds the bytes of `file` from `offset` on, to `wanted` bytes.
fn fill(file: &File, buffer: &mut Vec<u8>, offset: u64, wanted: usize) -> io::Result<()> {
    let filled = buffer.len();
    buffer.resize(wanted, 0);
    file.read_exact_at(&mut buffer[filled..], offset + filled as u64)
}

impl Stream {
    /// Puts the next part, about `bytes` long and ending at a safe cut, into `part`; false at the end.
    ///
    /// # Errors
    /// [`InputError`]: reading failed, or the first bytes are not text.
    pub(crate) fn next_part(
        &mut self,
        mode: WordMode,
        bytes: usize,
        part: &mut Vec<u8>,
    ) -> Result<bool, InputError> {
        part.clear();
        if self.ended {
            return Ok(false);
        }
        part.append(&mut self.carry);
        let mut wanted = bytes;
        loop {
            // A character that the end of the part cut is judged again with the rest of it.
            let searched = part.len().saturating_sub(4);
            if part.len() < wanted {
                self.read_some(part, wanted)?;
            }
            if self.start_wanted {
                self.start_wanted = false;
                // Another worker must not read on past bytes that are no text.
                let skip = check_start(&part[..part.len().min(START_BYTES)])
                    .inspect_err(|_| self.ended = true)?;
                part.drain(..skip);
            }
            if self.ended {
                self.delivered |= !part.is_empty();
                return Ok(!part.is_empty());
            }
            // From the byte before what is new: cuts before it were looked for already.
            let new = searched.saturating_sub(1).min(part.len());
            if let Some(cut) = last_safe_cut(mode, &part[new..]) {
                self.carry.extend_from_slice(&part[new + cut..]);
                part.truncate(new + cut);
                self.delivered = true;
                return Ok(true);
            }
            wanted = part.len().saturating_mul(2).max(bytes);
        }
    }

    /// Extends `part` to `wanted` bytes, or to the end. Memory is not cleared first, since a pipe gives little at a time.
    fn read_some(&mut self, part: &mut Vec<u8>, wanted: usize) -> Result<(), InputError> {
        let filled = part.len();
        let left = wanted - filled;
        part.reserve(left);
        let read = match &mut self.file {
            Source::File(file) => file.take(left as u64).read_to_end(part),
            Source::Stdin(stdin) => stdin.lock().take(left as u64).read_to_end(part),
        };
        match read {
            Ok(read) => {
                self.bytes += read as u64;
                self.ended = read < left;
                Ok(())
            }
            Err(error) => {
                self.ended = true;
                part.truncate(filled);
                Err(InputError::Read(error))
            }
        }
    }

    /// All bytes that were read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a part of it was handed out, and may have been counted.
    pub(crate) fn delivered(&self) -> bool {
        self.delivered
    }

    /// Whether opening it again gives all its bytes again.
    pub(crate) fn can_be_repeated(&self) -> bool {
        match &self.file {
            Source::File(file) => file.metadata().is_ok_and(|metadata| metadata.is_file()),
            Source::Stdin(_) => false,
        }
    }
}

/// Locks a stream; one that a panicking thread left is as it was after its last read.
pub(crate) fn lock_stream(stream: &Mutex<Stream>) -> std::sync::MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
