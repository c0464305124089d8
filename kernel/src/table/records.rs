//! Words written one after the other, as records in a chunk of memory.
//!
//! ```text
//! record:  length of the word, 1 to 24 | count, unless it is 1 | the word
//!          with FEW in the first byte the count is the next byte, with MANY the next eight, little-endian
//! ```
//!
//! Which words are written where is decided in `scatter`.

use super::chunks::Chunk;
use super::hash::Seed;
use super::key::{Key, WIDE_BYTES_MAX, length};
use super::prefetch::{prefetch, prefetch_to_write};
use super::short::{ShortTable, Waiting};
use crate::scan::SOME;

pub(super) const LINE_BYTES: usize = 64;

/// What is written at a time: the longest head and three times eight bytes.
const RECORD_ROOM: usize = 40;

const FEW: u8 = 0x40;
const MANY: u8 = 0x80;
const LENGTH: u8 = 0x1F;

/// Records, from the start of a chunk on.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Of no bytes at first.
    chunk: Chunk,
    /// Where they end.
    end: usize,
}

impl Records {
    /// No records, and the room of `chunk`.
    pub(super) fn within(chunk: Chunk) -> Self {
        Self { chunk, end: 0 }
    }

    /// Whether there is no room at all.
    pub(super) fn are_nowhere(&self) -> bool {
        self.chunk.is_empty()
    }

    /// The chunk that they were in.
    pub(super) fn into_chunk(self) -> Chunk {
        self.chunk
    }

    /// Writes a word down; how many bytes the record has, or none where there is no room for one more.
    #[inline(always)]
    pub(super) fn push<const N: usize>(&mut self, words: &[u64; N], count: u64) -> Option<usize> {
        let room = self.chunk.get_mut(self.end..)?;
        let room = room.first_chunk_mut::<RECORD_ROOM>()?;
        let length = length(words);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a word of a slot has at most 24 bytes, and few is less than 256"
        )]
        let (length_byte, few) = (length as u8, count as u8);
        let head = match count {
            1 => {
                room[0] = length_byte;
                1
            }
            2..256 => {
                room[..2].copy_from_slice(&[length_byte | FEW, few]);
                2
            }
            _ => {
                room[0] = length_byte | MANY;
                room[1..9].copy_from_slice(&count.to_le_bytes());
                9
            }
        };
        for (index, word) in words.iter().enumerate() {
            room[head + 8 * index..][..8].copy_from_slice(&word.to_le_bytes());
        }
        self.end += head + length;
        // Else the first word of every cache line would wait for memory.
        prefetch_to_write(&self.chunk, self.end + LINE_BYTES);
        Some(head + length)
    }

    /// Every word with its count, as often as it was written down.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            (at < self.end).then(|| {
                let (head, length, count) = head(&self.chunk[at..]);
                let start = at + head;
                at = start + length;
                (&self.chunk[start..at], count)
            })
        })
    }

    /// Counts all of them into `table`.
    pub(super) fn count_into(&self, table: &mut ShortTable<3>, seed: &Seed) {
        seed.short().hashing(
            #[inline(always)]
            || self.count_inlined(table, seed),
        );
    }

    #[inline(always)]
    fn count_inlined(&self, table: &mut ShortTable<3>, seed: &Seed) {
        let Self { chunk, end } = self;
        let mut waiting = [(Waiting::default(), 0); SOME];
        let mut at = 0;
        while at < *end {
            table.make_room(SOME, seed);
            let short = seed.short();
            let mut count = 0;
            while count < SOME && at < *end {
                let (head, length, times) = head(&chunk[at..]);
                let start = at + head;
                at = start + length;
                prefetch(chunk, at + 512);
                let key = match chunk[start..].first_chunk::<32>() {
                    Some(bytes) => Key::new(bytes, length.clamp(1, WIDE_BYTES_MAX), &short),
                    None => {
                        let mut bytes = [0; 32];
                        bytes[..length].copy_from_slice(&chunk[start..at]);
                        Key::new(&bytes, length.clamp(1, WIDE_BYTES_MAX), &short)
                    }
                };
                waiting[count] = (table.fetch(&key), times);
                count += 1;
            }
            for (waiting, times) in &waiting[..count] {
                table.add_at(waiting.words(), waiting.slot(), *times);
            }
        }
    }
}

/// The lengths of the head and of the word of the record at the start of `bytes`, and its count.
#[inline(always)]
fn head(bytes: &[u8]) -> (usize, usize, u64) {
    let first = bytes[0];
    let length = usize::from(first & LENGTH);
    if first & (FEW | MANY) == 0 {
        return (1, length, 1);
    }
    if first & FEW != 0 {
        return (2, length, u64::from(bytes[1]));
    }
    let mut count = [0; 8];
    count.copy_from_slice(&bytes[1..9]);
    (9, length, u64::from_le_bytes(count))
}
